//! Removes secrets from text that shows raw bytes of HTTP, such as the output of a tap of a link
//! between a socket and a parser.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{REDACTED, is_secret};

/// Blanks secrets in text that shows the bytes of messages, escaped (`b"...\r\n"`) or not: the
/// values of fields, and of names in queries, forms and JSON, whose names look like secrets
/// (`*token*`, `*key*`, `*secret*`, `*auth*`, `*cookie*`, ...).
///
/// [`Fields`](crate::http::Fields) blank them when they are formatted; raw bytes cannot. A value
/// may begin in one read and end in the next one. So if bytes do not begin with the first line of a
/// message, everything up to the end of the line is blanked.
///
/// # Examples
///
/// ```
/// use kamea_components::http::redact;
///
/// let shown = format!("{:?}", b"GET / HTTP/1.1\r\nCookie: id=7\r\nHost: a\r\n\r\n".escape_ascii().to_string());
/// assert!(!redact(&shown).contains("id=7"));
/// assert_eq!(redact("cookie: id=7\r\nhost: a"), "cookie: (redacted)\r\nhost: a");
/// assert_eq!(redact("POST /a?token=b&c=d HTTP/1.1"), "POST /a?token=(redacted)&c=d HTTP/1.1");
/// assert_eq!(redact("b\"ie: id=7\\r\\nhost: a\""), "b\"(redacted)\\r\\nhost: a\"");
/// ```
#[must_use]
pub fn redact(shown: &str) -> Cow<'_, str> {
    let mut redacted = String::new();
    let mut rest = shown;
    if let Some(bytes) = shown.strip_prefix("b\"")
        && !begins_message(bytes)
    {
        redacted.push_str("b\"");
        redacted.push_str(REDACTED);
        rest = &bytes[end_of_line(bytes).min(bytes.trim_end_matches('"').len())..];
    }
    while let Some((start, length)) = next_secret(rest) {
        redacted.push_str(&rest[..start]);
        redacted.push_str(REDACTED);
        rest = &rest[start + length..];
    }
    if redacted.is_empty() {
        return Cow::Borrowed(shown);
    }
    redacted.push_str(rest);
    Cow::Owned(redacted)
}

/// Whether bytes begin with a request line or a status line, whole or not.
fn begins_message(bytes: &str) -> bool {
    let line = &bytes[..end_of_line(bytes)];
    if line.starts_with("HTTP/") {
        return true;
    }
    let mut words = line.splitn(2, ' ');
    let method = words.next().unwrap_or_default();
    let is_method = method.len() >= 3 && method.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_whole = line.trim_end_matches('"').contains(" HTTP/1.");
    let is_cut = end_of_line(bytes) == bytes.len();
    let target = words.next().unwrap_or_default();
    is_method && (is_whole || is_cut && target.starts_with('/'))
}

/// Returns where the first secret value begins, and how long it is.
fn next_secret(text: &str) -> Option<(usize, usize)> {
    text.match_indices([':', '=']).find_map(|(at, separator)| {
        let name = name_before(&text[..at]);
        let name = percent_decode_str(name).decode_utf8_lossy();
        if !is_secret(&name) {
            return None;
        }
        let value = &text[at + 1..];
        let start = at + 1 + (value.len() - value.trim_start_matches(' ').len());
        let value = &text[start..];
        let length = match separator {
            ":" => end_of_line(value),
            _ => end_of_pair(value),
        };
        (length > 0 || separator == ":").then_some((start, length))
    })
}

/// Returns the name before a colon or an equals sign; in JSON it is in quotes, which may be
/// escaped.
fn name_before(text: &str) -> &str {
    let text = text.trim_end_matches(['"', '\\', ' ']);
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.%[]".contains(c);
    let start = text.rfind(|c: char| !is_part(c));
    let start = start.map_or(0, |start| {
        start + text[start..].chars().next().map_or(1, char::len_utf8)
    });
    &text[start..]
}

/// Returns where the line ends, if that is in the text: at CR or LF, escaped once, more than once,
/// or not at all.
fn end_of_line(value: &str) -> usize {
    let ends = ["\r", "\n", "\\r", "\\n", "\\\\r"];
    let ends = ends.iter().filter_map(|end| value.find(end));
    ends.min().unwrap_or(value.len())
}

/// Returns where a value of a query or a form ends.
fn end_of_pair(value: &str) -> usize {
    let end = value.find(|c: char| c.is_whitespace() || "&;\"'\\<>".contains(c));
    end.unwrap_or(value.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_blanked_wherever_they_stand() {
        for (shown, expected) in [
            ("", ""),
            ("Host: a\r\n", "Host: a\r\n"),
            (
                r#"b"GET / HTTP/1.1\r\nAUTHORIZATION:Basic YTpi\r\nHost: a\r\n""#,
                r#"b"GET / HTTP/1.1\r\nAUTHORIZATION:(redacted)\r\nHost: a\r\n""#,
            ),
            (
                r#"b"Cookie: a=\"b\"; c=d\r\nSet-Cookie: e\r\nX: f""#,
                r#"b"(redacted)\r\nSet-Cookie: (redacted)\r\nX: f""#,
            ),
            (
                "Proxy-Authorization:   Bearer abc",
                "Proxy-Authorization:   (redacted)",
            ),
            ("Cookie: cut of", "Cookie: (redacted)"),
            ("Cookie:", "Cookie:(redacted)"),
            (
                "X-Api-Key: a\r\nX-CSRF-Token: b\r\nClient-Secret: c",
                "X-Api-Key: (redacted)\r\nX-CSRF-Token: (redacted)\r\nClient-Secret: (redacted)",
            ),
            (
                "GET /a?x=1&access_token=abc&y=2 HTTP/1.1",
                "GET /a?x=1&access_token=(redacted)&y=2 HTTP/1.1",
            ),
            (
                "GET /a?%74oken=abc&%6Bey=1 HTTP/1.1",
                "GET /a?%74oken=(redacted)&%6Bey=(redacted) HTTP/1.1",
            ),
            (
                "user=me&password=two+words&client%5Bsecret%5D=x",
                "user=me&password=(redacted)&client%5Bsecret%5D=(redacted)",
            ),
            (r#"{\"api_key\": \"abc\"}"#, r#"{\"api_key\": (redacted)"#),
            (
                "Referer: http://a/?sessionid=7 and more",
                "Referer: http://a/?sessionid=(redacted) and more",
            ),
        ] {
            assert_eq!(redact(shown), expected);
        }
    }

    #[test]
    fn what_begins_in_another_read_is_blanked() {
        for (shown, expected) in [
            (
                r#"b"GET /x HTTP/1.1\r\nHost: a\r\n""#,
                r#"b"GET /x HTTP/1.1\r\nHost: a\r\n""#,
            ),
            (
                r#"b"HTTP/1.1 200 OK\r\nX: y""#,
                r#"b"HTTP/1.1 200 OK\r\nX: y""#,
            ),
            (r#"b"GET /x?a=""#, r#"b"GET /x?a=""#),
            (
                r#"b"ation: Basic YTpi\r\nHost: a\r\n""#,
                r#"b"(redacted)\r\nHost: a\r\n""#,
            ),
            (r#"b"YTpi\r\nHost: a""#, r#"b"(redacted)\r\nHost: a""#),
            (
                r#"b"oken=abc HTTP/1.1\r\nHost: a""#,
                r#"b"(redacted)\r\nHost: a""#,
            ),
            (r#"b"whole value""#, r#"b"(redacted)""#),
            (r#"b"GE""#, r#"b"(redacted)""#),
            (r#"b"A /secret""#, r#"b"(redacted)""#),
        ] {
            assert_eq!(redact(shown), expected);
        }
    }
}
