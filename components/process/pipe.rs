//! Our ends of the pipes to a process.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Poll, ready};

use bytes::Bytes;
use kamea::{Component, Source};
use tokio::net::unix::pipe;

use crate::stream::read_into_buffer;

/// The end of a pipe that is read.
#[derive(Debug)]
pub struct PipeReader(pipe::Receiver);

impl PipeReader {
    pub(super) fn new(pipe: impl Into<OwnedFd>) -> io::Result<Self> {
        Ok(Self(pipe::Receiver::from_owned_fd(pipe.into())?))
    }

    /// What has been written to the pipe, at least one byte, at most 64 KiB; nothing once all who could write have closed it.
    ///
    /// # Errors
    ///
    /// Whatever the system says.
    pub async fn read(&mut self) -> io::Result<Bytes> {
        poll_fn(|cx| {
            loop {
                match read_into_buffer(|buffer| self.0.try_read(buffer)) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        ready!(self.0.poll_read_ready(cx))?;
                    }
                    read => return Poll::Ready(read),
                }
            }
        })
        .await
    }
}

/// Passes on what has been written to a pipe, until all who could write have closed it.
pub fn read_pipe(pipe: PipeReader) -> impl Component<Source<Bytes>> + Send {
    let mut pipe = Some(pipe);
    async move |io: &mut Source<Bytes>| {
        let Some(mut pipe) = pipe.take() else {
            return Ok(());
        };
        loop {
            let bytes = pipe.read().await?;
            if bytes.is_empty() {
                return Ok(());
            }
            io.outbox.send(bytes).await?;
        }
    }
}

/// The end of a pipe that is written to. Dropping it is the end of what the process reads.
#[derive(Debug)]
pub struct PipeWriter(pipe::Sender);

impl PipeWriter {
    pub(super) fn new(pipe: impl Into<OwnedFd>) -> io::Result<Self> {
        Ok(Self(pipe::Sender::from_owned_fd(pipe.into())?))
    }

    /// Writes all of `bytes`; waits while the pipe is full.
    ///
    /// # Errors
    ///
    /// `BrokenPipe` if nobody reads it any more.
    pub async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.0.try_write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.0.writable().await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
