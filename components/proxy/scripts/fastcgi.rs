//! Encodes a request for FastCGI (the FastCGI specification, sections 3 and 5).

use kamea_components::gateway::Variables;

/// The kinds of records that a responder has (section 8).
pub(super) mod kind {
    pub(crate) const BEGIN_REQUEST: u8 = 1;
    pub(crate) const END_REQUEST: u8 = 3;
    pub(crate) const PARAMS: u8 = 4;
    pub(crate) const STDIN: u8 = 5;
    pub(crate) const STDOUT: u8 = 6;
    pub(crate) const STDERR: u8 = 7;
}

/// The id of the only request on a connection. php-fpm, too, takes one at a time.
pub(super) const REQUEST: u16 = 1;

/// The limit for the content of a record: a multiple of 8, so that none needs padding.
const LARGEST: usize = 65_528;

/// Appends the records of a request without its body. [`encode_fastcgi_body`] follows, with each
/// part of the body and then with an empty one. The backend closes the connection after its
/// response: a process of php-fpm that keeps one serves nobody else.
///
/// # Examples
/// ```
/// use kamea_components::gateway::Variables;
/// use kamea_proxy::scripts::{encode_fastcgi, encode_fastcgi_body};
///
/// let mut variables = Variables::default();
/// variables.set("SCRIPT_FILENAME", "/srv/index.php");
/// let mut bytes = Vec::new();
/// encode_fastcgi(&mut bytes, &variables);
/// encode_fastcgi_body(&mut bytes, b"");
/// // Begin, the variables, their end, and the end of the body.
/// assert_eq!(bytes.len(), 16 + 8 + 2 + 15 + 14 + 8 + 8);
/// ```
pub fn encode_fastcgi(out: &mut Vec<u8>, variables: &Variables) {
    // The role of a responder, no flags (the connection is not kept), reserved.
    record(out, kind::BEGIN_REQUEST, &[0, 1, 0, 0, 0, 0, 0, 0]);
    let mut pairs = Vec::new();
    for (name, value) in variables.iter() {
        length(&mut pairs, name.len());
        length(&mut pairs, value.len());
        pairs.extend_from_slice(name.as_bytes());
        pairs.extend_from_slice(value);
    }
    stream(out, kind::PARAMS, &pairs);
    record(out, kind::PARAMS, &[]);
}

/// Appends a part of the body; the empty part ends it.
pub fn encode_fastcgi_body(out: &mut Vec<u8>, part: &[u8]) {
    match part {
        [] => record(out, kind::STDIN, &[]),
        part => stream(out, kind::STDIN, part),
    }
}

fn stream(out: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    for part in bytes.chunks(LARGEST) {
        record(out, kind, part);
    }
}

/// Version, kind, id, length, padding, reserved; then the content.
fn record(out: &mut Vec<u8>, kind: u8, content: &[u8]) {
    let [id_high, id_low] = REQUEST.to_be_bytes();
    // At most LARGEST.
    let [high, low] = (content.len() as u16).to_be_bytes();
    out.extend_from_slice(&[1, kind, id_high, id_low, high, low, 0, 0]);
    out.extend_from_slice(content);
}

/// The length of a name or a value: one byte up to 127, or else four (section 3.4).
fn length(out: &mut Vec<u8>, length: usize) {
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        // A head has at most some megabytes.
        _ => out.extend_from_slice(&(length as u32 | 0x8000_0000).to_be_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_the_specification() {
        let mut variables = Variables::default();
        variables.set("A", "b");
        variables.set("LONG", "x".repeat(200));
        let mut bytes = Vec::new();
        encode_fastcgi(&mut bytes, &variables);
        let mut expected = vec![1, 1, 0, 1, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        expected.extend_from_slice(&[1, 4, 0, 1, 0, 213, 0, 0, 1, 1, b'A', b'b']);
        expected.extend_from_slice(&[4, 0x80, 0, 0, 200]);
        expected.extend_from_slice(b"LONG");
        expected.extend_from_slice("x".repeat(200).as_bytes());
        expected.extend_from_slice(&[1, 4, 0, 1, 0, 0, 0, 0]);
        assert_eq!(bytes, expected);
        bytes.clear();
        encode_fastcgi_body(&mut bytes, b"hello");
        encode_fastcgi_body(&mut bytes, b"");
        assert_eq!(
            bytes,
            b"\x01\x05\0\x01\0\x05\0\0hello\x01\x05\0\x01\0\0\0\0"
        );
    }

    #[test]
    fn a_long_part_is_split() {
        let mut bytes = Vec::new();
        encode_fastcgi_body(&mut bytes, &vec![7; 200_000]);
        let mut rest = &bytes[..];
        let mut lengths = Vec::new();
        while let [1, kind::STDIN, 0, 1, high, low, 0, 0, content @ ..] = rest {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            lengths.push(length);
            rest = &content[length..];
        }
        assert_eq!(lengths, [65_528, 65_528, 65_528, 3416]);
        assert!(rest.is_empty());
    }
}
