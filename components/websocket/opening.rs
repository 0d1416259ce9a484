//! The opening handshake over bytes: for WebSockets on a plain connection, of a server or a client.
//!
//! ```text
//!         ┌──────────┐ ──▶ rest        bytes behind the handshake, to receive_messages
//! bytes ─▶│ handshake│ ──▶ receiver    what was agreed
//!         └──────────┘ ──▶ sender      bytes of the handshake, then what was agreed
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_lite::future::or;
use http::{Method, StatusCode, Version};
use kamea::time::{sleep, wall_clock};
use kamea::{Component, Done, End, Inbox, Outbox, Ports};
use std::time::{Duration, UNIX_EPOCH};

use super::deflate::accept_deflate;
use super::{Deflate, HandshakeOptions, Refusal, accept_key, check_handshake};
use crate::http::{
    BodyFraming, BodyKind, Connection, DateCache, Event, Fields, Limits, Reply, RequestDecoder,
    ResponseDecoder, ResponseHead, Url, encode_head, encode_request,
};

/// What a handshake tells [`send_messages`](super::send_messages).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// Send these bytes of the handshake.
    Bytes(Bytes),
    /// The connection is open: messages may be sent, with this compression.
    Open(Option<Deflate>),
}

/// The ports of [`accept_opening`] and [`request_opening`].
#[derive(Debug, Ports)]
pub struct OpeningPorts {
    /// Raw bytes of one connection.
    pub bytes: Inbox<Bytes>,
    /// The bytes behind the handshake.
    pub rest: Outbox<Bytes>,
    /// Tells the receiver that the connection is open, and with which compression.
    pub receiver: Outbox<Option<Deflate>>,
    /// What the sender has to send, and when messages may follow.
    pub sender: Outbox<Opening>,
}

/// How long a peer may take for its part of the handshake.
const WITHIN: Duration = Duration::from_secs(10);

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

/// The server's side of a handshake. A request that is refused is answered, and the connection
/// ends.
pub fn accept_opening(options: HandshakeOptions) -> impl Component<OpeningPorts> + Clone {
    async move |io: &mut OpeningPorts| {
        let mut decoder = RequestDecoder::new(Limits::default());
        let head = {
            let read = read_request(&mut io.bytes, &mut decoder);
            let late = async {
                sleep(WITHIN).await;
                Ok(None)
            };
            or(read, late).await
        };
        let refusal = match head {
            Ok(None) => return Ok(()),
            Ok(Some(head)) => match check_handshake(&head, &options) {
                Ok(handshake) => {
                    let status = StatusCode::SWITCHING_PROTOCOLS;
                    let fields = handshake.fields.with("Connection", "Upgrade");
                    let response = response(status, fields, "");
                    io.sender.send(Opening::Bytes(response)).await?;
                    let rest = decoder.rest();
                    return open(io, handshake.deflate, rest).await;
                }
                Err(refusal) => refusal,
            },
            Err(malformed) => Refusal {
                status: malformed.status(),
                why: "the request is malformed",
                fields: Fields::new(),
            },
        };
        log::debug!("a WebSocket was refused: {refusal}");
        let fields = refusal
            .fields
            .with("Content-Type", "text/plain; charset=utf-8");
        let response = response(refusal.status, fields, refusal.why);
        io.sender.send(Opening::Bytes(response)).await?;
        Ok(())
    }
}

/// Reads the head of a request; `None` if the connection ends before.
async fn read_request(
    bytes: &mut Inbox<Bytes>,
    decoder: &mut RequestDecoder,
) -> Result<Option<crate::http::RequestHead>, crate::http::Malformed> {
    loop {
        if let Some(Event::Head(head, _)) = decoder.next()? {
            return Ok(Some(head));
        }
        match bytes.next().await {
            Some(bytes) => decoder.feed(bytes),
            None => return Ok(None),
        }
    }
}

/// Tells both halves that the connection is open, and passes on what follows.
async fn open(io: &mut OpeningPorts, deflate: Option<Deflate>, rest: Bytes) -> Done {
    io.receiver.send(deflate).await?;
    io.sender.send(Opening::Open(deflate)).await?;
    if !rest.is_empty() {
        io.rest.send(rest).await?;
    }
    loop {
        // A peer that is silent for good does not hold a connection that has been closed.
        let closed = async {
            io.rest.closed().await;
            None
        };
        let Some(bytes) = or(closed, io.bytes.next()).await else {
            return Ok(());
        };
        io.rest.send(bytes).await?;
    }
}

fn response(status: StatusCode, fields: Fields, text: &str) -> Bytes {
    let head = ResponseHead {
        fields,
        ..ResponseHead::new(status)
    };
    let framing = match status {
        StatusCode::SWITCHING_PROTOCOLS => BodyFraming::None,
        _ => BodyFraming::Sized(text.len() as u64),
    };
    let now = wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut dates = DateCache::default();
    let (mut out, date) = (Vec::new(), dates.at(now.as_secs()));
    let closes = match status {
        StatusCode::SWITCHING_PROTOCOLS => Connection::KeepAlive,
        _ => Connection::Close,
    };
    encode_head(&mut out, Version::HTTP_11, &head, framing, closes, date);
    out.extend_from_slice(text.as_bytes());
    out.into()
}

/// The client's side of a handshake (RFC 6455 section 4.1). Redirects are refused.
///
/// # Faults
///
/// [`OpeningError`].
pub fn request_opening(
    url: Url,
    options: HandshakeOptions,
) -> impl Component<OpeningPorts> + Clone {
    async move |io: &mut OpeningPorts| {
        let key = STANDARD.encode(kamea::random::token().to_ne_bytes());
        let request = request(&url, &options, &key);
        io.sender.send(Opening::Bytes(request)).await?;
        let late = async {
            sleep(WITHIN).await;
            Err(OpeningError::NoAnswer.into())
        };
        let (head, rest) = or(read_response(&mut io.bytes), late).await?;
        let deflate = check_response(&head, &options, &key)?;
        open(io, deflate, rest).await
    }
}

fn request(url: &Url, options: &HandshakeOptions, key: &str) -> Bytes {
    let mut fields = Fields::new()
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

/// Reads the head of the response, and what came behind it.
async fn read_response(
    bytes: &mut Inbox<Bytes>,
) -> Result<(crate::http::ReceivedHead, Bytes), End> {
    let mut decoder = ResponseDecoder::new(Limits::default());
    decoder.expect(&Method::GET);
    loop {
        let reply = decoder.next().map_err(|malformed| OpeningError::Invalid {
            why: malformed.to_string(),
        })?;
        match reply {
            Some(Reply::Head(head, _)) => {
                let rest = match decoder.next() {
                    Ok(Some(Reply::Chunk(rest))) => rest,
                    _ => Bytes::new(),
                };
                return Ok((head, rest));
            }
            Some(_) => {}
            None => match bytes.next().await {
                Some(bytes) => decoder.feed(bytes),
                None => return Err(OpeningError::NoAnswer.into()),
            },
        }
    }
}

/// Checks the response of a server. Returns the agreed compression.
fn check_response(
    head: &crate::http::ReceivedHead,
    options: &HandshakeOptions,
    key: &str,
) -> Result<Option<Deflate>, OpeningError> {
    let fields = &head.fields;
    let invalid = |why: &str| OpeningError::Invalid {
        why: why.to_owned(),
    };
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
