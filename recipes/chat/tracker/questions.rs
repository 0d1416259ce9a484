//! What is asked of the registry, and what it answers.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use super::answers::Told;
use super::{ChannelName, PeerKey, PeerName};

/// A question to the registry. The name of the peer that asks has been proved by its session,
/// except for a login, whose signature has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// A peer has proved its key: does the name belong to it?
    LogIn {
        /// The name that it wants.
        name: PeerName,
        /// Its key.
        key: PeerKey,
        /// The address that it comes from, or the block of addresses that one client has.
        network: IpAddr,
        /// The nonce that it has signed.
        nonce: String,
        /// When the nonce expires.
        expires: Instant,
    },
    /// A peer says where it can be reached: its heartbeat. Without an address, it leaves.
    Submit {
        /// The peer.
        name: PeerName,
        /// Where it listens.
        addresses: Vec<SocketAddr>,
        /// The peers that it is connected to.
        links: Vec<PeerName>,
    },
    /// A peer joins or leaves a list.
    List(PeerName, ListChange),
    /// The peers that are present.
    Peers {
        /// Only those on the list of this channel.
        channel: Option<ChannelName>,
    },
    /// How a peer can be reached.
    Reach(PeerName),
    /// The connections of all peers that are present.
    Links,
}

/// A change of a peer's lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListChange {
    /// The channel; without one, the public list of peers.
    pub channel: Option<ChannelName>,
    /// Whether the peer leaves the list.
    pub remove: bool,
}

/// The answer to a [`Question`].
pub type Answer = Result<Told, Refusal>;

/// Why the registry refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The name belongs to another key.
    #[error("the name {0} belongs to another key: choose another name")]
    NameTaken(PeerName),
    /// The nonce was used before.
    #[error("the nonce has been used: log in without one to get another one")]
    NonceUsed,
    /// This address has claimed too many names.
    #[error("your address has registered {0} names, which is the limit")]
    TooManyNames(usize),
    /// There are too many names, or logins at once.
    #[error("the tracker is full: try again later")]
    Full,
    /// The session is of a name that the registry has forgotten.
    #[error("the tracker does not know {0} any more: log in again")]
    Forgotten(PeerName),
    /// A peer that nobody has registered.
    #[error("no peer is registered as {0}")]
    Unknown(PeerName),
    /// A peer without a lease.
    #[error("{0} is away: it has sent no heartbeat")]
    Away(PeerName),
    /// A peer is on too many lists.
    #[error("you are on the lists of {0} channels, which is the limit: leave one first")]
    TooManyChannels(usize),
    /// The registration could not be stored.
    #[error("the tracker cannot store the registration: try again later")]
    Store,
}
