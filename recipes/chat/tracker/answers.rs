//! The answers of the registry, as the JSON that peers get.

use std::net::SocketAddr;

use bytes::Bytes;
use serde::Serialize;

use super::{ChannelName, PeerKey, PeerName};

/// What the registry tells.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Told {
    /// The login is right.
    LoggedIn(LoggedIn),
    /// The lease has begun anew, or has ended.
    Submitted(Submitted),
    /// The lists that the peer is on.
    Lists(Lists),
    /// The list of peers: JSON.
    Peers(Bytes),
    /// How a peer can be reached.
    Reached(Reached),
    /// Each peer that is present, with the peers that it is connected to.
    Links(Vec<(PeerName, Vec<PeerName>)>),
}

/// The answer to a login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LoggedIn {
    /// The name.
    pub name: PeerName,
    /// The fingerprint of its key.
    pub fingerprint: String,
    /// How long a heartbeat lasts.
    pub lease_seconds: u64,
}

/// The answer to a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Submitted {
    /// How long this heartbeat lasts.
    pub lease_seconds: u64,
    /// The addresses that are given to other peers.
    pub addresses: Vec<SocketAddr>,
}

/// The lists that a peer is on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lists {
    /// Whether it is on the public list of peers.
    pub listed: bool,
    /// The channels whose lists it is on.
    pub channels: Vec<ChannelName>,
}

/// How a peer can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// Its name.
    pub name: PeerName,
    /// Its key.
    pub key: PeerKey,
    /// The fingerprint of its key.
    pub fingerprint: String,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// How long ago its last heartbeat was, in milliseconds.
    pub seen_ms: u64,
}

/// The list of peers.
#[derive(Debug, Serialize)]
pub(super) struct Peers<'a> {
    pub(super) lease_seconds: u64,
    pub(super) peers: Vec<ListedPeer<'a>>,
    pub(super) channels: Vec<ListedChannel<'a>>,
}

/// A peer of the list.
#[derive(Debug, Serialize)]
pub(super) struct ListedPeer<'a> {
    pub(super) name: &'a PeerName,
    pub(super) fingerprint: &'a str,
    pub(super) seen_ms: u64,
}

/// A channel of the list.
#[derive(Debug, Serialize)]
pub(super) struct ListedChannel<'a> {
    pub(super) name: &'a ChannelName,
    /// How many of its peers are present.
    pub(super) peers: usize,
}
