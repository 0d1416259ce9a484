//! Our ends of the pipes to a process.

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Poll, ready};

use bytes::Bytes;
use kamea::{Component, Source};
use tokio::net::unix::pipe;

use crate::stream::read_into_buffer;

/// The end of a pipe that we read.
#[derive(Debug)]
pub struct PipeReader(pipe::Receiver);

impl PipeReader {
    pub(super) fn new(pipe: impl Into<OwnedFd>) -> io::Result<Self> {
        Ok(Self(pipe::Receiver::from_owned_fd(pipe.into())?))
    }

    /// Returns what has been written to the pipe, at least one byte, at most 64 KiB; empty once all
    /// writers have closed it.
    ///
    /// # Errors
    ///
    /// The error of the system.
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

/// Passes on what is written to a pipe, until all writers have closed it.
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

/// The end of a pipe that we write to. When it is dropped, the process reads the end of its input.
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
    /// `BrokenPipe` if it has no reader any more.
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
