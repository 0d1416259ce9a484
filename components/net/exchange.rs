//! The client side of a connection: sends its input, and passes on the bytes that arrive.

mod relay;

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::io;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::{or, try_zip};
use kamea::time::{sleep, turn};
use kamea::{Done, Pipe};

use super::connection::Connection;

pub use relay::relay_over;

/// An error between a client and a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The connection could not be opened.
    #[error("cannot connect to {server}: {error}")]
    Connect {
        /// The address of the server.
        server: String,
        /// The reason.
        error: io::Error,
    },
    /// The connection was lost.
    #[error("the connection to {server} was lost: {error}")]
    Lost {
        /// The address of the server.
        server: String,
        /// The reason.
        error: io::Error,
    },
}

/// Sends its input, and passes on what the server sends, until the server has closed the
/// connection. Input that has arrived by then is still sent.
///
/// It also ends when nothing has passed in either direction for `silence`, because a peer that has
/// vanished says nothing.
pub(super) async fn exchange(
    server: &str,
    connection: Connection,
    silence: Duration,
    io: &mut Pipe<Bytes, Bytes>,
) -> Done {
    let passed = Cell::new(turn());
    let lost = |error| ConnectionError::Lost {
        server: server.to_owned(),
        error,
    };
    let Pipe { inbox, outbox } = io;
    let has_finished = Cell::new(false);
    let receiving = async {
        loop {
            let bytes = connection.read().await.map_err(lost)?;
            if bytes.is_empty() {
                has_finished.set(true);
                return Ok(());
            }
            outbox.send(bytes).await?;
            passed.set(turn());
        }
    };
    let sending = async {
        loop {
            // The sender is polled together with the receiver, so that it notices the end.
            let finished = poll_fn(|_| match has_finished.get() {
                true => Poll::Ready(None),
                false => Poll::Pending,
            });
            let Some(bytes) = or(inbox.next(), finished).await else {
                break;
            };
            let more = || inbox.try_next();
            // A server that reads nothing slows us (backpressure), which is allowed.
            connection
                .write(bytes, more, Duration::MAX)
                .await
                .map_err(lost)?;
            passed.set(turn());
        }
        connection.shut_down_writing();
        Ok(())
    };
    let silent = async {
        while let Some(end) = passed.get().checked_add(silence) {
            match end.saturating_duration_since(turn()) {
                Duration::ZERO => return Err(lost(io::ErrorKind::TimedOut.into()).into()),
                left => sleep(left).await,
            }
        }
        // There is no limit.
        pending().await
    };
    let both = async { try_zip(receiving, sending).await.map(|_| ()) };
    let exchanged = outbox.while_open(or(both, silent)).await;
    // Without anybody who takes what the server sends, it has ended.
    exchanged.unwrap_or(Ok(()))
}
