//! The body of a request on its way to a backend. Its beginning is kept, for another attempt.

use std::io;

use bytes::Bytes;
use http::StatusCode;
use kamea_components::http::{BodyKind, Fields, encode_chunk, encode_last_chunk};
use kamea_components::web::{Content, Incomplete};

use crate::scripts::encode_fastcgi_body;

/// How many bytes are kept for another attempt.
const KEPT: usize = 64 * 1024;

/// The body of a request, for any number of attempts as long as it is short.
#[derive(Debug)]
pub(super) struct OutgoingBody {
    content: Option<Box<Content>>,
    kept: Vec<Bytes>,
    kept_bytes: usize,
    /// Whether bytes were passed on that are not kept.
    is_cut: bool,
    /// The next kept part of this attempt.
    next: usize,
    is_complete: bool,
    /// The length of a body that was read whole before.
    gathered: Option<u64>,
    /// How many bytes may follow, and the limit of which they are the rest.
    left: Option<(u64, u64)>,
}

/// How a body is framed for a backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Http(BodyKind),
    /// In records.
    FastCgi,
    /// As it is: its length was told before.
    Plain,
}

/// The body is longer than its route allows.
pub(super) fn too_long(most: u64) -> Incomplete {
    Incomplete {
        status: StatusCode::PAYLOAD_TOO_LARGE,
        explanation: format!("more than {most} bytes of body are not taken here").into(),
    }
}

impl OutgoingBody {
    /// A body of at most so many bytes, if there is a limit.
    pub(super) fn new(content: Option<Box<Content>>, most: Option<u64>) -> Self {
        Self {
            is_complete: content.is_none(),
            left: most.map(|most| (most, most)),
            content,
            kept: Vec::new(),
            kept_bytes: 0,
            is_cut: false,
            next: 0,
            gathered: None,
        }
    }

    /// Reads the whole body, unless its length is known and more than `limit` bytes.
    ///
    /// # Errors
    ///
    /// [`Incomplete`], with 413 for a body of unknown length that has more bytes.
    pub(super) async fn gather(&mut self, fields: &Fields, limit: usize) -> Result<(), Incomplete> {
        let is_long = matches!(self.kind(fields), BodyKind::Sized(length) if length > limit as u64);
        if self.gathered.is_some() || is_long {
            return Ok(());
        }
        self.buffer(limit.saturating_add(1)).await?;
        if self.kept_bytes > limit {
            return Err(too_long(limit as u64));
        }
        self.gathered = Some(self.kept_bytes as u64);
        Ok(())
    }

    /// How it is framed for the backend: as the client has framed it.
    pub(super) fn kind(&self, fields: &Fields) -> BodyKind {
        let Some(content) = &self.content else {
            return BodyKind::None;
        };
        let declared = fields.get("content-length").and_then(parse_length);
        match self.gathered.or(content.length()).or(declared) {
            Some(length) => BodyKind::Sized(length),
            None => BodyKind::Chunked,
        }
    }

    /// Whether another attempt can send all of it.
    pub(super) const fn is_replayable(&self) -> bool {
        !self.is_cut
    }

    /// Whether all of it will be kept for another attempt, as far as that is known at first.
    pub(super) fn is_short(&self, fields: &Fields) -> bool {
        match self.kind(fields) {
            BodyKind::Sized(length) => length <= KEPT as u64,
            BodyKind::Chunked => false,
            _ => true,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.content.is_none()
    }

    /// Begins another attempt.
    pub(super) fn rewind(&mut self) {
        self.next = 0;
    }

    /// Waits for the whole body, or for so many bytes of it: a slow client then occupies no
    /// backend.
    pub(super) async fn buffer(&mut self, most: usize) -> Result<(), Incomplete> {
        while self.kept_bytes < most
            && let Some(part) = self.receive().await?
        {
            self.keep(part);
        }
        Ok(())
    }

    /// The next part; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Incomplete> {
        if let Some(part) = self.kept.get(self.next) {
            self.next += 1;
            return Ok(Some(part.clone()));
        }
        let part = self.receive().await?;
        match &part {
            Some(part) if !self.is_cut && self.kept_bytes + part.len() <= KEPT => {
                self.keep(part.clone());
                self.next += 1;
            }
            Some(_) => {
                // What is kept has been sent.
                (self.is_cut, self.kept, self.next) = (true, Vec::new(), 0);
            }
            None => {}
        }
        Ok(part)
    }

    fn keep(&mut self, part: Bytes) {
        self.kept_bytes += part.len();
        self.kept.push(part);
    }

    /// The next part from the client.
    async fn receive(&mut self) -> Result<Option<Bytes>, Incomplete> {
        let (Some(content), false) = (&mut self.content, self.is_complete) else {
            return Ok(None);
        };
        let part = content.next().await?;
        match &part {
            None => self.is_complete = true,
            Some(part) => {
                if let Some((left, most)) = &mut self.left {
                    let rest = left.checked_sub(part.len() as u64);
                    *left = rest.ok_or_else(|| too_long(*most))?;
                }
            }
        }
        Ok(part)
    }

    /// Appends a part of the body, or its end, as `framing` has it.
    pub(super) fn encode(&self, out: &mut Vec<u8>, framing: Framing, part: Option<&Bytes>) {
        match (framing, part) {
            (Framing::FastCgi, part) => {
                encode_fastcgi_body(out, part.map_or(b"", |part| part));
            }
            (Framing::Http(BodyKind::Chunked), Some(part)) => encode_chunk(out, part),
            (Framing::Http(BodyKind::Chunked), None) => {
                let content = self.content.as_ref();
                encode_last_chunk(
                    out,
                    content.map_or(&Fields::new(), |content| content.trailers()),
                );
            }
            (_, Some(part)) => out.extend_from_slice(part),
            (_, None) => {}
        }
    }
}

/// The parser of the server has checked the field.
fn parse_length(value: &[u8]) -> Option<u64> {
    str::from_utf8(value).ok()?.parse().ok()
}

/// The end of a stream, as an error.
pub(super) fn ended() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}
