//! What pages are told, in JSON.

use serde_json::{Value, json};

use super::Node;
use crate::{Channel, ChannelId, Delivery, Entry, LogError, MessageId, PeerKey, Policy, Receipt};

/// With more new messages at once, a page loads the history again instead.
const MOST_EVENTS: usize = 20;

impl Node {
    /// Everything that a page needs at its start.
    pub(super) fn hello(&self) -> Result<Value, LogError> {
        let mut channels = Vec::new();
        for channel in self.log.channels()? {
            if channel.is_joined {
                channels.push(self.show_channel(&channel)?);
            }
        }
        let peers = self.show_peers();
        let me = json!({
            "name": self.name.as_str(),
            "fingerprint": self.identity.key().fingerprint().to_string(),
            "key": self.identity.key().to_string(),
        });
        let tracker = self.tracker_state();
        Ok(json!({
            "event": "hello", "me": me, "channels": channels, "peers": peers, "tracker": tracker,
        }))
    }

    fn tracker_state(&self) -> &'static str {
        match self.tracker {
            Some(true) => "connected",
            Some(false) => "away",
            None => "none",
        }
    }

    pub(super) fn tracker_event(&mut self) {
        let state = self.tracker_state();
        self.events
            .push(json!({"event": "tracker", "state": state}));
    }

    pub(super) fn peer_event(&mut self, key: PeerKey) {
        let mut shown = self.show_peer(key);
        shown["event"] = "peer".into();
        self.events.push(shown);
    }

    pub(super) fn show_peers(&self) -> Vec<Value> {
        let mut keys: Vec<_> = self.contacts.keys().chain(self.by_key.keys()).collect();
        keys.sort_unstable();
        keys.dedup();
        keys.into_iter().map(|key| self.show_peer(*key)).collect()
    }

    fn show_peer(&self, key: PeerKey) -> Value {
        let link = self.by_key.get(&key).and_then(|link| self.links.get(link));
        let state = match (link, self.presence.is_expected(key)) {
            (Some(_), _) => "direct",
            (None, true) => "reconnecting",
            (None, false) => "away",
        };
        let micros = link.and_then(|link| link.micros);
        json!({
            "name": self.name_of(key),
            "fingerprint": key.fingerprint().to_string(),
            "key": key.to_string(),
            "state": state,
            "rtt_ms": micros.map(|micros| micros as f64 / 1000.0),
            "queue": link.map_or(0, |link| link.up.to.waiting()),
        })
    }

    /// Returns the name of a peer as the user sees it.
    pub(super) fn name_of(&self, key: PeerKey) -> String {
        let linked = self.by_key.get(&key).and_then(|link| self.links.get(link));
        let linked = linked.map(|link| &link.up.name);
        let contact = self.contacts.get(&key).map(|contact| &contact.name);
        let known = linked.or(contact).map(|name| name.as_str());
        let name = known.or_else(|| self.names.first(key)).unwrap_or("peer");
        self.names.shown(name, key)
    }

    pub(super) fn shown_title(&self, channel: &Channel) -> String {
        match channel.policy {
            Policy::Direct(other) if other == self.identity.key() => self.name_of(channel.owner),
            Policy::Direct(other) => self.name_of(other),
            _ => channel.title.clone(),
        }
    }

    pub(super) fn channel_event(&mut self, id: ChannelId) -> Result<(), LogError> {
        if let Some(channel) = self.log.channel(id)? {
            let mut shown = self.show_channel(&channel)?;
            shown["event"] = "channel".into();
            self.events.push(shown);
        }
        Ok(())
    }

    pub(super) fn show_channel(&self, channel: &Channel) -> Result<Value, LogError> {
        let last = match channel.is_joined {
            true => self.log.history(channel.id, None, 1)?.entries.pop(),
            false => None,
        };
        Ok(json!({
            "id": channel.id.to_string(),
            "name": self.shown_title(channel),
            "policy": channel.policy.as_str(),
            "owner": self.name_of(channel.owner),
            "joined": channel.is_joined,
            "members": channel.members,
            "unread": channel.unread,
            "read": channel.read.map(|id| id.to_string()),
            "last": last.map(|entry| self.show_entry(&entry)),
            "may_write": channel.may_write(self.identity.key()),
        }))
    }

    pub(super) fn show_entry(&self, entry: &Entry) -> Value {
        let is_mine = entry.author == self.identity.key();
        let state = match is_mine {
            true => entry.delivery,
            false => Delivery::Delivered,
        };
        json!({
            "id": entry.id.to_string(),
            "channel": entry.channel.to_string(),
            "author": self.names.shown(&entry.name, entry.author),
            "fingerprint": entry.author.fingerprint().to_string(),
            "mine": is_mine,
            "time": entry.time,
            "text": entry.text,
            "state": state.as_str(),
            // Messages stand in the order of this text.
            "order": format!("{:016x}{:016x}{}", entry.height, entry.time, entry.id),
        })
    }

    pub(super) fn message_events(
        &mut self,
        channel: ChannelId,
        new: &[MessageId],
    ) -> Result<(), LogError> {
        if new.len() > MOST_EVENTS {
            let refresh = json!({"event": "refresh", "channel": channel.to_string()});
            self.events.push(refresh);
        } else {
            for id in new {
                if let Some(entry) = self.log.entry(*id)? {
                    self.names.note(&entry.name, entry.author);
                    let before = self.log.history(channel, Some(*id), 1)?.entries.pop();
                    let mut message = self.show_entry(&entry);
                    message["after"] = before.map(|before| before.id.to_string()).into();
                    let channel = channel.to_string();
                    let event = json!({"event": "message", "channel": channel, "message": message});
                    self.events.push(event);
                }
            }
        }
        self.channel_event(channel)
    }

    /// The states of own messages, after a receipt.
    pub(super) fn delivery_events(
        &mut self,
        channel: ChannelId,
        before: Receipt,
        after: Receipt,
    ) -> Result<(), LogError> {
        let to = after.held.max(after.read);
        for (id, counter) in self.log.own_between(channel, before.read, to)? {
            let state = Delivery::of(counter, true, after.held, after.read);
            if state != Delivery::of(counter, true, before.held, before.read) {
                self.events.push(json!({
                    "event": "state", "channel": channel.to_string(), "message": id.to_string(),
                    "state": state.as_str(),
                }));
            }
        }
        Ok(())
    }
}
