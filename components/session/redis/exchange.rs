//! The commands that are under way, without I/O.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kamea::Reply;
use kamea_session::{Outcome, StoreError};
use redis_protocol::resp2::decode::decode_bytes_mut;
use redis_protocol::resp2::types::BytesFrame;

use crate::answers::answer;
use crate::scripts::Meaning;

/// The largest answer, in bytes: a session with all its values at their limits is smaller.
const LARGEST: usize = 16 << 20;

/// A command that waits for its answer.
pub(crate) struct Pending {
    pub(crate) meaning: Meaning,
    pub(crate) reply: Reply<Outcome>,
    /// Whether an answer to the password comes first.
    pub(crate) is_authenticating: bool,
    pub(crate) since: Instant,
}

/// The commands that are under way, in order.
#[derive(Default)]
pub(crate) struct Exchange {
    /// Commands that have no connection yet.
    waiting: VecDeque<Pending>,
    /// Commands on the present connection.
    sent: VecDeque<Pending>,
    received: BytesMut,
    /// The number of the connection.
    pub(crate) connection: u64,
}

impl Exchange {
    pub(crate) fn len(&self) -> usize {
        self.waiting.len() + self.sent.len()
    }

    pub(crate) fn push(&mut self, pending: Pending) {
        self.waiting.push_back(pending);
    }

    /// The moment at which the oldest command has waited too long.
    pub(crate) fn deadline(&self, patience: Duration) -> Option<Instant> {
        // Before there is a connection, `dial` has its own limit.
        self.sent.front().map(|pending| pending.since + patience)
    }

    /// The next commands are being sent.
    pub(crate) fn sending(&mut self, connection: u64, count: usize, now: Instant) {
        if connection != self.connection {
            self.connection = connection;
            self.fail_sent("the connection to Redis has ended");
        }
        for mut pending in self.waiting.drain(..count.min(self.waiting.len())) {
            pending.since = now;
            self.sent.push_back(pending);
        }
    }

    /// Bytes have arrived.
    ///
    /// # Errors
    ///
    /// Why the connection must end.
    pub(crate) fn received(&mut self, connection: u64, bytes: &Bytes) -> Result<(), String> {
        if connection != self.connection {
            return Ok(());
        }
        self.received.extend_from_slice(bytes);
        if self.received.len() > LARGEST {
            return Err("the answer of Redis is too long".to_owned());
        }
        loop {
            let decoded =
                decode_bytes_mut(&mut self.received).map_err(|error| error.to_string())?;
            let Some((frame, ..)) = decoded else {
                return Ok(());
            };
            self.answered(frame)?;
        }
    }

    fn answered(&mut self, frame: BytesFrame) -> Result<(), String> {
        let Some(first) = self.sent.front_mut() else {
            return Err("Redis answers what was not asked".to_owned());
        };
        if std::mem::take(&mut first.is_authenticating) {
            return match frame {
                BytesFrame::Error(error) => Err(format!("Redis refuses the password: {error}")),
                _ => Ok(()),
            };
        }
        if let Some(pending) = self.sent.pop_front() {
            pending
                .reply
                .send(answer(frame, pending.meaning).map(Into::into));
        }
        Ok(())
    }

    /// The connection has ended, or is given up.
    pub(crate) fn fail_sent(&mut self, why: &str) {
        self.received.clear();
        fail(self.sent.drain(..), why);
    }

    /// No connection could be opened for the next commands.
    pub(crate) fn fail_waiting(&mut self, count: usize, why: &str) {
        fail(self.waiting.drain(..count.min(self.waiting.len())), why);
    }
}

fn fail(all: impl Iterator<Item = Pending>, why: &str) {
    for pending in all {
        pending
            .reply
            .send(Err(StoreError::Unavailable(why.to_owned())));
    }
}
