//! Space in a channel that is reserved for one message.

use super::Woken;
use super::sender::Sender;
use crate::port::Closed;

/// Holds the channel open, like any sender.
#[derive(Debug)]
pub(in crate::link) struct Permit<T> {
    sender: Sender<T>,
    /// Whether the space is still reserved.
    holds: bool,
}

impl<T> Permit<T> {
    /// A sender that the channel counts already.
    pub(super) fn new(sender: Sender<T>) -> Self {
        Self {
            sender,
            holds: true,
        }
    }

    pub(in crate::link) fn send(mut self, message: T) -> Result<(), Closed<T>> {
        let mut back = self.sender.channel.back();
        if !back.is_open() {
            return Err(Closed(message));
        }
        back.reserved -= 1;
        self.holds = false;
        back.messages.push_back(message);
        let woken = back.wakes_reader();
        drop(back);
        woken.wake();
        Ok(())
    }
}

impl<T> Drop for Permit<T> {
    fn drop(&mut self) {
        if !self.holds {
            return;
        }
        let channel = &self.sender.channel;
        let mut woken = Woken::default();
        let mut back = channel.back();
        back.reserved -= 1;
        channel.admit(&mut back, &mut woken);
        drop(back);
        woken.wake();
    }
}
