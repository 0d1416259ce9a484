//! The sending end.

use std::sync::Arc;

use super::Channel;
use super::send::{Reserve, Send};
use crate::blocking::block_on;
use crate::port::{Closed, TrySendError};

#[derive(Debug)]
pub(in crate::link) struct Sender<T> {
    pub(super) channel: Arc<Channel<T>>,
}

/// A sender that does not hold the channel open.
#[derive(Debug)]
pub(in crate::link) struct WeakSender<T> {
    channel: Arc<Channel<T>>,
}

impl<T> Sender<T> {
    /// A sender that the channel counts already.
    pub(super) fn new(channel: Arc<Channel<T>>) -> Self {
        Self { channel }
    }

    pub(in crate::link) fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let mut back = self.channel.back();
        if !back.is_open() {
            return Err(TrySendError::Closed(message));
        }
        if !back.writers.is_empty() || !self.channel.has_space(&mut back) {
            return Err(TrySendError::Full(message));
        }
        back.messages.push_back(message);
        let woken = back.wakes_reader();
        drop(back);
        woken.wake();
        Ok(())
    }

    /// Sends a message once there is space.
    pub(in crate::link) fn send(&self, message: T) -> Send<'_, T> {
        Send::new(self, message)
    }

    pub(in crate::link) fn send_blocking(&self, message: T) -> Result<(), Closed<T>> {
        block_on(self.send(message))
    }

    /// Reserves space for a message once there is some.
    pub(in crate::link) fn reserve(&self) -> Reserve<'_, T> {
        Reserve::new(self)
    }

    pub(in crate::link) fn is_full(&self) -> bool {
        let mut back = self.channel.back();
        !back.writers.is_empty() || !self.channel.has_space(&mut back)
    }

    /// How many senders hold the channel open.
    pub(in crate::link) fn sender_count(&self) -> usize {
        self.channel.back().senders
    }

    pub(in crate::link) fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            channel: self.channel.clone(),
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.channel.back().senders += 1;
        Self::new(self.channel.clone())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut back = self.channel.back();
        back.senders -= 1;
        if back.senders > 0 {
            return;
        }
        let woken = back.wakes_reader();
        drop(back);
        woken.wake();
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self {
            channel: self.channel.clone(),
        }
    }
}

impl<T> WeakSender<T> {
    pub(in crate::link) fn upgrade(&self) -> Option<Sender<T>> {
        let mut back = self.channel.back();
        if back.senders == 0 {
            return None;
        }
        back.senders += 1;
        drop(back);
        Some(Sender::new(self.channel.clone()))
    }
}
