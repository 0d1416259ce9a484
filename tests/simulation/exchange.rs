//! Requests and their expected responses.

use bytes::Bytes;
use kamea::random;

/// A request, and the response that belongs to it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Exchange {
    /// The whole request.
    pub(crate) request: Bytes,
    /// Whether the response has no body, although it announces its length.
    pub(crate) is_head: bool,
    /// The status of the response.
    pub(crate) status: u16,
    /// The body of the response, unless it is an error page.
    pub(crate) content: Bytes,
}

/// The ways in which the handler answers: the first segment of the path.
pub(crate) const WAYS: [&str; 5] = ["bytes", "stream", "sized", "file", "pieces"];

impl Exchange {
    /// Returns some exchanges of the connection with this number.
    pub(crate) fn draw_some(connection: usize) -> Vec<Self> {
        let count = random::usize(1..6);
        let (ends_badly, is_alone) = (random::chance(0.03), random::chance(0.01));
        if is_alone {
            // A handler that panics loses its other requests too.
            return vec![Self::in_vain("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n", 500)];
        }
        let number = |index| 10 * connection + index;
        let draw = |index| Self::draw(number(index), index + 1 == count && !ends_badly);
        let mut exchanges: Vec<_> = (0..count).map(draw).collect();
        if ends_badly {
            exchanges.push(Self::in_vain("NONSENSE\r\n\r\n", 400));
        }
        exchanges
    }

    /// Returns a request that receives only an error page.
    fn in_vain(request: &'static str, status: u16) -> Self {
        Self {
            request: request.into(),
            is_head: false,
            status,
            content: Bytes::new(),
        }
    }

    /// Returns a random exchange. `number` distinguishes it from all others; only the last one of a
    /// connection may close it.
    fn draw(number: usize, is_last: bool) -> Self {
        let way = WAYS[random::usize(..WAYS.len())];
        // Some are larger than what the writer copies behind a head.
        let length = match random::usize(..200) {
            0 => 20_000,
            _ => [0, 1, 10, 100][random::usize(..4)],
        };
        let closes = is_last && random::chance(0.3);
        let (method, upload) = match random::usize(..8) {
            0 => ("HEAD", None),
            1 => ("POST", Some(Vec::new())),
            2 | 3 => ("POST", Some(vec![b'x'; random::usize(1..200)])),
            _ => ("GET", None),
        };
        let mut request = format!("{method} /{way}/{number}/{length} HTTP/1.1\r\nHost: a\r\n");
        if closes {
            request.push_str("Connection: close\r\n");
        }
        if upload.is_some() && random::chance(0.2) {
            request.push_str("Expect: 100-continue\r\n");
        }
        let received = upload.as_ref().map_or(0, Vec::len);
        let mut request = request.into_bytes();
        match upload {
            Some(content) if random::chance(0.5) => {
                let length = content.len();
                request.extend(format!("Content-Length: {length}\r\n\r\n").bytes());
                request.extend(content);
            }
            Some(content) => {
                request.extend(b"Transfer-Encoding: chunked\r\n\r\n");
                for chunk in content.chunks(random::usize(1..100)) {
                    request.extend(format!("{:x}\r\n", chunk.len()).bytes());
                    request.extend(chunk);
                    request.extend(b"\r\n");
                }
                request.extend(b"0\r\n\r\n");
            }
            None => request.extend(b"\r\n"),
        }
        Self {
            request: request.into(),
            is_head: method == "HEAD",
            status: 200,
            content: content(number, received, length),
        }
    }
}

/// The body of the handler's answer to request `number`, whose body had `received` bytes: `length`
/// bytes after both numbers.
pub(crate) fn content(number: usize, received: usize, length: usize) -> Bytes {
    let mut content = format!("{number} {received} ").into_bytes();
    content.extend((0..length).map(|index| b'a' + (index % 26) as u8));
    content.into()
}
