//! One topic: a ring of messages. All its subscribers read it, each at its own position.
//!
//! ```text
//!                    first                    end
//!   (forgotten)  ──── │ 7 │ 8 │ 9 │ 10 │ 11 │ ──── the next messages
//!                         ▲ a slow one      ▲ the others
//! ```
//!
//! A message is stored once, however many subscribers there are. Each subscriber takes many
//! messages at a time. A subscriber that has read everything leaves its waker; a publisher wakes
//! them all at once.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use kamea::{Closed, StopWish, drop_each};

use super::Slow;

/// How many messages a subscriber takes at a time.
const BATCH: usize = 16;

#[derive(Debug)]
pub(super) struct Topic<T>(Mutex<State<T>>);

#[derive(Debug)]
struct State<T> {
    slots: VecDeque<Slot<T>>,
    /// The limit for the messages in the ring.
    capacity: usize,
    /// The number of the first message in the ring; messages are counted from 0.
    first: u64,
    subscribers: usize,
    /// How many of them block publishers.
    holding: usize,
    /// Subscribers that have read everything.
    waiting: Vec<Waker>,
    /// Counts the rounds of wake-ups: a subscriber that has left its waker in this round need not
    /// leave it again.
    round: u64,
    /// Publishers that wait for space.
    publishers: Vec<Waker>,
    /// The components that publish to it, each with the wish that says whether it is to end. A
    /// component that has not started has no wish.
    lines: BTreeMap<u64, Option<StopWish>>,
    next_line: u64,
    is_closed: bool,
}

impl<T> Drop for State<T> {
    fn drop(&mut self) {
        drop_each(std::mem::take(&mut self.slots));
    }
}

#[derive(Debug)]
struct Slot<T> {
    message: T,
    /// How many subscribers have not read it.
    unread: usize,
    /// How many of those block publishers.
    held: usize,
}

/// The position of a subscriber in a topic.
#[derive(Debug)]
pub(super) struct Cursor {
    /// The number of the message that it reads next.
    next: u64,
    slow: Slow,
    /// The round in which it left its waker, and the index of the waker.
    left: Option<(u64, usize)>,
}

/// The result of a read by a subscriber.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Messages, and the number of messages lost before them.
    Some {
        /// How many messages it has lost because it was slow.
        lost: u64,
    },
    /// The end.
    End,
    /// The subscriber was too slow by this many messages, and is dropped.
    TooSlow(u64),
}

impl<T> Topic<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Mutex::new(State {
            slots: VecDeque::new(),
            capacity,
            first: 0,
            subscribers: 0,
            holding: 0,
            waiting: Vec::new(),
            round: 0,
            publishers: Vec::new(),
            lines: BTreeMap::new(),
            next_line: 0,
            is_closed: false,
        }))
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stores a message, once there is space. A message without subscribers is dropped.
    pub(super) fn poll_publish(
        &self,
        message: &mut Option<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed<T>>> {
        let mut state = self.state();
        if !state.is_closed && state.is_held_up() {
            let known = state
                .publishers
                .iter()
                .any(|waker| waker.will_wake(cx.waker()));
            if !known {
                state.publishers.push(cx.waker().clone());
            }
            return Poll::Pending;
        }
        let message = message.take().expect("polled after it was ready");
        if state.is_closed {
            return Poll::Ready(Err(Closed(message)));
        }
        // Messages may own anything, so they are dropped only while nothing is locked.
        let dropped = state.push(message);
        let waiting = state.end_round();
        drop(state);
        drop(dropped);
        waiting.into_iter().for_each(Waker::wake);
        Poll::Ready(Ok(()))
    }

    /// Registers a component that will publish; returns its number.
    pub(super) fn join(&self) -> u64 {
        let mut state = self.state();
        let number = state.next_line;
        state.next_line += 1;
        state.lines.insert(number, None);
        number
    }

    /// The component has started, and is to end when `wish` says so.
    pub(super) fn begin(&self, number: u64, wish: Option<StopWish>) {
        let mut state = self.state();
        match wish {
            Some(wish) => state.lines.insert(number, Some(wish)),
            // Nobody stops it.
            None => state.lines.remove(&number),
        };
    }

    /// The component has ended.
    pub(super) fn leave(&self, number: u64) {
        let mut state = self.state();
        state.lines.remove(&number);
        let waiting = state.end_round();
        drop(state);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// Whether a subscriber that is to end has read everything that other ending components
    /// publish. If not, and if it waits for a message, the next message wakes it, or the end of
    /// such a component.
    pub(super) fn has_drained(&self, cursor: &Cursor) -> bool {
        let state = self.state();
        let may_publish = |wish: &Option<StopWish>| wish.as_ref().is_none_or(StopWish::is_set);
        cursor.next == state.end() && !state.lines.values().any(may_publish)
    }

    /// Returns how many messages a subscriber has not read.
    pub(super) fn unread(&self, cursor: &Cursor) -> u64 {
        self.state().end().saturating_sub(cursor.next)
    }

    pub(super) fn subscribe(&self, slow: Slow) -> Cursor {
        let mut state = self.state();
        state.subscribers += 1;
        state.holding += usize::from(slow.holds());
        Cursor {
            next: state.end(),
            slow,
            left: None,
        }
    }

    pub(super) fn unsubscribe(&self, cursor: &Cursor) {
        let mut state = self.state();
        state.subscribers -= 1;
        state.holding -= usize::from(cursor.slow.holds());
        let from = state.index_of(cursor.next);
        for slot in state.slots.range_mut(from..) {
            slot.read_by(cursor.slow);
        }
        let unwanted = state
            .slots
            .iter()
            .take_while(|slot| slot.unread == 0)
            .count();
        state.first += unwanted as u64;
        let unwanted: Vec<_> = state.slots.drain(..unwanted).collect();
        let publishers = state.publishers_with_space();
        drop(state);
        publishers.into_iter().for_each(Waker::wake);
        drop_each(unwanted);
    }

    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        let mut all = state.end_round();
        all.append(&mut state.publishers);
        drop(state);
        all.into_iter().for_each(Waker::wake);
    }
}

impl<T: Clone> Topic<T> {
    /// Takes the next messages, at most one batch.
    pub(super) fn poll_read(
        &self,
        cursor: &mut Cursor,
        batch: &mut VecDeque<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Found> {
        let mut state = self.state();
        let lost = state.first.saturating_sub(cursor.next);
        if lost > 0 && cursor.slow == Slow::DropSubscriber {
            return Poll::Ready(Found::TooSlow(lost));
        }
        cursor.next += lost;
        if cursor.next == state.end() {
            if state.is_closed {
                return Poll::Ready(Found::End);
            }
            state.wait(cursor, cx.waker());
            return Poll::Pending;
        }
        // A clone may panic. That is the fault of this subscriber; publishers do not wait for it.
        let read = catch_unwind(AssertUnwindSafe(|| state.read(cursor, batch)));
        let publishers = state.publishers_with_space();
        drop(state);
        publishers.into_iter().for_each(Waker::wake);
        match read {
            Ok(()) => Poll::Ready(Found::Some { lost }),
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl<T> State<T> {
    fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// The index of a message in the ring; the first one for a dropped message.
    fn index_of(&self, number: u64) -> usize {
        number.saturating_sub(self.first) as usize
    }

    /// Whether the ring is full because a subscriber that takes everything is slow.
    fn is_held_up(&self) -> bool {
        self.slots.len() == self.capacity && self.slots.front().is_some_and(|slot| slot.held > 0)
    }

    /// Returns the messages that were removed to make room.
    fn push(&mut self, message: T) -> Option<T> {
        if self.subscribers == 0 {
            return Some(message);
        }
        let mut dropped = None;
        if self.slots.len() == self.capacity {
            dropped = self.slots.pop_front().map(|slot| slot.message);
            self.first += 1;
        }
        self.slots.push_back(Slot {
            message,
            unread: self.subscribers,
            held: self.holding,
        });
        dropped
    }

    fn wait(&mut self, cursor: &mut Cursor, waker: &Waker) {
        match cursor.left {
            Some((round, at)) if round == self.round => {
                if !self.waiting[at].will_wake(waker) {
                    self.waiting[at] = waker.clone();
                }
            }
            _ => {
                cursor.left = Some((self.round, self.waiting.len()));
                self.waiting.push(waker.clone());
            }
        }
    }

    fn end_round(&mut self) -> Vec<Waker> {
        self.round += 1;
        let room = self.waiting.len();
        std::mem::replace(&mut self.waiting, Vec::with_capacity(room))
    }

    /// Wakes all of them: a publisher that has given up would waste a wake-up that another one
    /// needs.
    fn publishers_with_space(&mut self) -> Vec<Waker> {
        if self.is_held_up() {
            return Vec::new();
        }
        std::mem::take(&mut self.publishers)
    }
}

impl<T: Clone> State<T> {
    /// Reads a batch. The last reader of a message takes it without a copy. That message is the
    /// first in the ring: a subscriber that has not read a message has read none of the later ones.
    fn read(&mut self, cursor: &mut Cursor, batch: &mut VecDeque<T>) {
        let from = self.index_of(cursor.next);
        let count = BATCH.min(self.slots.len() - from);
        let mut copied = from..from + count;
        while !copied.is_empty()
            && let Some(slot) = self
                .slots
                .pop_front_if(|slot| slot.unread == 1 && from == 0)
        {
            batch.push_back(slot.message);
            self.first += 1;
            cursor.next += 1;
            copied.end -= 1;
        }
        for slot in self.slots.range_mut(copied) {
            // It counts as read, even if the clone panics.
            slot.read_by(cursor.slow);
            cursor.next += 1;
            batch.push_back(slot.message.clone());
        }
    }
}

impl<T> Slot<T> {
    fn read_by(&mut self, slow: Slow) {
        self.unread -= 1;
        self.held -= usize::from(slow.holds());
    }
}

impl Slow {
    fn holds(self) -> bool {
        self == Self::Wait
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn publish(topic: &Topic<u32>, number: u32) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        topic.poll_publish(&mut Some(number), &mut cx).is_ready()
    }

    fn read(topic: &Topic<u32>, cursor: &mut Cursor) -> (Option<Found>, Vec<u32>) {
        let mut batch = VecDeque::new();
        let mut cx = Context::from_waker(Waker::noop());
        match topic.poll_read(cursor, &mut batch, &mut cx) {
            Poll::Ready(found) => (Some(found), batch.into()),
            Poll::Pending => (None, batch.into()),
        }
    }

    #[test]
    fn what_becomes_of_a_slow_subscriber_is_its_own_choice() {
        let rows = [
            (Slow::Wait, 2, Some(Found::Some { lost: 0 }), vec![0, 1]),
            (
                Slow::DropOldest,
                5,
                Some(Found::Some { lost: 3 }),
                vec![3, 4],
            ),
            (Slow::DropSubscriber, 5, Some(Found::TooSlow(3)), vec![]),
        ];
        for (slow, taken, found, messages) in rows {
            let topic = Topic::new(2);
            let (mut cursor, mut quick) =
                (topic.subscribe(slow), topic.subscribe(Slow::DropOldest));
            let published = (0..5).take_while(|n| publish(&topic, *n)).count();
            assert_eq!(published, taken, "{slow:?}");
            read(&topic, &mut quick);
            assert_eq!(read(&topic, &mut cursor), (found, messages), "{slow:?}");
        }
    }

    #[test]
    fn who_is_gone_holds_nobody_up() {
        let topic = Topic::new(2);
        let (gone, mut stays) = (topic.subscribe(Slow::Wait), topic.subscribe(Slow::Wait));
        assert!(publish(&topic, 0) && publish(&topic, 1) && !publish(&topic, 2));
        assert_eq!(read(&topic, &mut stays).1, [0, 1]);
        assert!(!publish(&topic, 2), "one has not read it");
        topic.unsubscribe(&gone);
        assert!(
            topic.state().slots.is_empty(),
            "nothing is kept that nobody will read"
        );
        assert!(publish(&topic, 2));
        assert_eq!(read(&topic, &mut stays).1, [2]);
    }

    #[test]
    fn what_was_published_before_the_end_is_read() {
        let topic = Topic::new(4);
        let mut cursor = topic.subscribe(Slow::Wait);
        assert!(publish(&topic, 0));
        topic.close();
        let mut cx = Context::from_waker(Waker::noop());
        let refused = topic.poll_publish(&mut Some(1), &mut cx);
        assert_eq!(refused, Poll::Ready(Err(Closed(1))));
        assert_eq!(read(&topic, &mut cursor).1, [0]);
        assert_eq!(read(&topic, &mut cursor).0, Some(Found::End));
    }

    #[derive(Debug, Clone)]
    enum Act {
        Publish,
        Subscribe(Slow),
        Read(usize),
        Leave(usize),
    }

    fn acts() -> impl Strategy<Value = Vec<Act>> {
        let slow = prop_oneof![
            Just(Slow::Wait),
            Just(Slow::DropOldest),
            Just(Slow::DropSubscriber)
        ];
        vec(
            prop_oneof![
                4 => Just(Act::Publish),
                1 => slow.prop_map(Act::Subscribe),
                2 => (0..8_usize).prop_map(Act::Read),
                1 => (0..8_usize).prop_map(Act::Leave),
            ],
            0..200,
        )
    }

    proptest! {
        /// Each subscriber reads, in order, all messages since it subscribed, except those that
        /// were reported to it as lost.
        #[test]
        fn nobody_misses_what_it_was_not_told_of(capacity in 1..40_usize, acts in acts()) {
            let topic = Topic::new(capacity);
            let mut subscribers: Vec<(Cursor, u32)> = Vec::new();
            let mut published = 0;
            for act in acts {
                let count = subscribers.len().max(1);
                match act {
                    Act::Publish => {
                        if publish(&topic, published) {
                            published += 1;
                        } else {
                            let slow = |(cursor, next): &(Cursor, u32)| {
                                cursor.slow == Slow::Wait && (published - next) as usize >= capacity
                            };
                            prop_assert!(subscribers.iter().any(slow), "nobody holds it up");
                        }
                    }
                    Act::Subscribe(slow) => subscribers.push((topic.subscribe(slow), published)),
                    Act::Read(which) => {
                        let Some((cursor, next)) = subscribers.get_mut(which % count) else { continue };
                        match read(&topic, cursor) {
                            (Some(Found::Some { lost }), messages) => {
                                prop_assert!(lost == 0 || cursor.slow == Slow::DropOldest);
                                *next += lost as u32;
                                for message in messages {
                                    prop_assert_eq!(message, *next);
                                    *next += 1;
                                }
                            }
                            (Some(Found::TooSlow(lost)), _) => {
                                prop_assert!(lost > 0 && cursor.slow == Slow::DropSubscriber);
                                topic.unsubscribe(&subscribers.swap_remove(which % count).0);
                            }
                            (None, _) => prop_assert_eq!(*next, published),
                            (Some(Found::End), _) => unreachable!("nobody closes it"),
                        }
                    }
                    Act::Leave(which) => {
                        if which < subscribers.len() {
                            topic.unsubscribe(&subscribers.swap_remove(which).0);
                        }
                    }
                }
                prop_assert!(topic.state().slots.len() <= capacity);
            }
            subscribers.iter().for_each(|(cursor, _)| topic.unsubscribe(cursor));
            prop_assert!(topic.state().slots.is_empty());
        }
    }
}
