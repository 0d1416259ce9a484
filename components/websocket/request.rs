//! The client's side of the opening handshake without I/O (RFC 6455 section 4.1).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Method, StatusCode, Version};

use super::deflate::accept_deflate;
use super::{Deflate, HandshakeOptions, accept_key};
use crate::http::{
    BodyKind, Fields, Limits, ReceivedHead, Reply, ResponseDecoder, Url, encode_request,
};

/// Why a client has no WebSocket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpeningError {
    /// The server answered with another status than 101.
    #[error("the server answered {status} instead of 101 Switching Protocols")]
    Refused {
        /// The status.
        status: StatusCode,
    },
    /// The response is not a valid answer to the handshake (RFC 6455 section 4.1).
    #[error("the server's answer to the handshake is invalid: {why}")]
    Invalid {
        /// What is wrong.
        why: String,
    },
    /// The connection ended, or no answer came in time.
    #[error("the server has not answered the handshake")]
    NoAnswer,
}

/// One handshake of a client: its request, and the verdict on the response.
///
/// # Examples
///
/// ```
/// use kamea_components::http::{Fields, Url};
/// use kamea_components::websocket::{ClientHandshake, HandshakeOptions};
///
/// let url = Url::websocket("ws://example.org/chat")?;
/// let mut handshake = ClientHandshake::new(&url, HandshakeOptions::default(), Fields::new());
/// assert!(handshake.request().starts_with(b"GET /chat HTTP/1.1\r\n"));
/// handshake.feed("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into());
/// let refused = handshake.next().unwrap_err().to_string();
/// assert_eq!(refused, "the server answered 404 Not Found instead of 101 Switching Protocols");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClientHandshake {
    options: HandshakeOptions,
    key: String,
    request: Bytes,
    decoder: ResponseDecoder,
}

impl ClientHandshake {
    /// A handshake with a random key. Its request has these fields too.
    #[must_use]
    pub fn new(url: &Url, options: HandshakeOptions, fields: Fields) -> Self {
        let key = STANDARD.encode(kamea::random::token().to_ne_bytes());
        let request = request(url, &options, &key, fields);
        let mut decoder = ResponseDecoder::new(Limits::default());
        decoder.expect(&Method::GET);
        Self {
            options,
            key,
            request,
            decoder,
        }
    }

    /// The bytes to send.
    #[must_use]
    pub fn request(&self) -> &Bytes {
        &self.request
    }

    /// Takes bytes of the server.
    pub fn feed(&mut self, bytes: Bytes) {
        self.decoder.feed(bytes);
    }

    /// Returns the agreed compression and the bytes behind the response, once it is there.
    ///
    /// # Errors
    ///
    /// [`OpeningError`]: the server has refused, or its response is invalid.
    #[allow(
        clippy::should_implement_trait,
        reason = "it is no iterator: more bytes may come"
    )]
    pub fn next(&mut self) -> Result<Option<(Option<Deflate>, Bytes)>, OpeningError> {
        loop {
            let reply = self.decoder.next();
            match reply.map_err(|malformed| invalid(&malformed.to_string()))? {
                Some(Reply::Head(head, _)) => {
                    let deflate = check_response(&head, &self.options, &self.key)?;
                    let rest = match self.decoder.next() {
                        Ok(Some(Reply::Chunk(rest))) => rest,
                        _ => Bytes::new(),
                    };
                    return Ok(Some((deflate, rest)));
                }
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }
}

fn request(url: &Url, options: &HandshakeOptions, key: &str, fields: Fields) -> Bytes {
    let mut fields = fields
        .with("Upgrade", "websocket")
        .with("Connection", "Upgrade")
        .with("Sec-WebSocket-Key", key)
        .with("Sec-WebSocket-Version", "13");
    if !options.protocols.is_empty() {
        fields = fields.with("Sec-WebSocket-Protocol", options.protocols.join(", "));
    }
    if let Some(deflate) = &options.deflate {
        fields = fields.with("Sec-WebSocket-Extensions", deflate.offer());
    }
    let mut out = Vec::new();
    let head = url.request(Method::GET, Version::HTTP_11, fields);
    encode_request(&mut out, &head, BodyKind::None);
    out.into()
}

fn invalid(why: &str) -> OpeningError {
    let why = why.to_owned();
    OpeningError::Invalid { why }
}

/// Checks the response of a server. Returns the agreed compression.
fn check_response(
    head: &ReceivedHead,
    options: &HandshakeOptions,
    key: &str,
) -> Result<Option<Deflate>, OpeningError> {
    let fields = &head.fields;
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        let status = head.status;
        return Err(OpeningError::Refused { status });
    }
    if !fields.list_contains("upgrade", "websocket")
        || !fields.list_contains("connection", "upgrade")
    {
        return Err(invalid("it does not upgrade to a WebSocket"));
    }
    if fields.get("sec-websocket-accept") != Some(accept_key(key).as_bytes()) {
        return Err(invalid("Sec-WebSocket-Accept does not belong to our key"));
    }
    if let Some(protocol) = fields.get("sec-websocket-protocol")
        && !options
            .protocols
            .iter()
            .any(|ours| ours.as_bytes() == protocol)
    {
        return Err(invalid("it chose a subprotocol that was not offered"));
    }
    let mut extensions = fields.get_all("sec-websocket-extensions");
    let Some(value) = extensions.next() else {
        return Ok(None);
    };
    let value = std::str::from_utf8(value).unwrap_or_default();
    let agreed = options
        .deflate
        .and_then(|ours| accept_deflate(value, &ours));
    match (agreed, extensions.next()) {
        (Some(agreed), None) => Ok(Some(agreed)),
        _ => Err(invalid("it chose an extension that was not offered")),
    }
}
