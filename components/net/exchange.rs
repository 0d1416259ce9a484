//! A client's part of a connection: what comes in is sent, what is received goes out.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::{or, try_zip};
use kamea::{Done, Pipe};

use super::connection::Connection;

/// What went wrong between a client and a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// It did not come to be.
    #[error("cannot connect to {server}: {error}")]
    Connect {
        /// Who was to be connected to.
        server: String,
        /// Why not.
        error: io::Error,
    },
    /// It was there, and is no more.
    #[error("the connection to {server} was lost: {error}")]
    Lost {
        /// Who was connected to.
        server: String,
        /// How.
        error: io::Error,
    },
}

/// Sends what comes in, and passes on what the server sends, until that has finished. What had come in by then is sent all the same.
pub(super) async fn exchange(
    server: &str,
    connection: Connection,
    io: &mut Pipe<Bytes, Bytes>,
) -> Done {
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
        }
    };
    let sending = async {
        loop {
            // It is polled with the one that receives, so that it notices.
            let finished = poll_fn(|_| match has_finished.get() {
                true => Poll::Ready(None),
                false => Poll::Pending,
            });
            let Some(bytes) = or(inbox.next(), finished).await else {
                break;
            };
            let more = || inbox.try_next();
            // A server that takes nothing holds us up, and may.
            connection
                .write(bytes, more, Duration::MAX)
                .await
                .map_err(lost)?;
        }
        connection.shut_down_writing();
        Ok(())
    };
    let unwanted = async {
        outbox.closed().await;
        Ok(())
    };
    let both = async { try_zip(receiving, sending).await.map(|_| ()) };
    or(unwanted, both).await
}
