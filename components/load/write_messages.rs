//! The messages of one WebSocket under load: all permitted messages as one piece.
//!
//! ```text
//!             ┌────────────────┐ ──▶ requests    to the connection: bytes
//! tickets ──▶ │ write_messages │
//!             └────────────────┘ ──▶ awaited     to what takes the answers
//! ```

use bytes::BytesMut;
use http::Method;
use kamea::Component;

use super::targets::GATHERED;
use super::{Awaited, WriteRequestPorts};
use crate::net::Outgoing;
use crate::websocket::{Close, CloseCode, Deflate, DeflateOptions, Encoder, Message, Role};

/// Writes the message for each ticket, each under a new mask. Messages whose tickets are there go
/// out as one piece. Behind the last one it closes the WebSocket.
///
/// With `deflate`, messages are compressed, and refer to no earlier ones: so they fit any
/// connection.
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_components::load::{Ticket, write_messages};
/// use kamea_components::websocket::Message;
///
/// let mut graph = Graph::new("writer alone");
/// let writer = graph.add("writer", write_messages(Message::text("hello"), false));
/// let (tickets, mut requests) = (graph.feed(writer.tickets), graph.take(writer.requests));
/// let _awaited = graph.take(writer.awaited);
/// for ticket in [Ticket { planned: kamea::time::now(), late: Default::default() }; 2] {
///     tickets.try_send(ticket).unwrap();
/// }
/// drop(tickets);
/// kamea::testing::block_on(graph.start()?)?;
/// let piece = requests.try_next().unwrap();
/// // Two frames, with a head of 2 bytes and a mask of 4 each.
/// assert_eq!((piece.requests, piece.bytes.len()), (2, 2 * (2 + 4 + 5)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn write_messages(
    message: Message,
    deflate: bool,
) -> impl Component<WriteRequestPorts> + Clone + Send + Sync {
    async move |io: &mut WriteRequestPorts| {
        let agreed = deflate.then(|| (INDEPENDENT, DeflateOptions::default()));
        let mut encoder = Encoder::new(Role::Client, agreed);
        while let Some(ticket) = io.tickets.next().await {
            let (mut bytes, mut requests) = (BytesMut::new(), 0);
            let mut next = Some(ticket);
            while let Some(ticket) = next {
                let method = Method::GET;
                io.awaited.send(Awaited { ticket, method }).await?;
                if let Some(rest) = encoder.message(&message, &mut bytes) {
                    bytes.extend_from_slice(&rest);
                }
                requests += 1;
                next = match bytes.len() < GATHERED {
                    true => io.tickets.try_next(),
                    false => None,
                };
            }
            let bytes = bytes.freeze();
            io.requests.send(Outgoing { bytes, requests }).await?;
        }
        let mut bytes = BytesMut::new();
        encoder.close(&Close::new(CloseCode::NORMAL, ""), &mut bytes);
        let (bytes, requests) = (bytes.freeze(), 0);
        Ok(io.requests.send(Outgoing { bytes, requests }).await?)
    }
}

/// Messages of the client that refer to no earlier ones.
const INDEPENDENT: Deflate = Deflate {
    server_no_context_takeover: false,
    client_no_context_takeover: true,
    server_max_window_bits: 15,
    client_max_window_bits: 15,
};
