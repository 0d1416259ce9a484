//! Accepting messages of others, and telling pages and peers about them.

use std::collections::BTreeSet;

use super::Node;
use super::pull::Pull;
use crate::{ChannelId, LogError, Message, MessageId, PeerKey, Refusal, Verdict};

/// How many messages may wait for their predecessors.
const MOST_HELD: usize = 1_000;

/// What accepting some messages has changed.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) new: Vec<MessageId>,
    /// Who has written them.
    authors: BTreeSet<PeerKey>,
    pub(super) missing: Vec<MessageId>,
    held: Vec<Message>,
    /// Whether one of them breaks a rule.
    pub(super) offence: bool,
}

impl Node {
    /// Accepts messages, and those that have waited for them.
    pub(super) fn accept_held(
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

    pub(super) fn accept(
        &mut self,
        channel: ChannelId,
        messages: Vec<Message>,
    ) -> Result<Outcome, LogError> {
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
    pub(super) fn arrived(
        &mut self,
        channel: ChannelId,
        outcome: &Outcome,
    ) -> Result<(), LogError> {
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
}
