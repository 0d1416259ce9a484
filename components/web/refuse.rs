//! The refuser: replaces the parser for a connection above the limit.
//!
//! ```text
//! written ──▶ ┌─────────────────┐ ──▶ failures    503, for any request
//!             │ refuse_requests │
//!             └─────────────────┘ ──▶ notices     to the encoder: last request
//! ```

use std::net::SocketAddr;

use http::StatusCode;
use kamea::{Component, Inbox, Outbox, Ports};

use super::message::{Exchange, Failure};
use super::parse::{Notice, Written};
use crate::net::Finish;

/// The ports of [`refuse_requests`].
#[derive(Debug, Ports)]
pub struct RefusePorts {
    /// The report that the response has been written.
    pub written: Inbox<Written>,
    /// The refusal (RFC 9110 section 15.6.4).
    pub failures: Outbox<Failure>,
    /// The notice that the connection ends after it.
    pub notices: Outbox<Notice>,
}

/// Refuses any request of a peer, before it arrives.
pub fn refuse_requests(peer: SocketAddr) -> impl Component<RefusePorts> {
    async move |io: &mut RefusePorts| {
        let exchange = Exchange::new(0, peer).closing();
        let explanation = "there are too many connections; try again in a moment";
        let failure = Failure::new(exchange, StatusCode::SERVICE_UNAVAILABLE, explanation);
        io.failures.send(failure.with("Retry-After", "1")).await?;
        let ends = Notice::EndsBefore {
            number: 1,
            finish: Finish::Linger,
        };
        io.notices.send(ends).await?;
        io.written.next().await;
        Ok(())
    }
}
