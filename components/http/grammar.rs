//! The characters of HTTP's grammar (RFC 9110 section 5.6, RFC 3986), as tables.

/// A set of bytes, one flag for each byte.
type Set = [bool; 256];

/// tchar (RFC 9110 section 5.6.2).
const TOKEN: Set = letters_digits_and(b"!#$%&'*+-.^_`|~");

/// reg-name (RFC 3986 section 3.2.2); percent-encoding is checked separately.
const REG_NAME: Set = letters_digits_and(b"-._~!$&'()*+,;=%");

const fn letters_digits_and(others: &[u8]) -> Set {
    let mut set = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        set[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut i = 0;
    while i < others.len() {
        set[others[i] as usize] = true;
        i += 1;
    }
    set
}

/// Whether these bytes are a token: at least one tchar and nothing else.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&b| TOKEN[usize::from(b)])
}

/// Whether a byte is allowed in a field value or a chunk extension: visible, white space, or beyond
/// ASCII.
pub(super) const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// Whether these bytes can be a field value: no CR, LF, NUL or other control character except the
/// tab.
pub(super) fn is_field_value(bytes: &[u8]) -> bool {
    bytes.iter().all(|&b| is_text(b))
}

/// Removes optional white space (OWS, RFC 9110 section 5.6.3) at both ends.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

/// Whether these bytes are `uri-host [ ":" port ]` (RFC 9110 section 7.2), host and port possibly
/// empty.
pub(super) fn is_host(bytes: &[u8]) -> bool {
    let (host_is_valid, port) = match bytes {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|&b| b == b']') else {
                return false;
            };
            (is_ip_literal(&rest[..end]), &rest[end + 1..])
        }
        _ => {
            let end = bytes.iter().position(|&b| !REG_NAME[usize::from(b)]);
            let (name, port) = bytes.split_at(end.unwrap_or(bytes.len()));
            (percent_signs_are_valid(name), port)
        }
    };
    host_is_valid && (port.is_empty() || port.strip_prefix(b":").is_some_and(is_port))
}

/// Whether these bytes are an address in brackets: an IPv6 address. IPvFuture is not in use yet.
fn is_ip_literal(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok())
}

/// RFC 3986 section 2.1: each `%` is followed by two hexadecimal digits.
fn percent_signs_are_valid(bytes: &[u8]) -> bool {
    bytes.split(|&b| b == b'%').skip(1).all(|rest| {
        rest.get(..2)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    })
}

fn is_port(bytes: &[u8]) -> bool {
    bytes.len() <= 5 && bytes.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let valid = [
            "",
            "localhost",
            "localhost:9234",
            "a.b-c_d~e",
            "[::1]",
            "[::1]:80",
            "127.0.0.1:0",
            "a:",
            "x%20y",
            "a,b",
        ];
        for host in valid {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        let invalid = [
            "a b",
            "a/b",
            "user@host",
            "a:b",
            "a:123456",
            "[::1",
            "[::1]x",
            "[zz]",
            "a:1:2",
            "a\"",
            "x%2",
            "x%zz",
            "\u{e9}",
            "a?b",
            "a#b",
            "::1",
            "[]",
            "a\\b",
            "a<b",
        ];
        for host in invalid {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
    }

    #[test]
    fn tokens() {
        assert!(is_token(b"M-SEARCH"));
        for bad in ["", "a b", "a(", "a:", "\u{e9}", "a\0"] {
            assert!(!is_token(bad.as_bytes()), "{bad:?}");
        }
    }

    #[test]
    fn white_space_is_trimmed_at_both_ends_only() {
        assert_eq!(trim(b" \ta b\t "), b"a b");
        assert_eq!(trim(b" \t "), b"");
    }
}
