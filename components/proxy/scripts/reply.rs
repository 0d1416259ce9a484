//! The response of a script: its header, its body, its end.

use bytes::Bytes;
use http::{Method, StatusCode, Version};
use kamea_components::cgi::{Reply as Header, ReplyDecoder, ReplyError};
use kamea_components::http::{Fields, ReceivedHead, Reply, ReplyBody, ResponseHead};
use thiserror::Error;

use super::{FastCgiDecoder, FastCgiError, FastCgiEvent};

/// A script or its backend that does not answer as it should.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScriptError {
    /// The backend does not speak FastCGI.
    #[error(transparent)]
    Records(#[from] FastCgiError),
    /// The header of the response is malformed.
    #[error("the script has not answered as it should: {0}")]
    Header(#[from] ReplyError),
    /// The script declared a longer body.
    #[error("the script ended when {missing} bytes of its body were still to come")]
    Short {
        /// How many bytes are missing.
        missing: u64,
    },
    /// The connection ended within an answer.
    #[error("the backend closed the connection within its answer")]
    Closed,
}

/// The limit for the header of a response, in bytes.
const LARGEST_HEADER: usize = 64 * 1024;

/// The limit for messages of a script that are kept for the log, in bytes.
const MOST_MESSAGES: usize = 8 * 1024;

/// Turns the bytes of a FastCGI or SCGI backend into the [`Reply`]s that a
/// [`ResponseDecoder`](kamea_components::http::ResponseDecoder) makes of HTTP.
///
/// # Examples
/// ```
/// use http::Method;
/// use kamea_components::http::{Reply, ReplyBody};
/// use kamea_proxy::scripts::ScriptDecoder;
///
/// let mut decoder = ScriptDecoder::scgi(&Method::GET);
/// decoder.feed("Status: 404 Not Found\r\nContent-Type: text/plain\r\n\r\nnothing".into());
/// let Some(Reply::Head(head, ReplyBody::Chunked)) = decoder.next()? else { unreachable!() };
/// assert_eq!(head.status, 404);
/// assert_eq!(decoder.next()?, Some(Reply::Chunk("nothing".into())));
/// // The end of an SCGI answer is that of the connection.
/// assert_eq!(decoder.next()?, None);
/// assert!(matches!(decoder.finish()?, Reply::End(_)));
/// # Ok::<(), kamea_proxy::scripts::ScriptError>(())
/// ```
#[derive(Debug)]
pub struct ScriptDecoder {
    /// `None` for SCGI, whose answer is not wrapped.
    records: Option<FastCgiDecoder>,
    plain: Bytes,
    state: State,
    is_head: bool,
    messages: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Header(ReplyDecoder),
    /// Output to pass on, and how much of the body is missing, if the script said its length.
    Body(Bytes, Option<u64>),
    /// A body that is not passed on.
    Without,
    Ended,
}

impl ScriptDecoder {
    /// Creates a decoder for the answer of a FastCGI backend to a request with this method.
    #[must_use]
    pub fn fastcgi(method: &Method) -> Self {
        Self::new(Some(FastCgiDecoder::new()), method)
    }

    /// Creates a decoder for the answer of an SCGI backend to a request with this method.
    #[must_use]
    pub fn scgi(method: &Method) -> Self {
        Self::new(None, method)
    }

    fn new(records: Option<FastCgiDecoder>, method: &Method) -> Self {
        Self {
            records,
            plain: Bytes::new(),
            state: State::Header(ReplyDecoder::new(LARGEST_HEADER)),
            is_head: *method == Method::HEAD,
            messages: Vec::new(),
        }
    }

    /// Announces a request with this method: begins a response.
    pub fn expect(&mut self, method: &Method) {
        let records = self.records.is_some().then(FastCgiDecoder::new);
        *self = Self::new(records, method);
    }

    /// Adds bytes of the backend. Take all replies before.
    pub fn feed(&mut self, bytes: Bytes) {
        match &mut self.records {
            Some(records) => records.feed(bytes),
            None => self.plain = bytes,
        }
    }

    /// Returns how many bytes have been fed and not read.
    #[must_use]
    pub fn unread(&self) -> usize {
        let records = self.records.as_ref().map_or(0, FastCgiDecoder::unread);
        records + self.plain.len()
    }

    /// Whether the answer is over, and the connection can be used for another request.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        matches!(self.state, State::Ended) && self.records.is_some() && self.unread() == 0
    }

    /// Takes what the script has written for the log.
    pub fn take_messages(&mut self) -> Option<String> {
        let messages = std::mem::take(&mut self.messages);
        let text = String::from_utf8_lossy(&messages).trim_end().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// Returns the next part of the response; `None` if more bytes are needed, and after the end.
    ///
    /// # Errors
    /// [`ScriptError`]: then the connection cannot be used any more.
    #[expect(
        clippy::should_implement_trait,
        reason = "as the other decoders: it can fail"
    )]
    pub fn next(&mut self) -> Result<Option<Reply>, ScriptError> {
        loop {
            if let State::Body(output, missing) = &mut self.state
                && !output.is_empty()
            {
                let room = missing.map_or(u64::MAX, |missing| missing);
                let size = usize::try_from(room)
                    .unwrap_or(usize::MAX)
                    .min(output.len());
                let part = output.split_to(size);
                // What is beyond the declared length is dropped.
                output.clear();
                if let Some(missing) = missing {
                    *missing -= part.len() as u64;
                }
                if !part.is_empty() {
                    return Ok(Some(Reply::Chunk(part)));
                }
            }
            let event = match &mut self.records {
                Some(records) => records.next()?,
                None if self.plain.is_empty() => None,
                None => Some(FastCgiEvent::Output(std::mem::take(&mut self.plain))),
            };
            match event {
                None => return Ok(None),
                Some(FastCgiEvent::Errors(bytes)) => {
                    let room = MOST_MESSAGES.saturating_sub(self.messages.len());
                    self.messages
                        .extend_from_slice(&bytes[..bytes.len().min(room)]);
                }
                Some(FastCgiEvent::Output(bytes)) => {
                    if let Some(head) = self.output(bytes)? {
                        return Ok(Some(head));
                    }
                }
                Some(FastCgiEvent::End(_)) => return self.end().map(Some),
            }
        }
    }

    /// Says that the backend has closed the connection; returns the end of the response.
    ///
    /// # Errors
    /// [`ScriptError`] if the response is not whole.
    pub fn finish(&mut self) -> Result<Reply, ScriptError> {
        match &self.state {
            State::Header(decoder) => Err(decoder.finish().into()),
            _ if self.records.is_some() => Err(ScriptError::Closed),
            _ => self.end(),
        }
    }

    /// Takes output: the header, once it is whole.
    fn output(&mut self, bytes: Bytes) -> Result<Option<Reply>, ScriptError> {
        let decoder = match &mut self.state {
            State::Header(decoder) => decoder,
            State::Body(output, _) => {
                *output = bytes;
                return Ok(None);
            }
            State::Without | State::Ended => return Ok(None),
        };
        let Some((header, first)) = decoder.feed(&bytes)? else {
            return Ok(None);
        };
        let (head, length) = meaning(header);
        let has_none = matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
        let framing = match length {
            _ if has_none || self.is_head => ReplyBody::None,
            Some(0) => ReplyBody::None,
            Some(length) => ReplyBody::Sized(length),
            None => ReplyBody::Chunked,
        };
        self.state = match framing {
            ReplyBody::None => State::Without,
            _ => State::Body(first, length),
        };
        let mut fields = head.fields;
        if let Some(length) = length.filter(|_| self.is_head) {
            // The length that GET would have.
            let _ = fields.push("Content-Length", length.to_string());
        }
        let head = ReceivedHead {
            version: Version::HTTP_11,
            status: head.status,
            reason: Bytes::new(),
            fields,
        };
        Ok(Some(Reply::Head(head, framing)))
    }

    fn end(&mut self) -> Result<Reply, ScriptError> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Header(decoder) => Err(decoder.finish().into()),
            State::Body(_, Some(missing)) if missing > 0 => Err(ScriptError::Short { missing }),
            _ => Ok(Reply::End(Fields::new())),
        }
    }
}

/// Returns the head of a response. A redirect within the server is one for the client here, as in
/// nginx: the resource may belong to another backend.
fn meaning(header: Header) -> (ResponseHead, Option<u64>) {
    match header {
        Header::Document { head, length } => (head, length),
        Header::LocalRedirect { path, fields } => {
            let mut head = ResponseHead::new(StatusCode::FOUND);
            head.fields = fields;
            // A path that cannot be a field is left out.
            let _ = head.fields.set("Location", path);
            (head, Some(0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, content: &[u8]) -> Vec<u8> {
        let [high, low] = u16::try_from(content.len()).unwrap().to_be_bytes();
        let mut bytes = vec![1, kind, 0, 1, high, low, 0, 0];
        bytes.extend_from_slice(content);
        bytes
    }

    /// The answer of a FastCGI backend with this output.
    fn wrapped(output: &str) -> Vec<u8> {
        let end = record(3, &[0; 8]);
        [record(6, output.as_bytes()), record(6, b""), end].concat()
    }

    /// Status, framing and body of an answer that is fed in parts of this size.
    fn read(
        mut decoder: ScriptDecoder,
        bytes: &[u8],
        size: usize,
    ) -> Result<(u16, ReplyBody, String), ScriptError> {
        let (mut status, mut framing, mut body) = (0, ReplyBody::None, String::new());
        let mut is_over = false;
        for part in bytes.chunks(size) {
            decoder.feed(Bytes::copy_from_slice(part));
            while let Some(reply) = decoder.next()? {
                match reply {
                    Reply::Head(head, kind) => (status, framing) = (head.status.as_u16(), kind),
                    Reply::Chunk(part) => body.push_str(str::from_utf8(&part).unwrap()),
                    Reply::End(_) => is_over = true,
                    Reply::Interim(_) => unreachable!(),
                }
            }
        }
        if !is_over {
            decoder.finish()?;
        }
        Ok((status, framing, body))
    }

    #[test]
    fn answers_of_both_protocols() {
        use ReplyBody::{Chunked, None as Nothing, Sized};
        let rows = [
            ("Content-Type: a/b\r\n\r\nhello", (200, Chunked, "hello")),
            ("Status: 404\nContent-Type: a/b\n\n", (404, Chunked, "")),
            (
                "Content-Type: a/b\r\nContent-Length: 5\r\n\r\nhello",
                (200, Sized(5), "hello"),
            ),
            // Longer than declared.
            (
                "Content-Type: a/b\r\nContent-Length: 3\r\n\r\nhello",
                (200, Sized(3), "hel"),
            ),
            (
                "Content-Type: a/b\r\nContent-Length: 0\r\n\r\nhello",
                (200, Nothing, ""),
            ),
            ("Status: 204 No Content\r\n\r\nhello", (204, Nothing, "")),
            (
                "Status: 302\r\nLocation: http://a/\r\n\r\n",
                (302, Chunked, ""),
            ),
            ("Location: /other\r\n\r\n", (302, Nothing, "")),
        ];
        for (output, (status, framing, body)) in rows {
            let expected = Ok((status, framing, body.to_owned()));
            let records = wrapped(output);
            for size in 1..records.len() {
                let found = read(ScriptDecoder::fastcgi(&Method::GET), &records, size);
                assert_eq!(found, expected, "{output} in parts of {size}");
            }
            for size in 1..output.len() {
                let found = read(ScriptDecoder::scgi(&Method::GET), output.as_bytes(), size);
                assert_eq!(found, expected, "{output} in parts of {size}");
            }
        }
    }

    #[test]
    fn answers_that_are_none() {
        let short = "Content-Type: a/b\r\nContent-Length: 9\r\n\r\nhello";
        let rows = [
            ("", ScriptError::Header(ReplyError::Nothing)),
            (
                "Content-Type: a/b\r\n",
                ScriptError::Header(ReplyError::Incomplete),
            ),
            (
                "no field\r\n\r\n",
                ScriptError::Header(ReplyError::Field("no field".to_owned())),
            ),
            (short, ScriptError::Short { missing: 4 }),
        ];
        for (output, expected) in rows {
            let records = wrapped(output);
            let found = read(
                ScriptDecoder::fastcgi(&Method::GET),
                &records,
                records.len(),
            );
            assert_eq!(found, Err(expected.clone()), "{output}");
            let size = output.len().max(1);
            let found = read(ScriptDecoder::scgi(&Method::GET), output.as_bytes(), size);
            assert_eq!(found, Err(expected), "{output}");
        }
        // The connection ends before the record that ends the answer.
        let records = wrapped("Content-Type: a/b\r\n\r\nhello");
        let cut = &records[..records.len() - 1];
        let found = read(ScriptDecoder::fastcgi(&Method::GET), cut, cut.len());
        assert_eq!(found, Err(ScriptError::Closed));
    }

    #[test]
    fn head_has_the_length_and_no_body() {
        let output = "Content-Type: a/b\r\nContent-Length: 5\r\n\r\nhello";
        let mut decoder = ScriptDecoder::fastcgi(&Method::HEAD);
        decoder.feed(wrapped(output).into());
        let Ok(Some(Reply::Head(head, ReplyBody::None))) = decoder.next() else {
            panic!()
        };
        assert_eq!(head.fields.get("content-length"), Some(&b"5"[..]));
        assert!(!decoder.is_reusable());
        assert_eq!(decoder.next(), Ok(Some(Reply::End(Fields::new()))));
        assert!(decoder.is_reusable());
    }

    #[test]
    fn messages_are_for_the_log_and_have_a_limit() {
        let mut decoder = ScriptDecoder::fastcgi(&Method::GET);
        assert_eq!(decoder.take_messages(), None);
        decoder.feed(record(7, b"PHP Warning: x\n").into());
        assert_eq!(decoder.next(), Ok(None));
        assert_eq!(decoder.take_messages().as_deref(), Some("PHP Warning: x"));
        for _ in 0..10 {
            decoder.feed(record(7, &[b'x'; 10_000]).into());
            assert_eq!(decoder.next(), Ok(None));
        }
        assert_eq!(
            decoder.take_messages().map(|text| text.len()),
            Some(MOST_MESSAGES)
        );
    }
}
