//! The floor server: it shows the cost of the system calls alone.
//!
//! It uses epoll, one recv and one send per wake-up, a fixed answer with a body of 1 KiB, and no
//! parsing: a request is anything that ends in an empty line. No server that answers over a socket
//! can be much cheaper.
//!
//! `floor [--close]` listens on a free port of 127.0.0.1 and prints it. With `--close` it closes
//! each connection after its first answer.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use kamea_benches::http::{REQUEST_END, canned_response};
use rustix::buffer::spare_capacity;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{self, RecvFlags, SendFlags, SocketFlags};

const BUFFER_LEN: usize = 16 * 1024;
/// How many answers are sent at once at most, to pipelined requests.
const MAX_BATCH: usize = 64;
const EVENTS: usize = 256;

fn main() -> std::io::Result<()> {
    let close = std::env::args().any(|argument| argument == "--close");
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    kamea_benches::http::announce(listener.local_addr()?);
    Floor::new(listener.into(), close)?.run()
}

struct Floor {
    epoll: OwnedFd,
    listener: OwnedFd,
    /// The connections, by the number of the descriptor.
    connections: Vec<Option<Connection>>,
    /// The answer, as many times as fit one send.
    answers: Vec<u8>,
    answer_len: usize,
    close: bool,
}

struct Connection {
    socket: OwnedFd,
    /// How many bytes of the terminator were at the end of the last recv.
    matched: usize,
}

impl Floor {
    fn new(listener: OwnedFd, close: bool) -> std::io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let data = EventData::new_u64(listener.as_raw_fd() as u64);
        epoll::add(&epoll, &listener, data, EventFlags::IN)?;
        let answer = canned_response(close);
        Ok(Self {
            epoll,
            listener,
            connections: Vec::new(),
            answers: answer.repeat(MAX_BATCH),
            answer_len: answer.len(),
            close,
        })
    }

    fn run(mut self) -> std::io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        let mut buffer = vec![0; BUFFER_LEN];
        loop {
            match epoll::wait(&self.epoll, spare_capacity(&mut events), None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in events.drain(..) {
                let fd = event.data.u64() as RawFd;
                if fd == self.listener.as_raw_fd() {
                    self.accept()?;
                } else if !self.answer(fd, &mut buffer) {
                    self.connections[fd as usize] = None;
                }
            }
        }
    }

    fn accept(&mut self) -> std::io::Result<()> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        while let Ok(socket) = net::accept_with(&self.listener, flags) {
            net::sockopt::set_tcp_nodelay(&socket, true)?;
            let fd = socket.as_raw_fd();
            epoll::add(
                &self.epoll,
                &socket,
                EventData::new_u64(fd as u64),
                EventFlags::IN,
            )?;
            let slot = fd as usize;
            if self.connections.len() <= slot {
                self.connections.resize_with(slot + 1, || None);
            }
            self.connections[slot] = Some(Connection { socket, matched: 0 });
        }
        Ok(())
    }

    /// Does one recv and one send. Returns false when the connection must be closed.
    fn answer(&mut self, fd: RawFd, buffer: &mut [u8]) -> bool {
        let Some(connection) = &mut self.connections[fd as usize] else {
            return true;
        };
        let received = match net::recv(&connection.socket, &mut *buffer, RecvFlags::empty()) {
            Ok((0, _)) => return false,
            Ok((received, _)) => received,
            Err(Errno::AGAIN | Errno::INTR) => return true,
            Err(_) => return false,
        };
        let requests = connection.requests_in(&buffer[..received]).min(MAX_BATCH);
        if requests == 0 {
            return true;
        }
        let answers = &self.answers[..requests * self.answer_len];
        // A client that does not read its answers is dropped: the floor stores nothing that it
        // could not send.
        let sent = net::send(&connection.socket, answers, SendFlags::NOSIGNAL);
        sent == Ok(answers.len()) && !self.close
    }
}

impl Connection {
    /// How many requests end in these bytes.
    fn requests_in(&mut self, bytes: &[u8]) -> usize {
        let mut requests = 0;
        for &byte in bytes {
            self.matched = match (self.matched, byte) {
                (0 | 2, b'\r') | (1 | 3, b'\n') => self.matched + 1,
                (_, b'\r') => 1,
                _ => 0,
            };
            if self.matched == REQUEST_END.len() {
                self.matched = 0;
                requests += 1;
            }
        }
        requests
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_however_they_are_split() {
        let bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n";
        for at in 0..=bytes.len() {
            let (server, _client) = std::os::unix::net::UnixStream::pair().unwrap();
            let mut connection = Connection {
                socket: server.into(),
                matched: 0,
            };
            let (first, second) = bytes.split_at(at);
            let requests = connection.requests_in(first) + connection.requests_in(second);
            assert_eq!(requests, 2, "split at {at}");
        }
    }
}
