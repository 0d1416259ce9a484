//! Decrypts what a socket receives.
//!
//! ```text
//! records ──▶ decrypt ──▶ bytes
//!                └──────▶ answers    to the encrypting component
//! ```

use bytes::Bytes;
use kamea::{Closed, Component, Done, Inbox, Outbox, Ports};

use super::pace::place_to_compute;
use super::{SharedSession, TlsError};

/// The ports of [`decrypt`].
#[derive(Debug, Ports)]
pub struct DecryptPorts {
    /// The bytes of the socket, cut anywhere.
    pub records: Inbox<Bytes>,
    /// The plaintext.
    pub bytes: Outbox<Bytes>,
    /// What the protocol itself must send at once: handshake messages, alerts. A key update is
    /// answered by the next plaintext that is encrypted (RFC 8446 section 4.6.3). One is sent when
    /// the handshake is complete, even if it is empty.
    pub answers: Outbox<Bytes>,
}

/// Decrypts records, and makes the handshake if that has not been made. It ends with the peer's
/// `close_notify`.
///
/// # Faults
///
/// [`TlsError`] if the peer breaks a rule; its alert has been sent then. [`TlsError::Truncated`] if
/// the connection ends without `close_notify` (RFC 8446 section 6.1).
pub fn decrypt(session: SharedSession) -> impl Component<DecryptPorts> + Send {
    async move |io: &mut DecryptPorts| {
        loop {
            let (plaintext, has_closed) = {
                let mut session = session.lock();
                (session.take_plaintext(), session.has_peer_closed())
            };
            if !plaintext.is_empty()
                && let Err(Closed(plaintext)) = io.bytes.send(plaintext).await
            {
                session.lock().put_back(&plaintext);
                return keep_rest(io, &session);
            }
            if has_closed {
                return Ok(());
            }
            let Ok(records) = io.bytes.while_open(io.records.next()).await else {
                return keep_rest(io, &session);
            };
            // The other half goes on: the peer may still read.
            let Some(records) = records else {
                return Err(TlsError::Truncated.into());
            };
            let is_handshaking = session.lock().is_handshaking();
            let place = match is_handshaking {
                true => place_to_compute().await,
                false => None,
            };
            let (received, answer, is_made) = {
                let mut session = session.lock();
                let received = session.receive(&records);
                let is_made = is_handshaking && !session.is_handshaking();
                (received, session.take_outgoing(), is_made)
            };
            drop(place);
            // With TLS 1.2 the peer may have the last word. An empty answer tells that the handshake is
            // complete.
            if !answer.is_empty() || is_made {
                io.answers.send(answer).await?;
            }
            received?;
        }
    }
}

/// Nobody takes the plaintext any more. What the reader has already passed on is for the next graph
/// of the connection.
fn keep_rest(io: &mut DecryptPorts, session: &SharedSession) -> Done {
    while let Some(records) = io.records.try_next() {
        session.lock().receive(&records)?;
    }
    Ok(())
}
