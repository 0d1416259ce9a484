//! Asking for history: one peer at a time for each channel, and the next one if it does not answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kamea::time::now;

use super::Node;
use crate::frame::MOST_IDS;
use crate::{ChannelId, Closing, Frame, LogError, Message, MessageId};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A request for history that is under way.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) link: u64,
    pub(super) deadline: Instant,
    wanted: BTreeSet<MessageId>,
    /// Messages that wait for their predecessors.
    pub(super) held: BTreeMap<MessageId, Message>,
    /// Whether single messages were asked for.
    is_fetch: bool,
}

impl Node {
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

    pub(super) fn pull(
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

    pub(super) fn batch(
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
