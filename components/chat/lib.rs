//! A chat between peers, without a server between them.
//!
//! ```text
//!  socket ─▶ secure_link ─▶ speak_peer ─▶ ┌───────────┐
//!         ◀─      (Noise)  ◀─  (frames) ◀─ │ keep_node │ ◀─▶ pages
//!                                         └───────────┘
//!                                               │ Log: signed messages, in SQLite
//! ```

mod codec;
mod dial;
mod frame;
mod key;
mod link;
mod log;
mod message;
mod node;
mod page;
mod peer;
mod secret;
mod signature;
#[cfg(test)]
mod tests;
mod tracker;

pub use codec::{Malformed, from_hex, to_hex};
pub use dial::{DialPeersPorts, DialPeersPortsHandles, connect_tcp, dial_peers};
pub use frame::{Closing, Frame, LARGEST_BATCH, LARGEST_FRAME, MOST_IDS, PROTOCOL};
pub use key::{
    Entropy, Fingerprint, Identity, KeyError, NameError, PeerKey, PeerName, simulated_random,
    system_random,
};
pub use link::{
    Handshake, LinkError, PeerPorts, PeerPortsHandles, Received, Records, Role, SecureLinkPorts,
    SecureLinkPortsHandles, Secured, Session, Speaker, ToLink, Transport, Up, peer_link,
    secure_link, speak_peer,
};
pub use log::{
    Batch, Channel, Delivery, Entry, Log, LogError, MOST_TIPS, Page, Receipt, Refusal, Tip,
    Verdict, WriteError,
};
pub use message::{
    Body, ChannelId, Draft, LONGEST_TEXT, LONGEST_TITLE, MOST_PREDECESSORS, Message, MessageError,
    MessageId, Policy,
};
pub use node::{
    Command, Contact, DialNews, Input, Node, NodePorts, NodePortsHandles, ask_node, keep_node,
};
pub use page::{PageEvents, PageToken, guard_page, page_fields, page_server};
pub use peer::{PeerOptions, chat_peer};
pub use tracker::{
    TrackPorts, TrackPortsHandles, TrackerOptions, TrackerUrlError, track_peers, tracker_url,
};
