//! The handshake of a server, before the components of a connection are made: which these are
//! depends on what both ends agree on.
//!
//! ```text
//! records ──▶ accept_tls ──▶ answers
//! ```

use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use kamea::time::sleep;
use kamea::{Component, Inbox, Outbox, Ports};

use super::pace::place_to_compute;
use super::{SharedSession, TlsError};
use crate::net::Output;

/// The ports of [`accept_tls`].
#[derive(Debug, Ports)]
pub struct HandshakePorts {
    /// The bytes of the socket.
    pub records: Inbox<Bytes>,
    /// What to send: handshake messages; an alert if the handshake fails.
    pub answers: Outbox<Output>,
    /// The writer's reports; nobody counts the bytes of a handshake.
    pub sent: Inbox<u64>,
}

/// Makes the handshake of `session`, and ends. Afterwards the session has the
/// [`Facts`](super::Facts) and all bytes that have arrived, or a
/// [`failure`](super::Session::failure). If the peer broke a rule, the alert has been sent.
pub fn accept_tls(session: SharedSession, within: Duration) -> impl Component<HandshakePorts> {
    async move |io: &mut HandshakePorts| {
        let late = async {
            sleep(within).await;
            Err(TlsError::Late(within))
        };
        let mut made = or(make(io, &session), late).await;
        // What the reader has already passed on belongs to the next component.
        while made.is_ok()
            && let Some(records) = io.records.try_next()
        {
            made = session.lock().receive(&records);
        }
        if let Err(failure) = made {
            session.lock().fail(failure);
        }
        Ok(())
    }
}

async fn make(io: &mut HandshakePorts, session: &SharedSession) -> Result<(), TlsError> {
    loop {
        let Some(records) = io.records.next().await else {
            return Err(TlsError::Left);
        };
        let place = place_to_compute().await;
        let (received, answer, is_made) = {
            let mut session = session.lock();
            let received = session.receive(&records);
            (received, session.take_outgoing(), !session.is_handshaking())
        };
        drop(place);
        if !answer.is_empty() {
            // A peer that has gone is noticed by the reader.
            let _ = io.answers.send(Output::Bytes(answer)).await;
        }
        received?;
        if is_made {
            return Ok(());
        }
    }
}
