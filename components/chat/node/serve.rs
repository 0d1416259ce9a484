//! Answering requests for history.

use std::collections::BTreeMap;

use super::Node;
use crate::frame::LARGEST_BATCH;
use crate::{ChannelId, Frame, LogError, MOST_TIPS, PeerKey, Tip};

/// How many pulls of a peer are remembered.
const MOST_SERVED: usize = 64;

/// How many tips there may be in these pulls.
const MOST_TIPS_SERVED: usize = 8 * MOST_TIPS;

/// A peer's pull that is under way: what it had when it began.
#[derive(Debug, Default)]
pub(super) struct Serving(BTreeMap<PeerKey, u64>);

impl Serving {
    fn known(&self, author: PeerKey) -> u64 {
        self.0.get(&author).copied().unwrap_or_default()
    }
}

impl Node {
    /// Whether this peer gives the messages of a channel to another one.
    pub(super) fn serves(&self, channel: ChannelId, key: PeerKey) -> Result<bool, LogError> {
        Ok(self.log.is_joined(channel)? && self.log.may_read(channel, key)?)
    }

    pub(super) fn pulled(
        &mut self,
        number: u64,
        channel: ChannelId,
        tips: Vec<Tip>,
    ) -> Result<(), LogError> {
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
    pub(super) fn serve(
        &mut self,
        number: u64,
        channel: ChannelId,
        from: u64,
    ) -> Result<(), LogError> {
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

    pub(super) fn answer(
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
}
