//! The writer: responses out, in the order of their requests, as many as are ready in one go.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use futures_lite::future::{or, yield_now};
use http::StatusCode;
use kamea::time::{Timer, turn, wall_clock};
use kamea::{Component, Inbox, Outbox, Ports, Receiver, mutated};

use crate::net::{Finish, Socket};

use super::message::{Body, Exchange, Piece, Response};
use super::parse::{Notice, WINDOW, Written};
use crate::file::FileSlice;
use crate::http::{
    BodyFraming, Chunk, Connection, DateCache, Fields, encode_chunk_size, encode_continue,
    encode_head, encode_last_chunk,
};

/// The ports of [`write_responses`].
#[derive(Debug, Ports)]
pub struct WritePorts {
    /// The responses, in any order.
    pub responses: Inbox<Response>,
    /// What the parser says of the connection.
    pub notices: Inbox<Notice>,
    /// Which responses have been written.
    pub written: Outbox<Written>,
}

/// Bodies up to this size, in bytes, are copied behind their heads; larger ones are sent from where they are.
const COPIED: usize = 16 * 1024;

/// How many bytes gather before they are sent even if more is ready.
const GATHERED: usize = 64 * 1024;

/// How many bytes of a file one call sends at the most, so that other connections get their turn.
const FILE_CHUNK: u64 = 2 * 1024 * 1024;

thread_local! {
    /// Where responses gather: the writers of a worker lend each other the buffer, so that it stays in the processor's cache,
    /// and a connection that waits holds none.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };

    /// One date a worker.
    static DATE: RefCell<Today> = RefCell::new(Today::default());
}

/// The date of responses. The calendar is looked at once a second.
#[derive(Default)]
struct Today {
    dates: DateCache,
    /// Seconds since the epoch.
    second: u64,
    /// When the next second begins.
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

/// Writes the responses of one connection in the order of their requests. `stall` is how long the peer may read nothing.
///
/// It ends when no more responses can come, or when the connection is to end; then the socket says so.
pub fn write_responses(socket: Rc<Socket>, stall: Duration) -> impl Component<WritePorts> {
    async move |io: &mut WritePorts| {
        let out = Output {
            socket: socket.clone(),
            stall,
            timer: Timer::new(),
            bytes: Vec::new(),
            content: 0,
        };
        let mut writer = Writer {
            io,
            out,
            due: 0,
            early: BTreeMap::new(),
            carried: Vec::new(),
            to_continue: None,
            ends: None,
            present: None,
        };
        if let Err(error) = writer.run().await {
            log::debug!("{} | {error}", socket.peer());
            writer.tell_written();
            socket.finish(Finish::Cut);
        }
        Ok(())
    }
}

struct Writer<'a> {
    io: &'a mut WritePorts,
    out: Output,
    /// The number of the exchange whose response is next.
    due: u64,
    /// Responses that came before their turn.
    early: BTreeMap<u64, Response>,
    /// Fields that a program has said for the response of an exchange, with its number.
    carried: Vec<(u64, Box<Fields>)>,
    /// The exchange whose peer waits for 100 (Continue).
    to_continue: Option<u64>,
    /// Before which exchange the connection ends, and how.
    ends: Option<(u64, Finish)>,
    /// The status of the response that is being written.
    present: Option<StatusCode>,
}

impl Writer<'_> {
    async fn run(&mut self) -> io::Result<()> {
        loop {
            self.take_notices();
            if self.to_continue == Some(self.due) {
                self.to_continue = None;
                encode_continue(&mut self.out.bytes);
            }
            if let Some((number, finish)) = self.ends
                && self.due >= number
            {
                return self.finish(finish).await;
            }
            let mut response = match self.ready() {
                Some(response) => response,
                // Nothing more is ready: what has gathered goes out in one go.
                None => {
                    self.out.flush(false).await?;
                    match self.wait().await {
                        Some(Some(response)) => response,
                        Some(None) => continue,
                        None => return Ok(()),
                    }
                }
            };
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
            Notice::Continue(number) => self.to_continue = Some(number),
            Notice::EndsBefore { number, finish } => self.ends = Some((number, finish)),
            Notice::Carry { number, fields } => self.carried.push((number, fields)),
        }
    }

    /// The response whose turn it is, if it has come.
    fn ready(&mut self) -> Option<Response> {
        if !self.early.is_empty()
            && let Some(response) = self.early.remove(&self.due)
        {
            return Some(response);
        }
        while let Some(response) = self.io.responses.try_next() {
            let response = self.in_turn(response);
            if response.is_some() {
                return response;
            }
        }
        None
    }

    /// Waits for something to come: the response whose turn it is, or something else. `None` when no responses can come any more.
    async fn wait(&mut self) -> Option<Option<Response>> {
        let response = async { Ok(self.io.responses.next().await) };
        let notice = async {
            match self.io.notices.next().await {
                Some(notice) => Err(notice),
                None => std::future::pending().await,
            }
        };
        match or(response, notice).await {
            Ok(response) => response.map(|response| self.in_turn(response)),
            Err(notice) => {
                self.note(notice);
                Some(None)
            }
        }
    }

    /// Gives the response back if it is its turn, and keeps it if that is to come.
    fn in_turn(&mut self, mut response: Response) -> Option<Response> {
        let number = &mut response.exchange.number;
        if *number == Exchange::DUE {
            *number = self.due;
        }
        match *number {
            number if number == self.due || mutated("answers go out of order") => {
                return Some(response);
            }
            // The exchange was answered already: by the failure of a component, perhaps.
            number if number < self.due => {}
            number => {
                debug_assert!(
                    (self.early.len() as u64) < WINDOW,
                    "the parser bounds what is on its way"
                );
                self.early.insert(number, response);
            }
        }
        None
    }

    /// Writes a response; gives whether it is the last of the connection.
    async fn respond(&mut self, response: &mut Response) -> io::Result<bool> {
        // What was said of this response came before it.
        self.take_notices();
        if !self.carried.is_empty() {
            let carried = self
                .carried
                .extract_if(.., |(number, _)| *number <= self.due);
            for (_, fields) in carried.filter(|(number, _)| *number == self.due) {
                response.head.carry(&fields);
            }
        }
        self.present = Some(response.head.status);
        self.out.content = 0;
        if let Body::Verbatim(chunks) = &mut response.body {
            Box::pin(self.out.put_stream(chunks, BodyFraming::None)).await?;
            self.tell_written();
            self.due += 1;
            return Ok(true);
        }
        let (framing, connection) = self.out.put_head(response);
        if !response.exchange.is_head && framing != BodyFraming::None {
            match &mut response.body {
                Body::Empty => {}
                Body::Bytes(bytes) if bytes.len() <= COPIED => {
                    self.out.bytes.extend_from_slice(bytes);
                    self.out.content = bytes.len() as u64;
                }
                // Boxed, so that the writer is small while it only copies.
                body => Box::pin(self.out.put_body(body, framing)).await?,
            }
        }
        if self.out.bytes.len() >= GATHERED {
            self.out.flush(true).await?;
        }
        self.tell_written();
        self.due += 1;
        Ok(connection == Connection::Close)
    }

    /// Tells of the present response, if there is one: it has been written, or will never be.
    fn tell_written(&mut self) {
        if let Some(status) = self.present.take()
            && !mutated("the parser is not told what is written")
        {
            let (number, content) = (self.due, self.out.content);
            // Full it cannot be, and a parser that is gone does not count any more.
            let _ = self.io.written.try_send(Written {
                number,
                status,
                content,
            });
        }
    }

    /// Ends the connection behind a response that closes it, in the way the parser wants if it has said so. Else the peer does not
    /// expect it.
    async fn finish_early(&mut self) -> io::Result<()> {
        self.take_notices();
        self.finish(self.ends.map_or(Finish::Linger, |(_, finish)| finish))
            .await
    }

    async fn finish(&mut self, finish: Finish) -> io::Result<()> {
        self.out.flush(false).await?;
        self.out.socket.finish(finish);
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
        Body::Verbatim(_) => BodyFraming::None,
    }
}

/// What is on its way to the peer.
struct Output {
    socket: Rc<Socket>,
    stall: Duration,
    timer: Timer,
    bytes: Vec<u8>,
    /// How many bytes of content of the present response have gone the way of `bytes`, or out.
    content: u64,
}

impl Output {
    async fn flush(&mut self, more: bool) -> io::Result<()> {
        let mut sent = 0;
        while sent < self.bytes.len() {
            let write = self.socket.write(&self.bytes[sent..], more);
            sent += in_time(&mut self.timer, self.stall, write).await?;
            if mutated("a partial write counts as whole") {
                break;
            }
        }
        if self.bytes.capacity() > 0 {
            self.bytes.clear();
            SPARE.set(std::mem::take(&mut self.bytes));
        }
        Ok(())
    }

    /// Adds the head of a response; gives what really became of framing and connection.
    fn put_head(&mut self, response: &Response) -> (BodyFraming, Connection) {
        let connection = if response.exchange.closes {
            Connection::Close
        } else {
            Connection::KeepAlive
        };
        let framing = framing_of(&response.body);
        if self.bytes.is_empty() {
            self.bytes = SPARE.take();
        }
        DATE.with_borrow_mut(|today| {
            encode_head(
                &mut self.bytes,
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
            Body::Empty => Ok(()),
            Body::Bytes(bytes) => self.put(bytes).await,
            Body::File(slice) => self.put_file(slice).await,
            Body::Pieces(pieces) => {
                for piece in pieces {
                    match piece {
                        Piece::Bytes(bytes) => self.put(bytes).await?,
                        Piece::File(slice) => self.put_file(slice).await?,
                    }
                }
                Ok(())
            }
            Body::Stream { chunks, .. } | Body::Verbatim(chunks) => {
                self.put_stream(chunks, framing).await
            }
        }
    }

    async fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() <= COPIED {
            self.bytes.extend_from_slice(bytes);
            self.content += bytes.len() as u64;
            return Ok(());
        }
        self.flush(true).await?;
        let mut sent = 0;
        while sent < bytes.len() {
            let write = self.socket.write(&bytes[sent..], false);
            let count = in_time(&mut self.timer, self.stall, write).await?;
            self.content += count as u64;
            sent += count;
        }
        Ok(())
    }

    async fn put_file(&mut self, slice: &FileSlice) -> io::Result<()> {
        self.socket.cork(true);
        self.flush(true).await?;
        let (mut offset, end) = (slice.offset, slice.offset + slice.length);
        while offset < end {
            let count = (end - offset).min(FILE_CHUNK) as usize;
            let send = self.socket.send_file(&slice.file, offset, count);
            match in_time(&mut self.timer, self.stall, send).await? {
                0 => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "the file became shorter while it was sent",
                    ));
                }
                sent => {
                    let sent = if mutated("a part of a file counts as whole") {
                        count
                    } else {
                        sent
                    };
                    offset += sent as u64;
                    self.content += sent as u64;
                }
            }
            // A peer that reads as fast as we send would keep the worker to itself.
            yield_now().await;
        }
        self.socket.cork(false);
        Ok(())
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
                    self.flush(false).await?;
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
                encode_chunk_size(&mut self.bytes, data.len());
            }
            self.put(&data).await?;
            if framing == BodyFraming::Chunked {
                self.bytes.extend_from_slice(b"\r\n");
            }
            if self.bytes.len() >= GATHERED {
                self.flush(true).await?;
            }
        };
        if left.is_some_and(|left| left > 0) {
            return Err(wrong_length());
        }
        if framing == BodyFraming::Chunked {
            encode_last_chunk(&mut self.bytes, &trailers);
        }
        Ok(())
    }
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

/// What a call to the socket gives, unless the peer takes nothing for too long.
async fn in_time<T>(
    timer: &mut Timer,
    stall: Duration,
    call: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let stalled = async {
        timer.set(turn() + stall);
        timer.expired().await;
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the peer reads nothing",
        ))
    };
    or(call, stalled).await
}

#[cfg(test)]
mod tests;
