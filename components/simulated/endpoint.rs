//! One end of a simulated connection: it behaves like TCP, including its worst cases.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use kamea::random;
use kamea::time::{Timer, now};
use rustix::io::Errno;

use super::Conditions;
use crate::net::ByteStream;

/// How much of a file is sent at once, in bytes.
const SEGMENT: usize = 16 * 1024;

/// One end of a simulated connection. A [`Socket`](crate::net::Socket) uses it like a connection of
/// the system.
#[derive(Debug)]
pub struct Endpoint {
    connection: Arc<Mutex<Connection>>,
    /// Which of the two ends it is.
    side: Side,
}

#[derive(Debug, Clone, Copy)]
enum Side {
    Client,
    Server,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

#[derive(Debug)]
struct Connection {
    conditions: Conditions,
    /// The time from which nothing arrives any more.
    silent_from: Option<Instant>,
    client: End,
    server: End,
}

/// The state of one end: the bytes on their way to it, and the tasks that wait there.
#[derive(Debug)]
struct End {
    address: SocketAddr,
    /// The pieces on their way, with their arrival times.
    arriving: VecDeque<(Instant, Vec<u8>)>,
    /// Bytes that have arrived and have not been read.
    unread: VecDeque<u8>,
    /// The number of bytes in both.
    length: usize,
    /// The arrival time of the last piece: nothing overtakes it.
    last: Instant,
    /// The arrival time of the end of the stream.
    end: Option<Instant>,
    /// The time of the reset, as seen from here.
    reset: Option<Instant>,
    /// Whether the reader has gone.
    is_closed: bool,
    /// Whether it has announced that it will write no more.
    is_finished: bool,
    reader: Wait,
    writer: Wait,
}

/// A task that waits for bytes or for space, and the next time at which something happens.
#[derive(Debug, Default)]
struct Wait {
    waker: Option<Waker>,
    timer: Timer,
}

impl Wait {
    /// Waits until it is woken, or until `moment`; ready if that has come.
    fn poll(&mut self, moment: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        self.waker = Some(cx.waker().clone());
        match moment {
            Some(moment) => self.timer.set(moment),
            None => self.timer.clear(),
        }
        self.timer.poll_expired(cx)
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl End {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            arriving: VecDeque::new(),
            unread: VecDeque::new(),
            length: 0,
            last: now(),
            end: None,
            reset: None,
            is_closed: false,
            is_finished: false,
            reader: Wait::default(),
            writer: Wait::default(),
        }
    }

    /// Takes what has arrived by now.
    fn gather(&mut self) {
        while let Some((moment, _)) = self.arriving.front()
            && *moment <= now()
            && let Some((_, bytes)) = self.arriving.pop_front()
        {
            self.unread.extend(bytes);
        }
    }

    fn is_reset(&mut self) -> bool {
        let is_reset = has_come(self.reset);
        if is_reset {
            // "the reset packet might erase the client's unacknowledged input buffers" (RFC 9112
            // section 9.6)
            self.arriving.clear();
            self.unread.clear();
        }
        is_reset
    }

    fn wake(&mut self) {
        self.reader.wake();
        self.writer.wake();
    }
}

fn has_come(moment: Option<Instant>) -> bool {
    moment.is_some_and(|moment| moment <= now())
}

impl Connection {
    fn new(conditions: Conditions, client: SocketAddr, server: SocketAddr) -> Self {
        let (mut client, mut server) = (End::new(client), End::new(server));
        let mut silent_from = None;
        if random::chance(conditions.loss) {
            let moment = Some(now() + random::duration(conditions.lifetime));
            if random::chance(0.5) {
                silent_from = moment;
            } else {
                (client.reset, server.reset) = (moment, moment);
            }
        }
        Self {
            conditions,
            silent_from,
            client,
            server,
        }
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    fn is_silent(&self) -> bool {
        has_come(self.silent_from)
    }

    fn draw_latency(&self) -> Duration {
        random::duration(self.conditions.latency)
    }

    /// Returns when bytes sent now arrive at `side`: not before those that were sent earlier.
    fn draw_arrival(&mut self, side: Side) -> Instant {
        let moment = now() + self.draw_latency();
        let end = self.end(side);
        end.last = end.last.max(moment);
        end.last
    }

    /// Returns how many more bytes may be on their way to `side`.
    fn space(&mut self, side: Side) -> usize {
        let window = self.conditions.window;
        window.saturating_sub(self.end(side).length)
    }

    /// Returns how many of these bytes move at once.
    fn draw_part(&self, most: usize) -> usize {
        if most > 1 && random::chance(self.conditions.fragmentation) {
            random::usize(1..=most)
        } else {
            most
        }
    }

    /// Tells `side` that the connection was reset, because bytes arrived at the other end after
    /// that had closed.
    fn reset(&mut self, side: Side, sent: Instant) {
        if self.is_silent() {
            return;
        }
        let moment = sent + self.draw_latency();
        let end = self.end(side);
        end.reset = Some(end.reset.map_or(moment, |known| known.min(moment)));
        end.wake();
    }

    fn send_end(&mut self, from: Side) {
        if std::mem::replace(&mut self.end(from).is_finished, true) || self.is_silent() {
            return;
        }
        let moment = self.draw_arrival(from.other());
        let end = self.end(from.other());
        end.end = Some(moment);
        end.reader.wake();
    }
}

impl Endpoint {
    /// Creates both ends of a new connection: the client's and the server's.
    pub(super) fn pair(
        conditions: Conditions,
        client: SocketAddr,
        server: SocketAddr,
    ) -> (Self, Self) {
        let connection = Connection::new(conditions, client, server);
        let connection = Arc::new(Mutex::new(connection));
        let end = |side| Self {
            connection: connection.clone(),
            side,
        };
        (end(Side::Client), end(Side::Server))
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, connection: &mut Connection, bytes: &[u8]) {
        let other = self.side.other();
        let is_silent = connection.is_silent();
        let moment = connection.draw_arrival(other);
        let end = connection.end(other);
        if end.is_closed {
            connection.reset(self.side, moment);
            return;
        }
        end.length += bytes.len();
        if !is_silent {
            end.arriving.push_back((moment, bytes.to_vec()));
            end.reader.wake();
        }
    }
}

impl ByteStream for Endpoint {
    fn local(&self) -> SocketAddr {
        self.lock().end(self.side).address
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut connection = self.lock();
        let end = connection.end(self.side);
        if end.is_reset() {
            return Err(Errno::CONNRESET.into());
        }
        end.gather();
        let most = end.unread.len().min(buffer.len());
        if most == 0 {
            let is_end = end.arriving.is_empty() && has_come(end.end);
            return if is_end {
                Ok(0)
            } else {
                Err(Errno::AGAIN.into())
            };
        }
        let count = connection.draw_part(most);
        let end = connection.end(self.side);
        for (place, byte) in buffer.iter_mut().zip(end.unread.drain(..count)) {
            *place = byte;
        }
        end.length -= count;
        connection.end(self.side.other()).writer.wake();
        Ok(count)
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut connection = self.lock();
        let end = connection.end(self.side);
        end.gather();
        if !end.unread.is_empty() {
            return Poll::Ready(());
        }
        let bytes = end.arriving.front().map(|(moment, _)| *moment);
        let next = bytes.or(end.end).into_iter().chain(end.reset).min();
        end.reader.poll(next, cx)
    }

    fn has_input(&self) -> bool {
        let mut connection = self.lock();
        let end = connection.end(self.side);
        end.gather();
        !end.unread.is_empty() || end.is_reset() || end.arriving.is_empty() && has_come(end.end)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut connection = self.lock();
        let end = connection.end(self.side);
        if end.is_reset() {
            return Err(Errno::CONNRESET.into());
        }
        if end.is_finished {
            return Err(Errno::PIPE.into());
        }
        match connection.space(self.side.other()) {
            0 if !bytes.is_empty() => Err(Errno::AGAIN.into()),
            space => {
                let count = connection.draw_part(space.min(bytes.len()));
                self.send(&mut connection, &bytes[..count]);
                Ok(count)
            }
        }
    }

    fn send_file(&self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        let mut bytes = vec![0; count.min(SEGMENT)];
        let read = rustix::io::pread(file, &mut bytes, offset)?;
        self.write(&bytes[..read])
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut connection = self.lock();
        if connection.space(self.side.other()) > 0 {
            return Poll::Ready(());
        }
        let end = connection.end(self.side);
        let reset = end.reset;
        end.writer.poll(reset, cx)
    }

    fn shut_down_writing(&self) {
        self.lock().send_end(self.side);
    }
}

impl Drop for Endpoint {
    /// Closes it: unread bytes, or bytes that arrive later, cause a reset.
    fn drop(&mut self) {
        let mut connection = self.lock();
        let end = connection.end(self.side);
        end.gather();
        end.is_closed = true;
        let refused = match end.arriving.front() {
            _ if !end.unread.is_empty() => Some(now()),
            Some((moment, _)) => Some(*moment),
            None => None,
        };
        end.arriving.clear();
        end.unread.clear();
        end.length = 0;
        connection.send_end(self.side);
        let other = self.side.other();
        connection.end(other).writer.wake();
        if let Some(moment) = refused {
            connection.reset(other, moment);
        }
    }
}
