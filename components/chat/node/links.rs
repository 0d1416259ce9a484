//! Links that open and end: one for each peer.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use kamea::time::now;
use serde_json::json;

use super::{Contact, DialNews, HEADS_AFTER, Link, Node};
use crate::frame::MOST_IDS;
use crate::link::{Role, Up};
use crate::{ChannelId, Closing, Frame, LogError, MessageId, PeerKey};

/// How long a peer that has broken a rule is not spoken to.
const BLOCKED_FOR: Duration = Duration::from_secs(60);

/// The largest number of blocked peers that are remembered.
const MOST_BLOCKED: usize = 1_000;

/// The largest number of links.
const MOST_LINKS: usize = 500;

/// The largest number of peers that are remembered as contacts.
const MOST_CONTACTS: usize = 1_000;

impl Node {
    /// A link has opened. If there is another one to the same peer, one of them is closed: both
    /// peers choose the same.
    pub(super) fn up(&mut self, up: Up) -> Result<(), LogError> {
        let (me, key) = (self.identity.key(), up.key);
        let is_blocked = self.blocked.get(&key).is_some_and(|until| *until > now());
        let refused = match () {
            () if key == me => Some(Closing::Itself),
            () if is_blocked || self.links.len() >= MOST_LINKS => Some(Closing::Blocked),
            () => None,
        };
        if let Some(closing) = refused {
            up.to.close(closing);
            return Ok(());
        }
        if let Some(old) = self.by_key.get(&key).and_then(|old| self.links.get(old)) {
            // The one that the peer with the lower key has opened; the later one of two alike.
            let preferred = match me < key {
                true => Role::Initiator,
                false => Role::Responder,
            };
            let is_kept = old.up.role == preferred && up.role != preferred;
            if is_kept && !old.up.to.is_closed() {
                up.to.close(Closing::Duplicate);
                return Ok(());
            }
            let old = old.up.link;
            self.close(old, Closing::Duplicate);
        }
        self.log.note_peer(key, up.name.as_str(), "")?;
        self.names.note(up.name.as_str(), key);
        let number = up.link;
        let link = Link {
            up,
            micros: None,
            heads: BTreeMap::new(),
            announced: BTreeSet::new(),
            owed: BTreeSet::new(),
            paid: MessageId([0; 32]),
            serving: BTreeMap::new(),
            receipts: BTreeMap::new(),
            early: BTreeMap::new(),
            late: 0,
        };
        self.links.insert(number, link);
        self.by_key.insert(key, number);
        self.presence.forget(key);
        self.tell_dialer(DialNews::Up(key));
        self.peer_event(key);
        self.offer(number)
    }

    /// A link has ended.
    pub(super) fn down(&mut self, number: u64, offence: Option<Closing>) {
        let Some(link) = self.links.remove(&number) else {
            return;
        };
        let key = link.up.key;
        if let Some(offence) = offence {
            log::warn!("{} ({}): {offence}", link.up.name, key.fingerprint());
            self.block(key);
        }
        if self.by_key.get(&key) == Some(&number) {
            self.by_key.remove(&key);
            self.tell_dialer(DialNews::Down(key));
            if self.contacts.contains_key(&key) {
                self.presence.lost(key, now());
            }
            self.peer_event(key);
        }
        self.move_pulls(number);
    }

    fn block(&mut self, key: PeerKey) {
        if self.blocked.len() < MOST_BLOCKED {
            self.blocked.insert(key, now() + BLOCKED_FOR);
        }
    }

    /// Closes a link. It is forgotten at once.
    pub(super) fn close(&mut self, number: u64, closing: Closing) {
        if let Some(to) = self.to(number) {
            to.close(closing);
        }
        self.down(number, closing.is_offence().then_some(closing));
    }

    /// Forgets links whose graphs are gone without a word.
    pub(super) fn drop_closed(&mut self) {
        let gone = self.links.iter().filter(|(_, link)| link.up.to.is_closed());
        let gone: Vec<_> = gone.map(|(number, _)| *number).collect();
        for number in gone {
            self.down(number, None);
        }
    }

    /// Announces the channels that a peer may read, with their heads and receipts.
    pub(super) fn offer(&mut self, number: u64) -> Result<(), LogError> {
        let channels = self.log.channels()?;
        if let Some(link) = self.links.get_mut(&number) {
            let joined = channels.iter().filter(|channel| channel.is_joined);
            link.owed.extend(joined.map(|channel| channel.id));
        }
        self.pay(number)
    }

    /// Announces a channel to all peers that may read it.
    pub(super) fn offer_to_all(&mut self, channel: ChannelId) -> Result<(), LogError> {
        for link in self.links.values_mut() {
            link.owed.insert(channel);
        }
        self.pay_all()
    }

    /// Sends to all links what they are owed, as far as there is room.
    pub(super) fn pay_all(&mut self) -> Result<(), LogError> {
        let links: Vec<_> = self.links.keys().copied().collect();
        for link in links {
            self.pay(link)?;
        }
        Ok(())
    }

    /// Sends to a link what it is owed, as far as there is room. Each channel has its turn: it goes
    /// on after the last one that did fit.
    fn pay(&mut self, number: u64) -> Result<(), LogError> {
        loop {
            let Some(link) = self.links.get(&number) else {
                return Ok(());
            };
            let mut later = link
                .owed
                .range((Bound::Excluded(link.paid), Bound::Unbounded));
            let next = later.next().or(link.owed.first()).copied();
            if let Some(channel) = next
                && !link.up.to.is_full()
                && self.offer_channel(number, channel)?
                && let Some(link) = self.links.get_mut(&number)
            {
                link.owed.remove(&channel);
                link.paid = channel;
                continue;
            }
            if next.is_some() {
                self.next_heads.get_or_insert_with(|| now() + HEADS_AFTER);
            }
            return Ok(());
        }
    }

    /// Announces a channel, if the peer may read it. Returns whether there was room.
    fn offer_channel(&mut self, number: u64, channel: ChannelId) -> Result<bool, LogError> {
        let Some(link) = self.links.get(&number) else {
            return Ok(true);
        };
        if !self.serves(channel, link.up.key)? {
            return Ok(true);
        }
        if !link.announced.contains(&channel) {
            let first = self.log.fetch(channel, &[channel], usize::MAX)?;
            for first in first {
                if !link.up.to.send(Frame::Announce(first)) {
                    return Ok(false);
                }
            }
        }
        let heads = self.log.some_heads(channel, MOST_IDS, self.rounds)?;
        let is_sent = link.up.to.send(Frame::Heads { channel, heads });
        if let Some(link) = self.links.get_mut(&number) {
            link.announced.insert(channel);
        }
        if is_sent {
            self.send_receipt(number, channel)?;
        }
        Ok(is_sent)
    }

    /// Meets the peers that the tracker knows.
    pub(super) fn meet(&mut self, contacts: Vec<Contact>) -> Result<(), LogError> {
        let listed: BTreeSet<_> = contacts.iter().map(|contact| contact.key).collect();
        let mut changed = BTreeSet::new();
        for contact in contacts {
            let key = contact.key;
            let is_known = self.contacts.get(&key) == Some(&contact);
            if key == self.identity.key() || is_known || !self.has_place(key, &listed) {
                continue;
            }
            let addresses: Vec<_> = contact.addresses.iter().map(ToString::to_string).collect();
            self.log
                .note_peer(key, contact.name.as_str(), &addresses.join(" "))?;
            self.names.note(contact.name.as_str(), key);
            self.tell_dialer(DialNews::Contact(contact.clone()));
            self.contacts.insert(key, contact);
            changed.insert(key);
        }
        let is_contact = |key: &PeerKey| self.contacts.contains_key(key);
        let expected = listed.into_iter().filter(is_contact).collect();
        changed.extend(self.presence.list(expected));
        for key in changed {
            if self.contacts.contains_key(&key) {
                self.peer_event(key);
            }
        }
        Ok(())
    }

    /// Whether a peer may be a contact. One that has no link, and is not listed any more, makes
    /// room.
    fn has_place(&mut self, key: PeerKey, listed: &BTreeSet<PeerKey>) -> bool {
        if self.contacts.len() < MOST_CONTACTS || self.contacts.contains_key(&key) {
            return true;
        }
        let is_gone = |key: &&PeerKey| !self.by_key.contains_key(key) && !listed.contains(key);
        let Some(gone) = self.contacts.keys().find(is_gone).copied() else {
            return false;
        };
        self.contacts.remove(&gone);
        self.presence.forget(gone);
        self.tell_dialer(DialNews::Forget(gone));
        self.events.push(
            json!({"event": "peer", "fingerprint": gone.fingerprint().to_string(), "gone": true}),
        );
        true
    }
}
