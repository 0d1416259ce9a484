//! The cookies of a request (RFC 6265bis section 4.2).

use cookie::Cookie;
use kamea_components::http::Fields;

use crate::Keys;

/// The cookies that a client has sent, in its order.
///
/// A client may send several cookies of one name, for example one for a path and one for the whole
/// site, or one that another host of the same domain has set. RFC 6265bis section 4.2.2: "Servers
/// SHOULD NOT rely upon the order". So code that trusts a cookie uses [`only`](Self::only).
///
/// # Examples
///
/// ```
/// use kamea_components::http::Fields;
/// use kamea_session::Cookies;
///
/// let fields = Fields::new().with("Cookie", "theme=dark; a=1; a=2; nothing");
/// let cookies = Cookies::of(&fields);
/// assert_eq!(cookies.get("theme"), Some("dark"));
/// assert_eq!(cookies.get_all("a").collect::<Vec<_>>(), ["1", "2"]);
/// assert_eq!(cookies.only("a"), None);
/// assert_eq!(cookies.len(), 3);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cookies(Vec<(String, String)>);

impl Cookies {
    /// The limit of cookies in a request. Further ones are ignored: browsers keep up to some 180
    /// for a host.
    pub const MOST: usize = 200;

    /// Reads the cookies from the `Cookie` fields of a request. Pairs without a name, without `=`,
    /// or with control characters are ignored.
    #[must_use]
    pub fn of(fields: &Fields) -> Self {
        let lines = fields.get_all("cookie");
        let pairs = lines.flat_map(|line| line.split(|&byte| byte == b';'));
        let pairs = pairs.filter_map(|pair| std::str::from_utf8(pair).ok());
        let pairs = pairs.filter_map(|pair| Cookie::parse(pair).ok());
        let pairs = pairs.filter(|pair| !pair.value().contains(char::is_control));
        let pairs = pairs.map(|pair| (pair.name().to_owned(), pair.value().to_owned()));
        Self(pairs.take(Self::MOST).collect())
    }

    /// The value of the first cookie of this name. Names are case-sensitive.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let named = self.0.iter().find(|(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The values of all cookies of this name.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(other, _)| other == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The value of the cookie of this name, unless there are several that differ: then one of them
    /// may be from somebody else.
    #[must_use]
    pub fn only(&self, name: &str) -> Option<&str> {
        let first = self.get(name)?;
        self.get_all(name)
            .all(|value| value == first)
            .then_some(first)
    }

    /// The value of a signed cookie: see [`Keys::sign`]. `None` if it is missing, or not signed by
    /// one of the keys.
    #[must_use]
    pub fn signed(&self, keys: &Keys, name: &str) -> Option<&str> {
        keys.verify(name, self.only(name)?)
    }

    /// The value of an encrypted cookie: see [`Keys::seal`]. `None` if it is missing, or not
    /// encrypted by one of the keys.
    #[must_use]
    pub fn private(&self, keys: &Keys, name: &str) -> Option<String> {
        keys.open(name, self.only(name)?)
    }

    /// All cookies: names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The number of cookies.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no cookie.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_field_is_read_as_rfc_6265bis_says() {
        // RFC 6265bis, 4.2.1: cookie-string = cookie-pair *( ";" SP cookie-pair ).
        type Case = (
            &'static [&'static str],
            &'static [(&'static str, &'static str)],
        );
        let cases: [Case; 20] = [
            (&["foo=bar"], &[("foo", "bar")]),
            (&["foo=bar; baz=qux"], &[("foo", "bar"), ("baz", "qux")]),
            (&["foo=bar;baz=qux"], &[("foo", "bar"), ("baz", "qux")]),
            (&["  foo = bar ;  "], &[("foo", "bar")]),
            (&["foo="], &[("foo", "")]),
            (&["foo=a=b=c"], &[("foo", "a=b=c")]),
            (&["foo=a, b"], &[("foo", "a, b")]),
            (&["foo=\"a b\""], &[("foo", "\"a b\"")]),
            (&["Foo=1; foo=2"], &[("Foo", "1"), ("foo", "2")]),
            (&["foo=1; foo=2"], &[("foo", "1"), ("foo", "2")]),
            (&["a=1", "b=2"], &[("a", "1"), ("b", "2")]),
            (&[""], &[]),
            (&[";;; ;"], &[]),
            (&["foo"], &[]),
            (&["=bar"], &[]),
            (&["="], &[]),
            (&["foo; bar=1"], &[("bar", "1")]),
            (&["foo=%61%3B"], &[("foo", "%61%3B")]),
            (&["foo=päivä"], &[("foo", "päivä")]),
            // The attributes of `Set-Cookie` mean nothing here.
            (&["foo=1; Path=/; Secure"], &[("foo", "1"), ("Path", "/")]),
        ];
        for (lines, expected) in cases {
            let mut fields = Fields::new();
            for line in lines {
                fields.push("Cookie", line).unwrap();
            }
            let cookies = Cookies::of(&fields);
            assert_eq!(cookies.iter().collect::<Vec<_>>(), expected, "{lines:?}");
        }
    }

    /// What user agents send in the public cases of http-state, one cookie each: names and values
    /// that no server should set, and that other servers do set.
    #[test]
    fn what_user_agents_send_for_odd_cookies_is_read() {
        let cases = [
            ("!a=bar", "!a", "bar"),
            ("#a=bar", "#a", "bar"),
            ("$=bar", "$", "bar"),
            ("$Version=1", "$Version", "1"),
            ("$a=bar", "$a", "bar"),
            ("%a=bar", "%a", "bar"),
            ("&a=bar", "&a", "bar"),
            ("(a=bar", "(a", "bar"),
            (")a=bar", ")a", "bar"),
            ("*a=bar", "*a", "bar"),
            ("+=bar", "+", "bar"),
            ("-a=bar", "-a", "bar"),
            ("1=bar", "1", "bar"),
            ("@a=bar", "@a", "bar"),
            ("^a=bar", "^a", "bar"),
            ("_a=bar", "_a", "bar"),
            ("\"a=b\"=bar", "\"a", "b\"=bar"),
            ("\"a=bar", "\"a", "bar"),
            ("\"a=qux", "\"a", "qux"),
            ("foo bar=baz", "foo bar", "baz"),
            ("A=== BC", "A", "== BC"),
            ("ABC=", "ABC", ""),
            ("a=\"B", "a", "\"B"),
            ("aBc=\"zz", "aBc", "\"zz"),
            ("aBc=\"zzz \"", "aBc", "\"zzz \""),
            ("aBc=\"zzz \"   \"ppp\"", "aBc", "\"zzz \"   \"ppp\""),
            ("aBc=A\"B", "aBc", "A\"B"),
            ("foo=\"  bar \"", "foo", "\"  bar \""),
            ("foo=\"bar=baz\"", "foo", "\"bar=baz\""),
            ("foo=\"bar, baz=qux\"", "foo", "\"bar, baz=qux\""),
            ("foo=bar, baz=qux", "foo", "bar, baz=qux"),
            ("z=y, a=b", "z", "y, a=b"),
            ("test=\"fubar! = foo", "test", "\"fubar! = foo"),
            (
                "foo=\"春节回家路·春运完全手册\"",
                "foo",
                "\"春节回家路·春运完全手册\"",
            ),
            ("春节回=家路·春运", "春节回", "家路·春运"),
        ];
        for (line, name, value) in cases {
            let cookies = Cookies::of(&Fields::new().with("Cookie", line));
            assert_eq!(
                cookies.iter().collect::<Vec<_>>(),
                [(name, value)],
                "{line}"
            );
        }
        // Several cookies, the one with the longest path first.
        for (line, expected) in [
            ("a=b; x=; c=d", vec![("a", "b"), ("x", ""), ("c", "d")]),
            ("foo1=bar; foo2=qux", vec![("foo1", "bar"), ("foo2", "qux")]),
            ("foo=qux; foo=bar", vec![("foo", "qux"), ("foo", "bar")]),
            (
                "key=val5; key=val1; key=val2; key=val4",
                vec![
                    ("key", "val5"),
                    ("key", "val1"),
                    ("key", "val2"),
                    ("key", "val4"),
                ],
            ),
        ] {
            let cookies = Cookies::of(&Fields::new().with("Cookie", line));
            assert_eq!(cookies.iter().collect::<Vec<_>>(), expected, "{line}");
        }
        let long = "a".repeat(4096);
        let cookies = Cookies::of(&Fields::new().with("Cookie", format!("a={long}")));
        assert_eq!(cookies.only("a"), Some(&*long));
    }

    #[test]
    fn bytes_that_are_not_utf_8_and_control_characters_cost_their_own_cookie() {
        let mut fields = Fields::new();
        fields
            .push("Cookie", b"a=1; b=\xff\xfe; c=x\ty; d=4")
            .unwrap();
        let cookies = Cookies::of(&fields);
        assert_eq!(cookies.iter().collect::<Vec<_>>(), [("a", "1"), ("d", "4")]);
    }

    #[test]
    fn a_cookie_that_comes_twice_is_trusted_only_if_both_agree() {
        let cookies = Cookies::of(&Fields::new().with("Cookie", "a=1; b=2; a=1; b=3"));
        assert_eq!((cookies.only("a"), cookies.only("b")), (Some("1"), None));
        assert_eq!((cookies.get("b"), cookies.only("c")), (Some("2"), None));
    }

    #[test]
    fn the_number_of_cookies_is_bounded() {
        let many = "a=1; ".repeat(5000);
        let cookies = Cookies::of(&Fields::new().with("Cookie", many));
        assert_eq!(cookies.len(), Cookies::MOST);
    }
}
