//! Cookies of a response, checked before they are sent (RFC 6265bis section 4.1).

use cookie::{Cookie, SameSite};
use kamea_components::http::Fields;

/// Why a cookie is not sent: browsers would ignore it, or it would mean something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCookie {
    /// The name is not a token.
    #[error("the name of a cookie is a token: letters, digits, and any of !#$%&'*+-.^_`|~")]
    Name,
    /// The value contains a character that must be encoded.
    #[error(
        "the value of a cookie is ASCII without spaces, quotes, commas, semicolons and \
         backslashes: encode it first"
    )]
    Value,
    /// Name and value are longer than 4,096 bytes together.
    #[error("the name and the value of a cookie have at most 4,096 bytes together")]
    TooLong,
    /// The path does not begin with a slash, or contains a semicolon or a control character.
    #[error("the path of a cookie begins with / and has no semicolon and no control character")]
    Path,
    /// The domain is not the name of a host.
    #[error("the domain of a cookie is the name of a host")]
    Domain,
    /// A name that begins with `__Secure-` needs `Secure`.
    #[error("a cookie whose name begins with __Secure- has the attribute Secure")]
    SecurePrefix,
    /// A name that begins with `__Host-` needs `Secure`, `Path=/` and no `Domain`.
    #[error("a cookie whose name begins with __Host- has Secure and Path=/, and no Domain")]
    HostPrefix,
    /// `SameSite=None` and `Partitioned` need `Secure`.
    #[error("a cookie with SameSite=None or Partitioned has the attribute Secure")]
    Insecure,
}

/// The limit of name and value together (RFC 6265bis section 5.6).
const LONGEST: usize = 4096;

/// The limit of an attribute value (RFC 6265bis section 5.6).
const LONGEST_ATTRIBUTE: usize = 1024;

/// Adds a `Set-Cookie` field, if browsers would accept the cookie.
///
/// # Examples
///
/// ```
/// use kamea_components::http::Fields;
/// use kamea_session::{Cookie, InvalidCookie, SameSite, set_cookie};
///
/// let mut fields = Fields::new();
/// let cookie = Cookie::build(("__Host-theme", "dark")).path("/").secure(true);
/// set_cookie(&mut fields, &cookie.same_site(SameSite::Lax).build())?;
/// let line = fields.get("set-cookie").unwrap();
/// assert_eq!(line, b"__Host-theme=dark; SameSite=Lax; Secure; Path=/");
///
/// let injected = Cookie::new("theme", "dark; Domain=example.org");
/// assert_eq!(set_cookie(&mut fields, &injected), Err(InvalidCookie::Value));
/// # Ok::<(), InvalidCookie>(())
/// ```
///
/// # Errors
///
/// [`InvalidCookie`] says what browsers would not accept.
pub fn set_cookie(fields: &mut Fields, cookie: &Cookie<'_>) -> Result<(), InvalidCookie> {
    check(cookie)?;
    let pushed = fields.push("Set-Cookie", cookie.to_string());
    pushed.map_err(|_| InvalidCookie::Value)
}

fn check(cookie: &Cookie<'_>) -> Result<(), InvalidCookie> {
    let (name, value) = (cookie.name(), cookie.value());
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(InvalidCookie::Name);
    }
    if !unquoted(value).bytes().all(is_cookie_octet) {
        return Err(InvalidCookie::Value);
    }
    if name.len() + value.len() > LONGEST {
        return Err(InvalidCookie::TooLong);
    }
    check_attributes(cookie)?;
    let is_secure = cookie.secure() == Some(true);
    // RFC 6265bis section 5.7: user agents compare the prefixes without regard to case.
    if has_prefix(name, "__Secure-") && !is_secure {
        return Err(InvalidCookie::SecurePrefix);
    }
    let is_of_host = is_secure && cookie.path() == Some("/") && cookie.domain().is_none();
    if has_prefix(name, "__Host-") && !is_of_host {
        return Err(InvalidCookie::HostPrefix);
    }
    let is_foreign = cookie.same_site() == Some(SameSite::None);
    if (is_foreign || cookie.partitioned() == Some(true)) && !is_secure {
        return Err(InvalidCookie::Insecure);
    }
    Ok(())
}

fn check_attributes(cookie: &Cookie<'_>) -> Result<(), InvalidCookie> {
    let is_attribute = |text: &str| {
        text.len() <= LONGEST_ATTRIBUTE
            && text
                .bytes()
                .all(|byte| matches!(byte, b' '..=b'~') && byte != b';')
    };
    if let Some(path) = cookie.path()
        && !(path.starts_with('/') && is_attribute(path))
    {
        return Err(InvalidCookie::Path);
    }
    if let Some(domain) = cookie.domain() {
        let is_host = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        let is_domain = !domain.is_empty() && domain.bytes().all(is_host);
        if !(is_domain && domain.len() <= LONGEST_ATTRIBUTE) {
            return Err(InvalidCookie::Domain);
        }
    }
    Ok(())
}

fn has_prefix(name: &str, prefix: &str) -> bool {
    let start = name.as_bytes().get(..prefix.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
}

fn unquoted(value: &str) -> &str {
    let inner = value
        .strip_prefix('"')
        .and_then(|value| value.strip_suffix('"'));
    inner.unwrap_or(value)
}

/// RFC 9110 section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// RFC 6265bis section 4.1.1.
fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'+' | b'-'..=b':' | b'<'..=b'[' | b']'..=b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Makes a cookie from a line as it would be sent, without a check.
    fn cookie(line: &'static str) -> Cookie<'static> {
        Cookie::parse(line).unwrap()
    }

    #[test]
    fn cookies_that_browsers_accept_are_sent() {
        for line in [
            "a=1",
            "a=",
            "a=\"1\"",
            "a=!#$%&'()*+-./09:<=>?@AZ[]^_`az{|}~",
            "a=1; Path=/x y",
            "a=1; Domain=example.org",
            "a=1; Domain=.example.org",
            "a=1; Max-Age=0",
            "a=1; SameSite=None; Secure",
            "a=1; Partitioned; Secure",
            "__Secure-a=1; Secure; Domain=example.org",
            "__Host-a=1; Secure; Path=/",
            "__host-a=1; Secure; Path=/",
        ] {
            assert_eq!(check(&cookie(line)), Ok(()), "{line}");
        }
    }

    #[test]
    fn cookies_that_browsers_ignore_are_errors() {
        use InvalidCookie::{Domain, HostPrefix, Insecure, Path, SecurePrefix, Value};
        for (line, error) in [
            ("a=1 2", Value),
            ("a=1,2", Value),
            ("a=1\"", Value),
            ("a=\"", Value),
            ("a=1\\", Value),
            ("a=ä", Value),
            ("a=1; Path=x", Path),
            ("a=1; Path=/ä", Path),
            ("a=1; Domain=example.org/x", Domain),
            ("__Secure-a=1", SecurePrefix),
            ("__SECURE-a=1", SecurePrefix),
            ("__Host-a=1", HostPrefix),
            ("__Host-a=1; Secure", HostPrefix),
            ("__Host-a=1; Path=/", HostPrefix),
            ("__Host-a=1; Secure; Path=/x", HostPrefix),
            ("__hOsT-a=1; Secure; Path=/; Domain=example.org", HostPrefix),
            ("a=1; SameSite=None", Insecure),
            ("a=1; Partitioned", Insecure),
        ] {
            assert_eq!(check(&cookie(line)), Err(error), "{line}");
        }
    }

    #[test]
    fn no_text_can_add_an_attribute_or_a_field() {
        use InvalidCookie::{Domain, Name, Path, TooLong, Value};
        let built = |name: &str, value: &str| check(&Cookie::new(name, value));
        for name in ["", "a b", "a;b", "a=b", "a\r\nb", "ä"] {
            assert_eq!(built(name, "1"), Err(Name), "{name}");
        }
        for value in ["1;Secure", "1\r\nX: y", "1\0", "1\u{7f}"] {
            assert_eq!(built("a", value), Err(Value), "{value}");
        }
        let mut injected = Cookie::new("a", "1");
        injected.set_path("/; Domain=example.org");
        assert_eq!(check(&injected), Err(Path));
        injected.set_path("/\r\n");
        assert_eq!(check(&injected), Err(Path));
        injected.unset_path();
        injected.set_domain("a; Path=/");
        assert_eq!(check(&injected), Err(Domain));
        assert_eq!(built("a", &"x".repeat(4095)), Ok(()));
        assert_eq!(built("a", &"x".repeat(4096)), Err(TooLong));
        let path = Cookie::build(("a", "1")).path(format!("/{}", "x".repeat(1024)));
        assert_eq!(check(&path.build()), Err(Path));
    }
}
