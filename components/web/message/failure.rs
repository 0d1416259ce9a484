//! Failed requests.

use std::borrow::Cow;

use http::StatusCode;

use super::{Exchange, Response};
use crate::http::Fields;
use crate::web::Incomplete;

/// A failed request, on its way to the error component, which makes the response.
///
/// A [`Handler`](crate::gateway::Handler) can return it as its error.
#[derive(Debug, thiserror::Error)]
#[error("{status}: {explanation}")]
pub struct Failure {
    /// The request that failed.
    pub exchange: Exchange,
    /// The status for the peer.
    pub status: StatusCode,
    /// What was wrong, in words that the peer may read.
    pub explanation: Cow<'static, str>,
    /// Header fields that the response must have, such as `Allow`.
    pub fields: Fields,
    /// Further members of the object, for a peer that prefers JSON (RFC 9457 section 3.2).
    pub members: Option<Box<serde_json::Map<String, serde_json::Value>>>,
}

impl Failure {
    /// The failure of a request.
    pub fn new(
        exchange: Exchange,
        status: StatusCode,
        explanation: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            exchange,
            status,
            explanation: explanation.into(),
            fields: Fields::new(),
            members: None,
        }
    }

    /// The failure of a request whose body is incomplete: the last of its connection.
    pub fn incomplete(exchange: Exchange, cut: Incomplete) -> Self {
        Self::new(exchange.closing(), cut.status, cut.explanation)
    }

    /// Adds a field for the response. It must be a constant of the program.
    ///
    /// # Panics
    ///
    /// If the field is invalid.
    #[must_use]
    #[track_caller]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.fields = self.fields.with(name, value);
        self
    }

    /// The response to this failure: the given one, with the failure's status and fields.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::StatusCode;
    /// use kamea_components::web::{Exchange, Failure};
    ///
    /// let exchange = Exchange::new(0, "192.0.2.1:1234".parse()?);
    /// let failure = Failure::new(exchange, StatusCode::NOT_FOUND, "nobody is here");
    /// let response = failure.respond("try next door\n");
    /// assert_eq!(response.head.status, StatusCode::NOT_FOUND);
    /// # Ok::<(), std::net::AddrParseError>(())
    /// ```
    pub fn respond(self, response: impl Into<Response<()>>) -> Response {
        let response = response.into().with_status(self.status);
        response.with_fields(self.fields).to(self.exchange)
    }
}
