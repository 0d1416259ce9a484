//! `Via` (RFC 9110 section 7.6.3): which proxies passed a message on. It shows loops.

use http::Version;
use kamea_components::http::Fields;

/// The limit for proxies that a request has passed. A loop through proxies that do not write `Via`
/// does not show otherwise.
const MOST_PROXIES: usize = 30;

/// Whether a request has been here already, or at too many proxies.
pub(super) fn is_loop(fields: &Fields, name: &str) -> bool {
    let lists = fields.get_all("via");
    let entries = lists.flat_map(|list| list.split(|b| *b == b','));
    let mut count = 0;
    for entry in entries {
        let mut words = entry
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        // `1.1 name`, or `HTTP/1.1 name (comment)`
        let received_by = words.nth(1).unwrap_or_default();
        count += 1;
        if received_by.eq_ignore_ascii_case(name.as_bytes()) || count > MOST_PROXIES {
            return true;
        }
    }
    false
}

/// Returns the entry of this proxy, in two parts: the version in which it received the message, and
/// its name.
pub(super) fn entry(version: Version, name: &str) -> [&[u8]; 2] {
    let version: &[u8] = match version {
        Version::HTTP_10 => b"1.0 ",
        Version::HTTP_2 => b"2.0 ",
        Version::HTTP_3 => b"3.0 ",
        _ => b"1.1 ",
    };
    [version, name.as_bytes()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_was_here_is_a_loop() {
        let many = vec!["1.1 a"; 31].join(",");
        let rows: [(&[&str], bool); 9] = [
            (&[], false),
            (&["1.1 other"], false),
            (&["1.1 edge-2, 1.0 my-edge"], false),
            (&["1.1 edge"], true),
            (&["HTTP/1.1\tEDGE (a comment)"], true),
            (&["1.1 a", "1.0 b, 1.1  edge"], true),
            (&["edge"], false),
            (&[",,,"], false),
            (&[&many], true),
        ];
        for (lines, expected) in rows {
            let mut fields = Fields::new();
            for line in lines {
                fields.push("Via", line).unwrap();
            }
            assert_eq!(is_loop(&fields, "edge"), expected, "{lines:?}");
        }
    }
}
