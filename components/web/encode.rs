//! The encoder: it takes responses in any order, and sends pieces in the order of the requests. It
//! does no I/O.
//!
//! ```text
//! responses ──▶ ┌──────────────────┐ ──▶ pieces      to the writer: bytes, file slices, the end
//!   notices ──▶ │ encode_responses │
//!      sent ──▶ └──────────────────┘ ──▶ written     to the parser: responses sent completely
//! ```
//!
//! Everything that is ready at the same time becomes one piece. A layer between encoder and writer,
//! such as TLS, sees only pieces.

mod interim;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant, UNIX_EPOCH};

use bytes::Bytes;
use futures_lite::future::or;
use http::StatusCode;
use kamea::time::{turn, wall_clock};
use kamea::{Component, Inbox, Outbox, Ports, Receiver};

use interim::Interim;

use super::message::{Body, Exchange, Piece, Response};
use super::parse::{Notice, WINDOW, Written};
use crate::file::FileSlice;
use crate::http::{
    BodyFraming, Chunk, Connection, DateCache, Fields, encode_chunk_size, encode_continue,
    encode_head, encode_last_chunk,
};
use crate::net::{Buffer, Finish, Output};

/// The ports of [`encode_responses`].
#[derive(Debug, Ports)]
pub struct EncodePorts {
    /// The responses, in any order.
    pub responses: Inbox<Response>,
    /// What the parser reports about the connection.
    pub notices: Inbox<Notice>,
    /// The number of bytes of large pieces that the writer has written since the last report.
    pub sent: Inbox<u64>,
    /// The pieces to write.
    pub pieces: Outbox<Output>,
    /// The responses that have been written.
    pub written: Outbox<Written>,
}

/// Bodies up to this size, in bytes, are copied behind their heads. Larger ones are sent without a
/// copy.
const COPIED: usize = 16 * 1024;

/// The encoder sends its buffer at this size, in bytes, even if more is ready.
const GATHERED: usize = 64 * 1024;

thread_local! {
    /// One date per worker.
    static DATE: RefCell<Today> = RefCell::new(Today::default());
}

/// The `Date` of responses. The calendar is consulted once a second.
#[derive(Default)]
struct Today {
    dates: DateCache,
    /// Seconds since the epoch.
    second: u64,
    /// The start of the next second.
    ends: Option<Instant>,
}

impl Today {
    fn date(&mut self) -> &[u8; 29] {
        if self.ends.is_none_or(|ends| turn() >= ends) {
            let since_epoch = wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
            let passed = Duration::from_nanos(since_epoch.subsec_nanos().into());
            self.second = since_epoch.as_secs();
            self.ends = Some(turn() + Duration::from_secs(1) - passed);
        }
        self.dates.at(self.second)
    }
}

/// Encodes the responses of one connection, in the order of their requests. The writer must report
/// in `sent` how much of [`Output::Bytes`] and [`Output::File`] it has written.
///
/// It ends when no more responses can arrive, or with [`Output::Finish`] when the connection must
/// end.
pub fn encode_responses(peer: SocketAddr) -> impl Component<EncodePorts> {
    async move |io: &mut EncodePorts| {
        let mut encoder = Encoder {
            io,
            buffer: Buffer::new(),
            content: 0,
            unsent: 0,
            due: 0,
            early: BTreeMap::new(),
            carried: Vec::new(),
            interim: Interim::default(),
            to_continue: None,
            expects: None,
            ends: None,
            present: None,
        };
        if let Err(error) = encoder.run().await {
            log::debug!("{peer} | {error}");
            encoder.cut().await;
        }
        Ok(())
    }
}

struct Encoder<'a> {
    io: &'a mut EncodePorts,
    /// The buffer of bytes to send.
    buffer: Buffer,
    /// How many bytes of the current response's body have been buffered or sent.
    content: u64,
    /// How many bytes of large pieces the writer has still to write.
    unsent: u64,
    /// The number of the next exchange to answer.
    due: u64,
    /// Responses that arrived before their turn.
    early: BTreeMap<u64, Response>,
    /// Fields that a program has set for the response of an exchange, with its number.
    carried: Vec<(u64, Box<Fields>)>,
    /// Interim responses that have not been sent yet.
    interim: Interim,
    /// The exchange whose peer must get 100 (Continue), so that it sends its body.
    to_continue: Option<u64>,
    /// The exchange whose peer still waits for 100 (Continue).
    expects: Option<u64>,
    /// The number of the exchange before which the connection ends, and how it ends.
    ends: Option<(u64, Finish)>,
    /// The status of the response that is being written now.
    present: Option<StatusCode>,
}

impl Encoder<'_> {
    async fn run(&mut self) -> io::Result<()> {
        loop {
            self.take_notices();
            if self.to_continue == Some(self.due) {
                self.to_continue = None;
                encode_continue(&mut self.buffer);
            }
            self.interim.put(&mut self.buffer, self.due);
            if let Some((number, finish)) = self.ends
                && self.due >= number
            {
                return self.finish(finish).await;
            }
            let mut response = self.ready();
            if response.is_none() {
                // Nothing more is ready: send the buffer as one piece.
                self.flush().await?;
                if !self.wait(&mut response).await? {
                    return self.finish_unanswered().await;
                }
            }
            let Some(mut response) = response else {
                continue;
            };
            if !self.is_due(&response) {
                self.keep(response);
                continue;
            }
            // The notices that arrived earlier say whether this response is the last one.
            self.take_notices();
            if self.expects == Some(self.due) {
                response.exchange.closes = true;
            }
            if self.respond(&mut response).await? {
                return self.finish_early().await;
            }
        }
    }

    fn take_notices(&mut self) {
        while let Some(notice) = self.io.notices.try_next() {
            self.note(notice);
        }
    }

    fn note(&mut self, notice: Notice) {
        match notice {
            Notice::Expects(number) => self.expects = Some(number),
            Notice::Continue(number) => {
                self.expects = None;
                self.to_continue = Some(number);
            }
            Notice::Comes(_) => self.expects = None,
            Notice::EndsBefore { number, finish } => self.ends = Some((number, finish)),
            Notice::Carry { number, fields } => self.carried.push((number, fields)),
            Notice::Interim { exchange, head } => self.interim.keep(&exchange, head),
        }
    }

    /// The response whose turn it is, if it has arrived.
    fn ready(&mut self) -> Option<Response> {
        if !self.early.is_empty()
            && let Some(response) = self.early.remove(&self.due)
        {
            return Some(response);
        }
        while let Some(response) = self.io.responses.try_next() {
            if self.is_due(&response) {
                return Some(response);
            }
            self.keep(response);
        }
        None
    }

    /// Waits for the next event: a response, which it puts into `slot`, or a notice. Returns
    /// whether there is one. A response is not returned, because each step would copy it.
    async fn wait(&mut self, slot: &mut Option<Response>) -> io::Result<bool> {
        let response = async {
            *slot = self.io.responses.next().await;
            Ok(slot.is_some())
        };
        let notice = async {
            match self.io.notices.next().await {
                Some(notice) => Err(notice),
                None => std::future::pending().await,
            }
        };
        let woken = self.io.pieces.while_open(or(response, notice)).await;
        match woken.map_err(|_| writer_gone())? {
            Ok(is_there) => Ok(is_there),
            Err(notice) => {
                self.note(notice);
                Ok(true)
            }
        }
    }

    /// Whether it is the turn of a response.
    fn is_due(&self, response: &Response) -> bool {
        [Exchange::DUE, self.due].contains(&response.exchange.number)
    }

    /// Keeps a response whose turn comes later.
    fn keep(&mut self, response: Response) {
        let number = response.exchange.number;
        // Otherwise the exchange already has an answer: perhaps because a component failed.
        if number > self.due {
            debug_assert!(
                (self.early.len() as u64) < WINDOW,
                "the parser bounds what is on its way"
            );
            self.early.insert(number, response);
        }
    }

    /// Encodes a response; returns whether it is the last of the connection.
    async fn respond(&mut self, response: &mut Response) -> io::Result<bool> {
        // What a program said about this response arrived before it.
        self.take_notices();
        if !self.carried.is_empty() {
            let carried = self
                .carried
                .extract_if(.., |(number, _)| *number <= self.due);
            for (_, fields) in carried.filter(|(number, _)| *number == self.due) {
                response.head.carry(&fields);
            }
        }
        self.interim.put(&mut self.buffer, self.due);
        self.present = Some(response.head.status);
        self.content = 0;
        let mut is_last = true;
        if let Body::Verbatim(chunks) = &mut response.body {
            Box::pin(self.put_stream(chunks, BodyFraming::None)).await?;
        } else {
            let (framing, connection) = self.put_head(response);
            is_last = connection == Connection::Close;
            if !response.exchange.is_head && framing != BodyFraming::None {
                match &mut response.body {
                    Body::Empty | Body::Upgrade(_) => {}
                    Body::Bytes(bytes) if bytes.len() <= COPIED => self.copy(bytes),
                    // Boxed, so that the encoder is small while it only copies.
                    body => Box::pin(self.put_body(body, framing)).await?,
                }
            }
        }
        if self.buffer.len() >= GATHERED {
            self.flush().await?;
        }
        if response.head.status == StatusCode::SWITCHING_PROTOCOLS && !is_last {
            is_last = !Box::pin(self.upgrade(response)).await?;
        }
        self.tell_written();
        self.due += 1;
        Ok(is_last)
    }

    /// Tells the writer which protocol follows, behind the response that says so. Returns whether
    /// there is one: otherwise nobody could go on.
    async fn upgrade(&mut self, response: &mut Response) -> io::Result<bool> {
        self.flush().await?;
        match std::mem::replace(&mut response.body, Body::Empty) {
            Body::Upgrade(protocol) => {
                self.send(Output::Upgrade(protocol)).await?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Reports the current response, if there is one: it has been written, or never will be.
    fn tell_written(&mut self) {
        if let Some(status) = self.present.take() {
            let (number, content) = (self.due, self.content);
            // It cannot be full, and a parser that has ended does not count any more.
            let _ = self.io.written.try_send(Written {
                number,
                status,
                content,
            });
        }
    }

    /// Ends the connection after a response that closes it, in the way that the parser requested,
    /// if it has. Otherwise the peer does not expect the end.
    async fn finish_early(&mut self) -> io::Result<()> {
        self.take_notices();
        self.finish(self.ends.map_or(Finish::Linger, |(_, finish)| finish))
            .await
    }

    /// Ends the connection as the parser requested, if it has: the component that should answer the
    /// last requests has ended. The parser may have left bytes unread, which must not become a
    /// request.
    async fn finish_unanswered(&mut self) -> io::Result<()> {
        self.take_notices();
        match self.ends {
            Some((_, finish)) => self.finish(finish).await,
            None => Ok(()),
        }
    }

    async fn finish(&mut self, finish: Finish) -> io::Result<()> {
        self.flush().await?;
        self.send(Output::Finish(finish)).await
    }

    /// Ends the connection within a response, and reports how much of the response was sent.
    async fn cut(&mut self) {
        // A writer that has ended has closed the connection itself.
        let _ = self.finish(Finish::Cut).await;
        while self.unsent > 0
            && let Some(sent) = self.io.sent.next().await
        {
            self.count_sent(sent);
        }
        self.tell_written();
    }

    async fn send(&mut self, piece: Output) -> io::Result<()> {
        let sent = self.io.pieces.send(piece).await;
        sent.map_err(|_| writer_gone())
    }

    /// Sends the buffer.
    async fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let buffer = std::mem::take(&mut self.buffer);
        self.send(Output::Buffer(buffer)).await
    }

    /// Sends a large piece of a body after the buffer.
    async fn send_large(&mut self, piece: Output, length: u64) -> io::Result<()> {
        self.flush().await?;
        self.unsent += length;
        self.send(piece).await
    }

    /// Waits until the writer has written all large pieces.
    async fn wait_until_sent(&mut self) -> io::Result<()> {
        if self.unsent > 0 {
            self.flush().await?;
        }
        while self.unsent > 0 {
            let sent = self.io.sent.next().await.ok_or_else(writer_gone)?;
            self.count_sent(sent);
        }
        Ok(())
    }

    fn count_sent(&mut self, sent: u64) {
        self.unsent = self.unsent.saturating_sub(sent);
        self.content += sent;
    }

    fn copy(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.content += bytes.len() as u64;
    }

    /// Adds the head of a response; returns the framing and the connection option that it really
    /// has.
    fn put_head(&mut self, response: &Response) -> (BodyFraming, Connection) {
        let connection = if response.exchange.closes {
            Connection::Close
        } else {
            Connection::KeepAlive
        };
        let framing = framing_of(&response.body);
        if self.buffer.is_empty() {
            self.buffer = Buffer::spare();
        }
        DATE.with_borrow_mut(|today| {
            encode_head(
                &mut self.buffer,
                response.exchange.version,
                &response.head,
                framing,
                connection,
                today.date(),
            )
        })
    }

    async fn put_body(&mut self, body: &mut Body, framing: BodyFraming) -> io::Result<()> {
        match body {
            Body::Empty | Body::Upgrade(_) => {}
            Body::Bytes(bytes) => self.put(bytes).await?,
            Body::File(slice) => self.put_file(slice).await?,
            Body::Pieces(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Bytes(bytes) => self.put(bytes).await?,
                        Piece::File(slice) => self.put_file(slice).await?,
                    }
                }
            }
            Body::Stream { chunks, .. } | Body::Verbatim(chunks) => {
                self.put_stream(chunks, framing).await?;
            }
        }
        self.wait_until_sent().await
    }

    async fn put(&mut self, bytes: &Bytes) -> io::Result<()> {
        if bytes.len() <= COPIED {
            self.copy(bytes);
            return Ok(());
        }
        let length = bytes.len() as u64;
        self.send_large(Output::Bytes(bytes.clone()), length).await
    }

    async fn put_file(&mut self, slice: &FileSlice) -> io::Result<()> {
        self.send_large(Output::File(slice.clone()), slice.length)
            .await
    }

    async fn put_stream(
        &mut self,
        chunks: &mut Receiver<Chunk>,
        framing: BodyFraming,
    ) -> io::Result<()> {
        let mut left = match framing {
            BodyFraming::Sized(length) => Some(length),
            _ => None,
        };
        let trailers = loop {
            let ready = chunks.try_next();
            let chunk = match ready {
                Some(chunk) => Some(chunk),
                None => {
                    self.flush().await?;
                    chunks.next().await
                }
            };
            let data = match chunk {
                Some(Chunk::Data(data)) => data,
                Some(Chunk::End(trailers)) => break trailers,
                None => return Err(cut_off()),
            };
            if let Some(left) = &mut left {
                *left = left
                    .checked_sub(data.len() as u64)
                    .ok_or_else(wrong_length)?;
            }
            if data.is_empty() {
                continue;
            }
            if framing == BodyFraming::Chunked {
                encode_chunk_size(&mut self.buffer, data.len());
            }
            self.put(&data).await?;
            if framing == BodyFraming::Chunked {
                self.buffer.extend_from_slice(b"\r\n");
            }
            if self.buffer.len() >= GATHERED {
                self.flush().await?;
            }
        };
        if left.is_some_and(|left| left > 0) {
            return Err(wrong_length());
        }
        if framing == BodyFraming::Chunked {
            encode_last_chunk(&mut self.buffer, &trailers);
        }
        Ok(())
    }
}

fn framing_of(body: &Body) -> BodyFraming {
    match body {
        Body::Empty => BodyFraming::Sized(0),
        Body::Bytes(bytes) => BodyFraming::Sized(bytes.len() as u64),
        Body::File(slice) => BodyFraming::Sized(slice.length),
        Body::Pieces(pieces) => BodyFraming::Sized(pieces.iter().map(Piece::length).sum()),
        Body::Stream {
            length: Some(length),
            ..
        } => BodyFraming::Sized(*length),
        Body::Stream { length: None, .. } => BodyFraming::Chunked,
        Body::Upgrade(_) | Body::Verbatim(_) => BodyFraming::None,
    }
}

fn writer_gone() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "nothing can be written any more")
}

fn cut_off() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "whoever made a response has gone before its end",
    )
}

fn wrong_length() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "a response has another length than it said",
    )
}

#[cfg(test)]
mod tests;
