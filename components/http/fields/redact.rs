//! Secrets in text that shows raw bytes of HTTP: what a tap of a link between a socket and a parser gives.

use std::borrow::Cow;

use super::{REDACTED, SECRETS};

/// Blanks the values of fields that are secrets in text that shows the bytes of messages, escaped (`b"...\r\n"`) or not.
///
/// [`Fields`](crate::http::Fields) do that themselves when they are shown; bytes cannot know what they are. What is cut off in
/// the middle of a value is blanked as well; the end of a value whose beginning is in another piece is not.
///
/// # Examples
///
/// ```
/// use kamea_components::http::redact;
///
/// let shown = format!("{:?}", b"GET / HTTP/1.1\r\nCookie: id=7\r\nHost: a\r\n\r\n".escape_ascii().to_string());
/// assert!(!redact(&shown).contains("id=7"));
/// assert_eq!(redact("cookie: id=7\r\nhost: a"), "cookie: (redacted)\r\nhost: a");
/// ```
#[must_use]
pub fn redact(shown: &str) -> Cow<'_, str> {
    let mut redacted = String::new();
    let mut rest = shown;
    while let Some(start) = value_of_secret(rest) {
        let (before, value) = rest.split_at(start);
        redacted.push_str(before);
        redacted.push_str(REDACTED);
        rest = &value[end_of_line(value)..];
    }
    if redacted.is_empty() {
        return Cow::Borrowed(shown);
    }
    redacted.push_str(rest);
    Cow::Owned(redacted)
}

/// Where the first value that is a secret begins, behind the white space.
fn value_of_secret(text: &str) -> Option<usize> {
    let colons = text.match_indices(':').map(|(colon, _)| colon);
    let secret = colons.into_iter().find(|&colon| {
        let name = &text.as_bytes()[..colon];
        SECRETS.iter().any(|secret| ends_with(name, secret))
    })?;
    let value = &text[secret + 1..];
    Some(text.len() - value.trim_start_matches(' ').len())
}

fn ends_with(text: &[u8], name: &str) -> bool {
    let start = text.len().checked_sub(name.len());
    start.is_some_and(|start| text[start..].eq_ignore_ascii_case(name.as_bytes()))
}

/// Where the line ends, if that is in the text: at CR or LF, escaped once or more often, or not.
fn end_of_line(value: &str) -> usize {
    let ends = ["\r", "\n", "\\r", "\\n", "\\\\r"];
    let ends = ends.iter().filter_map(|end| value.find(end));
    ends.min().unwrap_or(value.len())
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
                r#"b"Cookie: (redacted)\r\nSet-Cookie: (redacted)\r\nX: f""#,
            ),
            (
                "Proxy-Authorization:   Bearer abc",
                "Proxy-Authorization:   (redacted)",
            ),
            ("Cookie: cut of", "Cookie: (redacted)"),
            ("Cookie:", "Cookie:(redacted)"),
        ] {
            assert_eq!(redact(shown), expected);
        }
    }
}
