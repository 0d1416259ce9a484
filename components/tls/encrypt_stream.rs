//! Encrypts a stream of bytes.
//!
//! ```text
//! bytes ────▶ encrypt_stream ──▶ records
//! answers ───────▲
//! ```

use std::future::pending;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use kamea::time::{Timer, turn};
use kamea::{Component, Done, Inbox, Outbox, Ports};

use super::records::{BATCH, append_records, close_notify};
use super::{SharedSession, TlsError};

/// The ports of [`encrypt_stream`].
#[derive(Debug, Ports)]
pub struct EncryptStreamPorts {
    /// The plaintext.
    pub bytes: Inbox<Bytes>,
    /// What the protocol itself must send.
    pub answers: Inbox<Bytes>,
    /// The bytes for the socket.
    pub records: Outbox<Bytes>,
}

enum News {
    Answer(Option<Bytes>),
    Bytes(Option<Bytes>),
    /// The handshake takes too long.
    Late,
}

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Encrypts a stream of bytes; [`encrypt`](super::encrypt) does so for the pieces of a web server.
/// Nothing is taken before the handshake is complete, which may take ten seconds. A `close_notify`
/// follows the last byte. It ends too when nobody takes the records any more.
///
/// # Faults
///
/// [`TlsError`](super::TlsError) if the connection has failed.
pub fn encrypt_stream(session: SharedSession) -> impl Component<EncryptStreamPorts> + Send {
    async move |io: &mut EncryptStreamPorts| {
        let hello = session.lock().take_outgoing();
        if !hello.is_empty() {
            io.records.send(hello).await?;
        }
        let (mut is_heard, mut timer) = (true, Timer::new());
        timer.set(turn() + HANDSHAKE);
        loop {
            let is_handshaking = session.lock().is_handshaking();
            let answer = async {
                match is_heard {
                    true => News::Answer(io.answers.next().await),
                    false => pending().await,
                }
            };
            let bytes = async {
                match is_handshaking {
                    true => pending().await,
                    false => News::Bytes(io.bytes.next().await),
                }
            };
            let late = async {
                match is_handshaking {
                    true => timer.expired().await,
                    false => pending().await,
                }
                News::Late
            };
            let news = or(or(answer, bytes), late);
            let Ok(news) = io.records.while_open(news).await else {
                return Ok(());
            };
            match news {
                News::Late => {
                    let failure = TlsError::Late(HANDSHAKE);
                    session.lock().fail(failure.clone());
                    return Err(failure.into());
                }
                News::Answer(Some(answer)) if answer.is_empty() => {}
                News::Answer(Some(answer)) => io.records.send(answer).await?,
                News::Answer(None) if is_handshaking => return Ok(()),
                News::Answer(None) => is_heard = false,
                News::Bytes(Some(bytes)) => send(io, &session, &bytes).await?,
                News::Bytes(None) => break,
            }
        }
        let records = close_notify(&mut session.lock());
        if let Some(records) = records {
            io.records.send(records).await?;
        }
        Ok(())
    }
}

async fn send(io: &EncryptStreamPorts, session: &SharedSession, bytes: &Bytes) -> Done {
    for batch in bytes.chunks(BATCH) {
        let mut records = Vec::new();
        append_records(&mut session.lock(), batch, &mut records)?;
        io.records.send(records.into()).await?;
    }
    Ok(())
}
