//! The frames that two peers exchange over their encrypted link. [`Frame::encode`] and
//! [`Frame::decode`] need no socket.
//!
//! Each frame is one byte for its kind and then its fields; see the book's page about the chat.

use std::fmt;

use bytes::Bytes;

use crate::codec::{Malformed, Reader, put_bytes, put_ids};
use crate::{ChannelId, MOST_TIPS, Message, MessageError, MessageId, PeerKey, Receipt, Tip};

/// The version of the protocol.
pub const PROTOCOL: u16 = 1;

/// The largest frame, in bytes: what one Noise message holds.
pub const LARGEST_FRAME: usize = 65_535 - 16;

/// How many bytes of messages one batch holds.
pub const LARGEST_BATCH: usize = 60_000;

/// The largest number of heads, or of identifiers to fetch, in a frame.
pub const MOST_IDS: usize = 64;

/// A frame. `M` is a message as it came, or one whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame<M = Bytes> {
    /// The first frame of both peers.
    Hello {
        /// The version of the protocol.
        version: u16,
        /// The name of the peer; whether it is a name is checked later.
        name: String,
    },
    /// Asks for a [`Pong`](Self::Pong).
    Ping(u64),
    /// Answers a ping, with its number.
    Pong(u64),
    /// The last frame of a peer.
    Close(Closing),
    /// The first message of a channel that the receiver may read.
    Announce(M),
    /// A new message of the sender.
    Publish(M),
    /// The sender keeps this channel, and these are its messages without a successor. Without any
    /// head the sender does not keep it any more.
    Heads {
        /// The channel.
        channel: ChannelId,
        /// The heads, the highest first.
        heads: Vec<MessageId>,
    },
    /// Asks for the messages after these tips.
    Pull {
        /// The channel.
        channel: ChannelId,
        /// What the sender has.
        tips: Vec<Tip>,
    },
    /// Asks for the next batch of the same pull.
    More {
        /// The channel.
        channel: ChannelId,
        /// Where it begins.
        from: u64,
    },
    /// Asks for single messages.
    Fetch {
        /// The channel.
        channel: ChannelId,
        /// The messages.
        ids: Vec<MessageId>,
    },
    /// Answers a request.
    Batch {
        /// The channel.
        channel: ChannelId,
        /// The messages; predecessors come first.
        messages: Vec<M>,
        /// Where the next batch begins, if there is one.
        next: Option<u64>,
    },
    /// What the sender has of the receiver's messages.
    Receipt {
        /// The channel.
        channel: ChannelId,
        /// How far it has them, and has read them.
        receipt: Receipt,
    },
}

/// Why a peer closes a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Closing {
    /// Its program ends.
    Leaving,
    /// There is another link between the two.
    Duplicate,
    /// A peer has connected to itself.
    Itself,
    /// The versions differ.
    Version,
    /// A frame was malformed.
    Malformed,
    /// A message was not signed by its author, or broke a rule of its channel.
    Invalid,
    /// Too many frames came.
    Flood,
    /// A frame came when none such was expected.
    Unexpected,
    /// The peer has broken rules a short while ago.
    Blocked,
    /// The peer was silent for too long.
    Silent,
}

impl fmt::Display for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leaving => "the peer's program ends",
            Self::Duplicate => "there is another link between the two peers",
            Self::Itself => "the peer has connected to itself",
            Self::Version => "the peer speaks another version of the protocol",
            Self::Malformed => "a frame was malformed",
            Self::Invalid => "a message was forged, or broke a rule of its channel",
            Self::Flood => "too many frames came",
            Self::Unexpected => "a frame came when none such was expected",
            Self::Blocked => "the peer has broken the rules a short while ago",
            Self::Silent => "the peer was silent for too long",
        })
    }
}

/// The codes of the reasons.
const CLOSINGS: [Closing; 10] = [
    Closing::Leaving,
    Closing::Duplicate,
    Closing::Itself,
    Closing::Version,
    Closing::Malformed,
    Closing::Invalid,
    Closing::Flood,
    Closing::Unexpected,
    Closing::Blocked,
    Closing::Silent,
];

impl Closing {
    /// Whether the peer has broken a rule, and is not spoken to for a while.
    #[must_use]
    pub fn is_offence(self) -> bool {
        use Closing::{Flood, Invalid, Malformed, Unexpected};
        [Flood, Invalid, Malformed, Unexpected].contains(&self)
    }
}

impl From<Malformed> for Closing {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<MessageError> for Closing {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::Malformed(_) => Self::Malformed,
            MessageError::Forged => Self::Invalid,
        }
    }
}

impl Frame {
    /// Writes a frame.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_chat::Frame;
    ///
    /// let bytes = Frame::Ping(7).encode();
    /// assert_eq!(bytes[..], [2, 0, 0, 0, 0, 0, 0, 0, 7]);
    /// assert_eq!(Frame::decode(&bytes), Ok(Frame::Ping(7)));
    /// assert!(Frame::decode(&bytes[..5]).is_err());
    /// ```
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(128);
        match self {
            Self::Hello { version, name } => {
                out.push(1);
                out.extend_from_slice(&version.to_be_bytes());
                put_bytes(&mut out, name.as_bytes());
            }
            Self::Ping(number) => put_number(&mut out, 2, *number),
            Self::Pong(number) => put_number(&mut out, 3, *number),
            Self::Close(closing) => {
                let code = CLOSINGS.iter().position(|known| known == closing);
                out.extend([
                    4,
                    u8::try_from(code.unwrap_or_default()).unwrap_or_default(),
                ]);
            }
            Self::Announce(message) => put_message(&mut out, 5, message),
            Self::Publish(message) => put_message(&mut out, 6, message),
            Self::Heads { channel, heads } => {
                put_channel(&mut out, 7, *channel);
                put_ids(&mut out, heads);
            }
            Self::Pull { channel, tips } => {
                put_channel(&mut out, 8, *channel);
                for tip in tips {
                    out.extend_from_slice(&tip.author.0);
                    out.extend_from_slice(&tip.counter.to_be_bytes());
                }
            }
            Self::More { channel, from } => {
                put_channel(&mut out, 9, *channel);
                out.extend_from_slice(&from.to_be_bytes());
            }
            Self::Fetch { channel, ids } => {
                put_channel(&mut out, 10, *channel);
                put_ids(&mut out, ids);
            }
            Self::Batch {
                channel,
                messages,
                next,
            } => {
                put_channel(&mut out, 11, *channel);
                // The end of the batches is 0: no place has this number.
                out.extend_from_slice(&next.unwrap_or(0).to_be_bytes());
                for message in messages {
                    put_bytes(&mut out, message);
                }
            }
            Self::Receipt { channel, receipt } => {
                put_channel(&mut out, 12, *channel);
                out.extend_from_slice(&receipt.held.to_be_bytes());
                out.extend_from_slice(&receipt.read.to_be_bytes());
            }
        }
        out.into()
    }

    /// Reads a frame.
    ///
    /// # Errors
    ///
    /// [`Malformed`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader(bytes);
        let frame = match reader.u8()? {
            1 => Self::Hello {
                version: reader.u16()?,
                name: reader.text(255)?.to_owned(),
            },
            2 => Self::Ping(reader.u64()?),
            3 => Self::Pong(reader.u64()?),
            4 => {
                let code = usize::from(reader.u8()?);
                let closing = CLOSINGS.get(code).copied();
                Self::Close(closing.ok_or(Malformed("there is no such reason to close"))?)
            }
            5 => Self::Announce(Bytes::copy_from_slice(reader.bytes()?)),
            6 => Self::Publish(Bytes::copy_from_slice(reader.bytes()?)),
            kind => Self::decode_of_channel(kind, &mut reader)?,
        };
        reader.end()?;
        Ok(frame)
    }

    fn decode_of_channel(kind: u8, reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        if !(7..=12).contains(&kind) {
            return Err(Malformed("there is no such kind of frame"));
        }
        let channel = MessageId(reader.array()?);
        Ok(match kind {
            7 => Self::Heads {
                channel,
                heads: reader.ids(MOST_IDS)?,
            },
            8 => Self::Pull {
                channel,
                tips: decode_tips(reader)?,
            },
            9 => Self::More {
                channel,
                from: reader.u64()?,
            },
            10 => Self::Fetch {
                channel,
                ids: reader.ids(MOST_IDS)?,
            },
            11 => {
                let next = reader.u64()?;
                let mut messages = Vec::new();
                while !reader.0.is_empty() {
                    messages.push(Bytes::copy_from_slice(reader.bytes()?));
                }
                Self::Batch {
                    channel,
                    messages,
                    next: (next > 0).then_some(next),
                }
            }
            _ => Self::Receipt {
                channel,
                receipt: Receipt {
                    held: reader.u64()?,
                    read: reader.u64()?,
                },
            },
        })
    }

    /// The number of messages in the frame: each costs the check of a signature.
    #[must_use]
    pub fn messages(&self) -> usize {
        match self {
            Self::Announce(_) | Self::Publish(_) => 1,
            Self::Batch { messages, .. } => messages.len(),
            _ => 0,
        }
    }

    /// Checks the signatures of the messages in the frame.
    ///
    /// # Errors
    ///
    /// [`MessageError`], if one of the messages is wrong.
    pub fn verify(self) -> Result<Frame<Message>, MessageError> {
        Ok(match self {
            Self::Announce(bytes) => Frame::Announce(Message::decode(bytes)?),
            Self::Publish(bytes) => Frame::Publish(Message::decode(bytes)?),
            Self::Batch {
                channel,
                messages,
                next,
            } => Frame::Batch {
                channel,
                messages: Message::decode_all(messages)?,
                next,
            },
            Self::Hello { version, name } => Frame::Hello { version, name },
            Self::Ping(number) => Frame::Ping(number),
            Self::Pong(number) => Frame::Pong(number),
            Self::Close(closing) => Frame::Close(closing),
            Self::Heads { channel, heads } => Frame::Heads { channel, heads },
            Self::Pull { channel, tips } => Frame::Pull { channel, tips },
            Self::More { channel, from } => Frame::More { channel, from },
            Self::Fetch { channel, ids } => Frame::Fetch { channel, ids },
            Self::Receipt { channel, receipt } => Frame::Receipt { channel, receipt },
        })
    }
}

fn decode_tips(reader: &mut Reader<'_>) -> Result<Vec<Tip>, Malformed> {
    let mut tips = Vec::new();
    while !reader.0.is_empty() {
        if tips.len() == MOST_TIPS {
            return Err(Malformed("too many tips"));
        }
        tips.push(Tip {
            author: PeerKey(reader.array()?),
            counter: reader.u64()?,
        });
    }
    Ok(tips)
}

fn put_number(out: &mut Vec<u8>, kind: u8, number: u64) {
    out.push(kind);
    out.extend_from_slice(&number.to_be_bytes());
}

fn put_message(out: &mut Vec<u8>, kind: u8, message: &Bytes) {
    out.push(kind);
    put_bytes(out, message);
}

fn put_channel(out: &mut Vec<u8>, kind: u8, channel: ChannelId) {
    out.push(kind);
    out.extend_from_slice(&channel.0);
}
