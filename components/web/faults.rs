//! Answers a request whose component failed.

use http::StatusCode;
use kamea::{Component, Done, Fault, Inbox, Outbox, Ports, at_first_message};
use std::net::SocketAddr;

use super::message::{Exchange, Failure};

/// The ports of [`answer_faults`].
#[derive(Debug, Ports)]
pub struct FaultPorts {
    /// The faults of the connection's graph.
    pub faults: Inbox<Fault>,
    /// The failure of the request that is next in turn: the last of its connection.
    pub failures: Outbox<Failure>,
}

/// Turns the fault of a component into a failure of the request whose response is next.
pub fn answer_faults(peer: SocketAddr) -> impl Component<FaultPorts> {
    at_first_message(async move |io: &mut FaultPorts| -> Done {
        while io.faults.next().await.is_some() {
            let exchange = Exchange::new(Exchange::DUE, peer).closing();
            let explanation = "a component of the server has failed";
            let failure = Failure::new(exchange, StatusCode::INTERNAL_SERVER_ERROR, explanation);
            io.failures.send(failure).await?;
        }
        Ok(())
    })
}
