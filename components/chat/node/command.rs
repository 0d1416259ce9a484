//! The commands of the user, as the page, the terminal and programs send them.

use serde::Deserialize;

/// A command of the user, as the page sends it: `{"do": "send", "channel": …, "text": …}`.
/// Channels and messages are named by their identifiers; peers by name, key or fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Command {
    /// Everything that a page needs at its start.
    Hello,
    /// All known peers.
    Peers,
    /// All known channels.
    Channels,
    /// Creates a channel.
    Create {
        /// Its title.
        channel: String,
        /// `open`, `invite` or `read-only`.
        policy: String,
    },
    /// Joins a channel.
    Join {
        /// The channel.
        channel: String,
    },
    /// Leaves a channel.
    Leave {
        /// The channel.
        channel: String,
    },
    /// Invites a peer to a channel.
    Invite {
        /// The channel.
        channel: String,
        /// The peer.
        peer: String,
    },
    /// Opens the channel of this peer and another one.
    Direct {
        /// The other peer.
        peer: String,
    },
    /// Says something in a channel.
    Send {
        /// The channel.
        channel: String,
        /// The text.
        text: String,
    },
    /// Says something to one peer.
    SendPeer {
        /// The peer.
        peer: String,
        /// The text.
        text: String,
    },
    /// Says something in a channel, or to each connected peer.
    Broadcast {
        /// The channel.
        channel: Option<String>,
        /// The text.
        text: String,
    },
    /// A page of the history.
    History {
        /// The channel.
        channel: String,
        /// The message that follows the page; the page is the latest one without it.
        before: Option<String>,
        /// The largest number of messages.
        limit: Option<usize>,
    },
    /// Moves the reading position forward.
    Read {
        /// The channel.
        channel: String,
        /// The message.
        message: String,
    },
    /// Messages that contain words.
    Search {
        /// The words.
        text: String,
        /// The channel; all channels without it.
        channel: Option<String>,
    },
    /// The members of a channel.
    Members {
        /// The channel.
        channel: String,
    },
}
