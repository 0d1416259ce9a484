//! The encryption of a link.

use std::cell::RefCell;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use kamea::time::{now, sleep};
use kamea::{Component, Done, End, Inbox, Outbox, Ports};

use super::handshake::{LARGEST_HANDSHAKE, LARGEST_RECORD};
use super::{Handshake, LinkError, Records, Role, Transport};
use crate::{Entropy, Identity, PeerKey};

/// The ports of [`secure_link`].
#[derive(Debug, Ports)]
pub struct SecureLinkPorts {
    /// The bytes of the connection.
    pub received: Inbox<Bytes>,
    /// Bytes for the connection.
    pub sending: Outbox<Bytes>,
    /// Frames to encrypt.
    pub outgoing: Inbox<Bytes>,
    /// Who the peer is, and then its frames.
    pub incoming: Outbox<Secured>,
}

/// What [`secure_link`] has found out.
#[derive(Debug, PartialEq, Eq)]
pub enum Secured {
    /// The peer has proved this key. It comes first.
    Peer(PeerKey),
    /// A frame of the peer.
    Frame(Bytes),
    /// The link has failed. Nothing follows.
    Failed(LinkError),
}

/// How long the handshake may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the last frame may take.
const GOODBYE: Duration = Duration::from_secs(1);

/// Encrypts and authenticates a connection. It ends with the connection, or when no more frames
/// come.
pub fn secure_link(
    role: Role,
    identity: Identity,
    entropy: Entropy,
) -> impl Component<SecureLinkPorts> + Send {
    async move |io: &mut SecureLinkPorts| {
        let mut records = Records::default();
        let shaken = {
            let late = async {
                sleep(PATIENCE).await;
                Ok(None)
            };
            let shake = shake_hands(io, &mut records, (role, &identity, entropy));
            or(shake, late).await?
        };
        match shaken {
            Some(Ok((peer, transport))) => {
                io.incoming.send(Secured::Peer(peer)).await?;
                run(io, records, transport).await
            }
            Some(Err(error)) => Ok(io.incoming.send(Secured::Failed(error)).await?),
            None => Ok(()),
        }
    }
}

type Shaken = Result<(PeerKey, Transport), LinkError>;

/// Returns `None` if the connection has ended.
async fn shake_hands(
    io: &mut SecureLinkPorts,
    records: &mut Records,
    (role, identity, entropy): (Role, &Identity, Entropy),
) -> Result<Option<Shaken>, End> {
    let mut handshake = match Handshake::new(role, identity, entropy) {
        Ok(handshake) => handshake,
        Err(error) => return Ok(Some(Err(error))),
    };
    loop {
        match handshake.send() {
            Ok(Some(message)) => io.sending.send(Records::write(&message)).await?,
            Ok(None) => {}
            Err(error) => return Ok(Some(Err(error))),
        }
        if handshake.is_finished() {
            return Ok(Some(handshake.finish()));
        }
        let received = loop {
            match records.next(LARGEST_HANDSHAKE) {
                Ok(Some(record)) => break handshake.receive(&record),
                Ok(None) => match io.received.next().await {
                    Some(bytes) => records.feed(&bytes),
                    None => return Ok(None),
                },
                Err(error) => break Err(error),
            }
        };
        if let Err(error) = received {
            return Ok(Some(Err(error)));
        }
    }
}

/// Runs both directions. Neither waits for the other.
async fn run(io: &mut SecureLinkPorts, mut records: Records, transport: Transport) -> Done {
    let transport = RefCell::new(transport);
    let SecureLinkPorts {
        received,
        sending,
        outgoing,
        incoming,
    } = io;
    let inward = async {
        // Bytes that still come do not move it.
        let mut end = None;
        loop {
            let record = match records.next(LARGEST_RECORD) {
                Ok(Some(record)) => transport.borrow_mut().open(&record),
                Ok(None) => {
                    let unwanted = async {
                        incoming.closed().await;
                        // The last frame is on its way, if the peer reads.
                        let end = *end.get_or_insert_with(|| now() + GOODBYE);
                        sleep(end.saturating_duration_since(now())).await;
                        None
                    };
                    match or(received.next(), unwanted).await {
                        Some(bytes) => {
                            records.feed(&bytes);
                            continue;
                        }
                        None => return Ok(()),
                    }
                }
                Err(error) => Err(error),
            };
            match record {
                Ok(frame) => incoming.send(Secured::Frame(frame)).await?,
                Err(error) => {
                    incoming.send(Secured::Failed(error)).await?;
                    return Ok(());
                }
            }
        }
    };
    let outward = async {
        while let Some(frame) = outgoing.next().await {
            let sealed = transport.borrow_mut().seal(&frame);
            let record = sealed.map_err(|error| End::fault(error.to_string()))?;
            sending.send(Records::write(&record)).await?;
        }
        Ok(())
    };
    or(outward, inward).await
}
