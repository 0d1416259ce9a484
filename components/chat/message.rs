//! A message of a channel: signed, immutable, and linked to its predecessors by their hashes.
//!
//! ```text
//! version 1 · channel 32 · author 32 · name · counter 8 · time 8 · predecessors · body · signature 64
//! ```

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::codec::{Malformed, Reader, from_hex, put_bytes, put_ids, to_hex};
use crate::signature::{Claim, verify_all};
use crate::{Identity, KeyError, PeerKey, PeerName};

/// The version of the format.
const VERSION: u8 = 1;

/// What is signed begins with this, so that a signature is good for nothing else.
const CONTEXT: &[u8] = b"kamea chat message v1\0";

/// The longest text of a message, in bytes.
pub const LONGEST_TEXT: usize = 8_000;

/// The longest title of a channel, in bytes.
pub const LONGEST_TITLE: usize = 64;

/// The largest number of predecessors of a message.
pub const MOST_PREDECESSORS: usize = 16;

/// The identifier of a message: the SHA-256 digest of all its bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub [u8; 32]);

/// The identifier of a channel is that of the message that created it.
pub type ChannelId = MessageId;

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageId({:.8})", to_hex(&self.0))
    }
}

impl FromStr for MessageId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        from_hex(text).map(Self).ok_or(KeyError)
    }
}

/// Who may join a channel, and who may write in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Everybody may join and write.
    Open,
    /// Only peers that the owner has invited may read, join and write.
    Invite,
    /// Everybody may join and read; only the owner writes.
    ReadOnly,
    /// Two peers: the owner, and the one that is named in the first message.
    Direct(PeerKey),
}

impl Policy {
    /// Returns the name, as the page shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invite => "invite",
            Self::ReadOnly => "read-only",
            Self::Direct(_) => "direct",
        }
    }
}

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Creates a channel; its author owns it.
    Create {
        /// Who may join and write.
        policy: Policy,
        /// The title, which is empty for a direct channel.
        title: String,
        /// Distinguishes channels of the same title.
        nonce: [u8; 16],
    },
    /// The author joins. In a channel by invitation this names the invitation.
    Join {
        /// The message that invites the author.
        invitation: Option<MessageId>,
    },
    /// The author leaves.
    Leave,
    /// The owner invites a peer.
    Invite {
        /// The key of the peer.
        peer: PeerKey,
    },
    /// The author says something.
    Text(String),
}

/// The content of a message, before it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The channel; `None` for a message that creates one.
    pub channel: Option<ChannelId>,
    /// The name of the author.
    pub name: PeerName,
    /// The number of the message among those of its author in the channel, from 1.
    pub counter: u64,
    /// The author's time, in milliseconds since 1970.
    pub time: u64,
    /// The author's previous message first, then what else no known message follows.
    pub predecessors: Vec<MessageId>,
    /// What it says.
    pub body: Body,
}

/// A message whose signature is right. Nothing in it can be changed.
///
/// # Examples
///
/// ```
/// use kamea_chat::{Body, Draft, Identity, Message, Policy};
///
/// let ada = Identity::from_secret([1; 32]);
/// let body = Body::Create { policy: Policy::Open, title: "tea".into(), nonce: [0; 16] };
/// let draft = Draft {
///     channel: None,
///     name: "ada".parse().unwrap(),
///     counter: 1,
///     time: 0,
///     predecessors: vec![],
///     body,
/// };
/// let message = Message::sign(draft, &ada).unwrap();
/// assert_eq!(Message::decode(message.bytes().clone()).unwrap(), message);
///
/// let mut changed = message.bytes().to_vec();
/// changed[80] ^= 1;
/// assert!(Message::decode(changed.into()).is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    id: MessageId,
    author: PeerKey,
    draft: Draft,
    bytes: Bytes,
}

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// They are not in the format.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The author has not signed them.
    #[error("the signature is wrong")]
    Forged,
}

impl Message {
    /// Signs a draft.
    ///
    /// # Errors
    ///
    /// If it breaks a limit, such as that of its text.
    pub fn sign(draft: Draft, identity: &Identity) -> Result<Self, MessageError> {
        let mut bytes = Vec::with_capacity(256);
        encode(&draft, identity.key(), &mut bytes);
        let signature = identity.sign(&[CONTEXT, &bytes].concat());
        bytes.extend_from_slice(&signature);
        let message = Self::decode_stored(bytes.into())?;
        match message.draft == draft {
            true => Ok(message),
            false => Err(Malformed("a part is too long").into()),
        }
    }

    /// Reads a message, and checks its signature.
    ///
    /// # Errors
    ///
    /// [`MessageError`].
    pub fn decode(bytes: Bytes) -> Result<Self, MessageError> {
        let message = Self::decode_stored(bytes)?;
        match verify_all(&[message.claim()]) {
            true => Ok(message),
            false => Err(MessageError::Forged),
        }
    }

    /// Reads many messages, and checks their signatures together, which takes a quarter of the
    /// time. The result is the same.
    ///
    /// # Errors
    ///
    /// [`MessageError`], if one of them is wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_chat::{Identity, Log, Message, Policy};
    ///
    /// let ada = Identity::from_secret([1; 32]);
    /// let mut log = Log::in_memory(ada.key())?;
    /// let name = "ada".parse().unwrap();
    /// let tea = log.create(&ada, &name, Policy::Open, "tea", 0)?;
    /// let cake = log.create(&ada, &name, Policy::Open, "cake", 0)?;
    /// let bytes = vec![tea.bytes().clone(), cake.bytes().clone()];
    /// assert_eq!(Message::decode_all(bytes), Ok(vec![tea, cake]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decode_all(bytes: Vec<Bytes>) -> Result<Vec<Self>, MessageError> {
        let messages = bytes.into_iter().map(Self::decode_stored);
        let messages = messages.collect::<Result<Vec<_>, _>>()?;
        let claims: Vec<_> = messages.iter().map(Self::claim).collect();
        match verify_all(&claims) {
            true => Ok(messages),
            false => Err(MessageError::Forged),
        }
    }

    /// What the signature says.
    fn claim(&self) -> Claim<'_> {
        // There is one at the end of each message.
        let parts = self.bytes.split_last_chunk();
        let (signed, signature) = parts.unwrap_or((&[], &[0; 64]));
        Claim {
            key: self.author,
            text: [CONTEXT, signed],
            signature,
        }
    }

    /// Reads a message whose signature was checked before it was stored.
    pub(crate) fn decode_stored(bytes: Bytes) -> Result<Self, Malformed> {
        let mut reader = Reader(&bytes);
        if reader.u8()? != VERSION {
            return Err(Malformed("the version of a message is not 1"));
        }
        let channel = reader.array()?;
        let author = PeerKey(reader.array()?);
        let name = reader.text(PeerName::LONGEST)?.parse();
        let draft = Draft {
            channel: (channel != [0; 32]).then_some(MessageId(channel)),
            name: name.map_err(|_| Malformed("the name is not a name"))?,
            counter: reader.u64()?,
            time: reader.u64()?,
            predecessors: reader.ids(MOST_PREDECESSORS)?,
            body: decode_body(&mut reader)?,
        };
        reader.take(64)?;
        reader.end()?;
        check(&draft)?;
        Ok(Self {
            id: MessageId(Sha256::digest(&bytes).into()),
            author,
            draft,
            bytes,
        })
    }

    /// Returns the identifier.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.id
    }

    /// Returns the channel. A message that creates a channel belongs to it.
    #[must_use]
    pub fn channel(&self) -> ChannelId {
        self.draft.channel.unwrap_or(self.id)
    }

    /// Returns the key of the author.
    #[must_use]
    pub fn author(&self) -> PeerKey {
        self.author
    }

    /// Returns the content.
    #[must_use]
    pub fn draft(&self) -> &Draft {
        &self.draft
    }

    /// Returns all bytes, with the signature.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

fn encode(draft: &Draft, author: PeerKey, out: &mut Vec<u8>) {
    out.push(VERSION);
    out.extend_from_slice(&draft.channel.map_or([0; 32], |id| id.0));
    out.extend_from_slice(&author.0);
    put_bytes(out, draft.name.as_str().as_bytes());
    out.extend_from_slice(&draft.counter.to_be_bytes());
    out.extend_from_slice(&draft.time.to_be_bytes());
    put_ids(out, &draft.predecessors);
    match &draft.body {
        Body::Create {
            policy,
            title,
            nonce,
        } => {
            out.push(0);
            match policy {
                Policy::Open => out.push(0),
                Policy::Invite => out.push(1),
                Policy::ReadOnly => out.push(2),
                Policy::Direct(other) => {
                    out.push(3);
                    out.extend_from_slice(&other.0);
                }
            }
            put_bytes(out, title.as_bytes());
            out.extend_from_slice(nonce);
        }
        Body::Join { invitation } => {
            out.push(1);
            put_ids(out, invitation.as_slice());
        }
        Body::Leave => out.push(2),
        Body::Invite { peer } => {
            out.push(3);
            out.extend_from_slice(&peer.0);
        }
        Body::Text(text) => {
            out.push(4);
            put_bytes(out, text.as_bytes());
        }
    }
}

fn decode_body(reader: &mut Reader<'_>) -> Result<Body, Malformed> {
    Ok(match reader.u8()? {
        0 => Body::Create {
            policy: match reader.u8()? {
                0 => Policy::Open,
                1 => Policy::Invite,
                2 => Policy::ReadOnly,
                3 => Policy::Direct(PeerKey(reader.array()?)),
                _ => return Err(Malformed("there is no such policy")),
            },
            title: reader.text(LONGEST_TITLE)?.to_owned(),
            nonce: reader.array()?,
        },
        1 => Body::Join {
            invitation: reader.ids(1)?.first().copied(),
        },
        2 => Body::Leave,
        3 => Body::Invite {
            peer: PeerKey(reader.array()?),
        },
        4 => Body::Text(reader.text(LONGEST_TEXT)?.to_owned()),
        _ => return Err(Malformed("there is no such kind of message")),
    })
}

/// The latest time of a message, in milliseconds since 1970: dates of ECMAScript end there.
const LATEST: u64 = 8_640_000_000_000_000;

/// Checks what a message must satisfy by itself.
fn check(draft: &Draft) -> Result<(), Malformed> {
    let has_control = |text: &str| text.chars().any(char::is_control);
    match &draft.body {
        Body::Create { policy, title, .. } => {
            if draft.channel.is_some() || draft.counter != 1 || !draft.predecessors.is_empty() {
                return Err(Malformed("a channel begins with its creation"));
            }
            let is_direct = matches!(policy, Policy::Direct(_));
            if title.trim() != title || has_control(title) || title.is_empty() != is_direct {
                return Err(Malformed("the title is not a title"));
            }
        }
        _ if draft.channel.is_none() => return Err(Malformed("it belongs to no channel")),
        _ if draft.predecessors.is_empty() => return Err(Malformed("it follows no message")),
        Body::Text(text) if text.trim().is_empty() => return Err(Malformed("the text is empty")),
        Body::Text(text) if text.contains('\0') => return Err(Malformed("the text contains NUL")),
        _ => {}
    }
    let distinct: std::collections::BTreeSet<_> = draft.predecessors.iter().collect();
    if distinct.len() != draft.predecessors.len() {
        return Err(Malformed("a predecessor is named twice"));
    }
    match draft.counter {
        0 => Err(Malformed("counters begin with 1")),
        // SQLite has signed numbers.
        counter if counter > u64::MAX / 4 => Err(Malformed("a number is too large")),
        // A page could not show it.
        _ if draft.time > LATEST => Err(Malformed("the time is not a date")),
        _ => Ok(()),
    }
}
