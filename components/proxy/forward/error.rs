//! Why an attempt at a backend failed, and what follows from that.

use std::io;
use std::time::Duration;

use http::{Method, StatusCode};
use kamea_components::http::MalformedResponse;
use kamea_components::web::Incomplete;

use crate::backends::{AskError, ConnectError, ResponseError};
use crate::fields::FieldsError;
use crate::plan::{Errors, Retries};
use crate::scripts::ScriptError;

/// Why an attempt at a backend failed before its response began.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttemptError {
    /// No connection could be opened: nothing was sent.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The connection ended before a byte of the response.
    #[error("the connection ended before the response: {0}")]
    Lost(io::Error),
    /// The response is no valid HTTP, or its head ended in the middle.
    #[error("the response is invalid: {0}")]
    Malformed(#[from] MalformedResponse),
    /// The backend took nothing of the request for too long.
    #[error("nothing of the request was read for {} s", .0.as_secs_f64())]
    Send(Duration),
    /// The backend did not begin its response in time.
    #[error("no response within {} s", .0.as_secs_f64())]
    FirstByte(Duration),
    /// The whole request took too long.
    #[error("the request took more than {} s", .0.as_secs_f64())]
    Whole(Duration),
    /// The body has a transfer coding that would be lost on the way (RFC 9112 section 6.1).
    #[error("the transfer coding of the response is not chunked alone")]
    Coding,
    /// The backend switched to a protocol that nobody asked for.
    #[error("the backend switched protocols, which the request did not ask for")]
    Switched,
    /// A script, or its backend, did not answer as it should.
    #[error("the response is invalid: {0}")]
    Script(ScriptError),
    /// The request cannot be forwarded, to any backend.
    #[error(transparent)]
    Fields(#[from] FieldsError),
    /// The server that is asked about requests answered with neither 2xx nor 401 nor 403.
    #[error("the question about the request got {0}")]
    Authorization(StatusCode),
    /// The answer of that server is too long.
    #[error("the answer to the question about the request is too long")]
    TooLong,
    /// The path of that server is not a path.
    #[error("the path of the server to ask is no path")]
    Target,
    /// The body from the client is invalid or incomplete: no fault of the backend.
    #[error(transparent)]
    Client(#[from] Incomplete),
}

impl From<ResponseError> for AttemptError {
    fn from(error: ResponseError) -> Self {
        match error {
            ResponseError::Http(error) => Self::Malformed(error),
            ResponseError::Script(error) => Self::Script(error),
        }
    }
}

impl From<AskError> for AttemptError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Lost(error) => Self::Lost(error),
            AskError::Invalid(error) => error.into(),
            AskError::TooLong => Self::TooLong,
        }
    }
}

impl AttemptError {
    /// The status for the client.
    #[must_use]
    pub fn status(&self, errors: Errors) -> StatusCode {
        match (self, errors) {
            (Self::Client(incomplete), _) => incomplete.status,
            (Self::Fields(error), _) => error.status(),
            // "unreachable" in the words of the assignment.
            (Self::Connect(_), Errors::Assignment) => StatusCode::NOT_FOUND,
            (Self::Connect(ConnectError::Timeout(_)), _)
            | (Self::Send(_) | Self::FirstByte(_) | Self::Whole(_), _) => {
                StatusCode::GATEWAY_TIMEOUT
            }
            _ => StatusCode::BAD_GATEWAY,
        }
    }

    /// The name of the error in `Proxy-Status` (RFC 9209 section 2.3).
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connect(ConnectError::Name { .. }) => "dns_error",
            Self::Connect(ConnectError::Timeout(_)) => "connection_timeout",
            Self::Connect(ConnectError::Connect(_)) => "connection_refused",
            Self::Lost(_) => "connection_terminated",
            Self::Malformed(_) | Self::Script(_) => "http_response_incomplete",
            Self::Coding => "http_response_transfer_coding",
            Self::Send(_) => "connection_write_timeout",
            Self::FirstByte(_) | Self::Whole(_) => "http_response_timeout",
            Self::Switched => "http_upgrade_failed",
            Self::Authorization(_) | Self::TooLong | Self::Target => "http_protocol_error",
            Self::Fields(FieldsError::Loop) => "proxy_loop_detected",
            Self::Fields(_) | Self::Client(_) => "http_request_error",
        }
    }

    /// Whether the request may be sent again, to another backend: never if a backend may have acted
    /// on it and acting twice differs from acting once (RFC 9110 section 9.2.2).
    #[must_use]
    pub fn may_retry(&self, method: &Method, retries: &Retries) -> bool {
        match self {
            Self::Connect(_) => true,
            Self::Lost(_) => method.is_idempotent() || retries.non_idempotent,
            _ => false,
        }
    }

    /// Whether the backend is at fault.
    pub(crate) const fn is_of_backend(&self) -> bool {
        !matches!(self, Self::Client(_) | Self::Fields(_) | Self::Whole(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors() -> [AttemptError; 6] {
        let refused = || io::Error::from(io::ErrorKind::ConnectionRefused);
        let second = Duration::from_secs(1);
        [
            AttemptError::Connect(refused().into()),
            AttemptError::Connect(ConnectError::Timeout(second)),
            AttemptError::Lost(refused()),
            AttemptError::Malformed(MalformedResponse::IncompleteHead),
            AttemptError::FirstByte(second),
            AttemptError::Switched,
        ]
    }

    #[test]
    fn only_what_no_backend_may_have_acted_on_is_repeated() {
        let (careful, mut bold) = (Retries::default(), Retries::default());
        bold.non_idempotent = true;
        let methods = [Method::GET, Method::HEAD, Method::PUT, Method::DELETE];
        for method in methods {
            let may = errors().map(|error| error.may_retry(&method, &careful));
            assert_eq!(may, [true, true, true, false, false, false], "{method}");
        }
        for method in [Method::POST, Method::PATCH] {
            let may = errors().map(|error| error.may_retry(&method, &careful));
            assert_eq!(may, [true, true, false, false, false, false], "{method}");
            assert!(errors()[2].may_retry(&method, &bold), "{method}");
        }
    }

    #[test]
    fn each_error_has_its_status() {
        let of = |errors_of| errors().map(|error| error.status(errors_of).as_u16());
        assert_eq!(of(Errors::Standard), [502, 504, 502, 502, 504, 502]);
        assert_eq!(of(Errors::Assignment), [404, 404, 502, 502, 504, 502]);
    }
}
