//! How logs become equal: heads, then the messages that are missing, in batches.
//!
//! ```text
//!  Heads ─▶ unknown ones? ─▶ Pull{tips} ─▶ Batch, next ─▶ More ─▶ … ─▶ still unknown? ─▶ Fetch
//! ```
//!
//! A new message goes to all connected readers at once. A peer that has missed it learns of it by
//! the heads, which are sent after each change and every 15 seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kamea::time::now;

use super::{HEADS_AFTER, Node};
use crate::frame::{LARGEST_BATCH, MOST_IDS};
use crate::{
    Body, ChannelId, Closing, Frame, LogError, MOST_TIPS, Message, MessageId, PeerKey, Policy,
    Receipt, Refusal, Tip, Verdict,
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many messages may wait for their predecessors.
const MOST_HELD: usize = 1_000;

/// How many channels that are not joined here a peer may keep.
const MOST_CHANNELS: usize = 4_000;

/// How many pulls of a peer are remembered.
const MOST_SERVED: usize = 64;

/// How many tips there may be in these pulls.
const MOST_TIPS_SERVED: usize = 8 * MOST_TIPS;

/// How many receipts of a peer wait until it is a member.
const MOST_EARLY: usize = 64;

/// A request for history that is under way.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) link: u64,
    pub(super) deadline: Instant,
    wanted: BTreeSet<MessageId>,
    held: BTreeMap<MessageId, Message>,
    /// Whether single messages were asked for.
    is_fetch: bool,
}

/// A peer's pull that is under way: what it had when it began.
#[derive(Debug, Default)]
pub(super) struct Serving(BTreeMap<PeerKey, u64>);

impl Serving {
    fn known(&self, author: PeerKey) -> u64 {
        self.0.get(&author).copied().unwrap_or_default()
    }
}

/// What accepting some messages has changed.
#[derive(Debug, Default)]
struct Outcome {
    new: Vec<MessageId>,
    /// Who has written them.
    authors: BTreeSet<PeerKey>,
    missing: Vec<MessageId>,
    held: Vec<Message>,
    offence: bool,
}

impl Node {
    pub(super) fn frame(&mut self, number: u64, frame: Frame<Message>) -> Result<(), LogError> {
        let Some(link) = self.links.get(&number) else {
            return Ok(());
        };
        let key = link.up.key;
        match frame {
            Frame::Announce(message) => self.announced(number, &message),
            Frame::Publish(message) => self.published(number, message),
            Frame::Heads { channel, heads } => self.learn_heads(number, channel, heads),
            Frame::Batch {
                channel,
                messages,
                next,
            } => self.batch(number, channel, messages, next),
            Frame::Receipt { channel, receipt } => self.receipt(number, channel, receipt),
            Frame::Pull { channel, tips } => self.pulled(number, channel, tips),
            Frame::More { channel, from } => self.serve(number, channel, from),
            Frame::Fetch { channel, ids } => {
                let messages = match self.serves(channel, key)? {
                    true => self.log.fetch(channel, &ids, LARGEST_BATCH)?,
                    false => Vec::new(),
                };
                self.answer(number, channel, messages, None);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Whether this peer gives the messages of a channel to another one.
    pub(super) fn serves(&self, channel: ChannelId, key: PeerKey) -> Result<bool, LogError> {
        Ok(self.log.is_joined(channel)? && self.log.may_read(channel, key)?)
    }

    fn announced(&mut self, number: u64, message: &Message) -> Result<(), LogError> {
        if !matches!(message.draft().body, Body::Create { .. }) {
            self.close(number, Closing::Invalid);
            return Ok(());
        }
        match self.log.accept(message)? {
            Verdict::New => {
                self.channel_event(message.channel())?;
                if self.log.is_joined(message.channel())? {
                    self.welcome(message.channel())?;
                }
                Ok(())
            }
            Verdict::Refused(Refusal::NotInvited | Refusal::WrongPolicy) => {
                self.close(number, Closing::Invalid);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Begins to keep a channel: joins it if that is possible now, and asks for its messages.
    pub(super) fn welcome(&mut self, channel: ChannelId) -> Result<(), LogError> {
        self.become_member(channel)?;
        self.offer_to_all(channel)?;
        self.next_pull(channel)
    }

    fn published(&mut self, number: u64, message: Message) -> Result<(), LogError> {
        let (channel, id) = (message.channel(), message.id());
        let outcome = self.accept(channel, vec![message])?;
        if outcome.offence {
            self.close(number, Closing::Invalid);
            return Ok(());
        }
        if !outcome.missing.is_empty() {
            self.pull(number, channel, [id].into())?;
        }
        self.arrived(channel, &outcome)
    }

    fn learn_heads(
        &mut self,
        number: u64,
        channel: ChannelId,
        mut heads: Vec<MessageId>,
    ) -> Result<(), LogError> {
        let Some(known) = self.log.channel(channel)? else {
            return Ok(());
        };
        let Some(link) = self.links.get_mut(&number) else {
            return Ok(());
        };
        if heads.is_empty() {
            link.heads.remove(&channel);
            return Ok(());
        }
        // A peer may be invited, and this one not know of it yet.
        let may_be_invited = known.is_joined && known.policy == Policy::Invite;
        if !may_be_invited && !self.log.may_read(channel, link.up.key)? {
            return Ok(());
        }
        if !known.is_joined {
            // It says that the peer keeps the channel; nothing is asked for.
            heads.truncate(1);
            heads.shrink_to_fit();
        }
        if known.is_joined || link.heads.len() < MOST_CHANNELS {
            link.heads.insert(channel, heads);
        }
        self.next_pull(channel)
    }

    /// Asks a peer that has unknown messages of a channel, if there is one, and nobody is being
    /// asked.
    pub(super) fn next_pull(&mut self, channel: ChannelId) -> Result<(), LogError> {
        if self.pulls.contains_key(&channel) || !self.log.is_joined(channel)? {
            return Ok(());
        }
        let mut found = None;
        for (number, link) in &self.links {
            if let Some(heads) = link.heads.get(&channel) {
                let unknown = self.log.unknown(heads)?;
                if !unknown.is_empty() {
                    found = Some((*number, unknown));
                    break;
                }
            }
        }
        match found {
            Some((number, unknown)) => self.pull(number, channel, unknown.into_iter().collect()),
            None => Ok(()),
        }
    }

    fn pull(
        &mut self,
        number: u64,
        channel: ChannelId,
        wanted: BTreeSet<MessageId>,
    ) -> Result<(), LogError> {
        if self.pulls.contains_key(&channel) {
            return Ok(());
        }
        let tips = self.log.tips(channel)?;
        let Some(to) = self.to(number) else {
            return Ok(());
        };
        if to.send(Frame::Pull { channel, tips }) {
            let pull = Pull {
                link: number,
                deadline: now() + PATIENCE,
                wanted,
                held: BTreeMap::new(),
                is_fetch: false,
            };
            self.pulls.insert(channel, pull);
        }
        Ok(())
    }

    fn pulled(&mut self, number: u64, channel: ChannelId, tips: Vec<Tip>) -> Result<(), LogError> {
        let Some(key) = self.links.get(&number).map(|link| link.up.key) else {
            return Ok(());
        };
        if !self.serves(channel, key)? {
            self.answer(number, channel, Vec::new(), None);
            return Ok(());
        }
        let Some(link) = self.links.get_mut(&number) else {
            return Ok(());
        };
        let known: usize = link.serving.values().map(|serving| serving.0.len()).sum();
        if link.serving.len() >= MOST_SERVED || known + tips.len() > MOST_TIPS_SERVED {
            // What they do not get now they fetch.
            link.serving.clear();
        }
        let tips = tips.into_iter().map(|tip| (tip.author, tip.counter));
        link.serving.insert(channel, Serving(tips.collect()));
        self.serve(number, channel, 0)
    }

    /// Answers a pull with its next batch.
    fn serve(&mut self, number: u64, channel: ChannelId, from: u64) -> Result<(), LogError> {
        let Some(link) = self.links.get(&number) else {
            return Ok(());
        };
        if !self.serves(channel, link.up.key)? {
            self.answer(number, channel, Vec::new(), None);
            return Ok(());
        }
        let Some(serving) = link.serving.get(&channel) else {
            self.answer(number, channel, Vec::new(), None);
            return Ok(());
        };
        let known = |author| serving.known(author);
        let from = match from {
            0 => self.log.begin(channel, &known)?,
            from => Some(from),
        };
        let batch = match from {
            Some(from) => self.log.batch(channel, &known, from, LARGEST_BATCH)?,
            None => Default::default(),
        };
        self.answer(number, channel, batch.messages, batch.next);
        Ok(())
    }

    fn answer(
        &self,
        number: u64,
        channel: ChannelId,
        messages: Vec<bytes::Bytes>,
        next: Option<u64>,
    ) {
        if let Some(to) = self.to(number) {
            // A peer that does not read asks again, once it does.
            to.send(Frame::Batch {
                channel,
                messages,
                next,
            });
        }
    }

    fn batch(
        &mut self,
        number: u64,
        channel: ChannelId,
        messages: Vec<Message>,
        next: Option<u64>,
    ) -> Result<(), LogError> {
        let is_expected = (self.pulls.get(&channel)).is_some_and(|pull| pull.link == number);
        if !is_expected {
            return self.late_batch(number, channel, messages);
        }
        let Some(mut pull) = self.pulls.remove(&channel) else {
            return Ok(());
        };
        // The next batch is on its way while this one is kept.
        let more = next.filter(|_| !pull.is_fetch);
        let more = more.map(|from| Frame::More { channel, from });
        let mut is_asked = more.is_some_and(|more| self.send_to(number, more));
        let outcome = self.accept_held(channel, messages, &mut pull)?;
        if outcome.offence {
            self.close(number, Closing::Invalid);
            return self.arrived(channel, &outcome);
        }
        let is_progress = !outcome.new.is_empty() || !pull.is_fetch || !outcome.missing.is_empty();
        if (next.is_none() || pull.is_fetch)
            && is_progress
            && let Some(fetch) = self.still_wanted(channel, &pull, &outcome.missing)?
        {
            pull.is_fetch = true;
            is_asked = self.send_to(number, fetch);
        }
        if is_asked {
            // Only messages prolong it: a peer that has nothing must not keep others from being
            // asked.
            if !outcome.new.is_empty() {
                pull.deadline = now() + PATIENCE;
            }
            self.pulls.insert(channel, pull);
        }
        self.arrived(channel, &outcome)?;
        if !self.pulls.contains_key(&channel) {
            self.become_member(channel)?;
            if !is_progress && let Some(link) = self.links.get_mut(&number) {
                // It has the channel, and nothing for us.
                link.heads.insert(channel, Vec::new());
            }
            return self.next_pull(channel);
        }
        Ok(())
    }

    fn send_to(&self, number: u64, frame: Frame) -> bool {
        self.to(number).is_some_and(|to| to.send(frame))
    }

    /// An answer to a request that was given up: what it brings is welcome all the same, so that
    /// slow links make progress.
    fn late_batch(
        &mut self,
        number: u64,
        channel: ChannelId,
        messages: Vec<Message>,
    ) -> Result<(), LogError> {
        match self.links.get_mut(&number).map(|link| &mut link.late) {
            Some(late @ 1..) => *late -= 1,
            _ => {
                self.close(number, Closing::Unexpected);
                return Ok(());
            }
        }
        let outcome = self.accept(channel, messages)?;
        if outcome.offence {
            self.close(number, Closing::Invalid);
        }
        self.arrived(channel, &outcome)
    }

    /// The request for those messages that a pull has not brought.
    fn still_wanted(
        &self,
        channel: ChannelId,
        pull: &Pull,
        missing: &[MessageId],
    ) -> Result<Option<Frame>, LogError> {
        let wanted = pull.wanted.iter().chain(missing).copied();
        let mut wanted: Vec<_> = wanted.collect();
        wanted.retain(|id| !pull.held.contains_key(id));
        let mut ids = self.log.unknown(&wanted)?;
        ids.truncate(MOST_IDS);
        Ok((!ids.is_empty()).then_some(Frame::Fetch { channel, ids }))
    }

    /// Accepts messages, and those that have waited for them.
    fn accept_held(
        &mut self,
        channel: ChannelId,
        messages: Vec<Message>,
        pull: &mut Pull,
    ) -> Result<Outcome, LogError> {
        let mut total = self.accept(channel, messages)?;
        loop {
            for message in total.held.drain(..) {
                if pull.held.len() < MOST_HELD {
                    pull.held.insert(message.id(), message);
                }
            }
            if total.new.is_empty() || pull.held.is_empty() {
                return Ok(total);
            }
            let held = std::mem::take(&mut pull.held).into_values().collect();
            let again = self.accept(channel, held)?;
            total.offence |= again.offence;
            total.held = again.held;
            total.missing = again.missing;
            if again.new.is_empty() {
                for message in total.held.drain(..) {
                    pull.held.insert(message.id(), message);
                }
                return Ok(total);
            }
            total.new.extend(again.new);
            total.authors.extend(again.authors);
        }
    }

    fn accept(&mut self, channel: ChannelId, messages: Vec<Message>) -> Result<Outcome, LogError> {
        let mut outcome = Outcome::default();
        let is_of_channel = |message: &Message| message.channel() == channel;
        outcome.offence = !messages.iter().all(is_of_channel);
        if outcome.offence {
            return Ok(outcome);
        }
        let verdicts = self.log.accept_all(&messages)?;
        for (message, verdict) in messages.into_iter().zip(verdicts) {
            match verdict {
                Verdict::New | Verdict::Reused => {
                    outcome.new.push(message.id());
                    outcome.authors.insert(message.author());
                }
                Verdict::Missing(ids) => {
                    outcome.missing.extend(ids);
                    outcome.held.push(message);
                }
                Verdict::Known
                | Verdict::Refused(Refusal::UnknownChannel | Refusal::TooManyChannels) => {}
                Verdict::Refused(refusal) => {
                    log::warn!("a message of {} is refused: {refusal}", message.author());
                    outcome.offence = true;
                }
            }
        }
        Ok(outcome)
    }

    /// Tells pages and peers about new messages.
    fn arrived(&mut self, channel: ChannelId, outcome: &Outcome) -> Result<(), LogError> {
        if outcome.new.is_empty() {
            return Ok(());
        }
        self.note_change(channel);
        self.message_events(channel, &outcome.new)?;
        self.count_early(channel)?;
        // An invitation may have come: for this peer, or for another one.
        self.become_member(channel)?;
        for author in &outcome.authors {
            if let Some(number) = self.by_key.get(author) {
                self.send_receipt(*number, channel)?;
            }
        }
        Ok(())
    }

    /// The heads of a channel have changed.
    pub(super) fn note_change(&mut self, channel: ChannelId) {
        self.changed.insert(channel);
        self.next_heads.get_or_insert_with(|| now() + HEADS_AFTER);
    }

    pub(super) fn send_heads(&mut self) -> Result<(), LogError> {
        for channel in std::mem::take(&mut self.changed) {
            if self.log.is_joined(channel)? {
                self.offer_to_all(channel)?;
                self.next_pull(channel)?;
            }
        }
        Ok(())
    }

    /// A receipt of a member counts. That of a peer whose `Join` has not arrived waits for it.
    fn receipt(
        &mut self,
        number: u64,
        channel: ChannelId,
        receipt: Receipt,
    ) -> Result<(), LogError> {
        let Some(peer) = self.links.get(&number).map(|link| link.up.key) else {
            return Ok(());
        };
        if !self.serves(channel, peer)? {
            return Ok(());
        }
        if !self.log.is_member(channel, peer)? {
            if let Some(link) = self.links.get_mut(&number)
                && (link.early.len() < MOST_EARLY || link.early.contains_key(&channel))
            {
                link.early.insert(channel, receipt);
            }
            return Ok(());
        }
        match self.log.note_receipt(channel, peer, receipt)? {
            Some((before, after)) => self.delivery_events(channel, before, after),
            None => Ok(()),
        }
    }

    /// Counts the receipts of those that have become members.
    fn count_early(&mut self, channel: ChannelId) -> Result<(), LogError> {
        let early = self.links.iter_mut().filter_map(|(number, link)| {
            let receipt = link.early.remove(&channel)?;
            Some((*number, receipt))
        });
        for (number, receipt) in early.collect::<Vec<_>>() {
            self.receipt(number, channel, receipt)?;
        }
        Ok(())
    }

    /// Gives up pulls that were not answered in time.
    pub(super) fn drop_late_pulls(&mut self, now: Instant) -> Result<(), LogError> {
        let late = self.pulls.iter().filter(|(_, pull)| pull.deadline <= now);
        let late: Vec<_> = late.map(|(channel, pull)| (*channel, pull.link)).collect();
        for (channel, number) in late {
            self.pulls.remove(&channel);
            if let Some(link) = self.links.get_mut(&number) {
                link.late += 1;
                // Its next heads begin again; meanwhile another peer is asked.
                link.heads.remove(&channel);
            }
            self.next_pull(channel)?;
        }
        Ok(())
    }

    /// Pulls that end with their link begin again elsewhere.
    pub(super) fn move_pulls(&mut self, number: u64) {
        let ended = self.pulls.extract_if(.., |_, pull| pull.link == number);
        let ended: Vec<_> = ended.map(|(channel, _)| channel).collect();
        for channel in ended {
            self.note_change(channel);
        }
    }
}
