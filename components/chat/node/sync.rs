//! How logs become equal: heads, then the messages that are missing, in batches.
//!
//! ```text
//!  Heads ─▶ unknown ones? ─▶ Pull{tips} ─▶ Batch, next ─▶ More ─▶ … ─▶ still unknown? ─▶ Fetch
//! ```
//!
//! A new message goes to all connected readers at once. A peer that has missed it learns of it by
//! the heads, which are sent after each change and every 15 seconds.

use kamea::time::now;

use super::{HEADS_AFTER, Node};
use crate::frame::LARGEST_BATCH;
use crate::{
    Body, ChannelId, Closing, Frame, LogError, Message, MessageId, Policy, Refusal, Verdict,
};

/// How many channels that are not joined here a peer may keep.
const MOST_CHANNELS: usize = 4_000;

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
}
