//! The registry of the tracker, without a clock, a socket or a file: it answers questions.

mod limits;
mod peer;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime};

use super::answers::{ListedChannel, ListedPeer, Lists, LoggedIn, Peers, Reached, Submitted, Told};
use super::{Answer, Change, ChannelName, ListChange, PeerKey, PeerName, Question, Refusal};
use super::{Registration, keep::to_json};

pub use limits::{Limits, Moment};
use peer::Peer;

/// How many channels the list of peers names.
const MOST_LISTED_CHANNELS: usize = 1000;

/// How many nonces may be remembered, for as long as they could be used again.
const MOST_NONCES: usize = 20_000;

/// How exactly it is stored when a peer was seen last.
const SEEN_STEP: Duration = Duration::from_secs(3600);

/// The names of the tracker, the keys that they belong to, and who is present.
#[derive(Debug)]
pub struct Registry {
    limits: Limits,
    peers: BTreeMap<PeerName, Peer>,
    /// When the lease of each present peer ends.
    leases: BTreeSet<(Instant, PeerName)>,
    /// How many names each address has claimed.
    claimed: HashMap<IpAddr, usize>,
    /// How many peers of each channel are present.
    channels: BTreeMap<ChannelName, usize>,
    /// The nonces that have been used, with the time until which they are remembered.
    nonces: BTreeSet<(Instant, String)>,
    changes: Vec<Change>,
}

impl Registry {
    /// A registry with what was stored. Peers that were present when the tracker ended have one
    /// lease to say that they still are.
    #[must_use]
    pub fn new(limits: Limits, stored: Vec<Registration>, at: Moment) -> Self {
        let mut registry = Self {
            limits,
            peers: BTreeMap::new(),
            leases: BTreeSet::new(),
            claimed: HashMap::new(),
            channels: BTreeMap::new(),
            nonces: BTreeSet::new(),
            changes: Vec::new(),
        };
        for stored in stored {
            let is_present = !stored.addresses.is_empty();
            *registry.claimed.entry(stored.network).or_default() += 1;
            registry
                .peers
                .insert(stored.name.clone(), Peer::of(stored.clone()));
            if is_present {
                registry.begin_lease(&stored.name, at.now);
            }
        }
        registry.forget_old(at.date);
        registry
    }

    /// Takes what has to be stored since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Answers a question.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn answer(&mut self, question: Question, at: Moment) -> Answer {
        self.end_leases(at.now);
        match question {
            Question::LogIn {
                name,
                key,
                network,
                nonce,
                expires,
            } => {
                self.use_nonce(nonce, expires, at.now)?;
                self.log_in(name, key, network, at.date)
            }
            Question::Submit {
                name,
                addresses,
                links,
            } => self.submit(&name, addresses, links, at),
            Question::List(name, change) => self.change_list(&name, change),
            Question::Peers { channel } => Ok(self.list(channel.as_ref(), at.now)),
            Question::Reach(name) => self.reach(name, at.now),
            Question::Links => Ok(self.links()),
        }
    }

    fn use_nonce(&mut self, nonce: String, expires: Instant, now: Instant) -> Result<(), Refusal> {
        while let Some((until, _)) = self.nonces.first()
            && *until < now
        {
            self.nonces.pop_first();
        }
        if self.nonces.len() >= MOST_NONCES {
            return Err(Refusal::Full);
        }
        match self.nonces.insert((expires, nonce)) {
            true => Ok(()),
            false => Err(Refusal::NonceUsed),
        }
    }

    fn log_in(
        &mut self,
        name: PeerName,
        key: PeerKey,
        network: IpAddr,
        date: SystemTime,
    ) -> Answer {
        let is_known = match self.peers.get(&name) {
            Some(peer) if peer.key == key => true,
            Some(peer) if !self.is_old(peer, date) => return Err(Refusal::NameTaken(name)),
            _ => false,
        };
        if !is_known {
            self.claim(&name, key, network, date)?;
        }
        Ok(Told::LoggedIn(LoggedIn {
            name,
            fingerprint: key.fingerprint().to_string(),
            lease_seconds: self.limits.lease.as_secs(),
        }))
    }

    fn claim(
        &mut self,
        name: &PeerName,
        key: PeerKey,
        network: IpAddr,
        date: SystemTime,
    ) -> Result<(), Refusal> {
        self.forget_old(date);
        let claimed = self.claimed.get(&network).copied().unwrap_or_default();
        if claimed >= self.limits.names_by_network {
            return Err(Refusal::TooManyNames(claimed));
        }
        if self.peers.len() >= self.limits.names {
            return Err(Refusal::Full);
        }
        *self.claimed.entry(network).or_default() += 1;
        let peer = Peer::of(Registration {
            name: name.clone(),
            key,
            network,
            addresses: Vec::new(),
            is_listed: false,
            channels: BTreeSet::new(),
            seen: date,
        });
        self.peers.insert(name.clone(), peer);
        self.save(name);
        Ok(())
    }

    fn is_old(&self, peer: &Peer, date: SystemTime) -> bool {
        let unseen = date.duration_since(peer.seen).unwrap_or_default();
        peer.heartbeat.is_none() && unseen > self.limits.kept
    }

    /// Frees the names that have not been used for long.
    fn forget_old(&mut self, date: SystemTime) {
        let is_old = |(_, peer): &(&PeerName, &Peer)| self.is_old(peer, date);
        let old: Vec<_> = self
            .peers
            .iter()
            .filter(is_old)
            .map(|(name, _)| name.clone())
            .collect();
        for name in old {
            if let Some(peer) = self.peers.remove(&name)
                && let Some(count) = self.claimed.get_mut(&peer.network)
            {
                *count -= 1;
                if *count == 0 {
                    self.claimed.remove(&peer.network);
                }
            }
            self.changes.push(Change::Forget(name));
        }
    }

    fn submit(
        &mut self,
        name: &PeerName,
        addresses: Vec<SocketAddr>,
        links: Vec<PeerName>,
        at: Moment,
    ) -> Answer {
        let lease_seconds = self.limits.lease.as_secs();
        let Some(peer) = self.peers.get_mut(name) else {
            return Err(Refusal::Forgotten(name.clone()));
        };
        let has_changed = peer.addresses != addresses;
        let is_due = at
            .date
            .duration_since(peer.seen)
            .is_ok_and(|unseen| unseen > SEEN_STEP);
        peer.addresses.clone_from(&addresses);
        peer.links = links;
        if has_changed || is_due {
            peer.seen = at.date;
        }
        match addresses.is_empty() {
            true => self.end_lease(name),
            false => self.begin_lease(name, at.now),
        }
        if has_changed || is_due {
            self.save(name);
        }
        Ok(Told::Submitted(Submitted {
            lease_seconds,
            addresses,
        }))
    }

    fn begin_lease(&mut self, name: &PeerName, now: Instant) {
        let Some(peer) = self.peers.get_mut(name) else {
            return;
        };
        match peer.heartbeat.replace(now) {
            Some(before) => {
                self.leases
                    .remove(&(before + self.limits.lease, name.clone()));
            }
            None => {
                for channel in &peer.channels {
                    *self.channels.entry(channel.clone()).or_default() += 1;
                }
            }
        }
        self.leases.insert((now + self.limits.lease, name.clone()));
    }

    fn end_lease(&mut self, name: &PeerName) {
        let Some(peer) = self.peers.get_mut(name) else {
            return;
        };
        let Some(heartbeat) = peer.heartbeat.take() else {
            return;
        };
        self.leases
            .remove(&(heartbeat + self.limits.lease, name.clone()));
        peer.addresses.clear();
        peer.links.clear();
        for channel in &peer.channels {
            leave(&mut self.channels, channel);
        }
    }

    /// Ends the leases that are over.
    fn end_leases(&mut self, now: Instant) {
        while let Some((end, name)) = self.leases.first().cloned()
            && end <= now
        {
            self.end_lease(&name);
            self.save(&name);
        }
    }

    fn change_list(&mut self, name: &PeerName, change: ListChange) -> Answer {
        let Some(peer) = self.peers.get_mut(name) else {
            return Err(Refusal::Forgotten(name.clone()));
        };
        let is_present = peer.heartbeat.is_some();
        let has_changed = match (change.channel, change.remove) {
            (None, remove) => std::mem::replace(&mut peer.is_listed, !remove) == remove,
            (Some(channel), true) => {
                let was_on = peer.channels.remove(&channel);
                if was_on && is_present {
                    leave(&mut self.channels, &channel);
                }
                was_on
            }
            (Some(channel), false) if peer.channels.contains(&channel) => false,
            (Some(_), false) if peer.channels.len() >= self.limits.channels => {
                return Err(Refusal::TooManyChannels(peer.channels.len()));
            }
            (Some(channel), false) => {
                if is_present {
                    *self.channels.entry(channel.clone()).or_default() += 1;
                }
                peer.channels.insert(channel)
            }
        };
        let lists = Lists {
            listed: peer.is_listed,
            channels: peer.channels.iter().cloned().collect(),
        };
        if has_changed {
            self.save(name);
        }
        Ok(Told::Lists(lists))
    }

    /// The peers that are present: those on the public list, or on that of a channel.
    fn list(&self, channel: Option<&ChannelName>, now: Instant) -> Told {
        let peers = self.peers.iter().filter_map(|(name, peer)| {
            let heartbeat = peer.heartbeat?;
            let is_on = match channel {
                None => peer.is_listed,
                Some(channel) => peer.channels.contains(channel),
            };
            is_on.then(|| ListedPeer {
                name,
                fingerprint: &peer.fingerprint,
                seen_ms: milliseconds(heartbeat, now),
            })
        });
        let channels = self.channels.iter().take(MOST_LISTED_CHANNELS);
        Told::Peers(to_json(&Peers {
            lease_seconds: self.limits.lease.as_secs(),
            peers: peers.collect(),
            channels: channels
                .map(|(name, peers)| ListedChannel {
                    name,
                    peers: *peers,
                })
                .collect(),
        }))
    }

    fn reach(&self, name: PeerName, now: Instant) -> Answer {
        let Some(peer) = self.peers.get(&name) else {
            return Err(Refusal::Unknown(name));
        };
        let Some(heartbeat) = peer.heartbeat else {
            return Err(Refusal::Away(name));
        };
        Ok(Told::Reached(Reached {
            name,
            key: peer.key,
            fingerprint: peer.fingerprint.clone(),
            addresses: peer.addresses.clone(),
            seen_ms: milliseconds(heartbeat, now),
        }))
    }

    fn links(&self) -> Told {
        let present = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.heartbeat.is_some());
        Told::Links(
            present
                .map(|(name, peer)| (name.clone(), peer.links.clone()))
                .collect(),
        )
    }

    fn save(&mut self, name: &PeerName) {
        if let Some(peer) = self.peers.get(name) {
            self.changes
                .push(Change::Save(peer.registration(name.clone())));
        }
    }
}

/// Counts one peer less in a channel.
fn leave(channels: &mut BTreeMap<ChannelName, usize>, channel: &ChannelName) {
    if let Some(count) = channels.get_mut(channel) {
        *count -= 1;
        if *count == 0 {
            channels.remove(channel);
        }
    }
}

fn milliseconds(heartbeat: Instant, now: Instant) -> u64 {
    now.saturating_duration_since(heartbeat).as_millis() as u64
}
