//! A filter around the handlers: one half sees each request, the other half sees its response.
//!
//! ```text
//! requests ──▶ ┌────────────┐ ──▶ passed ─▶ router, handlers, errors ─▶ ┌──────────────┐ ──▶ passed
//!              │ first half │                               responses   │ second half  │
//!              └────────────┘ ──────────────── notes ──────────────────▶└──────────────┘
//! ```
//!
//! A note travels beside its exchange: it tells the second half what the first half knows of the
//! request. So the two halves share no state.

use std::collections::VecDeque;

use kamea::{Inbox, Message, Outbox, Ports};

use crate::web::message::{Failure, Request, Response};
use crate::web::parse::WINDOW;

/// The ports of the first half of a filter around the handlers. It sends a note of each request
/// before it passes the request on. If it answers or fails a request, the second half sees that
/// response too.
#[derive(Debug, Ports)]
pub struct RequestHalfPorts<N: Message> {
    /// The requests, in the order of their arrival.
    pub requests: Inbox<Request>,
    /// The requests that pass.
    pub passed: Outbox<Request>,
    /// What the second half needs to know of each request.
    pub notes: Outbox<Noted<N>>,
    /// The filter's own answers.
    pub responses: Outbox<Response>,
    /// The requests that fail.
    pub failures: Outbox<Failure>,
}

/// The ports of the second half of a filter around the handlers.
#[derive(Debug, Ports)]
pub struct ResponseHalfPorts<N: Message> {
    /// The responses, in any order, those of the error component among them.
    pub responses: Inbox<Response>,
    /// The notes of the requests, in the order of their arrival.
    pub notes: Inbox<Noted<N>>,
    /// The same responses, changed or not.
    pub passed: Outbox<Response>,
}

/// A note of the request with this number.
#[derive(Debug, Clone)]
pub struct Noted<N> {
    /// The number of the exchange in its connection.
    pub number: u64,
    /// The note.
    pub note: N,
}

/// The notes of requests that have no response yet, for the second half.
///
/// # Examples
///
/// ```
/// use kamea::Done;
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::{Noted, Pending, RequestHalfPorts, ResponseHalfPorts};
///
/// /// Notes the origin of each request.
/// async fn note_origins(io: &mut RequestHalfPorts<Vec<u8>>) -> Done {
///     while let Some(request) = io.requests.next().await {
///         let note = request.head.fields.get("origin").unwrap_or_default().to_vec();
///         io.notes.send(Noted { number: request.exchange.number, note }).await?;
///         io.passed.send(request).await?;
///     }
///     Ok(())
/// }
///
/// /// Allows pages of that origin to read the response.
/// async fn allow_origins(io: &mut ResponseHalfPorts<Vec<u8>>) -> Done {
///     let mut pending = Pending::new();
///     while let Some(mut response) = io.responses.next().await {
///         let number = response.exchange.number;
///         if let Some(origin) = pending.take(&mut io.notes, number)
///             && !origin.is_empty()
///         {
///             response.head.fields.push("Access-Control-Allow-Origin", origin)?;
///         }
///         io.passed.send(response).await?;
///     }
///     Ok(())
/// }
///
/// let server = WebServer::new(Site::new(".")).around("origins", note_origins, allow_origins);
/// # server.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pending<N>(VecDeque<Noted<N>>);

/// How many notes can be pending: those of all requests of a connection that have no response.
/// With more, the oldest belong to requests whose handler has failed.
pub(crate) const NOTES: usize = 2 * WINDOW as usize;

impl<N: Message> Pending<N> {
    /// Creates it empty.
    #[must_use]
    pub fn new() -> Self {
        Self(VecDeque::new())
    }

    /// Takes the note of a request; `None` if the request could not be read, or if its component
    /// has failed so that the response does not tell its number.
    pub fn take(&mut self, notes: &mut Inbox<Noted<N>>, number: u64) -> Option<N> {
        while let Some(note) = notes.try_next() {
            self.0.push_back(note);
        }
        while self.0.len() > NOTES {
            self.0.pop_front();
        }
        let index = self.0.iter().position(|note| note.number == number)?;
        self.0.remove(index).map(|noted| noted.note)
    }
}

impl<N: Message> Default for Pending<N> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use kamea::testing::block_on;
    use kamea::{Done, Graph};

    use super::*;

    #[test]
    fn a_note_finds_its_response_in_any_order_and_notes_are_bounded() {
        async fn collect(io: &mut kamea::Sink<Noted<u64>>) -> Done {
            let mut pending = Pending::new();
            let Some(first) = io.inbox.next().await else {
                unreachable!("there are notes")
            };
            assert_eq!((first.number, first.note), (0, 0));
            let all = NOTES as u64 + 9;
            assert_eq!(pending.take(&mut io.inbox, all), Some(10 * all));
            assert_eq!(pending.take(&mut io.inbox, all), None, "it was taken");
            assert_eq!(pending.take(&mut io.inbox, 2), None, "it was too old");
            assert_eq!(pending.take(&mut io.inbox, 20), Some(200));
            assert_eq!(pending.take(&mut io.inbox, u64::MAX), None);
            Ok(())
        }
        let mut graph = Graph::new("notes");
        let collect = graph.add("collect", collect);
        let (sender, receiver) = kamea::link(2 * NOTES);
        graph.feed_from(receiver, collect.inbox);
        for number in 0..NOTES as u64 + 10 {
            let note = 10 * number;
            sender.try_send(Noted { number, note }).unwrap();
        }
        drop(sender);
        block_on(graph.start().unwrap()).unwrap();
    }
}
