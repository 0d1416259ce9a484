//! The response: passed on as it arrives, and checked on its way.
//!
//! ```text
//!           ┌──────────────────┐ ──▶ passed      byte for byte
//! bytes ──▶ │ receive_response │
//!           └──────────────────┘ ──▶ verdicts    one: whether it was a complete response
//! ```

use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use http::Method;
use kamea::time::sleep;
use kamea::{Component, End, Inbox, Outbox, Ports};
use kamea_components::http::{MalformedResponse, ResponseDecoder};

/// The ports of [`receive_response`].
#[derive(Debug, Ports)]
pub(super) struct ReceivePorts {
    /// The bytes from the server.
    pub(super) bytes: Inbox<Bytes>,
    /// The response.
    pub(super) passed: Outbox<Bytes>,
    /// The verdict on the response. Nothing is sent if the response was not read to its end.
    pub(super) verdicts: Outbox<Result<(), Broken>>,
}

/// The error in a response.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the response is broken: {0}")]
    Malformed(#[from] MalformedResponse),
    #[error("the server has sent nothing for {} s", .0.as_secs_f64())]
    TimedOut(Duration),
}

/// Passes on the bytes of a response to a request with that method. It ends when the response is
/// complete or invalid, or when no byte arrives for as long as `patience`. With `strict`, it is
/// invalid unless it follows RFC 9112 exactly.
pub(super) fn receive_response(
    method: Method,
    patience: Duration,
    strict: bool,
) -> impl Component<ReceivePorts> + Send {
    async move |io: &mut ReceivePorts| {
        let verdict = receive(io, &method, patience, strict).await?;
        Ok(io.verdicts.send(verdict).await?)
    }
}

async fn receive(
    io: &mut ReceivePorts,
    method: &Method,
    patience: Duration,
    strict: bool,
) -> Result<Result<(), Broken>, End> {
    let mut decoder = ResponseDecoder::for_client(strict);
    decoder.expect(method);
    let mut has_begun = false;
    loop {
        let next = async { Ok(io.bytes.next().await) };
        let late = async {
            sleep(patience).await;
            Err(Broken::TimedOut(patience))
        };
        let bytes = match or(next, late).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(decoder.finish().map(drop).map_err(Broken::from)),
            Err(late) => return Ok(Err(late)),
        };
        if !has_begun {
            log::debug!("Receiving response...");
            has_begun = true;
        }
        decoder.feed(bytes.clone());
        while decoder.awaited() > 0 {
            match decoder.next() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(malformed) => return Ok(Err(malformed.into())),
            }
        }
        if decoder.awaited() == 0 {
            // Bytes after the response do not belong to it.
            let length = bytes.len() - decoder.unread();
            io.passed.send(bytes.slice(..length)).await?;
            return Ok(Ok(()));
        }
        io.passed.send(bytes).await?;
    }
}
