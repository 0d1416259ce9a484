//! Field lines (RFC 9110 section 5), stored as they are sent.
//!
//! A message has about a dozen fields, and most are never read, so nothing is indexed: a look-up
//! scans the lines, a clone counts a reference, and writing a message copies one slice.

use std::fmt;

use bytes::{Bytes, BytesMut};
use memchr::memchr;
use thiserror::Error;

use crate::http::grammar::{is_field_value, is_token, trim};

/// The fields of a message, in the order in which they arrived: `name: value CRLF`, any number of
/// times.
///
/// Names are case-insensitive. Values are bytes: RFC 9110 section 5.5 leaves bytes beyond ASCII to
/// the recipient.
///
/// # Examples
/// ```
/// use kamea_components::http::Fields;
///
/// let mut fields = Fields::new();
/// fields.push("Content-Type", "text/plain")?;
/// fields.push("Vary", "Accept, Accept-Encoding")?;
/// assert_eq!(fields.get("content-type"), Some(&b"text/plain"[..]));
/// assert!(fields.list_contains("vary", "accept-encoding"));
/// assert_eq!(fields.as_bytes(), b"Content-Type: text/plain\r\nVary: Accept, Accept-Encoding\r\n");
/// # Ok::<(), kamea_components::http::FieldError>(())
/// ```
#[derive(Clone, Default)]
pub struct Fields {
    /// Whole, valid field lines, each ended by CRLF.
    lines: Bytes,
    /// The names that occur in them.
    names: Names,
}

/// A field that must not be written: its name is not a token, or its value would break the line.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldError {
    /// RFC 9110 section 5.1: a field name is a token.
    #[error("the field name is not a token")]
    Name,
    /// RFC 9110 section 5.5: CR, LF, NUL and other controls are not part of a value.
    #[error("the field value contains a control character")]
    Value,
}

impl Fields {
    /// Returns an empty set of fields.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            lines: Bytes::new(),
            names: Names(0),
        }
    }

    /// Wraps lines that a decoder has checked, each valid, each ended by CRLF, and the names in
    /// them.
    pub(in crate::http) fn from_checked(lines: Bytes, names: Names) -> Self {
        Self { lines, names }
    }

    /// Lines as a test writes them.
    #[cfg(test)]
    pub(in crate::http) fn from_lines(lines: impl Into<Bytes>) -> Self {
        let mut names = Names::default();
        let fields = Self::from_checked(lines.into(), names);
        for (name, _) in fields.iter() {
            names.insert(name.as_bytes());
        }
        Self { names, ..fields }
    }

    /// Returns the value of the first field with this name, without the white space around it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        if !self.names.may_contain(name.as_bytes()) {
            return None;
        }
        self.raw_lines()
            .find_map(|line| value_if_named(line, name.as_bytes()))
    }

    /// Returns the values of all fields with this name, in order.
    pub fn get_all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let has_name = self.names.may_contain(name.as_bytes());
        let lines = if has_name { &self.lines[..] } else { &[] };
        split_lines(lines).filter_map(move |line| value_if_named(line, name.as_bytes()))
    }

    /// Returns all fields as name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.named_lines().map(|(_, name, value)| (name, value))
    }

    /// Returns all lines without their CRLF, with name and value.
    pub(super) fn named_lines(&self) -> impl Iterator<Item = (&[u8], &str, &[u8])> {
        self.raw_lines().map(|line| {
            let colon = memchr(b':', line).unwrap_or(line.len());
            let name = str::from_utf8(&line[..colon]).unwrap_or_default();
            (line, name, trim(line.get(colon + 1..).unwrap_or_default()))
        })
    }

    /// Whether there is a field with this name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether a field that is a comma-separated list (RFC 9110 section 5.6.1) has this member
    /// (case-insensitive).
    ///
    /// For lists of tokens, such as `Connection`: quoted strings that contain commas are not
    /// supported.
    #[must_use]
    pub fn list_contains(&self, name: &str, token: &str) -> bool {
        self.get_all(name)
            .flat_map(|value| value.split(|&b| b == b','))
            .any(|member| trim(member).eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Adds a field after the others.
    ///
    /// # Errors
    /// [`FieldError`] if the name is not a token or the value contains CR, LF, NUL or another
    /// control character, so that a value from outside cannot inject another field. In this case
    /// nothing is added.
    pub fn push(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        let value = trim(value.as_ref());
        check(name, value)?;
        self.append(&[name.as_bytes(), b": ", value, b"\r\n"]);
        self.names.insert(name.as_bytes());
        Ok(())
    }

    /// Adds all of these fields after the others.
    ///
    /// # Examples
    /// ```
    /// use kamea_components::http::Fields;
    ///
    /// let mut fields = Fields::new().with("Vary", "Accept");
    /// fields.extend(&Fields::new().with("Vary", "Cookie"));
    /// assert_eq!(fields.get_all("vary").collect::<Vec<_>>(), [&b"Accept"[..], b"Cookie"]);
    /// ```
    pub fn extend(&mut self, fields: &Self) {
        if self.is_empty() {
            *self = fields.clone();
        } else if !fields.is_empty() {
            self.append(&[&fields.lines]);
            self.names.0 |= fields.names.0;
        }
    }

    /// Adds valid lines, in parts, after the others.
    fn append(&mut self, parts: &[&[u8]]) {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let lines = std::mem::take(&mut self.lines);
        let mut lines = lines.try_into_mut().unwrap_or_else(|shared| {
            let mut own = BytesMut::with_capacity((shared.len() + length).max(128));
            own.extend_from_slice(&shared);
            own
        });
        for part in parts {
            lines.extend_from_slice(part);
        }
        self.lines = lines.freeze();
    }

    /// Replaces all fields with this name by one, after the others.
    ///
    /// # Errors
    /// Like [`push`](Self::push); then nothing is replaced.
    pub fn set(&mut self, name: &str, value: impl AsRef<[u8]>) -> Result<(), FieldError> {
        check(name, trim(value.as_ref()))?;
        self.remove(name);
        self.push(name, value)
    }

    /// Removes all fields with this name.
    pub fn remove(&mut self, name: &str) {
        if !self.contains(name) {
            return;
        }
        let mut kept = BytesMut::with_capacity(self.lines.len());
        for line in self.raw_lines() {
            if value_if_named(line, name.as_bytes()).is_none() {
                kept.extend_from_slice(line);
                kept.extend_from_slice(b"\r\n");
            }
        }
        self.lines = kept.freeze();
    }

    /// Returns these fields and one more, for fields that are written in the program itself.
    ///
    /// # Panics
    /// If [`push`](Self::push) would refuse the field: use that for any value from outside.
    ///
    /// # Examples
    /// ```
    /// use kamea_components::http::Fields;
    ///
    /// let fields = Fields::new().with("Allow", "GET, HEAD").with("Vary", "Accept");
    /// assert_eq!(fields.len(), 2);
    /// ```
    #[must_use]
    #[track_caller]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if let Err(error) = self.push(name, value) {
            panic!("{name}: {error}");
        }
        self
    }

    /// Returns the field lines as they are sent, each ended by CRLF.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.lines
    }

    /// Returns the number of field lines.
    #[must_use]
    pub fn len(&self) -> usize {
        self.raw_lines().count()
    }

    /// Whether there are no fields.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether there may be a line that the encoder writes itself; `false` is certain.
    pub(in crate::http) fn may_frame(&self) -> bool {
        self.may_contain_any(FRAMING_NAMES)
    }

    /// Whether there may be a field with one of these names; `false` is certain, and the usual
    /// result.
    #[inline]
    pub(crate) fn may_contain_any(&self, names: Names) -> bool {
        self.names.0 & names.0 != 0
    }

    /// Returns the lines, without their CRLF.
    pub(in crate::http) fn raw_lines(&self) -> impl Iterator<Item = &[u8]> {
        split_lines(&self.lines)
    }
}

fn split_lines(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        // LF occurs only at the end of a line, after CR: the decoder and `push` ensure that.
        let end = memchr(b'\n', rest)?;
        let line = &rest[..end.saturating_sub(1)];
        rest = &rest[end + 1..];
        Some(line)
    })
}

/// Messages are visible at a tap of a link, so fields with credentials are shown without their
/// values.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(name, value)| {
            let value = if is_secret(name) {
                REDACTED.into()
            } else {
                String::from_utf8_lossy(value)
            };
            (name, value)
        };
        f.debug_map().entries(self.iter().map(shown)).finish()
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.lines == other.lines
    }
}

impl Eq for Fields {}

/// The fields that only the encoder may write: they determine where the message ends.
const FRAMING: [&[u8]; 4] = [
    b"date",
    b"connection",
    b"content-length",
    b"transfer-encoding",
];

const FRAMING_NAMES: Names = Names::of(&FRAMING);

/// Replaces a value that is not shown.
pub(crate) const REDACTED: &str = "(redacted)";

/// Parts of the names of secrets: of credentials (RFC 9110 section 11), of cookies (RFC 6265
/// section 8.3), and of common names in applications, in fields, in queries and in forms.
const SECRETS: [&str; 9] = [
    "auth",
    "cookie",
    "credential",
    "explain",
    "key",
    "passw",
    "secret",
    "session",
    "token",
];

/// Whether a name is that of a secret.
pub(crate) fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    SECRETS.iter().any(|secret| name.contains(secret))
}

/// Whether only the encoder may write this field.
pub(in crate::http) fn is_framing(name: &[u8]) -> bool {
    FRAMING
        .iter()
        .any(|framing| name.eq_ignore_ascii_case(framing))
}

/// A small, approximate set of field names (a Bloom filter): absence is certain, presence is not.
/// Most look-ups are for fields that a message does not have.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names(u64);

impl Names {
    pub(crate) const fn of(names: &[&[u8]]) -> Self {
        let (mut bits, mut i) = (0, 0);
        while i < names.len() {
            bits |= Self::bit(names[i]);
            i += 1;
        }
        Self(bits)
    }

    #[inline]
    pub(in crate::http) fn insert(&mut self, name: &[u8]) {
        self.0 |= Self::bit(name);
    }

    #[inline]
    fn may_contain(self, name: &[u8]) -> bool {
        self.0 & Self::bit(name) != 0
    }

    /// The length and the first letter distinguish the usual names well enough.
    #[inline]
    const fn bit(name: &[u8]) -> u64 {
        let first = match name {
            [first, ..] => first.to_ascii_lowercase(),
            [] => 0,
        };
        1 << ((first as usize * 7 + name.len()) % 64)
    }
}

/// Returns the value of a line, if the line has this name.
fn value_if_named<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = line.split_at_checked(name.len())?;
    let value = value.strip_prefix(b":")?;
    start.eq_ignore_ascii_case(name).then(|| trim(value))
}

pub(super) fn check(name: &str, value: &[u8]) -> Result<(), FieldError> {
    if !is_token(name.as_bytes()) {
        Err(FieldError::Name)
    } else if !is_field_value(value) {
        Err(FieldError::Value)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(lines: &'static str) -> Fields {
        Fields::from_lines(lines)
    }

    #[test]
    fn names_compare_without_case_and_values_lose_white_space() {
        // "Each field line consists of a case-insensitive field name followed by a colon, optional
        // leading whitespace, the field line value, and optional trailing whitespace." (RFC 9112,
        // 5)
        let fields = received("HOST:a\r\nAccept: \t b \t\r\nEmpty:\r\nhost: c\r\n");
        assert_eq!(fields.get("Host"), Some(&b"a"[..]));
        assert_eq!(fields.get("accept"), Some(&b"b"[..]));
        assert_eq!(fields.get("empty"), Some(&b""[..]));
        assert_eq!(fields.get("hos"), None);
        assert_eq!(fields.get("Host:a"), None);
        assert_eq!(fields.get_all("host").collect::<Vec<_>>(), [b"a", b"c"]);
        assert_eq!(fields.len(), 4);
        assert_eq!(fields.iter().nth(1), Some(("Accept", &b"b"[..])));
    }

    #[test]
    fn lists_span_lines_and_have_empty_members() {
        let fields = received("Connection: , Keep-Alive ,\r\nConnection: close\r\n");
        for (token, expected) in [
            ("close", true),
            ("keep-alive", true),
            ("CLOSE", true),
            ("alive", false),
        ] {
            assert_eq!(fields.list_contains("connection", token), expected);
        }
    }

    #[test]
    fn a_field_cannot_bring_another_one_along() {
        let cases: [(&str, &[u8], FieldError); 8] = [
            ("", b"a", FieldError::Name),
            ("a b", b"a", FieldError::Name),
            ("a:", b"a", FieldError::Name),
            ("a\r\nb", b"a", FieldError::Name),
            ("\u{e9}", b"a", FieldError::Name),
            ("a", b"x\r\nSet-Cookie: y", FieldError::Value),
            ("a", b"x\ny", FieldError::Value),
            ("a", b"x\0y", FieldError::Value),
        ];
        for (name, value, error) in cases {
            let mut fields = Fields::new().with("k", "v");
            assert_eq!(fields.push(name, value), Err(error), "{name:?}");
            assert_eq!(fields.set(name, value), Err(error), "{name:?}");
            assert_eq!(fields.as_bytes(), b"k: v\r\n");
        }
    }

    #[test]
    fn what_is_secret_is_not_shown() {
        let fields = received(
            "Host: a\r\nauthorization: Basic s3cret\r\nProxy-Authorization: s3cret\r\nCOOKIE: s3cret\r\n\
             Set-Cookie: s3cret\r\nX-Cookie: s3cret\r\nX-Biscuit: b\r\n",
        );
        let shown = format!("{fields:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("\"COOKIE\": \"(redacted)\""), "{shown}");
        assert!(shown.contains("\"X-Biscuit\": \"b\""), "{shown}");
    }

    #[test]
    fn changing_a_clone_leaves_the_original_alone() {
        let original = Fields::new().with("a", "1").with("b", "2").with("A", "3");
        let mut copy = original.clone();
        copy.set("a", "4").unwrap();
        copy.remove("none");
        assert_eq!(copy.as_bytes(), b"b: 2\r\na: 4\r\n");
        assert_eq!(original.as_bytes(), b"a: 1\r\nb: 2\r\nA: 3\r\n");
        copy.remove("b");
        copy.remove("a");
        assert!(copy.is_empty());
        assert_eq!(copy, Fields::new());
    }
}
