//! What can go wrong with a session.

use http::StatusCode;
use kamea::AskError;
use kamea_components::web::{Failure, Request};

use crate::{Session, StoreError};

/// What can go wrong with a session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The server has no filter [`load_sessions`](crate::load_sessions).
    #[error("the server has no sessions: put `load_sessions` around its handlers")]
    NoSessions,
    /// The store has ended, or has failed.
    #[error("the store of sessions: {0}")]
    Asked(#[from] AskError),
    /// The store has refused the command.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A value is not of the type that was asked for, or cannot be written as JSON.
    #[error("the value `{name}` of a session: {error}")]
    Value {
        /// The name of the value.
        name: String,
        /// The reason.
        error: serde_json::Error,
    },
    /// The name of a value is empty, longer than 64 bytes, or not made of letters, digits, `_` and
    /// `-`.
    #[error("`{0}` is no name of a value: it has up to 64 letters, digits, _ and -")]
    Name(String),
    /// A session has too many values.
    #[error("a session has at most {limit} values", limit = Session::MOST_VALUES)]
    TooMany,
    /// A value is too long.
    #[error("a value of a session has at most {limit} bytes", limit = Session::LONGEST_VALUE)]
    TooLong,
    /// The head of the response has left, so that the client cannot get the cookie any more.
    #[error("the response has begun: change the session before that")]
    TooLate,
}

impl SessionError {
    /// The status of a response to a request that failed with this error.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Asked(_) | Self::Store(StoreError::Unavailable(_)) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The failure of a request that needs its session. Only the log shows the cause.
    #[must_use]
    pub fn refuse(&self, request: &Request) -> Failure {
        log::error!("{} | {self}", request.exchange.peer);
        request.refuse(
            self.status(),
            "the session is not available; try again in a moment",
        )
    }
}
