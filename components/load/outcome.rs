//! The outcome of one request.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use http::StatusCode;

/// A request that may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// The planned moment. Without a schedule: when there was room for it.
    pub planned: Instant,
    /// How much later the ticket was given, although its connection had room: the client's own
    /// delay.
    pub late: Duration,
}

/// One request, from its ticket to its end.
#[derive(Debug)]
pub struct Outcome {
    /// Its ticket.
    pub ticket: Ticket,
    /// When it was sent, if it was.
    pub sent: Option<Instant>,
    /// When its response was complete, or known to fail.
    pub ended: Instant,
    /// Bytes received for it.
    pub bytes: u64,
    /// The response.
    pub result: Result<Answer, Box<Failed>>,
}

/// A correctly framed response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Its status; messages of a WebSocket have none.
    pub status: Option<StatusCode>,
    /// Length of its body, or of the message, in bytes.
    pub content: u64,
}

/// Why a request has no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The class of the failure.
    pub class: ErrorClass,
    /// The reason, in words.
    pub why: String,
}

impl Failed {
    /// The system's description of an error.
    pub(crate) fn by(class: ErrorClass, error: &io::Error) -> Self {
        Self {
            class,
            why: error.to_string(),
        }
    }
}

/// Classes of failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// The connection was refused, unreachable, or late, or its handshake failed.
    Connect,
    /// The connection was lost or closed before the response came.
    Read,
    /// The request could not be sent.
    Write,
    /// The response was not complete in time.
    TimeOut,
    /// The data is not a response, or not a complete one.
    Protocol,
}

impl ErrorClass {
    /// All classes.
    pub const ALL: [Self; 5] = [
        Self::Connect,
        Self::Read,
        Self::Write,
        Self::TimeOut,
        Self::Protocol,
    ];

    /// Its name in reports.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::load::ErrorClass;
    ///
    /// let names = ErrorClass::ALL.map(ErrorClass::name);
    /// assert_eq!(names, ["connect", "read", "write", "time_out", "protocol"]);
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Read => "read",
            Self::Write => "write",
            Self::TimeOut => "time_out",
            Self::Protocol => "protocol",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Planned requests that a connection did not send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Requests that were due while the connection still waited for responses.
    pub held_up: u64,
    /// Requests that were due while the connection had room: the client was too slow.
    pub missed: u64,
}

/// The measured part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Requests planned before this moment are not counted: they warm the server up.
    pub from: Instant,
    /// When the last request may be due, if that is known.
    pub until: Option<Instant>,
}

/// Messages for the tally.
#[derive(Debug)]
pub enum Note {
    /// The measured time: comes before anything else.
    Span(Span),
    /// A request has ended.
    Outcome(Outcome),
    /// Requests will not be sent.
    Shortfall(Shortfall),
}

impl From<Outcome> for Note {
    fn from(outcome: Outcome) -> Self {
        Self::Outcome(outcome)
    }
}

impl From<Shortfall> for Note {
    fn from(shortfall: Shortfall) -> Self {
        Self::Shortfall(shortfall)
    }
}

impl From<Span> for Note {
    fn from(span: Span) -> Self {
        Self::Span(span)
    }
}
