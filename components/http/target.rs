//! The request target (RFC 9112 section 3.2) and the path in it.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use http::Method;
use memchr::memchr;
use thiserror::Error;

use super::Malformed;
use super::grammar::is_host;

/// The target of a request, as it was sent: origin-form, absolute-form, authority-form or
/// asterisk-form.
///
/// It contains visible ASCII without `#`: RFC 3986 requires other characters to be encoded, and a
/// fragment is never sent. Other characters that are not allowed in a URI (such as `|` and `"`) are
/// kept, since clients send them.
///
/// # Examples
/// ```
/// use http::Method;
/// use kamea_components::http::Target;
///
/// let target = Target::parse(&Method::GET, "http://example.org/a%20b?c=d".into())?;
/// assert_eq!(target.path(), "/a%20b");
/// assert_eq!(target.query(), Some("c=d"));
/// assert_eq!(target.authority(), Some(&b"example.org"[..]));
/// assert_eq!(target.decoded_path().unwrap(), &b"/a b"[..]);
/// # Ok::<(), kamea_components::http::Malformed>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The whole target: visible ASCII.
    bytes: Bytes,
    path: PathPart,
}

/// The position of the path in a target. Four bytes each, because a head is moved more often than
/// its target is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PathPart {
    /// After the authority, if there is one.
    start: u32,
    /// At `?` or at the end.
    end: u32,
    /// Whether nothing in it is encoded, no segment begins with a dot, and no slash is doubled:
    /// then it needs no decoding.
    is_plain: bool,
}

/// A path that names nothing that could be served.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathError {
    /// RFC 3986 section 2.1: `%` is followed by two hexadecimal digits.
    #[error("a percent sign is not followed by two hexadecimal digits")]
    Percent,
    /// `%00`: a file name would end here.
    #[error("the path contains NUL")]
    Nul,
    /// `%2F`: it differs from a slash, and no file name can contain it.
    #[error("the path contains an encoded slash")]
    Slash,
    /// `.` or `..` as a segment, encoded or not.
    #[error("the path contains a dot segment")]
    DotSegment,
}

impl Target {
    /// Parses the target of a request with this method.
    ///
    /// # Errors
    /// [`Malformed::Target`] if it has none of the four forms, or a form that the method does not
    /// allow: `CONNECT` takes `host:port`, only `OPTIONS` takes `*`, all other methods take a path
    /// or an absolute URI with the scheme `http` or `https` and no user information.
    pub fn parse(method: &Method, bytes: Bytes) -> Result<Self, Malformed> {
        let path = find_path(method, &bytes)?;
        Ok(Self::from_checked(bytes, path))
    }

    /// Creates a target in which [`find_path`] found this path.
    pub(super) fn from_checked(bytes: Bytes, path: PathPart) -> Self {
        Self { bytes, path }
    }

    /// Returns the path, as it was sent; `*` for the asterisk-form, empty for the authority-form.
    ///
    /// The empty path of an absolute URI is the path `/` (RFC 9110 section 4.2.3).
    #[must_use]
    pub fn path(&self) -> &str {
        ascii(self.raw_path())
    }

    fn raw_path(&self) -> &[u8] {
        match &self.bytes[self.path.start as usize..self.path.end as usize] {
            [] if self.scheme_length() > 0 => b"/",
            path => path,
        }
    }

    /// Returns the query: everything after the first `?`, as it was sent.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.bytes.get(self.path.end as usize + 1..).map(ascii)
    }

    /// Returns path and query, as they were sent: the form that a server gets (RFC 9112 section
    /// 3.2.1), whatever form the client has used.
    ///
    /// # Examples
    /// ```
    /// use http::Method;
    /// use kamea_components::http::Target;
    ///
    /// for (sent, form) in [("/a?b", "/a?b"), ("http://c?d", "/?d"), ("http://c/a", "/a")] {
    ///     assert_eq!(Target::parse(&Method::GET, sent.into())?.origin_form(), form);
    /// }
    /// # Ok::<(), kamea_components::http::Malformed>(())
    /// ```
    #[must_use]
    pub fn origin_form(&self) -> Cow<'_, str> {
        match self.query() {
            _ if self.scheme_length() == 0 => Cow::Borrowed(ascii(&self.bytes)),
            Some(query) => Cow::Owned(format!("{}?{query}", self.path())),
            None => Cow::Borrowed(self.path()),
        }
    }

    /// Returns the host and port of the absolute-form and the authority-form.
    #[must_use]
    pub fn authority(&self) -> Option<&[u8]> {
        let authority = &self.bytes[self.scheme_length()..self.path.start as usize];
        (!authority.is_empty()).then_some(authority)
    }

    /// Whether this is `*`: the server as a whole.
    #[must_use]
    pub fn is_asterisk(&self) -> bool {
        *self.bytes == *b"*"
    }

    /// Returns the whole target, as it was sent.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the path, percent-decoded exactly once, with each run of slashes reduced to one. All
    /// rules and the files of a site use this form. A backslash is a byte like any other.
    ///
    /// # Examples
    /// ```
    /// use http::Method;
    /// use kamea_components::http::Target;
    ///
    /// let target = Target::parse(&Method::GET, "//a///b%20c".into())?;
    /// assert_eq!(target.decoded_path().unwrap(), &b"/a/b c"[..]);
    /// assert_eq!(target.application_path().unwrap(), &b"//a///b c"[..]);
    /// # Ok::<(), kamea_components::http::Malformed>(())
    /// ```
    ///
    /// # Errors
    /// [`PathError`] for an invalid percent sequence, NUL, an encoded slash, and any segment that
    /// is `.` or `..` once decoded, even if it would stay below the root. Clients remove dot
    /// segments before they send a path (RFC 3986 section 5.2.4), so a path that still has one is
    /// suspicious.
    pub fn decoded_path(&self) -> Result<Cow<'_, [u8]>, PathError> {
        let raw = self.raw_path();
        if self.path.is_plain {
            return Ok(Cow::Borrowed(raw));
        }
        let path = if memchr(b'%', raw).is_some() {
            Cow::Owned(percent_decode(raw, false)?)
        } else {
            Cow::Borrowed(raw)
        };
        let has_dots = path.windows(2).any(|pair| pair == b"/.")
            && path.split(|&b| b == b'/').any(|s| s == b"." || s == b"..");
        if has_dots {
            return Err(PathError::DotSegment);
        }
        Ok(merge_slashes(path))
    }

    /// Returns the path for a program that interprets it itself, percent-decoded exactly once. The
    /// rules of files do not apply: an encoded slash becomes a slash, and dot segments and doubled
    /// slashes stay.
    ///
    /// # Errors
    /// [`PathError::Percent`] for an invalid percent sequence, and [`PathError::Nul`]: NUL
    /// separates values in the protocols between servers and programs.
    pub fn application_path(&self) -> Result<Cow<'_, [u8]>, PathError> {
        let raw = self.raw_path();
        if self.path.is_plain || memchr(b'%', raw).is_none() {
            return Ok(Cow::Borrowed(raw));
        }
        percent_decode(raw, true).map(Cow::Owned)
    }

    /// Returns the path that selects an application: the path of the application, with each run of
    /// slashes reduced to one.
    pub(crate) fn routed_path(&self) -> Option<Cow<'_, [u8]>> {
        self.application_path().ok().map(merge_slashes)
    }

    /// Whether the path, as it was sent, needs no decoding.
    pub(crate) fn is_plain(&self) -> bool {
        self.path.is_plain
    }

    /// Returns the length of `scheme://`, which only the absolute-form has.
    fn scheme_length(&self) -> usize {
        let before_path = &self.bytes[..self.path.start as usize];
        let end = before_path.windows(3).position(|part| part == b"://");
        end.map_or(0, |end| end + 3)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ascii(&self.bytes))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(ascii(&self.bytes), f)
    }
}

/// Scans the path that starts at this position; refuses characters beyond visible ASCII, and a
/// fragment.
fn read_path(bytes: &[u8], start: usize) -> Result<PathPart, Malformed> {
    let mut end = bytes.len();
    let mut is_plain = true;
    let mut previous = 0;
    for (i, &byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            b'?' => end = end.min(i),
            b'#' => return Err(Malformed::Target),
            b'%' => is_plain = false,
            b'.' | b'/' => is_plain &= previous != b'/',
            b'!'..=b'~' => {}
            _ => return Err(Malformed::Target),
        }
        previous = byte;
    }
    match (u32::try_from(start), u32::try_from(end)) {
        (Ok(start), Ok(end)) => Ok(PathPart {
            start,
            end,
            is_plain,
        }),
        _ => Err(Malformed::Target),
    }
}

/// Checks `host:port`; the path is empty, at the end.
fn check_authority_form(bytes: &[u8]) -> Result<usize, Malformed> {
    // "only the host and port number" (RFC 9112 section 3.2.3): neither may be empty here.
    let has_both =
        bytes.last().is_some_and(u8::is_ascii_digit) && bytes.contains(&b':') && bytes[0] != b':';
    if has_both && is_host(bytes) {
        Ok(bytes.len())
    } else {
        Err(Malformed::Target)
    }
}

/// Checks `scheme://authority`, and returns where the path starts.
fn check_absolute_form(bytes: &[u8]) -> Result<usize, Malformed> {
    let colon = bytes.iter().position(|&b| b == b':');
    let (scheme, rest) = bytes.split_at(colon.ok_or(Malformed::Target)?);
    let is_known = scheme.eq_ignore_ascii_case(b"http") || scheme.eq_ignore_ascii_case(b"https");
    let rest = rest.strip_prefix(b"://").filter(|_| is_known);
    let rest = rest.ok_or(Malformed::Target)?;
    let length = rest
        .iter()
        .position(|b| matches!(b, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    // "A sender MUST NOT generate an "http" URI with an empty host" (RFC 9110 section 4.2.1). User
    // information is not allowed: "its presence [is to be treated] as an error" (section 4.2.4).
    let authority = &rest[..length];
    if matches!(authority, [] | [b':', ..]) || !is_host(authority) {
        return Err(Malformed::Target);
    }
    Ok(bytes.len() - rest.len() + length)
}

/// Returns the segments of a decoded path, without empty ones, and with dot segments resolved.
pub(crate) fn path_segments(path: &[u8]) -> Vec<Vec<u8>> {
    let mut segments = Vec::new();
    for segment in path.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            segment => segments.push(segment.to_vec()),
        }
    }
    segments
}

/// Returns the position of the path in the target of a request with this method; refuses what
/// [`Target::parse`] refuses.
pub(super) fn find_path(method: &Method, target: &[u8]) -> Result<PathPart, Malformed> {
    let start = match target.first() {
        _ if *method == Method::CONNECT => check_authority_form(target)?,
        Some(b'/') => 0,
        Some(b'*') if target.len() == 1 && *method == Method::OPTIONS => 0,
        _ => check_absolute_form(target)?,
    };
    read_path(target, start)
}

/// Returns a part of a target as text: `parse` accepts only ASCII.
fn ascii(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap_or_default()
}

/// Reduces each run of slashes to one.
fn merge_slashes(path: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    if !path.windows(2).any(|pair| pair == b"//") {
        return path;
    }
    let mut merged = path.into_owned();
    merged.dedup_by(|next, byte| *next == b'/' && *byte == b'/');
    Cow::Owned(merged)
}

fn percent_decode(raw: &[u8], may_have_slashes: bool) -> Result<Vec<u8>, PathError> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let (high, low) = (hex_digit(rest.next())?, hex_digit(rest.next())?);
        match high << 4 | low {
            0 => return Err(PathError::Nul),
            b'/' if !may_have_slashes => return Err(PathError::Slash),
            byte => decoded.push(byte),
        }
    }
    Ok(decoded)
}

fn hex_digit(byte: Option<&u8>) -> Result<u8, PathError> {
    let digit = byte.and_then(|&b| char::from(b).to_digit(16));
    // A digit below 16 fits.
    digit.map(|d| d as u8).ok_or(PathError::Percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &Method, target: &'static str) -> Result<Target, Malformed> {
        Target::parse(method, Bytes::from_static(target.as_bytes()))
    }

    #[test]
    fn forms() {
        type Row = (
            Method,
            &'static str,
            &'static str,
            Option<&'static str>,
            Option<&'static str>,
        );
        let rows: [Row; 10] = [
            (Method::GET, "/", "/", None, None),
            (Method::GET, "/a/b?c?d", "/a/b", Some("c?d"), None),
            (Method::GET, "/?", "/", Some(""), None),
            (Method::GET, "//a", "//a", None, None),
            (Method::GET, "/|\"<>\\^`{}", "/|\"<>\\^`{}", None, None),
            (Method::GET, "HTTP://h:1/a?b", "/a", Some("b"), Some("h:1")),
            (Method::GET, "https://[::1]", "/", None, Some("[::1]")),
            (Method::GET, "http://h?q", "/", Some("q"), Some("h")),
            (Method::OPTIONS, "*", "*", None, None),
            (Method::CONNECT, "h:443", "", None, Some("h:443")),
        ];
        for (method, text, path, query, authority) in rows {
            let target = parse(&method, text).unwrap();
            assert_eq!(target.path(), path, "{text}");
            assert_eq!(target.query(), query, "{text}");
            assert_eq!(target.authority(), authority.map(str::as_bytes), "{text}");
            assert_eq!(target.as_bytes(), text.as_bytes());
            assert_eq!(target.to_string(), text);
        }
    }

    #[test]
    fn targets_that_are_none() {
        let rows = [
            (Method::GET, "*"),
            (Method::OPTIONS, "**"),
            (Method::GET, ""),
            (Method::GET, "a"),
            (Method::GET, "?a"),
            (Method::GET, "/a#b"),
            (Method::GET, "/a\u{e9}"),
            (Method::GET, "http:/a"),
            (Method::GET, "http://"),
            (Method::GET, "http:///a"),
            (Method::GET, "http://:80/"),
            (Method::GET, "http://user@host/"),
            (Method::GET, "http://h:x/"),
            (Method::GET, "http://h#f"),
            (Method::GET, "ftp://h/"),
            (Method::GET, "h:443"),
            (Method::CONNECT, "/"),
            (Method::CONNECT, "h"),
            (Method::CONNECT, "h:"),
            (Method::CONNECT, ":443"),
            (Method::CONNECT, "http://h:443"),
        ];
        for (method, text) in rows {
            assert_eq!(
                parse(&method, text),
                Err(Malformed::Target),
                "{method} {text}"
            );
        }
    }

    #[test]
    fn paths_are_decoded_exactly_once() {
        let rows: [(&'static str, Result<&[u8], PathError>); 25] = [
            ("/a", Ok(b"/a")),
            ("/a%20b%C3%A9", Ok("/a b\u{e9}".as_bytes())),
            ("/%252e", Ok(b"/%2e")),
            ("/%ff", Ok(b"/\xff")),
            ("/a+b", Ok(b"/a+b")),
            // A doubled slash is one, wherever it is.
            ("//a//", Ok(b"/a/")),
            ("///", Ok(b"/")),
            ("/a//b///%63", Ok(b"/a/b/c")),
            ("//.a", Ok(b"/.a")),
            ("/a\\..\\b%5c", Ok(b"/a\\..\\b\\")),
            ("/...", Ok(b"/...")),
            ("/.a/..b/c.", Ok(b"/.a/..b/c.")),
            ("/%", Err(PathError::Percent)),
            ("/%2", Err(PathError::Percent)),
            ("/%zz", Err(PathError::Percent)),
            ("/%+1", Err(PathError::Percent)),
            ("/a%00", Err(PathError::Nul)),
            ("/a%2Fb", Err(PathError::Slash)),
            ("/..%2f", Err(PathError::Slash)),
            ("/.", Err(PathError::DotSegment)),
            ("/a/../b", Err(PathError::DotSegment)),
            ("/%2e%2E/etc", Err(PathError::DotSegment)),
            ("/a/.%2e", Err(PathError::DotSegment)),
            ("/a/./b", Err(PathError::DotSegment)),
            ("//..", Err(PathError::DotSegment)),
        ];
        for (text, expected) in rows {
            let target = parse(&Method::GET, text).unwrap();
            let decoded = target.decoded_path();
            assert_eq!(decoded.as_deref(), expected.as_ref().map(|e| *e), "{text}");
        }
    }

    #[test]
    fn an_application_gets_the_path_that_was_sent() {
        let rows: [(&'static str, Result<&[u8], PathError>); 10] = [
            ("/u/a%2Fb", Ok(b"/u/a/b")),
            ("/u/a%2fb%2F", Ok(b"/u/a/b/")),
            ("/a/../b", Ok(b"/a/../b")),
            ("/%2e%2e/b", Ok(b"/../b")),
            ("//a//b", Ok(b"//a//b")),
            ("/100%", Err(PathError::Percent)),
            ("/%zz%41", Err(PathError::Percent)),
            ("/%252F", Ok(b"/%2F")),
            ("/%ff", Ok(b"/\xff")),
            ("/a%00b", Err(PathError::Nul)),
        ];
        for (text, expected) in rows {
            let target = parse(&Method::GET, text).unwrap();
            let path = target.application_path();
            assert_eq!(path.as_deref(), expected.as_ref().map(|e| *e), "{text}");
        }
    }
}
