//! A peer, as the registry knows it.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Instant, SystemTime};

use crate::tracker::{ChannelName, PeerKey, PeerName, Registration};

/// A peer that has claimed its name.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) key: PeerKey,
    pub(super) fingerprint: String,
    pub(super) network: IpAddr,
    /// None: it is away.
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) links: Vec<PeerName>,
    pub(super) is_listed: bool,
    pub(super) channels: BTreeSet<ChannelName>,
    /// Its last heartbeat, while it is present.
    pub(super) heartbeat: Option<Instant>,
    /// When it was seen last, as it was stored.
    pub(super) seen: SystemTime,
}

impl Peer {
    pub(super) fn of(stored: Registration) -> Self {
        Self {
            fingerprint: stored.key.fingerprint().to_string(),
            key: stored.key,
            network: stored.network,
            addresses: stored.addresses,
            links: Vec::new(),
            is_listed: stored.is_listed,
            channels: stored.channels,
            heartbeat: None,
            seen: stored.seen,
        }
    }

    pub(super) fn registration(&self, name: PeerName) -> Registration {
        Registration {
            name,
            key: self.key,
            network: self.network,
            addresses: self.addresses.clone(),
            is_listed: self.is_listed,
            channels: self.channels.clone(),
            seen: self.seen,
        }
    }
}
