//! A client with many kinds of behaviour, which checks its responses.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use futures_lite::future::{or, zip};
use kamea::random;
use kamea::time::sleep;
use kamea_components::net::Socket;
use kamea_components::simulated::Network;

use crate::exchange::Exchange;

/// How a client behaves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Behaviour {
    /// Sends its requests, in parts, and reads all responses; at the end it waits for the server to
    /// close.
    Patient,
    /// The same, but closes its sending side when it has sent everything.
    HalfClosing,
    /// The same, but pauses longer than allowed between the parts.
    TooSlow,
    /// Leaves at a random time.
    Vanishing,
    /// Reads nothing.
    Deaf,
}

impl Behaviour {
    pub(crate) const ALL: [Self; 5] = [
        Self::Patient,
        Self::HalfClosing,
        Self::TooSlow,
        Self::Vanishing,
        Self::Deaf,
    ];

    /// Whether it does everything that is needed for all its requests to be answered.
    pub(crate) fn is_good(self) -> bool {
        matches!(self, Self::Patient | Self::HalfClosing)
    }
}

/// What a client has received on its connection.
#[derive(Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) bytes: BytesMut,
    /// How it ended; `None` if the client did not wait for it.
    pub(crate) end: Option<Result<(), io::ErrorKind>>,
}

/// Performs the exchanges over its own connection; returns what it has received.
pub(crate) async fn converse(
    network: Network,
    address: SocketAddr,
    behaviour: Behaviour,
    exchanges: &[Exchange],
) -> Seen {
    sleep(random::duration(Duration::from_secs(1))).await;
    let mut seen = Seen {
        bytes: BytesMut::new(),
        end: None,
    };
    let socket = match network.connect(address).await {
        Ok(socket) => socket,
        Err(error) => {
            seen.end = Some(Err(error.kind()));
            return seen;
        }
    };
    // Code that holds the network could connect again.
    drop(network);
    let requests: Vec<u8> = exchanges
        .iter()
        .flat_map(|exchange| exchange.request.clone())
        .collect();
    let talk = async {
        let write = async {
            // Bytes that can no longer be sent are dropped.
            let _ = send(&socket, &requests, behaviour).await;
            if behaviour == Behaviour::HalfClosing {
                socket.shut_down_writing();
            }
        };
        let read = async {
            if behaviour == Behaviour::Deaf {
                sleep(Duration::from_secs(1000)).await;
            } else {
                seen.end = Some(receive(&socket, &mut seen.bytes).await);
            }
        };
        zip(write, read).await;
    };
    let vanish = async {
        match behaviour {
            Behaviour::Vanishing => sleep(random::duration(Duration::from_secs(3))).await,
            // By then every time limit of the server has passed.
            _ => sleep(Duration::from_secs(1000)).await,
        }
    };
    or(talk, vanish).await;
    seen
}

async fn send(socket: &Socket, mut bytes: &[u8], behaviour: Behaviour) -> io::Result<()> {
    let breaks = [0.0, 0.02, 0.2][random::usize(..3)];
    while !bytes.is_empty() {
        let most = match random::chance(breaks) {
            true => random::usize(1..=bytes.len().min(50)),
            false => bytes.len(),
        };
        let count = socket.write(&bytes[..most], false).await?;
        bytes = &bytes[count..];
        if random::chance(breaks) {
            let longest = if behaviour == Behaviour::TooSlow {
                100_000
            } else {
                100
            };
            sleep(random::duration(Duration::from_millis(longest))).await;
        }
    }
    Ok(())
}

async fn receive(socket: &Socket, bytes: &mut BytesMut) -> Result<(), io::ErrorKind> {
    let mut buffer = vec![0; [16, 100, 4096][random::usize(..3)]];
    let pause = random::chance(0.3);
    loop {
        match socket.read(&mut buffer).await {
            Ok(0) => return Ok(()),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) => return Err(error.kind()),
        }
        if pause && random::chance(0.1) {
            sleep(random::duration(Duration::from_millis(500))).await;
        }
    }
}

/// How the responses of a connection ended.
#[derive(Debug, PartialEq)]
pub(crate) struct Answers {
    /// How many complete responses there were.
    pub(crate) whole: usize,
    /// Whether these were followed by an incomplete response.
    pub(crate) is_cut: bool,
    /// Whether the server said that it has too many connections.
    pub(crate) is_refused: bool,
}

/// Checks that the responses belong to the exchanges, each once and in order. If what is made for
/// the client `may_cancel`, an error in the place of a response may end the connection.
pub(crate) fn check(seen: &Seen, exchanges: &[Exchange], may_cancel: bool) -> Answers {
    let (mut left, mut is_over) = (&seen.bytes[..], false);
    let mut answers = Answers {
        whole: 0,
        is_cut: false,
        is_refused: false,
    };
    while !left.is_empty() {
        assert!(!is_over, "it follows the last: {}", left.escape_ascii());
        let Some(exchange) = exchanges.get(answers.whole) else {
            panic!("nobody has asked for this: {}", left.escape_ascii());
        };
        let Some(response) = parse(left, exchange.is_head) else {
            answers.is_cut = true;
            break;
        };
        left = &left[response.length..];
        is_over = response.closes;
        match response.status {
            100 => continue,
            // The error for a client that is slow, or beyond the limit.
            408 | 503 => {
                assert!(is_over, "{} closes no connection", response.status);
                answers.is_refused = response.status == 503;
                continue;
            }
            500 if may_cancel => {
                assert!(is_over, "500 closes no connection");
                continue;
            }
            status => assert_eq!(status, exchange.status, "{exchange:?}"),
        }
        if response.status == 200 && !exchange.is_head {
            assert!(
                response.content == exchange.content,
                "{} instead of {}",
                response.content.escape_ascii(),
                exchange.content.escape_ascii()
            );
        }
        answers.whole += 1;
    }
    answers
}

struct Parsed {
    status: u16,
    closes: bool,
    content: Vec<u8>,
    /// The length of all of it, in bytes.
    length: usize,
}

/// Returns the response at the beginning of `bytes`, if it is complete.
fn parse(bytes: &[u8], is_head: bool) -> Option<Parsed> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end])
        .unwrap()
        .to_ascii_lowercase();
    let status = head
        .strip_prefix("http/1.1 ")
        .unwrap_or_else(|| panic!("no response: {head}"));
    let status: u16 = status[..3].parse().unwrap();
    let field = |name: &str| {
        let line = head.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|line| line.strip_prefix(':')).map(str::trim)
    };
    let (mut length, mut content) = (end, Vec::new());
    // A request that did not arrive completely is not known to be HEAD.
    if is_head && status == 200 || status == 100 {
    } else if field("transfer-encoding") == Some("chunked") {
        loop {
            let line = bytes[length..].windows(2).position(|two| two == b"\r\n")?;
            let digits = std::str::from_utf8(&bytes[length..length + line]).unwrap();
            let size = usize::from_str_radix(digits, 16).unwrap();
            length += line + 2;
            content.extend(bytes.get(length..length + size)?);
            let terminator = bytes.get(length + size..length + size + 2)?;
            assert_eq!(terminator, b"\r\n");
            length += size + 2;
            if size == 0 {
                break;
            }
        }
    } else {
        let size: usize = field("content-length").expect("a length").parse().unwrap();
        content.extend(bytes.get(end..end + size)?);
        length += size;
    }
    Some(Parsed {
        status,
        closes: field("connection") == Some("close"),
        content,
        length,
    })
}
