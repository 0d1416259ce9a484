//! The path of a request, as routes compare it: decoded once, after it was split at its slashes.

use std::borrow::Cow;

/// Stands for an encoded slash while a path is compared: it is part of a segment. No path contains
/// this character itself.
const SLASH_IN_SEGMENT: char = '\0';

/// Decodes a path, segment by segment. Runs of slashes are reduced to one, as everywhere.
pub(super) fn decode(raw: &str) -> Result<Cow<'_, str>, &'static str> {
    if !raw.contains('%') && !raw.contains("//") && !raw.contains("/.") {
        return Ok(Cow::Borrowed(raw));
    }
    let mut decoded = String::with_capacity(raw.len());
    let mut segments = raw.split('/');
    // Before the first slash there is nothing.
    segments.next();
    let last = raw.matches('/').count().saturating_sub(1);
    for (place, segment) in segments.enumerate() {
        if segment.is_empty() && place < last {
            continue;
        }
        let segment = decode_segment(segment)?;
        if segment == "." || segment == ".." {
            return Err("the path contains a dot segment");
        }
        decoded.push('/');
        decoded.push_str(&segment.replace('/', "\0"));
    }
    Ok(Cow::Owned(decoded))
}

fn decode_segment(segment: &str) -> Result<Cow<'_, str>, &'static str> {
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        let is_digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_hexdigit());
        if byte == b'%' && !(is_digit(rest.next()) && is_digit(rest.next())) {
            return Err("a percent sign in the path is not followed by two hexadecimal digits");
        }
    }
    let decoded = percent_encoding::percent_decode_str(segment).decode_utf8();
    let decoded = decoded.map_err(|_| "the path is not UTF-8")?;
    match decoded.contains(SLASH_IN_SEGMENT) {
        true => Err("the path contains NUL"),
        false => Ok(decoded),
    }
}

/// The value of a capture.
pub(super) fn captured(value: &str) -> String {
    value.replace(SLASH_IN_SEGMENT, "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_decoded_once_after_it_was_split() {
        for (raw, expected) in [
            ("/", Ok("/")),
            ("/a/b", Ok("/a/b")),
            ("/a%20b/%C3%A9", Ok("/a b/\u{e9}")),
            ("/%252e", Ok("/%2e")),
            ("/a%2Fb/c", Ok("/a\0b/c")),
            ("//a//b/", Ok("/a/b/")),
            ("///", Ok("/")),
            ("/.a/b.", Ok("/.a/b.")),
            ("/a+b", Ok("/a+b")),
            ("/a/../b", Err("dot segment")),
            ("/%2e%2E", Err("dot segment")),
            ("/%", Err("hexadecimal")),
            ("/%4", Err("hexadecimal")),
            ("/%+1", Err("hexadecimal")),
            ("/%zz", Err("hexadecimal")),
            ("/%00", Err("NUL")),
            ("/%ff", Err("UTF-8")),
        ] {
            match (decode(raw), expected) {
                (Ok(path), Ok(expected)) => assert_eq!(path, expected, "{raw}"),
                (Err(error), Err(expected)) => assert!(error.contains(expected), "{raw}: {error}"),
                (got, _) => panic!("{raw}: {got:?}"),
            }
        }
        assert_eq!(captured("a\0b"), "a/b");
    }
}
