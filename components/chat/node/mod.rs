//! The node: the log, the links, and the user's commands, in one component.
//!
//! ```text
//!  links ────┐            ┌───────────┐ ──▶ the queue of each link
//!  pages ────┼─▶ inputs ─▶│ keep_node │ ──▶ events for the pages
//!  tracker ──┘            └───────────┘ ──▶ whom to connect to
//! ```
//!
//! It never waits for a peer or a page: what does not fit into a queue is left out, and made up for
//! later (see [`sync`]).

mod accept;
mod command;
mod commands;
mod events;
mod keep;
mod links;
mod names;
mod presence;
mod pull;
mod receipts;
mod serve;
mod sync;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use kamea::time::{now, wall_clock};
use kamea::{Sender, link};
use serde_json::Value;

pub use command::Command;
pub use keep::{NodePorts, NodePortsHandles, keep_node};

use crate::link::{ToLink, Up};
use crate::{
    ChannelId, Closing, Entropy, Frame, Identity, Log, LogError, Message, MessageId, PeerKey,
    PeerName, Receipt,
};
use names::Names;
use presence::Presence;
use pull::Pull;
use serve::Serving;

/// What comes to a node.
#[derive(Debug)]
pub enum Input {
    /// A link is open.
    Up(Up),
    /// A peer has sent a frame; the signatures in it are right.
    Frame {
        /// The link.
        link: u64,
        /// The frame.
        frame: Frame<Message>,
    },
    /// The time to a peer and back was measured.
    Rtt {
        /// The link.
        link: u64,
        /// Microseconds.
        micros: u64,
    },
    /// A link has ended.
    Down {
        /// The link.
        link: u64,
        /// The rule that the peer has broken.
        offence: Option<Closing>,
    },
    /// The user wants something.
    Ask(Command, Sender<Result<Value, String>>),
    /// The tracker answers, or does not answer any more.
    Tracker(bool),
    /// The peers that are active, as the tracker says.
    Contacts(Vec<Contact>),
}

/// A peer that can be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// Its key.
    pub key: PeerKey,
    /// Its name.
    pub name: PeerName,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
}

/// News for the component that connects to peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialNews {
    /// This peer is to be connected to.
    Contact(Contact),
    /// There is a link to this peer.
    Up(PeerKey),
    /// There is none any more.
    Down(PeerKey),
    /// This peer is no contact any more.
    Forget(PeerKey),
}

/// The node of one peer.
#[derive(Debug)]
pub struct Node {
    identity: Identity,
    name: PeerName,
    log: Log,
    entropy: Entropy,
    links: BTreeMap<u64, Link>,
    by_key: BTreeMap<PeerKey, u64>,
    /// Peers that are not spoken to until then.
    blocked: BTreeMap<PeerKey, Instant>,
    names: Names,
    contacts: BTreeMap<PeerKey, Contact>,
    /// One request for history at a time, for each channel.
    pulls: BTreeMap<ChannelId, Pull>,
    /// Channels whose heads are to be sent.
    changed: BTreeSet<ChannelId>,
    /// When the heads of changed channels are sent.
    next_heads: Option<Instant>,
    /// When the heads of all channels are sent.
    next_round: Instant,
    /// How often that was done.
    rounds: usize,
    /// Whether the tracker answers; `None` as long as nobody has asked one.
    tracker: Option<bool>,
    presence: Presence,
    events: Vec<Value>,
    dialer: Option<Sender<DialNews>>,
}

/// A link, as the node sees it.
#[derive(Debug)]
struct Link {
    up: Up,
    micros: Option<u64>,
    /// The heads of the channels that the peer keeps.
    heads: BTreeMap<ChannelId, Vec<MessageId>>,
    /// The channels that were announced to it.
    announced: BTreeSet<ChannelId>,
    /// The channels that did not fit into its queue.
    owed: BTreeSet<ChannelId>,
    /// The last one of them that did.
    paid: ChannelId,
    /// The pulls of the peer that are under way.
    serving: BTreeMap<ChannelId, Serving>,
    /// The last receipts that were sent.
    receipts: BTreeMap<ChannelId, Receipt>,
    /// Receipts that wait until the peer is a member of their channels.
    early: BTreeMap<ChannelId, Receipt>,
    /// How many answers may still come to requests that were given up.
    late: usize,
}

/// How long changes of a channel are collected before its heads are sent.
const HEADS_AFTER: Duration = Duration::from_millis(300);

/// The time between two rounds in which the heads of all channels are sent.
const ROUND: Duration = Duration::from_secs(15);

impl Node {
    /// Makes a node. `dialer` gets news for [`dial_peers`](crate::dial_peers).
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub fn new(
        identity: Identity,
        name: PeerName,
        log: Log,
        entropy: Entropy,
        dialer: Option<Sender<DialNews>>,
    ) -> Result<Self, LogError> {
        let mut names = Names::default();
        names.note(name.as_str(), identity.key());
        let (mut contacts, mut presence) = (BTreeMap::new(), Presence::default());
        for (key, known, addresses) in log.peers()? {
            names.note(&known, key);
            let addresses: Vec<_> = addresses
                .split(' ')
                .filter_map(|address| address.parse().ok())
                .collect();
            if let (false, Ok(name)) = (addresses.is_empty(), known.parse()) {
                let contact = Contact {
                    key,
                    name,
                    addresses,
                };
                contacts.insert(key, contact);
                presence.lost(key, now());
            }
        }
        let node = Self {
            identity,
            name,
            log,
            entropy,
            links: BTreeMap::new(),
            by_key: BTreeMap::new(),
            blocked: BTreeMap::new(),
            names,
            contacts,
            pulls: BTreeMap::new(),
            changed: BTreeSet::new(),
            next_heads: None,
            next_round: now() + ROUND,
            rounds: 0,
            tracker: None,
            presence,
            events: Vec::new(),
            dialer,
        };
        for contact in node.contacts.values() {
            node.tell_dialer(DialNews::Contact(contact.clone()));
        }
        Ok(node)
    }

    /// Takes an input.
    ///
    /// # Errors
    ///
    /// If the log has failed.
    pub fn take(&mut self, input: Input) -> Result<(), LogError> {
        match input {
            Input::Up(up) => self.up(up),
            Input::Frame { link, frame } => self.frame(link, frame),
            Input::Rtt { link, micros } => {
                if let Some(link) = self.links.get_mut(&link) {
                    link.micros = Some(micros);
                    let key = link.up.key;
                    self.peer_event(key);
                }
                Ok(())
            }
            Input::Down { link, offence } => {
                self.down(link, offence);
                Ok(())
            }
            Input::Ask(command, reply) => {
                let answer = self.command(command)?;
                // A page that is gone needs no answer.
                let _ = reply.try_send(answer);
                Ok(())
            }
            Input::Tracker(is_connected) => {
                if self.tracker != Some(is_connected) {
                    self.tracker = Some(is_connected);
                    self.tracker_event();
                }
                Ok(())
            }
            Input::Contacts(contacts) => self.meet(contacts),
        }
    }

    /// Returns the time of the next [`tick`](Self::tick).
    #[must_use]
    pub fn next_tick(&self) -> Instant {
        let pulls = self.pulls.values().map(|pull| pull.deadline);
        let heads = self.next_heads.into_iter();
        pulls.chain(heads).fold(self.next_round, Instant::min)
    }

    /// Does what is due.
    ///
    /// # Errors
    ///
    /// If the log has failed.
    pub fn tick(&mut self) -> Result<(), LogError> {
        let now = now();
        if self.next_round <= now {
            self.next_round = now + ROUND;
            self.rounds += 1;
            self.blocked.retain(|_, until| *until > now);
            self.drop_closed();
            for key in self.presence.given_up(now) {
                self.peer_event(key);
            }
            for channel in self.log.channels()? {
                if channel.is_joined {
                    self.changed.insert(channel.id);
                }
            }
            self.next_heads = Some(now);
        }
        if self.next_heads.is_some_and(|due| due <= now) {
            self.next_heads = None;
            self.pay_all()?;
            self.send_heads()?;
        }
        self.drop_late_pulls(now)
    }

    /// Closes all links, because the program ends.
    pub fn leave_all(&mut self) {
        for link in self.links.values() {
            link.up.to.close(Closing::Leaving);
        }
    }

    /// Returns the events for the pages since the last call.
    pub fn take_events(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.events)
    }

    /// Returns the log.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    fn tell_dialer(&self, news: DialNews) {
        if let Some(dialer) = &self.dialer
            && dialer.try_send(news).is_err()
        {
            log::warn!("the component that connects to peers is busy, or has ended");
        }
    }

    fn to(&self, link: u64) -> Option<&ToLink> {
        self.links.get(&link).map(|link| &link.up.to)
    }
}

/// The present time, in milliseconds since 1970.
fn milliseconds() -> u64 {
    let since = wall_clock().duration_since(std::time::UNIX_EPOCH);
    let milliseconds = since.unwrap_or_default().as_millis();
    u64::try_from(milliseconds).unwrap_or_default()
}

/// Lets a node do what the user wants.
///
/// # Errors
///
/// Why it was not done, in words for the user.
pub async fn ask_node(node: &Sender<Input>, command: Command) -> Result<Value, String> {
    let (reply, mut answer) = link(1);
    let gone = || "the program is ending".to_owned();
    let asked = node.send(Input::Ask(command, reply)).await;
    asked.map_err(|_| gone())?;
    answer.next().await.unwrap_or_else(|| Err(gone()))
}
