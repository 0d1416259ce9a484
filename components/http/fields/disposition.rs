//! `Content-Disposition` (RFC 6266): the file name for a download.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// attr-char (RFC 8187 section 3.2.1): characters that need no encoding in an extended value.
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// Returns the value of `Content-Disposition` that saves a body under this file name, which may
/// contain any bytes. `filename` has underscores for characters that it cannot express; in that
/// case `filename*` is added (RFC 6266 section 4.3, appendix D).
///
/// # Examples
///
/// ```
/// use kamea_components::http::attachment;
///
/// assert_eq!(attachment(b"song.ogg"), "attachment; filename=\"song.ogg\"");
/// assert_eq!(
///     attachment("Tschüß.txt".as_bytes()),
///     "attachment; filename=\"Tsch__.txt\"; filename*=UTF-8''Tsch%C3%BC%C3%9F.txt"
/// );
/// ```
#[must_use]
pub fn attachment(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    // Some clients interpret a percent sign as an escape, and a backslash as a folder separator,
    // even within quotes.
    let is_plain = |c: char| matches!(c, ' '..='~') && !matches!(c, '"' | '\\' | '%' | '/');
    let plain: String = text
        .chars()
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    let mut value = format!("attachment; filename=\"{plain}\"");
    if plain != text {
        value.push_str("; filename*=UTF-8''");
        value.extend(percent_encode(text.as_bytes(), ATTR_CHAR));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Fields;

    #[test]
    fn any_name_makes_a_valid_field() {
        let rows: [(&[u8], &str); 6] = [
            (b"a b.txt", "attachment; filename=\"a b.txt\""),
            (
                b"a\"b",
                "attachment; filename=\"a_b\"; filename*=UTF-8''a%22b",
            ),
            (
                b"a\\b",
                "attachment; filename=\"a_b\"; filename*=UTF-8''a%5Cb",
            ),
            (
                b"50%25",
                "attachment; filename=\"50_25\"; filename*=UTF-8''50%2525",
            ),
            (
                b"a\r\nB: c",
                "attachment; filename=\"a__B: c\"; filename*=UTF-8''a%0D%0AB%3A%20c",
            ),
            (
                b"\xff",
                "attachment; filename=\"_\"; filename*=UTF-8''%EF%BF%BD",
            ),
        ];
        for (name, expected) in rows {
            let value = attachment(name);
            assert_eq!(value, expected);
            assert!(Fields::new().push("Content-Disposition", value).is_ok());
        }
    }
}
