//! Encodes a request for SCGI (the SCGI specification, 2008): a netstring of the variables, and
//! then the body.

use kamea_components::gateway::Variables;

/// Appends a request without its body, which has this length and follows as it is. The backend
/// closes the connection behind its answer.
///
/// # Examples
/// ```
/// use kamea_components::gateway::Variables;
/// use kamea_proxy::scripts::encode_scgi;
///
/// let mut variables = Variables::default();
/// variables.set("REQUEST_METHOD", "POST");
/// let mut bytes = Vec::new();
/// encode_scgi(&mut bytes, &variables, 5);
/// bytes.extend_from_slice(b"hello");
/// assert_eq!(bytes, b"44:CONTENT_LENGTH\x005\0SCGI\x001\0REQUEST_METHOD\0POST\0,hello");
/// ```
pub fn encode_scgi(out: &mut Vec<u8>, variables: &Variables, length: u64) {
    let mut pairs = Vec::new();
    let mut pair = |name: &str, value: &[u8]| {
        for part in [name.as_bytes(), b"\0", value, b"\0"] {
            pairs.extend_from_slice(part);
        }
    };
    // "The first header must have the name CONTENT_LENGTH"; it is there even if it is 0.
    pair("CONTENT_LENGTH", length.to_string().as_bytes());
    pair("SCGI", b"1");
    for (name, value) in variables.iter() {
        // "Duplicate names are not allowed", and a value with NUL would be two.
        let is_own = matches!(name, "CONTENT_LENGTH" | "SCGI");
        if !is_own && !value.contains(&0) {
            pair(name, value);
        }
    }
    out.extend_from_slice(format!("{}:", pairs.len()).as_bytes());
    out.extend_from_slice(&pairs);
    out.push(b',');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_comes_first_and_once() {
        let mut variables = Variables::default();
        variables.set("A", "b");
        variables.set("CONTENT_LENGTH", "99");
        variables.set("SCGI", "2");
        variables.set("EVIL", "a\0B\0c");
        let mut bytes = Vec::new();
        encode_scgi(&mut bytes, &variables, 0);
        assert_eq!(bytes, b"28:CONTENT_LENGTH\x000\0SCGI\x001\0A\0b\0,");
    }
}
