//! Fields that are written one after the other.

use super::Fields;
use super::lines::{FieldError, Names, check};
use crate::http::grammar::trim;

/// Makes [`Fields`] of many lines: cheaper than to add them to `Fields` one by one, because the
/// memory is shared only once, at the end.
///
/// # Examples
/// ```
/// use kamea_components::http::{Fields, FieldsBuilder};
///
/// let received = Fields::new().with("Accept", "*/*").with("Connection", "close");
/// let mut sent = FieldsBuilder::with_capacity(256);
/// sent.push("Host", "a")?;
/// sent.extend_if(&received, |name, _| !name.eq_ignore_ascii_case("connection"));
/// sent.push_parts("Via", &[b"1.1 ", b"edge"])?;
/// assert_eq!(sent.finish().as_bytes(), b"Host: a\r\nAccept: */*\r\nVia: 1.1 edge\r\n");
/// # Ok::<(), kamea_components::http::FieldError>(())
/// ```
#[derive(Debug, Default)]
pub struct FieldsBuilder {
    lines: Vec<u8>,
    names: Names,
}

impl FieldsBuilder {
    /// Starts without fields, with room for `bytes` of lines.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self {
            lines: Vec::with_capacity(bytes),
            names: Names::default(),
        }
    }

    /// Adds a field after the others.
    ///
    /// # Errors
    /// As [`Fields::push`]; then nothing is added.
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        let value = trim(value.as_ref());
        check(name, value)?;
        self.append(name, &[value]);
        Ok(())
    }

    /// Adds a field whose value consists of these parts. White space around the value is kept.
    ///
    /// # Errors
    /// As [`Fields::push`]; then nothing is added.
    pub fn push_parts(&mut self, name: &str, parts: &[&[u8]]) -> Result<(), FieldError> {
        check(name, b"")?;
        parts.iter().try_for_each(|part| check(name, part))?;
        self.append(name, parts);
        Ok(())
    }

    /// Adds those of these fields whose name and value `is_kept` accepts, after the others.
    pub fn extend_if(&mut self, fields: &Fields, is_kept: impl Fn(&str, &[u8]) -> bool) {
        for (line, name, value) in fields.named_lines() {
            if is_kept(name, value) {
                self.names.insert(name.as_bytes());
                self.lines.extend_from_slice(line);
                self.lines.extend_from_slice(b"\r\n");
            }
        }
    }

    /// Returns the fields.
    #[must_use]
    pub fn finish(self) -> Fields {
        Fields::from_checked(self.lines.into(), self.names)
    }

    fn append(&mut self, name: &str, parts: &[&[u8]]) {
        self.lines.extend_from_slice(name.as_bytes());
        self.lines.extend_from_slice(b": ");
        for part in parts {
            self.lines.extend_from_slice(part);
        }
        self.lines.extend_from_slice(b"\r\n");
        self.names.insert(name.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_lines_as_one_by_one() {
        let mut one_by_one = Fields::new();
        let mut built = FieldsBuilder::default();
        for (name, value) in [("Host", " a "), ("X-Empty", ""), ("x-two", "b, c")] {
            one_by_one.push(name, value).unwrap();
            built.push(name, value).unwrap();
        }
        let built = built.finish();
        assert_eq!(built, one_by_one);
        assert_eq!(built.get("X-Two"), Some(&b"b, c"[..]));
        assert!(built.contains("x-empty") && !built.contains("via"));
        assert!(FieldsBuilder::with_capacity(10).finish().is_empty());
    }

    #[test]
    fn what_would_break_a_line_is_refused_and_nothing_is_added() {
        let mut built = FieldsBuilder::default();
        for (name, value) in [("a b", "c"), ("", "c"), ("a", "c\r\nd: e"), ("a", "\0")] {
            assert!(built.push(name, value).is_err(), "{name:?}: {value:?}");
            let parts = [&b"fine"[..], value.as_bytes()];
            assert!(
                built.push_parts(name, &parts).is_err(),
                "{name:?}: {value:?}"
            );
        }
        assert!(built.push_parts("a b", &[]).is_err());
        assert!(built.finish().is_empty());
    }

    #[test]
    fn kept_lines_can_be_found() {
        let received = Fields::new().with("A", "1").with("B", "2").with("a", "3");
        let mut built = FieldsBuilder::default();
        built.extend_if(&received, |name, value| name != "B" && value != b"3");
        let built = built.finish();
        assert_eq!(built.as_bytes(), b"A: 1\r\n");
        assert!(built.contains("a") && !built.contains("b"));
    }
}
