//! The states of a link, and how many frames a peer may send. It needs no socket and no clock.
//!
//! ```text
//!  greeting ──Hello──▶ open ──Close──▶ closed
//!      └── anything else: closed, Unexpected
//! ```

use std::time::{Duration, Instant};

use crate::frame::PROTOCOL;
use crate::{Closing, Frame, PeerName};

/// What a frame means for the link.
#[derive(Debug, PartialEq, Eq)]
pub enum Received {
    /// The peer has said hello with this name.
    Hello(PeerName),
    /// Send this frame.
    Answer(Frame),
    /// The peer has answered the ping with this number.
    Pong(u64),
    /// The peer closes the link.
    Closed(Closing),
    /// The frame is for the node.
    Pass(Frame),
}

/// A link, as one end sees it.
///
/// # Examples
///
/// ```
/// use std::time::Instant;
/// use kamea_chat::{Closing, Frame, Received, Session};
///
/// let mut session = Session::new(Instant::now());
/// let early = session.receive(Frame::Ping(1), Instant::now());
/// assert_eq!(early, Err(Closing::Unexpected));
/// let hello = Session::greeting(&"ada".parse().unwrap());
/// assert!(matches!(session.receive(hello, Instant::now()), Ok(Received::Hello(_))));
/// let answer = session.receive(Frame::Ping(1), Instant::now());
/// assert_eq!(answer, Ok(Received::Answer(Frame::Pong(1))));
/// ```
#[derive(Debug)]
pub struct Session {
    is_open: bool,
    /// Frames without a message.
    frames: Bucket,
    /// Messages that the peer sends by itself.
    messages: Bucket,
    /// Requests for history: a peer that catches up has many, and no fault in that.
    requests: Bucket,
}

/// How many there may be: up to `most` at once, `rate` per second in the long run.
#[derive(Debug)]
struct Bucket {
    tokens: f64,
    most: f64,
    rate: f64,
    filled: Instant,
}

impl Bucket {
    fn new(most: f64, rate: f64, now: Instant) -> Self {
        Self {
            tokens: most,
            most,
            rate,
            filled: now,
        }
    }

    fn take(&mut self, now: Instant) -> Result<(), Closing> {
        self.fill(now);
        match self.tokens >= 1.0 {
            true => {
                self.tokens -= 1.0;
                Ok(())
            }
            false => Err(Closing::Flood),
        }
    }

    /// Takes one that may not be there yet.
    fn borrow(&mut self, now: Instant) {
        self.fill(now);
        self.tokens -= 1.0;
    }

    /// Returns how long it takes until nothing is borrowed any more.
    fn debt(&mut self, now: Instant) -> Duration {
        self.fill(now);
        Duration::from_secs_f64((-self.tokens / self.rate).max(0.0))
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.tokens = self.most.min(self.tokens + passed * self.rate);
    }
}

impl Session {
    /// Begins with the peer's hello.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            is_open: false,
            frames: Bucket::new(4_000.0, 400.0, now),
            messages: Bucket::new(2_000.0, 200.0, now),
            requests: Bucket::new(400.0, 100.0, now),
        }
    }

    /// Returns the first frame of this end.
    #[must_use]
    pub fn greeting(name: &PeerName) -> Frame {
        Frame::Hello {
            version: PROTOCOL,
            name: name.to_string(),
        }
    }

    /// Returns how long the next frame is to be left unread: requests that come too fast wait, and
    /// so does their peer.
    pub fn pause(&mut self, now: Instant) -> Duration {
        self.requests.debt(now)
    }

    /// Takes a frame of the peer.
    ///
    /// # Errors
    ///
    /// The reason to close the link.
    pub fn receive(&mut self, frame: Frame, now: Instant) -> Result<Received, Closing> {
        match &frame {
            Frame::Announce(_) | Frame::Publish(_) => self.messages.take(now)?,
            Frame::Pull { .. } | Frame::More { .. } | Frame::Fetch { .. } => {
                self.requests.borrow(now);
            }
            _ => self.frames.take(now)?,
        }
        match frame {
            Frame::Close(closing) => Ok(Received::Closed(closing)),
            Frame::Hello { version, name } if !self.is_open => {
                if version != PROTOCOL {
                    return Err(Closing::Version);
                }
                self.is_open = true;
                let name = name.parse().map_err(|_| Closing::Malformed)?;
                Ok(Received::Hello(name))
            }
            _ if !self.is_open => Err(Closing::Unexpected),
            Frame::Hello { .. } => Err(Closing::Unexpected),
            Frame::Ping(number) => Ok(Received::Answer(Frame::Pong(number))),
            Frame::Pong(number) => Ok(Received::Pong(number)),
            frame => Ok(Received::Pass(frame)),
        }
    }
}
