//! The opening handshake over bytes: for WebSockets on a plain connection, of a server or a client.
//!
//! ```text
//!         ┌──────────┐ ──▶ rest        bytes behind the handshake, to receive_messages
//! bytes ─▶│ handshake│ ──▶ receiver    what was agreed
//!         └──────────┘ ──▶ sender      bytes of the handshake, then what was agreed
//! ```

use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures_lite::future::or;
use http::{StatusCode, Version};
use kamea::time::{sleep, wall_clock};
use kamea::{Component, Done, Inbox, Outbox, Ports};

use super::{ClientHandshake, Deflate, HandshakeOptions, OpeningError, Refusal, check_handshake};
use crate::http::{
    BodyFraming, Connection, DateCache, Event, Fields, Limits, RequestDecoder, ResponseHead, Url,
    encode_head,
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
        let Ok(Some(bytes)) = io.rest.while_open(io.bytes.next()).await else {
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
        let mut handshake = ClientHandshake::new(&url, options.clone(), Fields::new());
        let request = handshake.request().clone();
        io.sender.send(Opening::Bytes(request)).await?;
        let late = async {
            sleep(WITHIN).await;
            Err(OpeningError::NoAnswer)
        };
        let (deflate, rest) = or(read_response(&mut io.bytes, &mut handshake), late).await?;
        open(io, deflate, rest).await
    }
}

/// Reads the response. Returns the agreed compression, and the bytes behind the response.
async fn read_response(
    bytes: &mut Inbox<Bytes>,
    handshake: &mut ClientHandshake,
) -> Result<(Option<Deflate>, Bytes), OpeningError> {
    loop {
        if let Some(agreed) = handshake.next()? {
            return Ok(agreed);
        }
        let bytes = bytes.next().await.ok_or(OpeningError::NoAnswer)?;
        handshake.feed(bytes);
    }
}
