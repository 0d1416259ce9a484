//! The tap of the access log: notes each request and passes it on.

use std::time::SystemTime;

use kamea::time::wall_clock;
use kamea::{Component, Inbox, Outbox, Ports};

use super::message::Request;
use crate::http::RequestHead;

/// The ports of [`note_requests`].
#[derive(Debug, Ports)]
pub struct NotePorts {
    /// The requests.
    pub requests: Inbox<Request>,
    /// The same requests.
    pub passed: Outbox<Request>,
    /// A note of each request, before the request is passed on.
    pub notes: Outbox<Note>,
}

/// What is noted about a request until its response has been written.
#[derive(Debug, Clone)]
pub struct Note {
    /// The number of its exchange.
    pub number: u64,
    /// When the request arrived.
    pub at: SystemTime,
    /// The request head. A clone shares the bytes.
    pub head: Box<RequestHead>,
}

/// Notes each request and passes it on.
pub fn note_requests() -> impl Component<NotePorts> + Clone + Send + Sync {
    async |io: &mut NotePorts| {
        while let Some(request) = io.requests.next().await {
            let note = Note {
                number: request.exchange.number,
                at: wall_clock(),
                head: request.head.clone(),
            };
            io.notes.send(note).await?;
            io.passed.send(request).await?;
        }
        Ok(())
    }
}
