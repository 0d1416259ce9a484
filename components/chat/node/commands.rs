//! What the user can do.

use serde_json::{Value, json};

use super::{Command, Node, milliseconds};
use crate::{Body, Channel, ChannelId, Frame, LogError, Message, PeerKey, Policy, WriteError};

/// Why a command was not done.
enum Failed {
    /// The user can do something about it.
    Told(String),
    Log(LogError),
}

impl From<LogError> for Failed {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}

impl From<WriteError> for Failed {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Log(error) => Self::Log(error),
            error => Self::Told(error.to_string()),
        }
    }
}

type Answer<T = Value> = Result<T, Failed>;

fn told<T>(what: impl Into<String>) -> Answer<T> {
    Err(Failed::Told(what.into()))
}

impl Node {
    /// Does what the user wants. The inner error is for the user.
    ///
    /// # Errors
    ///
    /// If the log has failed.
    pub(super) fn command(&mut self, command: Command) -> Result<Result<Value, String>, LogError> {
        match self.do_command(command) {
            Ok(answer) => Ok(Ok(answer)),
            Err(Failed::Told(what)) => Ok(Err(what)),
            Err(Failed::Log(error)) => Err(error),
        }
    }

    fn do_command(&mut self, command: Command) -> Answer {
        match command {
            Command::Hello => Ok(self.hello()?),
            Command::Peers => Ok(json!({"peers": self.show_peers()})),
            Command::Channels => {
                let channels = self.log.channels()?;
                let shown: Result<Vec<_>, _> = channels
                    .iter()
                    .map(|channel| self.show_channel(channel))
                    .collect();
                Ok(json!({"channels": shown?}))
            }
            Command::Create { channel, policy } => self.create(&channel, &policy),
            Command::Join { channel } => self.join(&channel),
            Command::Leave { channel } => self.leave(&channel),
            Command::Invite { channel, peer } => {
                let (channel, peer) = (self.find_channel(&channel)?, self.find_peer(&peer)?);
                self.write(channel.id, Body::Invite { peer })?;
                self.offer_to_all(channel.id)?;
                Ok(json!({}))
            }
            Command::Direct { peer } => {
                let peer = self.find_peer(&peer)?;
                Ok(json!({"channel": self.direct(peer)?.to_string()}))
            }
            Command::Send { channel, text } => {
                let channel = self.find_channel(&channel)?;
                self.send(&channel, text)
            }
            Command::SendPeer { peer, text } => {
                let peer = self.find_peer(&peer)?;
                let channel = self.direct(peer)?;
                let id = self.write(channel, Body::Text(text))?;
                Ok(json!({"message": id.to_string()}))
            }
            Command::Broadcast { channel, text } => self.broadcast(channel, &text),
            Command::Read { channel, message } => self.read(&channel, &message),
            query => self.query(query),
        }
    }

    /// Commands that change nothing.
    fn query(&mut self, command: Command) -> Answer {
        match command {
            Command::History {
                channel,
                before,
                limit,
            } => {
                let channel = self.find_channel(&channel)?;
                let before = before.map(|id| id.parse()).transpose();
                let Ok(before) = before else {
                    return told("`before` is not the identifier of a message");
                };
                let page = self.log.history(channel.id, before, limit.unwrap_or(50))?;
                let messages: Vec<_> = page
                    .entries
                    .iter()
                    .map(|entry| self.show_entry(entry))
                    .collect();
                Ok(json!({"messages": messages, "more": page.more}))
            }
            Command::Search { text, channel } => {
                let channel = match channel {
                    Some(channel) => Some(self.find_channel(&channel)?.id),
                    None => None,
                };
                let entries = self.log.search(&text, channel, 50)?;
                let messages: Vec<_> = entries.iter().map(|entry| self.show_entry(entry)).collect();
                Ok(json!({"messages": messages}))
            }
            Command::Members { channel } => {
                let channel = self.find_channel(&channel)?;
                let members = self.log.members(channel.id)?;
                let members: Vec<_> = members
                    .iter()
                    .map(|(key, name)| {
                        let fingerprint = key.fingerprint().to_string();
                        json!({"name": self.names.shown(name, *key), "fingerprint": fingerprint})
                    })
                    .collect();
                Ok(json!({"members": members}))
            }
            _ => told("there is no such command"),
        }
    }

    fn create(&mut self, title: &str, policy: &str) -> Answer {
        let policy = match policy {
            "open" => Policy::Open,
            "invite" => Policy::Invite,
            "read-only" => Policy::ReadOnly,
            _ => return told("a policy is `open`, `invite` or `read-only`"),
        };
        let id = self.create_channel(policy, title.trim())?;
        Ok(json!({"channel": id.to_string()}))
    }

    fn create_channel(&mut self, policy: Policy, title: &str) -> Answer<ChannelId> {
        let of = (policy, title);
        let (time, entropy) = (milliseconds(), self.entropy);
        let created = self
            .log
            .create_with(&self.identity, &self.name, of, time, entropy)?;
        self.channel_event(created.id())?;
        self.offer_to_all(created.id())?;
        Ok(created.id())
    }

    fn join(&mut self, channel: &str) -> Answer {
        let channel = self.find_channel(channel)?;
        if self.log.join(channel.id)? {
            self.welcome(channel.id)?;
        }
        self.channel_event(channel.id)?;
        Ok(json!({}))
    }

    /// Writes that this peer joins, if it keeps the channel, is not a member yet, and has the
    /// invitation that it needs.
    pub(super) fn become_member(&mut self, id: ChannelId) -> Result<(), LogError> {
        let Some(channel) = self.log.channel(id)? else {
            return Ok(());
        };
        if channel.is_member || !channel.is_joined {
            return Ok(());
        }
        let invitation = self.log.invitation(id)?;
        let is_invite = channel.policy == Policy::Invite;
        if is_invite && invitation.is_none() {
            return Ok(());
        }
        match self.write(id, Body::Join { invitation }) {
            Ok(_) => self.channel_event(id),
            Err(Failed::Log(error)) => Err(error),
            Err(Failed::Told(why)) => {
                log::warn!("cannot join {}: {why}", channel.title);
                Ok(())
            }
        }
    }

    fn leave(&mut self, channel: &str) -> Answer {
        let channel = self.find_channel(channel)?;
        if channel.is_member && channel.owner != self.identity.key() {
            self.write(channel.id, Body::Leave)?;
        }
        self.log.leave(channel.id)?;
        self.pulls.remove(&channel.id);
        for link in self.links.values_mut() {
            link.early.remove(&channel.id);
            // The others do not know of the channel, and need not.
            if link.announced.remove(&channel.id) {
                link.up.to.send(Frame::Heads {
                    channel: channel.id,
                    heads: Vec::new(),
                });
            }
        }
        self.events
            .push(json!({"event": "left", "channel": channel.id.to_string()}));
        Ok(json!({}))
    }

    fn direct(&mut self, peer: PeerKey) -> Answer<ChannelId> {
        if peer == self.identity.key() {
            return told("this is your own name");
        }
        match self.log.direct(peer)? {
            Some(id) => Ok(id),
            None => self.create_channel(Policy::Direct(peer), ""),
        }
    }

    fn send(&mut self, channel: &Channel, text: String) -> Answer {
        if !channel.is_joined {
            return told(format!("join {} first", self.shown_title(channel)));
        }
        if !channel.is_member && channel.policy == Policy::Invite {
            return Err(WriteError::NoInvitation.into());
        }
        let id = self.write(channel.id, Body::Text(text))?;
        Ok(json!({"message": id.to_string()}))
    }

    fn broadcast(&mut self, channel: Option<String>, text: &str) -> Answer {
        if let Some(channel) = channel {
            let channel = self.find_channel(&channel)?;
            return self.send(&channel, text.to_owned());
        }
        let peers: Vec<_> = self.by_key.keys().copied().collect();
        for peer in &peers {
            let channel = self.direct(*peer)?;
            self.write(channel, Body::Text(text.to_owned()))?;
        }
        Ok(json!({"peers": peers.len()}))
    }

    fn read(&mut self, channel: &str, message: &str) -> Answer {
        let channel = self.find_channel(channel)?;
        let Ok(message) = message.parse() else {
            return told("`message` is not the identifier of a message");
        };
        if self.log.mark_read(channel.id, message)? {
            self.channel_event(channel.id)?;
            for (_, number) in self.by_key.clone() {
                self.send_receipt(number, channel.id)?;
            }
        }
        Ok(json!({}))
    }

    /// Signs and keeps a message, and sends it to all readers that are connected.
    fn write(&mut self, channel: ChannelId, body: Body) -> Answer<ChannelId> {
        let message = self
            .log
            .write(&self.identity, &self.name, channel, body, milliseconds())?;
        self.publish(&message)?;
        self.note_change(channel);
        self.message_events(channel, &[message.id()])?;
        Ok(message.id())
    }

    fn publish(&mut self, message: &Message) -> Result<(), LogError> {
        let channel = message.channel();
        let Some(kept) = self.log.channel(channel)? else {
            return Ok(());
        };
        // The other peer of a direct channel keeps it as soon as it was announced.
        let is_direct = matches!(kept.policy, Policy::Direct(_));
        let is_public = matches!(kept.policy, Policy::Open | Policy::ReadOnly);
        let mut is_sent = false;
        for link in self.links.values() {
            let is_announced = is_direct && link.announced.contains(&channel);
            let keeps = is_announced || link.heads.contains_key(&channel);
            if keeps && (is_public || self.log.may_read(channel, link.up.key)?) {
                is_sent |= link.up.to.send(Frame::Publish(message.bytes().clone()));
            }
        }
        if is_sent {
            self.log.mark_sent(message.id())?;
        }
        Ok(())
    }

    fn find_channel(&self, id: &str) -> Answer<Channel> {
        let Ok(id) = id.parse() else {
            return told("`channel` is not the identifier of a channel");
        };
        match self.log.channel(id)? {
            Some(channel) => Ok(channel),
            None => told("there is no such channel"),
        }
    }

    fn find_peer(&self, peer: &str) -> Answer<PeerKey> {
        if let Ok(key) = peer.parse::<PeerKey>() {
            return Ok(key);
        }
        let known = self.contacts.keys().chain(self.by_key.keys());
        let mut known: Vec<_> = known.copied().chain(self.names.keys()).collect();
        known.extend(self.log.peers()?.into_iter().map(|(key, ..)| key));
        let is_it =
            |key: &PeerKey| self.name_of(*key) == peer || key.fingerprint().to_string() == peer;
        match known.into_iter().find(is_it) {
            Some(key) => Ok(key),
            None => told(format!("there is no peer with the name {peer}")),
        }
    }
}
