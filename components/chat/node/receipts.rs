//! Receipts: what others have of this peer's messages, and this peer of theirs.

use super::Node;
use crate::{ChannelId, Frame, LogError, Receipt};

/// How many receipts of a peer wait until it is a member.
const MOST_EARLY: usize = 64;

impl Node {
    /// Tells a peer what this one has of its messages, if that has changed.
    pub(super) fn send_receipt(&mut self, number: u64, channel: ChannelId) -> Result<(), LogError> {
        let Some(link) = self.links.get_mut(&number) else {
            return Ok(());
        };
        let receipt = self.log.receipt_for(channel, link.up.key)?;
        if receipt.held == 0 || link.receipts.get(&channel) == Some(&receipt) {
            return Ok(());
        }
        if link.up.to.send(Frame::Receipt { channel, receipt }) {
            link.receipts.insert(channel, receipt);
        }
        Ok(())
    }

    /// A receipt of a member counts. That of a peer whose `Join` has not arrived waits for it.
    pub(super) fn receipt(
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
    pub(super) fn count_early(&mut self, channel: ChannelId) -> Result<(), LogError> {
        let early = self.links.iter_mut().filter_map(|(number, link)| {
            let receipt = link.early.remove(&channel)?;
            Some((*number, receipt))
        });
        for (number, receipt) in early.collect::<Vec<_>>() {
            self.receipt(number, channel, receipt)?;
        }
        Ok(())
    }
}
