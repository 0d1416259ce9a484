//! What became of one request.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use http::StatusCode;

/// A request that may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// When it was to be sent. Without a schedule: when there was a place for it.
    pub planned: Instant,
    /// How much later than that it was given, though its connection had a place for it: the client's own lateness.
    pub late: Duration,
}

/// One request, from its ticket to its end.
#[derive(Debug)]
pub struct Outcome {
    /// Its ticket.
    pub ticket: Ticket,
    /// When it was sent, if it was.
    pub sent: Option<Instant>,
    /// When its response was complete, or it was known that there will be none.
    pub ended: Instant,
    /// How many bytes came in for it.
    pub bytes: u64,
    /// The response.
    pub result: Result<Answer, Box<Failed>>,
}

/// A response that was framed as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// How many bytes of content it had.
    pub content: u64,
}

/// Why a request has no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// At what.
    pub class: ErrorClass,
    /// What was wrong, for people.
    pub why: String,
}

impl Failed {
    /// What the system says went wrong.
    pub(crate) fn by(class: ErrorClass, error: &io::Error) -> Self {
        Self {
            class,
            why: error.to_string(),
        }
    }
}

/// At what a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorClass {
    /// The connection did not come to be: refused, unreachable, or not there in time.
    Connect,
    /// The connection was lost, or closed, before its response came.
    Read,
    /// The request could not be sent.
    Write,
    /// The response was not complete in time.
    TimeOut,
    /// What came is no response, or not the whole of one.
    Protocol,
}

impl ErrorClass {
    /// All of them.
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

/// What a connection did not send of its plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Requests that were due while the connection still waited for responses.
    pub held_up: u64,
    /// Requests that were due while the connection had a place for them: the client was too slow.
    pub missed: u64,
}

/// What of a run is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Requests that were planned before are not counted: they warm the server up.
    pub from: Instant,
    /// When the last request may be due, if that is known.
    pub until: Option<Instant>,
}

/// What the tally is told.
#[derive(Debug)]
pub enum Note {
    /// What is measured: before anything else.
    Span(Span),
    /// A request has come to its end.
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
