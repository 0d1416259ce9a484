//! Requests, and the bytes of a connection as either end reads them.

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use kamea::random;
use kamea::time::sleep;
use kamea_components::net::Socket;

/// A request of a client.
#[derive(Clone)]
pub(super) struct Asked {
    /// Different from those of all others.
    pub(super) id: u64,
    pub(super) method: &'static str,
    pub(super) head: String,
    /// As it is framed.
    pub(super) body: Vec<u8>,
    /// The length of the body without its framing.
    pub(super) sends: usize,
    /// The length of the body of the response.
    pub(super) wants: usize,
    /// Whether the client waits for 100 (Continue).
    pub(super) waits: bool,
}

/// What stands in each body: if a length is understood in two ways, one of them takes this for a
/// request.
const TRAP: &[u8] = b"\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

/// The body of this length that belongs to a request.
pub(super) fn body_of(id: u64, length: usize) -> Vec<u8> {
    let mut body = format!("{id} {length} ").into_bytes();
    while body.len() < length {
        body.extend(TRAP);
    }
    body.truncate(length);
    body
}

impl fmt::Debug for Asked {
    /// Without the body.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (id, sends, wants) = (self.id, self.sends, self.wants);
        write!(f, "{id}: {} of {sends} for {wants} bytes", self.method)
    }
}

impl Asked {
    /// A request with this number.
    pub(super) fn draw(id: u64) -> Self {
        let methods = ["GET", "HEAD", "PUT", "DELETE", "POST", "POST", "PATCH"];
        let method = methods[random::usize(..methods.len())];
        let length = || match random::usize(..30) {
            // More than is kept for another attempt.
            0 => 70_000,
            1..4 => 5_000,
            number => [0, 1, 30, 200][number % 4],
        };
        let has_body = matches!(method, "PUT" | "POST" | "PATCH");
        let (sends, wants) = (if has_body { length() } else { 0 }, length());
        let mut head = format!("{method} /{id}/{wants} HTTP/1.1\r\nHost: a\r\n");
        let waits = sends > 0 && random::chance(0.2);
        if waits {
            head += "Expect: 100-continue\r\n";
        }
        let content = body_of(id, sends);
        let body = match has_body {
            true if random::chance(0.5) => {
                head += "Transfer-Encoding: chunked\r\n";
                chunked(&content)
            }
            true => {
                head += &format!("Content-Length: {sends}\r\n");
                content
            }
            false => content,
        };
        head += "\r\n";
        Self {
            id,
            method,
            head,
            body,
            sends,
            wants,
            waits,
        }
    }

    /// A request that any backend can answer.
    pub(super) fn get(id: u64) -> Self {
        Self {
            id,
            method: "GET",
            head: format!("GET /{id}/5 HTTP/1.1\r\nHost: a\r\n\r\n"),
            body: Vec::new(),
            sends: 0,
            wants: 5,
            waits: false,
        }
    }

    /// Whether it may be sent again after a backend may have acted on it.
    pub(super) fn is_idempotent(&self) -> bool {
        !matches!(self.method, "POST" | "PATCH")
    }
}

/// Frames a body as chunks of random lengths.
pub(super) fn chunked(mut content: &[u8]) -> Vec<u8> {
    let mut framed = Vec::new();
    while !content.is_empty() {
        let (chunk, rest) = content.split_at(random::usize(1..=content.len()));
        framed.extend(format!("{:x}\r\n", chunk.len()).bytes());
        framed.extend([chunk, b"\r\n"].concat());
        content = rest;
    }
    framed.extend(b"0\r\n\r\n");
    framed
}

/// How the end of a body is found.
#[derive(Clone, Copy, Debug)]
pub(super) enum Framing {
    Sized(usize),
    Chunked,
}

/// One end of a connection, and what it has received.
pub(super) struct Reader {
    socket: Rc<Socket>,
    unread: Vec<u8>,
}

impl Reader {
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket: Rc::new(socket),
            unread: Vec::new(),
        }
    }

    /// Receives more; false at the end of the connection.
    pub(super) async fn fill(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.socket.read(&mut buffer).await {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.unread.extend(&buffer[..count]);
                true
            }
        }
    }

    /// Whether there is something that nobody has read.
    pub(super) const fn has_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Reads up to `end`, with it.
    pub(super) async fn until(&mut self, end: &[u8]) -> Option<String> {
        loop {
            let mut windows = self.unread.windows(end.len());
            if let Some(start) = windows.position(|window| window == end) {
                let read = self.unread.drain(..start + end.len()).collect();
                return Some(String::from_utf8(read).unwrap());
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    async fn exactly(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.unread.len() < count {
            if !self.fill().await {
                return None;
            }
        }
        Some(self.unread.drain(..count).collect())
    }

    /// Reads a body; `None` if the connection ends before it is whole.
    pub(super) async fn body(&mut self, framing: Framing) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        match framing {
            Framing::Sized(length) => self.exactly(length).await,
            Framing::Chunked => loop {
                let line = self.until(b"\r\n").await?;
                let size = usize::from_str_radix(line.trim_end(), 16).expect("a size");
                if size == 0 {
                    while self.until(b"\r\n").await? != "\r\n" {}
                    return Some(body);
                }
                body.extend(self.exactly(size).await?);
                assert_eq!(self.exactly(2).await?, b"\r\n", "the end of a chunk");
            },
        }
    }

    /// The other direction.
    pub(super) fn writer(&self) -> Writer {
        Writer(self.socket.clone())
    }

    /// Writes all of these bytes; false if the connection has ended.
    pub(super) async fn write(&self, bytes: &[u8]) -> bool {
        self.writer().write(bytes).await
    }
}

/// The other direction of a connection.
pub(super) struct Writer(Rc<Socket>);

impl Writer {
    /// Writes all of these bytes; false if the connection has ended.
    pub(super) async fn write(&self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match self.0.write(bytes, false).await {
                Ok(count) => bytes = &bytes[count..],
                Err(_) => return false,
            }
        }
        true
    }

    /// Writes all of these bytes in some parts, with pauses.
    pub(super) async fn write_slowly(&self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let most = match random::chance(0.5) {
                true => bytes.len(),
                false => random::usize(1..=bytes.len()),
            };
            if !self.write(&bytes[..most]).await {
                return;
            }
            bytes = &bytes[most..];
            sleep(random::duration(Duration::from_millis(100))).await;
        }
    }
}

/// The value of a field of a head.
pub(super) fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let mut named = fields.filter(|(other, _)| other.eq_ignore_ascii_case(name));
    named.next().map(|(_, value)| value)
}

/// How the body behind a head is framed.
pub(super) fn framing(head: &str) -> Framing {
    if field(head, "transfer-encoding").is_some() {
        assert!(field(head, "content-length").is_none(), "{head}");
        return Framing::Chunked;
    }
    let length = field(head, "content-length");
    Framing::Sized(length.map_or(0, |length| length.parse().unwrap()))
}
