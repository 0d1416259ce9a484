//! The body of a request, on its way to the worker.

use std::cell::{Cell, RefCell};
use std::io;
use std::time::Instant;

use bytes::BytesMut;
use kamea::time::now;
use tokio::net::unix::WriteHalf;
use tokio::sync::Notify;

use crate::web::{Content, Incomplete};
use crate::wsgi::frame::{encode_content, encode_end};

/// The body of a request, on its way to the worker.
#[derive(Default)]
pub(super) struct Upload {
    /// The application reads.
    pub(super) wanted: Notify,
    pub(super) has_begun: Cell<bool>,
    has_ended: Cell<bool>,
    pub(super) waits_for_client: Cell<bool>,
    /// When the worker last read something.
    pub(super) progress: Cell<Option<Instant>>,
    /// Why the body is incomplete.
    pub(super) incomplete: RefCell<Option<Incomplete>>,
    /// Bytes to write before all others.
    out: RefCell<BytesMut>,
}

impl Upload {
    /// Sends the whole body and its end.
    pub(super) async fn send(
        &self,
        content: Option<Box<Content>>,
        write: &WriteHalf<'_>,
    ) -> io::Result<()> {
        self.has_begun.set(true);
        let mut content = content;
        loop {
            self.waits_for_client.set(true);
            let chunk = match &mut content {
                Some(content) => content.next().await,
                None => Ok(None),
            };
            self.waits_for_client.set(false);
            self.progress.set(Some(now()));
            match chunk {
                Ok(Some(chunk)) => {
                    encode_content(&mut self.out.borrow_mut(), &chunk);
                    self.flush(write).await?;
                }
                end => {
                    encode_end(&mut self.out.borrow_mut(), end.is_ok());
                    if let Err(incomplete) = end {
                        log::debug!("WSGI: {incomplete}");
                        self.incomplete.replace(Some(incomplete));
                    }
                    self.has_ended.set(true);
                    return self.flush(write).await;
                }
            }
        }
    }

    /// Ends the body early, for a thread that does not want the rest.
    pub(super) async fn end(&self, write: &WriteHalf<'_>) -> io::Result<()> {
        if !self.has_ended.replace(true) {
            encode_end(&mut self.out.borrow_mut(), false);
        }
        self.flush(write).await
    }

    async fn flush(&self, write: &WriteHalf<'_>) -> io::Result<()> {
        loop {
            let written = {
                let mut out = self.out.borrow_mut();
                if out.is_empty() {
                    return Ok(());
                }
                write.try_write(&out).map(|count| {
                    drop(out.split_to(count));
                })
            };
            match written {
                Ok(()) => self.progress.set(Some(now())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => write.writable().await?,
                // The reader of the responses notices that the worker has ended.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    self.out.borrow_mut().clear();
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }
}
