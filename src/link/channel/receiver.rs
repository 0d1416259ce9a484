//! The receiving end.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::{Back, Channel, Woken, later};
use crate::blocking::block_on;
use crate::supervision::drop_each;
use crate::sync::{MutexGuard, Ordering::SeqCst, store_load_fence};

/// A clone takes what this one leaves.
#[derive(Debug)]
pub(in crate::link) struct Receiver<T> {
    channel: Arc<Channel<T>>,
}

impl<T> Receiver<T> {
    /// A receiver that the channel counts already.
    pub(super) fn new(channel: Arc<Channel<T>>) -> Self {
        Self { channel }
    }

    pub(in crate::link) fn try_recv(&self) -> Option<T> {
        let mut front = self.channel.front();
        match front.pop_front() {
            Some(message) => {
                drop(front);
                self.channel.took_one();
                Some(message)
            }
            None => self.channel.take_over(front),
        }
    }

    /// Waits for the next message. Returns `None` once every sender is gone and nothing is left.
    pub(in crate::link) async fn recv(&self) -> Option<T> {
        poll_fn(|cx| self.poll_recv(cx)).await
    }

    pub(in crate::link) fn recv_blocking(&self) -> Option<T> {
        block_on(self.recv())
    }

    fn poll_recv(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            let message = self.try_recv();
            if message.is_some() {
                return Poll::Ready(message);
            }
            let mut back = self.channel.back();
            if !back.messages.is_empty() {
                continue;
            }
            if back.senders == 0 {
                return Poll::Ready(None);
            }
            let known = back.reader.as_ref();
            if !known.is_some_and(|known| known.will_wake(cx.waker())) {
                let replaced = back.reader.replace(cx.waker().clone());
                drop(back);
                drop(replaced);
            }
            return Poll::Pending;
        }
    }

    /// Returns whether every sender is gone.
    pub(in crate::link) fn is_disconnected(&self) -> bool {
        self.channel.back().senders == 0
    }

    pub(in crate::link) fn len(&self) -> usize {
        self.channel.in_hand.load(SeqCst) + self.channel.back().messages.len()
    }

    /// Returns all that is left, including the messages of waiting sends.
    pub(in crate::link) fn try_iter(&self) -> impl Iterator<Item = T> {
        std::iter::from_fn(|| self.try_recv())
    }
}

impl<T> Channel<T> {
    /// Records that the receiver has taken a message from the front.
    fn took_one(&self) {
        let left = self.in_hand.fetch_sub(1, SeqCst) - 1;
        store_load_fence();
        let awaited = self.awaited.load(SeqCst);
        if awaited > 0 {
            self.make_space(left, awaited);
        }
    }

    /// A send waits for the space that is free now. Within a turn it waits until half is free.
    #[inline(never)]
    fn make_space(&self, left: usize, awaited: u64) {
        let key = (std::ptr::from_ref(self).addr(), awaited);
        if left > self.capacity / 2 && later::is_noted(key) {
            return;
        }
        let mut woken = Woken::default();
        let mut back = self.back();
        back.in_hand = left;
        self.make_space_in(&mut back, &mut woken);
        drop(back);
        woken.wake();
    }

    fn make_space_in(&self, back: &mut Back<T>, woken: &mut Woken) {
        let free = self.capacity.saturating_sub(back.used());
        let is_time = free >= self.capacity.div_ceil(2);
        let address = std::ptr::from_ref(self).addr();
        if is_time || !later::is_in_turn() {
            later::forget(address);
            self.admit(back, woken);
        } else {
            let key = (address, back.first_ticket());
            if let Some((_, waker)) = back.writers.first_mut() {
                later::note(key, waker);
            }
        }
    }

    /// Takes over the messages in the back, and returns the first of them.
    fn take_over(&self, mut front: MutexGuard<'_, VecDeque<T>>) -> Option<T> {
        let mut woken = Woken::default();
        let mut back = self.back();
        if back.messages.is_empty() {
            self.admit(&mut back, &mut woken);
        }
        std::mem::swap(&mut *front, &mut back.messages);
        let message = front.pop_front();
        back.in_hand = front.len();
        self.in_hand.store(front.len(), SeqCst);
        if !back.writers.is_empty() {
            self.make_space_in(&mut back, &mut woken);
        }
        drop(back);
        drop(front);
        woken.wake();
        message
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.channel.back().receivers += 1;
        Self::new(self.channel.clone())
    }
}

impl<T> Drop for Receiver<T> {
    /// The last receiver drops the messages.
    fn drop(&mut self) {
        let mut front = self.channel.front();
        let mut back = self.channel.back();
        back.receivers -= 1;
        if back.receivers > 0 {
            return;
        }
        let undelivered = [
            std::mem::take(&mut *front),
            std::mem::take(&mut back.messages),
        ];
        let reader = back.reader.take();
        let writers = back
            .writers
            .iter()
            .map(|(_, waker)| waker.clone())
            .collect();
        drop((back, front));
        let woken = Woken {
            reader: None,
            writers,
        };
        woken.wake();
        drop(reader);
        // A message may own anything, and its drop may panic.
        drop_each(undelivered.into_iter().flatten());
    }
}
