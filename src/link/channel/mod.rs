//! A bounded channel between threads: many senders, one receiver, both async or blocking.
//!
//! ```text
//!   senders ──▶ │ back │ ═══ taken over as a whole ═══▶ │ front │ ──▶ receiver
//! ```
//!
//! Senders lock only the back. The receiver alone locks the front. It locks the back only when the
//! front is empty: then it takes all messages at once. Messages in the front still count as in the
//! channel. Nothing is woken under a lock. A receiver within a flow makes space for a waiting send
//! once half of the channel is free, or at the end of its [turn](later).

pub(super) mod later;
#[cfg(all(test, kamea_loom))]
mod loom_tests;
mod permit;
mod receiver;
mod send;
mod sender;
#[cfg(all(test, not(kamea_loom)))]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, PoisonError};
use std::task::Waker;

pub(super) use permit::Permit;
pub(super) use receiver::Receiver;
pub(super) use sender::{Sender, WeakSender};

use super::line::{Line, Ticket};
use crate::flow::wake_caught;
use crate::sync::{AtomicU64, AtomicUsize, Mutex, MutexGuard, Ordering::SeqCst, store_load_fence};

/// Returns the two ends of a channel for this many messages.
pub(super) fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Channel {
        front: Mutex::new(VecDeque::new()),
        in_hand: AtomicUsize::new(0),
        awaited: AtomicU64::new(0),
        capacity,
        back: Mutex::new(Back {
            messages: VecDeque::new(),
            in_hand: 0,
            reserved: 0,
            senders: 1,
            receivers: 1,
            reader: None,
            writers: Line::default(),
        }),
    });
    (Sender::new(channel.clone()), Receiver::new(channel))
}

struct Channel<T> {
    /// The messages that the receiver has taken over.
    front: Mutex<VecDeque<T>>,
    /// How many messages are in the front.
    in_hand: AtomicUsize,
    /// The ticket of the first send that waits for space; 0 if no send waits.
    awaited: AtomicU64,
    capacity: usize,
    back: Mutex<Back<T>>,
}

struct Back<T> {
    messages: VecDeque<T>,
    /// How many messages were in the front when a sender last looked: an upper limit.
    in_hand: usize,
    /// Space that has been given to permits.
    reserved: usize,
    senders: usize,
    /// The receiver, and the end that takes the leftovers.
    receivers: usize,
    /// The waker for the next message, or for the end.
    reader: Option<Waker>,
    /// Sends that wait for space, first come first served.
    writers: Line<Writer<T>>,
}

/// A send that waits for space.
type Writer<T> = (Want<T>, Waker);

/// What a send waits to put into the channel.
enum Want<T> {
    Message(T),
    /// Space for a message that comes later.
    Space,
}

/// The wakers to call once nothing is locked.
#[derive(Default)]
#[must_use]
struct Woken {
    reader: Option<Waker>,
    writers: Vec<Waker>,
}

impl Woken {
    fn wake(self) {
        self.reader.into_iter().for_each(wake_caught);
        self.writers.into_iter().for_each(wake_caught);
    }
}

impl<T> Channel<T> {
    fn front(&self) -> MutexGuard<'_, VecDeque<T>> {
        self.front.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn back(&self) -> MutexGuard<'_, Back<T>> {
        self.back.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is space for one more message.
    fn has_space(&self, back: &mut Back<T>) -> bool {
        if back.used() < self.capacity {
            return true;
        }
        back.in_hand = self.in_hand.load(SeqCst);
        back.used() < self.capacity
    }

    /// Gives free space to the waiting sends, first come first served.
    fn admit(&self, back: &mut Back<T>, woken: &mut Woken) {
        while back.is_open()
            && self.has_space(back)
            && let Some((want, waker)) = back.writers.pop()
        {
            match want {
                Want::Message(message) => {
                    back.messages.push_back(message);
                    woken.reader = woken.reader.take().or(back.reader.take());
                }
                Want::Space => back.reserved += 1,
            }
            woken.writers.push(waker);
        }
        self.note_first(back);
    }

    /// Tells the receiver which send waits first. A sender stores this and then checks for space;
    /// the receiver makes space and then loads this. At least one of them sees what the other did.
    fn note_first(&self, back: &Back<T>) {
        self.awaited.store(back.first_ticket(), SeqCst);
        store_load_fence();
    }
}

impl<T> Back<T> {
    fn used(&self) -> usize {
        self.messages.len() + self.in_hand + self.reserved
    }

    fn is_open(&self) -> bool {
        self.receivers > 0
    }

    /// 0 if no send waits for space.
    fn first_ticket(&self) -> u64 {
        self.writers.first_ticket().map_or(0, Ticket::get)
    }

    fn wakes_reader(&mut self) -> Woken {
        Woken {
            reader: self.reader.take(),
            writers: Vec::new(),
        }
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel").finish_non_exhaustive()
    }
}
