//! The writer: sends bytes and files over a socket, everything that is ready in as few calls as
//! possible.
//!
//! ```text
//! pieces ──▶ ┌─────────────┐ ══ the socket
//!            │ write_bytes │
//!            └─────────────┘ ──▶ sent     how many bytes of large pieces have gone
//! ```

use std::io::{self, IoSlice};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::{or, yield_now};
use kamea::time::{Timer, turn};
use kamea::{Component, Inbox, Outbox, Ports};

use super::{Buffer, Finish, NextProtocol, Socket};
use crate::file::FileSlice;

/// The ports of [`write_bytes`].
#[derive(Debug, Ports)]
pub struct WritePorts {
    /// What to write, in order.
    pub pieces: Inbox<Output>,
    /// How many more bytes of [`Output::Bytes`] and [`Output::File`] have been written. Buffers are
    /// not reported: they are small, and a message for each would cost more than its bytes.
    pub sent: Outbox<u64>,
}

/// A piece to write to a socket.
#[derive(Debug)]
pub enum Output {
    /// Bytes that were collected for writing, such as the heads of messages.
    Buffer(Buffer),
    /// Bytes that are written without a copy.
    Bytes(Bytes),
    /// Bytes of a file, which never go through memory.
    File(FileSlice),
    /// The protocol that follows on the connection, once its present graph has ended.
    Upgrade(NextProtocol),
    /// The end: how the connection ends, after everything before it is written.
    Finish(Finish),
}

/// How slowly a peer may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WritePace {
    /// How long it may read nothing, and in total how far it may fall behind `rate`.
    pub stall: Duration,
    /// The minimum rate, in bytes per second, on average over any time that is longer than `stall`.
    /// Time during which there is nothing to write does not count. 0 means no limit.
    pub rate: u32,
}

/// How many bytes of a file one call sends at most, so that other connections get their turn.
const FILE_CHUNK: u64 = 2 * 1024 * 1024;

/// How many pieces one call sends at most.
const GATHERED: usize = 16;

/// Writes pieces to a socket. It collects the pieces that are ready, and writes when no more are
/// ready. If the peer reads slower than `pace` allows, the connection is reset.
///
/// It ends with its inbox, or with [`Output::Finish`]; then the socket knows how the connection
/// ends.
pub fn write_bytes(socket: Rc<Socket>, pace: WritePace) -> impl Component<WritePorts> {
    async move |io: &mut WritePorts| {
        let mut writer = Writer {
            io,
            socket: &socket,
            progress: Progress::new(pace),
            sent: 0,
        };
        match writer.run().await {
            Ok(Some(finish)) => socket.finish(finish),
            Ok(None) => {}
            Err(error) => {
                log::debug!("{} | {error}", socket.peer());
                writer.report();
                socket.finish(Finish::Cut);
            }
        }
        Ok(())
    }
}

struct Writer<'a> {
    io: &'a mut WritePorts,
    socket: &'a Socket,
    progress: Progress,
    /// The number of written bytes still to be reported.
    sent: u64,
}

impl Writer<'_> {
    /// Writes until the end; returns how the connection ends, if [`Output::Finish`] said so.
    async fn run(&mut self) -> io::Result<Option<Finish>> {
        let mut next = None;
        loop {
            let piece = match next.take() {
                Some(piece) => piece,
                None => match self.next_piece().await {
                    Some(piece) => piece,
                    None => return Ok(None),
                },
            };
            next = match piece {
                Output::Finish(finish) => return Ok(Some(finish)),
                Output::Upgrade(protocol) => {
                    self.socket.continue_with(protocol);
                    None
                }
                Output::File(slice) => {
                    // Boxed, so that the writer is small while it only writes bytes.
                    Box::pin(self.send_file(&slice)).await?;
                    self.report();
                    None
                }
                bytes => match self.io.pieces.try_next() {
                    None => {
                        self.write(&bytes).await?;
                        None
                    }
                    Some(following) => Box::pin(self.write_gathered(bytes, following)).await?,
                },
            };
        }
    }

    /// Waits for a piece. Meanwhile it sends a report that was delayed because too many reports
    /// were waiting.
    async fn next_piece(&mut self) -> Option<Output> {
        while self.sent > 0 {
            let reported = async { Ok(self.io.sent.send(self.sent).await) };
            let piece = async { Err(self.io.pieces.next().await) };
            match or(reported, piece).await {
                // If it could not be sent, nobody counts any more.
                Ok(_) => self.sent = 0,
                Err(piece) => return piece,
            }
        }
        self.io.pieces.next().await
    }

    /// Writes one piece of bytes, when no other piece is ready.
    async fn write(&mut self, piece: &Output) -> io::Result<()> {
        let bytes = bytes_of(piece);
        let mut written = 0;
        while written < bytes.len() {
            let write = self.socket.write(&bytes[written..], false);
            let count = self.progress.of(write).await?;
            written += count;
            self.count(piece, count);
        }
        self.report();
        Ok(())
    }

    /// Writes a piece of bytes and the following ones that are ready; returns the first piece of
    /// another kind.
    async fn write_gathered(
        &mut self,
        first: Output,
        following: Output,
    ) -> io::Result<Option<Output>> {
        let (mut pieces, mut next) = (vec![first], Some(following));
        while pieces.len() < GATHERED
            && let Some(piece) = next.take_if(|piece| piece.is_bytes())
        {
            pieces.push(piece);
            next = self.io.pieces.try_next();
        }
        if let Some(Output::File(_)) = next {
            self.socket.cork(true);
        }
        let more = matches!(
            next,
            Some(Output::Buffer(_) | Output::Bytes(_) | Output::File(_))
        );
        // The first piece that is not completely written, and how much of it is written.
        let (mut index, mut offset) = (0, 0);
        while index < pieces.len() {
            let slices = pieces[index..].iter().map(bytes_of).map(IoSlice::new);
            let mut slices: Vec<_> = slices.collect();
            slices[0].advance(offset);
            let write = self.socket.write_vectored(&slices, more);
            let mut count = self.progress.of(write).await?;
            while index < pieces.len() {
                let part = count.min(bytes_of(&pieces[index]).len() - offset);
                self.count(&pieces[index], part);
                (offset, count) = (offset + part, count - part);
                if offset < bytes_of(&pieces[index]).len() {
                    break;
                }
                (index, offset) = (index + 1, 0);
            }
        }
        self.report();
        Ok(next)
    }

    async fn send_file(&mut self, slice: &FileSlice) -> io::Result<()> {
        self.socket.cork(true);
        let (mut offset, end) = (slice.offset, slice.offset + slice.length);
        while offset < end {
            let count = (end - offset).min(FILE_CHUNK) as usize;
            let send = self.socket.send_file(&slice.file, offset, count);
            let sent = self.progress.of(send).await?;
            if sent == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    "the file became shorter while it was sent",
                ));
            }
            offset += sent as u64;
            self.sent += sent as u64;
            // A peer that reads as fast as we send would block the worker for all others.
            yield_now().await;
        }
        self.socket.cork(false);
        Ok(())
    }

    fn count(&mut self, piece: &Output, written: usize) {
        if let Output::Bytes(_) = piece {
            self.sent += written as u64;
        }
    }

    fn report(&mut self) {
        if self.sent > 0 && self.io.sent.try_send(self.sent).is_ok() {
            self.sent = 0;
        }
    }
}

impl Output {
    fn is_bytes(&self) -> bool {
        matches!(self, Self::Buffer(_) | Self::Bytes(_))
    }
}

fn bytes_of(piece: &Output) -> &[u8] {
    match piece {
        Output::Buffer(buffer) => buffer,
        Output::Bytes(bytes) => bytes,
        Output::File(_) | Output::Upgrade(_) | Output::Finish(_) => &[],
    }
}

/// How long the peer may still take.
struct Progress {
    pace: WritePace,
    timer: Timer,
    /// The time that it may still use, beyond what its rate allows.
    allowance: Duration,
}

impl Progress {
    fn new(pace: WritePace) -> Self {
        Self {
            pace,
            timer: Timer::new(),
            allowance: pace.stall,
        }
    }

    /// Returns how many bytes a call to the socket has written, or an error if the peer reads too
    /// slowly.
    async fn of(&mut self, call: impl Future<Output = io::Result<usize>>) -> io::Result<usize> {
        let Self {
            pace,
            timer,
            allowance,
        } = self;
        let began = turn();
        let stalled = async {
            timer.set(began + pace.stall.min(*allowance));
            timer.expired().await;
            let wrong = match *allowance < pace.stall {
                true => "the peer reads too slowly",
                false => "the peer reads nothing",
            };
            Err(io::Error::new(io::ErrorKind::TimedOut, wrong))
        };
        let count = or(call, stalled).await?;
        if let Some(earned) = (count as u64 * 1_000_000_000).checked_div(pace.rate.into()) {
            let waited = turn().saturating_duration_since(began);
            let left = allowance.saturating_sub(waited) + Duration::from_nanos(earned);
            *allowance = left.min(pace.stall);
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests;
