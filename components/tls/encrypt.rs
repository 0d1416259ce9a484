//! Encrypts what a socket sends.
//!
//! ```text
//! pieces ──▶ ┌─────────┐ ──▶ records ╌╌▶ writer
//! answers ─▶ │ encrypt │                  ╎
//! written ─▶ └─────────┘ ◀╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌┘
//!                 └────────▶ sent        how many bytes of large pieces have gone
//! ```

use std::collections::VecDeque;
use std::future::pending;
use std::io;

use bytes::Bytes;
use futures_lite::future::or;
use kamea::{Component, Done, End, Inbox, Outbox, Ports, unblock};
use rustix::io::{ReadWriteFlags, preadv2};

use super::SharedSession;
use super::records::{BATCH, append_records, close_notify};
use crate::file::FileSlice;
use crate::net::{Buffer, Finish, Output};

/// The ports of [`encrypt`].
#[derive(Debug, Ports)]
pub struct EncryptPorts {
    /// The plaintext to send, in order.
    pub pieces: Inbox<Output>,
    /// What the protocol itself must send.
    pub answers: Inbox<Bytes>,
    /// How many more bytes of records the writer has written.
    pub written: Inbox<u64>,
    /// The records, for [`write_bytes`](crate::net::write_bytes).
    pub records: Outbox<Output>,
    /// How many more bytes of the plaintext of [`Output::Bytes`] and [`Output::File`] have been
    /// written.
    pub sent: Outbox<u64>,
}

/// Encrypts pieces. It puts everything that is ready into as few records as possible. A
/// `close_notify` goes before the end of the connection, unless that is cut off.
///
/// # Faults
///
/// [`TlsError`](super::TlsError) if the connection has failed; a file that cannot be read.
pub fn encrypt(session: SharedSession) -> impl Component<EncryptPorts> + Send {
    async move |io: &mut EncryptPorts| {
        let mut encrypting = Encrypting {
            io,
            session: &session,
            written: Written::default(),
        };
        encrypting.run().await
    }
}

struct Encrypting<'a> {
    io: &'a mut EncryptPorts,
    session: &'a SharedSession,
    written: Written,
}

/// What has been passed on and not been written.
#[derive(Default)]
struct Written {
    /// The lengths of the records of a batch, and of the plaintext in it to report.
    batches: VecDeque<(u64, u64)>,
    /// How many bytes of the first batch have been written.
    of_first: u64,
    /// The number of bytes of plaintext to report.
    unreported: u64,
}

enum News {
    Answer(Option<Bytes>),
    Piece(Option<Output>),
    Written(u64),
    /// The reports that waited have gone.
    Reported,
}

impl Encrypting<'_> {
    async fn run(&mut self) -> Done {
        let mut next = None;
        loop {
            let piece = match next.take() {
                Some(piece) => piece,
                None => match self.next_piece().await? {
                    Some(piece) => piece,
                    None => return Ok(()),
                },
            };
            next = match piece {
                Output::Finish(finish) => return self.finish(finish).await,
                // What follows encrypts for itself.
                Output::Upgrade(next) => {
                    self.io.records.send(Output::Upgrade(next)).await?;
                    return Ok(());
                }
                Output::File(slice) => {
                    // Boxed, so that the component is small while it only encrypts bytes.
                    Box::pin(self.encrypt_file(&slice)).await?;
                    None
                }
                piece => self.encrypt_bytes(piece).await?,
            };
        }
    }

    /// Waits for a piece. Meanwhile it passes on answers, and reports that waited for space.
    async fn next_piece(&mut self) -> Result<Option<Output>, End> {
        let mut is_heard = true;
        loop {
            let unreported = self.written.unreported;
            let io = &mut *self.io;
            let reported = async {
                if unreported == 0 {
                    return pending().await;
                }
                // If it cannot be sent, nobody counts any more.
                let _ = io.sent.send(unreported).await;
                News::Reported
            };
            let answer = async {
                match is_heard {
                    true => News::Answer(io.answers.next().await),
                    false => pending().await,
                }
            };
            let written = async {
                match io.written.next().await {
                    Some(count) => News::Written(count),
                    None => pending().await,
                }
            };
            let piece = async { News::Piece(io.pieces.next().await) };
            match or(or(answer, written), or(reported, piece)).await {
                News::Piece(piece) => return Ok(piece),
                News::Written(count) => self.report(count),
                News::Reported => self.written.unreported = 0,
                News::Answer(Some(answer)) => {
                    // The writer does not count a buffer: only plaintext is reported.
                    let mut buffer = Buffer::new();
                    buffer.extend_from_slice(&answer);
                    io.records.send(Output::Buffer(buffer)).await?;
                }
                // Nothing arrives any more, but there may be something to send.
                News::Answer(None) => is_heard = false,
            }
        }
    }

    /// Encrypts a piece of bytes, and those after it that are ready. Returns the first piece of
    /// another kind.
    async fn encrypt_bytes(&mut self, first: Output) -> Result<Option<Output>, End> {
        let (mut count, mut next) = (0, Some(first));
        let mut plaintext = Buffer::spare();
        while plaintext.len() < BATCH {
            match next.take().or_else(|| self.io.pieces.try_next()) {
                Some(Output::Buffer(buffer)) => plaintext.extend_from_slice(&buffer),
                Some(Output::Bytes(bytes)) => {
                    count += bytes.len() as u64;
                    plaintext.extend_from_slice(&bytes);
                }
                other => {
                    next = other;
                    break;
                }
            }
        }
        self.send(plaintext, count).await?;
        Ok(next)
    }

    /// Encrypts a part of a file. Its bytes go through memory, a batch at a time.
    async fn encrypt_file(&mut self, slice: &FileSlice) -> Done {
        let (mut offset, end) = (slice.offset, slice.offset + slice.length);
        while offset < end {
            let part = FileSlice {
                offset,
                length: (end - offset).min(BATCH as u64),
                ..slice.clone()
            };
            let plaintext = read(part).await?;
            let count = plaintext.len() as u64;
            offset += count;
            self.send(plaintext, count).await?;
        }
        Ok(())
    }

    /// Sends the records of some plaintext. The bytes to report are `count` of these.
    async fn send(&mut self, plaintext: Buffer, count: u64) -> Done {
        let mut records = Buffer::new();
        append_records(&mut self.session.lock(), &plaintext, &mut records)?;
        drop(plaintext);
        let message = if count > 0 {
            self.written
                .batches
                .push_back((records.len() as u64, count));
            // The writer reports these.
            Output::Bytes(std::mem::take(&mut *records).into())
        } else {
            Output::Buffer(records)
        };
        self.io.records.send(message).await?;
        while let Some(count) = self.io.written.try_next() {
            self.report(count);
        }
        Ok(())
    }

    async fn finish(&mut self, finish: Finish) -> Done {
        let records = match finish {
            Finish::Cut => None,
            Finish::Close | Finish::Linger => close_notify(&mut self.session.lock()),
        };
        if let Some(records) = records {
            let mut buffer = Buffer::new();
            buffer.extend_from_slice(&records);
            self.io.records.send(Output::Buffer(buffer)).await?;
        }
        self.io.records.send(Output::Finish(finish)).await?;
        Ok(())
    }

    /// Reports the plaintext of `count` more bytes of records.
    fn report(&mut self, count: u64) {
        self.written.add(count);
        let unreported = &mut self.written.unreported;
        if *unreported > 0 && self.io.sent.try_send(*unreported).is_ok() {
            *unreported = 0;
        }
    }
}

impl Written {
    fn add(&mut self, count: u64) {
        self.of_first += count;
        while let Some((records, plaintext)) = self.batches.front()
            && self.of_first >= *records
        {
            self.of_first -= records;
            self.unreported += plaintext;
            self.batches.pop_front();
        }
    }
}

/// Reads a part of a file: at once if the system has it in memory, otherwise on a thread that may
/// wait for the disk. Returns at least one byte.
async fn read(part: FileSlice) -> io::Result<Buffer> {
    let mut buffer = Buffer::spare();
    let length = usize::try_from(part.length).map_err(io::Error::other)?;
    buffer.resize(length, 0);
    let into = &mut [io::IoSliceMut::new(&mut buffer)];
    match preadv2(&**part.file, into, part.offset, ReadWriteFlags::NOWAIT) {
        Ok(count) if count > 0 => {
            buffer.truncate(count);
            Ok(buffer)
        }
        _ => {
            let read = move || {
                let mut buffer = Vec::new();
                part.read_into(&mut buffer).map(|()| buffer)
            };
            *buffer = unblock(read).await?;
            Ok(buffer)
        }
    }
}
