//! The requests of one connection: all permitted requests as one piece.
//!
//! ```text
//!             ┌────────────────┐ ──▶ requests    to the connection: bytes
//! tickets ──▶ │ write_requests │
//!             └────────────────┘ ──▶ awaited     to what takes the responses: for what they are
//! ```

use http::Method;
use kamea::{Component, Inbox, Outbox, Ports};

use super::Ticket;
use super::targets::{GATHERED, Targets};
use crate::net::Outgoing;

/// The ports of [`write_requests`].
#[derive(Debug, Ports)]
pub struct WriteRequestPorts {
    /// Each permits one request.
    pub tickets: Inbox<Ticket>,
    /// The requests, several in one piece.
    pub requests: Outbox<Outgoing>,
    /// Each request whose response is expected, in their order, before its bytes.
    pub awaited: Outbox<Awaited>,
}

/// A request whose response is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaited {
    /// Its ticket.
    pub ticket: Ticket,
    /// Its method, which decides about the framing of the response.
    pub method: Method,
}

/// Writes a request for each ticket, for one of the targets. Requests whose tickets are there go
/// out as one piece.
///
/// # Examples
///
/// ```
/// use http::{Method, Version};
/// use kamea::Graph;
/// use kamea_components::http::{Fields, RequestHead};
/// use kamea_components::load::{Target, Targets, Ticket, write_requests};
///
/// let head = RequestHead {
///     target: kamea_components::http::Target::parse(&Method::GET, "/".into())?,
///     method: Method::GET,
///     version: Version::HTTP_11,
///     fields: Fields::new().with("Host", "a"),
/// };
/// let mut graph = Graph::new("writer alone");
/// let writer = graph.add("writer", write_requests(Targets::new([Target::new(&head, b"", 1)])));
/// let (tickets, mut requests) = (graph.feed(writer.tickets), graph.take(writer.requests));
/// let _awaited = graph.take(writer.awaited);
/// for ticket in [Ticket { planned: kamea::time::now(), late: Default::default() }; 2] {
///     tickets.try_send(ticket).unwrap();
/// }
/// drop(tickets);
/// kamea::testing::block_on(graph.start()?)?;
/// let piece = requests.try_next().unwrap();
/// assert_eq!(piece.bytes, "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
/// assert_eq!(piece.requests, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_requests(targets: Targets) -> impl Component<WriteRequestPorts> + Clone + Send + Sync {
    async move |io: &mut WriteRequestPorts| {
        let (mut drawn, mut length) = (Vec::new(), 0);
        while let Some(ticket) = io.tickets.next().await {
            let mut next = Some(ticket);
            while let Some(ticket) = next {
                let target = targets.draw();
                let method = target.method().clone();
                io.awaited.send(Awaited { ticket, method }).await?;
                drawn.push(target);
                length += target.bytes().len();
                next = match length < GATHERED {
                    true => io.tickets.try_next(),
                    false => None,
                };
            }
            let piece = Outgoing {
                bytes: targets.piece(&drawn),
                requests: drawn.len(),
            };
            drawn.clear();
            length = 0;
            io.requests.send(piece).await?;
        }
        Ok(())
    }
}
