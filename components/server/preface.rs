//! What comes on a connection before its protocol: a header of a load balancer, for example, that
//! says whose connection it is.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_lite::future::or;
use kamea::time::sleep;

use crate::net::Socket;

/// What the first bytes of a connection say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preface {
    /// More bytes are needed.
    Partial,
    /// The preface has this many bytes.
    Whole {
        /// How many bytes.
        length: usize,
        /// The peer that counts from now on; `None` for that of the connection.
        peer: Option<SocketAddr>,
    },
    /// The connection is closed.
    Invalid,
}

type Read = dyn Fn(SocketAddr, &[u8]) -> Preface + Send + Sync;

/// Reads a preface: it gets the address of the peer, and the bytes that have arrived.
#[derive(Clone)]
pub(super) struct ReadPreface(Arc<Read>);

/// The limit for a preface, in bytes.
const LONGEST: usize = 16 * 1024;

impl ReadPreface {
    pub(super) fn new(read: impl Fn(SocketAddr, &[u8]) -> Preface + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Reads the preface of a connection. Returns the bytes behind it; `None` if the connection
    /// must end.
    pub(super) async fn read(&self, socket: &Socket, within: Duration) -> Option<Bytes> {
        let late = async {
            sleep(within).await;
            None
        };
        or(self.receive(socket), late).await
    }

    async fn receive(&self, socket: &Socket) -> Option<Bytes> {
        let mut bytes = BytesMut::new();
        loop {
            match (self.0)(socket.peer(), &bytes) {
                Preface::Whole { length, peer } => {
                    if let Some(peer) = peer {
                        socket.speak_for(peer);
                    }
                    return Some(bytes.split_off(length.min(bytes.len())).freeze());
                }
                Preface::Partial if bytes.len() < LONGEST => {}
                Preface::Partial | Preface::Invalid => {
                    log::warn!("{} | the connection begins wrongly", socket.peer());
                    return None;
                }
            }
            let more = socket
                .receive()
                .await
                .ok()
                .filter(|more| !more.is_empty())?;
            bytes.extend_from_slice(&more);
        }
    }
}

impl fmt::Debug for ReadPreface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadPreface")
    }
}
