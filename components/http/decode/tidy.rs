//! Sections of sloppy responses, rewritten as a server should have sent them.
//!
//! Browsers and other clients accept line ends without CR, folded fields, white space before the
//! colon, and more. RFC 9112 lets a client do so; a server that did could be tricked by a proxy
//! that reads a request differently.

use super::section::is_forbidden_trailer;
use crate::http::Limits;
use crate::http::grammar::{is_text, is_token, trim};

/// The length of the section at the start of `bytes`, with the empty line that ends it; `None` if
/// its end has not arrived. Lines may end without CR.
pub(super) fn section_length(bytes: &[u8], limits: &Limits) -> Option<usize> {
    let mut start = 0;
    let within = &bytes[..bytes.len().min(limits.head_bytes)];
    for line in within.split_inclusive(|&byte| byte == b'\n') {
        start += line.len();
        if matches!(line, b"\n" | b"\r\n") {
            return Some(start);
        }
    }
    None
}

/// Rewrites a complete head: its first line is a status line.
pub(super) fn tidy_head(head: &[u8]) -> Vec<u8> {
    let end = head.iter().position(|&byte| byte == b'\n');
    let (status_line, fields) = head.split_at(end.map_or(head.len(), |end| end + 1));
    let mut tidied = without_controls(status_line.trim_ascii_end());
    tidied.extend_from_slice(b"\r\n");
    add_fields(&mut tidied, fields, |_| true);
    tidied
}

/// Rewrites a complete trailer section, without the fields that have no meaning there.
pub(super) fn tidy_trailers(section: &[u8]) -> Vec<u8> {
    let mut tidied = Vec::with_capacity(section.len());
    add_fields(&mut tidied, section, |name| !is_forbidden_trailer(name));
    tidied
}

/// Adds the lines that are fields, and the empty line. Others mean nothing to anybody.
fn add_fields(tidied: &mut Vec<u8>, section: &[u8], is_kept: impl Fn(&str) -> bool) {
    for line in unfolded(section) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            continue;
        };
        let (name, value) = (trim(&line[..colon]), trim(&line[colon + 1..]));
        if is_token(name) && str::from_utf8(name).is_ok_and(&is_kept) {
            tidied.extend_from_slice(name);
            tidied.extend_from_slice(b": ");
            tidied.extend_from_slice(value);
            tidied.extend_from_slice(b"\r\n");
        }
    }
    tidied.extend_from_slice(b"\r\n");
}

/// The lines of a section. "A user agent that receives an obs-fold in a response message that is
/// not within a "message/http" container MUST replace each received obs-fold with one or more SP
/// octets prior to interpreting the field value" (RFC 9112 section 5.2). A folded line before the
/// first field is ignored (section 2.2).
fn unfolded(section: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in section.split(|&byte| byte == b'\n') {
        let is_folded = matches!(line, [b' ' | b'\t', ..]);
        let line = without_controls(trim(line.trim_ascii_end()));
        match lines.last_mut() {
            Some(last) if is_folded => {
                last.push(b' ');
                last.extend_from_slice(&line);
            }
            _ if is_folded => {}
            _ => lines.push(line),
        }
    }
    lines
}

/// The line with spaces for control characters: "A recipient of such a bare CR MUST consider that
/// element to be invalid or replace each bare CR with SP" (section 2.2); RFC 9110 section 5.5 says
/// the same of other control characters.
fn without_controls(line: &[u8]) -> Vec<u8> {
    let plain = line.iter().map(|&byte| match is_text(byte) {
        true => byte,
        false => b' ',
    });
    plain.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_section_is_an_empty_line_of_any_kind() {
        let limits = Limits::default();
        for (bytes, expected) in [
            ("a\r\n\r\nb", Some(5)),
            ("a\n\nb", Some(3)),
            ("a\r\n\nb", Some(4)),
            ("a\n\r\nb", Some(4)),
            ("\nb", Some(1)),
            ("a\r\n\r", None),
            ("a\n", None),
            ("", None),
        ] {
            let found = section_length(bytes.as_bytes(), &limits);
            assert_eq!(found, expected, "{bytes:?}");
        }
    }

    #[test]
    fn what_is_right_stays_as_it_is() {
        let head = b"HTTP/1.1 200 OK\r\nA: b\r\nC: d e\r\n\r\n";
        assert_eq!(tidy_head(head), head);
        assert_eq!(tidy_trailers(b"A: b\r\n\r\n"), b"A: b\r\n\r\n");
    }

    #[test]
    fn fields_are_unfolded_and_cleaned() {
        let head =
            b"HTTP/1.1 200  \n folded\nA : b\r\n\tc\n  d  \nno field\nX Y: z\nE:\x01f\r\r\n\n";
        let expected = "HTTP/1.1 200\r\nA: b c d\r\nE: f\r\n\r\n";
        assert_eq!(String::from_utf8(tidy_head(head)).unwrap(), expected);
        let trailers = b"Content-Length: 3\nA: b\n\n";
        assert_eq!(tidy_trailers(trailers), b"A: b\r\n\r\n");
    }
}
