//! The bodies of requests to the tracker, and of the answers that its registry does not give.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::answers::Submitted;
use super::{ChannelName, PeerKey, PeerName};

/// What a peer sends to log in: first without the nonce and the signature.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    pub(super) name: PeerName,
    pub(super) key: PeerKey,
    #[serde(default)]
    pub(super) nonce: Option<String>,
    #[serde(default)]
    pub(super) signature: Option<String>,
}

/// A heartbeat.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Submit {
    pub(super) addresses: Vec<Address>,
    #[serde(default)]
    pub(super) links: Vec<PeerName>,
}

/// An address of a peer.
#[derive(Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Address(pub(super) SocketAddr);

impl TryFrom<String> for Address {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let address = text
            .parse()
            .ok()
            .filter(|address: &SocketAddr| address.port() != 0);
        address.map(Self).ok_or(
            "an address is IP:PORT, such as 192.0.2.1:9101; 0.0.0.0:9101 stands for the IP that \
             the tracker sees",
        )
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddList {
    #[serde(default)]
    pub(super) channel: Option<ChannelName>,
    #[serde(default)]
    pub(super) remove: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct OfChannel {
    #[serde(default)]
    pub(super) channel: Option<ChannelName>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Connect {
    pub(super) name: PeerName,
}

/// The answer to the first step of a login.
#[derive(Debug, Serialize)]
pub(super) struct Challenge {
    pub(super) nonce: String,
    pub(super) expires_seconds: u64,
}

/// The answer to a heartbeat.
#[derive(Debug, Serialize)]
pub(super) struct Heartbeat {
    /// The address that the peer comes from.
    pub(super) seen: IpAddr,
    #[serde(flatten)]
    pub(super) submitted: Submitted,
}
