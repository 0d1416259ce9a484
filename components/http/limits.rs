//! The limits for a message: a larger one is refused.

use super::Malformed;

/// The limits for a request; in a client, for a response.
///
/// # Examples
/// ```
/// use kamea_components::http::Limits;
///
/// let limits = Limits { body: 64 << 20, ..Limits::default() };
/// assert_eq!(limits.request_line, 8192);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the request line, or of the status line, without its CRLF; 414 if it is longer.
    /// Default 8 KiB: RFC 9112 section 3 recommends at least 8000.
    pub request_line: usize,
    /// Bytes of the head (start line and fields, with every CRLF); 431 if it is longer. Default 32
    /// KiB.
    pub head_bytes: usize,
    /// Field lines in the head, and also in the trailer section; 431 if there are more. Default
    /// 100.
    pub fields: usize,
    /// Bytes of the body, without the framing of chunks; 413 if it is longer. Default 1 MiB;
    /// `u64::MAX` means no limit.
    pub body: u64,
    /// Bytes of the extensions of one chunk; 400 if there are more. Default 256.
    pub chunk_extensions: usize,
    /// Bytes of all chunk extensions and the trailer section of a body together; if there are more,
    /// 400 for an extension, 431 for a trailer section. Default 16 KiB.
    pub chunk_framing: usize,
    /// Empty lines before a start line; 400 if there are more. Default 4.
    pub empty_lines: usize,
}

impl Limits {
    /// The limits of a client that takes what curl takes: any body, and 300 KiB of fields. The
    /// connection of a response has an end in time too.
    ///
    /// # Examples
    /// ```
    /// use kamea_components::http::Limits;
    ///
    /// assert!(Limits::generous().fields > 1000);
    /// ```
    #[must_use]
    pub const fn generous() -> Self {
        Self {
            request_line: 100 << 10,
            head_bytes: 300 << 10,
            fields: 5000,
            body: u64::MAX,
            chunk_extensions: 16 << 10,
            chunk_framing: 300 << 10,
            empty_lines: 16,
        }
    }

    /// Returns these limits, capped so that the end of a line can be added to each without
    /// overflow.
    pub(super) fn without_overflow(self) -> Self {
        let no_limit = usize::MAX / 2;
        Self {
            request_line: self.request_line.min(no_limit),
            head_bytes: self.head_bytes.min(no_limit),
            chunk_framing: self.chunk_framing.min(no_limit),
            ..self
        }
    }
}

impl Limits {
    /// Returns which limit a request exceeds, and the option of `spidey` that raises it.
    pub(crate) fn exceeded_by(&self, malformed: Malformed) -> Option<String> {
        let said = |limit: u64, unit, option| {
            Some(format!(
                "more than {limit} {unit}; {option} raises the limit"
            ))
        };
        match malformed {
            Malformed::BodyTooLarge => said(self.body, "bytes", "--max-body"),
            Malformed::RequestLineTooLong => {
                said(self.request_line as u64, "bytes", "--max-request-line")
            }
            Malformed::HeadTooLarge => said(self.head_bytes as u64, "bytes", "--max-header"),
            Malformed::TooManyFields => said(self.fields as u64, "fields", "--max-fields"),
            _ => None,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request_line: 8 << 10,
            head_bytes: 32 << 10,
            fields: 100,
            body: 1 << 20,
            chunk_extensions: 256,
            chunk_framing: 16 << 10,
            empty_lines: 4,
        }
    }
}
