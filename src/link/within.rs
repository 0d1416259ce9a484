//! The link inside a flow: a bounded queue on one thread. It has no atomics and no locks. To wake a
//! component sets a bit.

use std::any::Any;
use std::cell::{RefCell, RefMut};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::line::{Line, Ticket};
use super::{Counted, LinkCounts, LinkSettings, Tapping, Watch};
use crate::flow::budget::{CHUNK, give_way, spend};
use crate::flow::{ReadySet, Waiter, is_stopping_source, polls_of};
use crate::port::{Closed, Message, TrySendError};
use crate::supervision::drop_each;
use crate::tap::TapPoint;
use crate::time::turn;

mod permit;

pub(crate) use permit::Permit;

/// The queue behind one inbox and the outboxes that feed it.
pub(crate) struct Queue<T> {
    state: RefCell<State<T>>,
    ready: Rc<ReadySet>,
}

struct State<T> {
    messages: VecDeque<T>,
    /// The capacity minus the space held by permits. 0 once the inbox is gone: there is no space
    /// any more.
    capacity: usize,
    /// The open outboxes that hold the link open (feedback links do not).
    holders: usize,
    inbox_open: bool,
    /// The component that waits for a message.
    reader: Option<Waiter>,
    /// How often that component had been polled when it began to wait.
    reader_polls: u64,
    /// Sends that wait for space, first come first served.
    writers: Line<Writer>,
    /// The waits for the inbox to close. Rarely used.
    watchers: Option<Box<Watchers>>,
    /// How many messages the first outbox has sent.
    sent: u64,
    /// How many messages the others have sent, if the link has several.
    sent_by_others: Box<[u64]>,
    /// The largest number of messages that ever waited.
    high_water: usize,
    /// With fewer messages than this in the queue, a send needs no extra work: there is space, no
    /// send waits, nothing observes the message, and it is not a new maximum.
    quick: usize,
    /// With exactly this many messages in the queue, a receive needs extra work: the queue is full,
    /// and a send waits; or a [`CHUNK`] of messages must be counted. `usize::MAX` if neither can
    /// be.
    mark: usize,
    /// The observers of each message. Rarely used.
    watch: Option<Box<Watch<T>>>,
}

/// The waits for the end of an inbox.
#[derive(Default)]
struct Watchers {
    /// By outbox, the component of the flow that waits, or has waited: a component that goes on
    /// leaves its number here, because most wait again at once. At worst it is polled once for
    /// nothing.
    components: Vec<Option<usize>>,
    /// All other waits.
    others: Line<Waiter>,
}

/// A send that waits for space.
struct Writer {
    /// The waker, unless it has been called.
    waiter: Option<Waiter>,
    /// The number of the outbox.
    feed: usize,
    since: Instant,
}

// The work for each message is inlined into the component. The work for each wait is not.
impl<T> Queue<T> {
    pub(crate) fn of(settings: &LinkSettings, ready: Rc<ReadySet>) -> Self
    where
        T: Message,
    {
        Self {
            state: RefCell::new(State {
                messages: VecDeque::new(),
                capacity: settings.capacity,
                holders: settings.holders,
                inbox_open: true,
                reader: None,
                reader_polls: 0,
                writers: Line::default(),
                watchers: None,
                sent: 0,
                sent_by_others: vec![0; settings.feeds.saturating_sub(1)].into(),
                high_water: 0,
                quick: 0,
                mark: usize::MAX,
                watch: settings
                    .measure()
                    .map(|measure| Watch::measuring(measure).into()),
            }),
            ready,
        }
    }

    #[inline]
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        match self.take(true) {
            None => self.poll_empty(cx),
            message => Poll::Ready(message),
        }
    }

    #[inline(never)]
    fn poll_empty(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.state.borrow_mut();
        if !state.messages.is_empty() {
            give_way(cx);
            return Poll::Pending;
        }
        if state.holders == 0 {
            return Poll::Ready(None);
        }
        state.reader = Some(Waiter::of(cx, &self.ready));
        state.reader_polls = polls_of(&self.ready);
        Poll::Pending
    }

    #[inline]
    pub(crate) fn try_next(&self) -> Option<T> {
        self.take(false)
    }

    /// Takes a message. If it `may_refuse`, it also returns nothing when the component has to
    /// yield.
    #[inline]
    fn take(&self, may_refuse: bool) -> Option<T> {
        let mut state = self.state.borrow_mut();
        if state.messages.len() == state.mark {
            return self.take_at_mark(state, may_refuse);
        }
        state.messages.pop_front()
    }

    /// Takes a message from a queue that is full, or whose messages must be counted. In any other
    /// queue no send has to be woken: the first waiting send was woken already.
    #[inline(never)]
    fn take_at_mark(&self, mut state: RefMut<'_, State<T>>, may_refuse: bool) -> Option<T> {
        let may_go_on = !state.is_counting() || spend(CHUNK);
        if may_refuse && !may_go_on {
            return None;
        }
        let is_full = state.messages.len() == state.capacity;
        let message = state.messages.pop_front();
        let has_space = is_full && message.is_some();
        let writer = if has_space {
            state.first_writer()
        } else {
            None
        };
        state.reckon();
        drop(state);
        self.wake(writer);
        message
    }

    /// Accepts the message of an outbox, if there is space for it and no send has waited longer.
    /// The message is moved once. If it `may_refuse`, it also refuses when the component has to
    /// yield.
    #[inline(always)]
    pub(crate) fn offer(&self, message: &mut Option<T>, feed: usize, may_refuse: bool) {
        let mut state = self.state.borrow_mut();
        if state.messages.len() < state.quick
            && let Some(message) = message.take()
        {
            state.messages.push_back(message);
            state.count(feed);
            self.wake_reader(state);
        } else {
            self.offer_slowly(state, message, feed, may_refuse);
        }
    }

    #[inline(never)]
    fn offer_slowly(
        &self,
        mut state: RefMut<'_, State<T>>,
        message: &mut Option<T>,
        feed: usize,
        may_refuse: bool,
    ) {
        if state.messages.len() < state.capacity
            && state.writers.is_empty()
            && (state.may_go_on_sending() || !may_refuse)
            && let Some(message) = message.take()
        {
            state.accept(message, feed);
            self.wake_reader(state);
        }
    }

    pub(crate) fn try_send(&self, message: T, feed: usize) -> Result<(), TrySendError<T>> {
        let mut message = Some(message);
        self.offer(&mut message, feed, false);
        match message {
            None => Ok(()),
            Some(message) if self.is_closed() => Err(TrySendError::Closed(message)),
            Some(message) => Err(TrySendError::Full(message)),
        }
    }

    /// Accepts the message once there is space, first come first served. `ticket` is the place of
    /// the send in the line.
    #[inline(never)]
    pub(crate) fn poll_send(
        &self,
        message: &mut Option<T>,
        feed: usize,
        ticket: &mut Option<Ticket>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed<T>>> {
        let mut state = self.state.borrow_mut();
        if !state.inbox_open {
            *ticket = None;
            drop(state);
            let message = message.take().expect("polled after it was ready");
            return Poll::Ready(Err(Closed(message)));
        }
        let is_first = state.writers.first_ticket() == *ticket;
        if is_first && state.messages.len() < state.capacity {
            if ticket.is_none() {
                // There was space, and it was not taken.
                give_way(cx);
                return Poll::Pending;
            }
            let message = message.take().expect("polled after it was ready");
            if ticket.take().is_some() {
                state.writers.pop();
            }
            state.accept(message, feed);
            let next = state.next_writer_with_space();
            self.wake_reader(state);
            self.wake(next);
            return Poll::Ready(Ok(()));
        }
        self.ready.set_jammed(true);
        state.wait(Waiter::of(cx, &self.ready), feed, ticket);
        Poll::Pending
    }

    /// A waiting send is cancelled. If its source is being stopped, it leaves its message, and the
    /// queue grows by one.
    #[cold]
    pub(crate) fn leave(&self, ticket: Ticket, message: &mut Option<T>) {
        let mut state = self.state.borrow_mut();
        let mut reader = None;
        if let Some(writer) = state.writers.leave(ticket)
            && state.inbox_open
            && is_stopping_source()
            && let Some(message) = message.take()
        {
            state.accept(message, writer.feed);
            reader = state.reader.take();
        } else {
            state.reckon();
        }
        // It may have been woken for space that it leaves to others.
        let next = state.next_writer_with_space();
        drop(state);
        self.wake(reader);
        self.wake(next);
    }

    pub(crate) fn len(&self) -> usize {
        self.state.borrow().messages.len()
    }

    /// Waits until the inbox is gone. `feed` is the number of the outbox.
    pub(crate) fn closed(&self, feed: usize) -> ClosedWait<'_, T> {
        ClosedWait {
            queue: self,
            feed,
            ticket: None,
        }
    }

    #[cfg(test)]
    pub(super) fn count_watchers(&self) -> usize {
        let state = self.state.borrow();
        let watchers = state.watchers.iter();
        watchers
            .map(|watchers| watchers.others.iter().count())
            .sum()
    }

    pub(crate) fn is_closed(&self) -> bool {
        !self.state.borrow().inbox_open
    }

    /// An outbox that held the link open is gone.
    pub(crate) fn release(&self) {
        let mut state = self.state.borrow_mut();
        state.holders -= 1;
        if state.holders == 0 {
            self.wake_reader(state);
        } else if state.holders == 1 {
            // A circle may be what holds it open.
            drop(state);
            self.ready.look();
        }
    }

    /// The inbox is gone. This wakes the waiting sends, and the components that wait for this
    /// event.
    pub(crate) fn close(&self) {
        let mut state = self.state.borrow_mut();
        state.inbox_open = false;
        (state.capacity, state.quick, state.mark) = (0, 0, 0);
        let undelivered = std::mem::take(&mut state.messages);
        let waiting = state.take_waiting();
        drop(state);
        waiting
            .into_iter()
            .for_each(|waiter| waiter.wake(&self.ready));
        // A message may own anything, and its drop may panic. So it is dropped when nothing is
        // borrowed and all have been woken.
        drop_each(undelivered);
    }

    #[inline]
    fn wake_reader(&self, mut state: RefMut<'_, State<T>>) {
        if let Some(reader) = state.reader.take() {
            drop(state);
            reader.wake(&self.ready);
        }
    }

    fn wake(&self, waiter: Option<Waiter>) {
        if let Some(waiter) = waiter {
            waiter.wake(&self.ready);
        }
    }
}

impl<T> State<T> {
    /// Puts a message into the queue, and counts it.
    fn accept(&mut self, message: T, feed: usize) {
        if let Some(watch) = &mut self.watch {
            watch.see(&message, feed);
        }
        self.messages.push_back(message);
        self.high_water = self.high_water.max(self.messages.len());
        self.reckon();
        self.count(feed);
    }

    /// A send begins to wait for space, or continues to wait.
    fn wait(&mut self, waiter: Waiter, feed: usize, ticket: &mut Option<Ticket>) {
        match *ticket {
            Some(ticket) => {
                if let Some(writer) = self.writers.find(ticket) {
                    writer.waiter = Some(waiter);
                }
            }
            None => {
                *ticket = Some(self.writers.enter(Writer {
                    waiter: Some(waiter),
                    feed,
                    since: turn(),
                }));
                self.reckon();
            }
        }
    }

    /// Recomputes `quick` and `mark`.
    fn reckon(&mut self) {
        let (len, is_counting) = (self.messages.len(), self.is_counting());
        let is_simple = self.writers.is_empty() && self.watch.is_none();
        let quick = self.high_water.min(self.capacity);
        self.quick = match (is_simple, is_counting) {
            (false, _) => 0,
            (true, false) => quick,
            (true, true) => quick.min(len + CHUNK),
        };
        let is_awaited = len == self.capacity && !self.writers.is_empty();
        self.mark = if is_counting && len > CHUNK && !is_awaited {
            len - CHUNK
        } else if is_counting || !self.writers.is_empty() {
            self.capacity
        } else {
            usize::MAX
        };
    }

    /// Whether its capacity is so large that messages are counted.
    fn is_counting(&self) -> bool {
        self.capacity > CHUNK
    }

    /// Counts messages that were sent, a chunk of them at a time.
    fn may_go_on_sending(&self) -> bool {
        let len = self.messages.len();
        let is_chunk = len == self.quick && len < self.high_water;
        !self.is_counting() || spend(if is_chunk { CHUNK } else { 1 })
    }

    #[inline]
    fn count(&mut self, feed: usize) {
        match feed.checked_sub(1) {
            None => self.sent += 1,
            Some(other) => self.sent_by_others[other] += 1,
        }
    }

    /// All waits for space or for the end. Usually empty.
    fn take_waiting(&mut self) -> Vec<Waiter> {
        let writers = self.writers.drain().filter_map(|writer| writer.waiter);
        let watchers = self.watchers.take().into_iter();
        let watchers = watchers.flat_map(|mut watchers| watchers.drain());
        writers.chain(watchers).collect()
    }

    /// The send to wake when there is space again. It keeps its place until it has sent.
    fn first_writer(&mut self) -> Option<Waiter> {
        self.writers.first_mut()?.waiter.take()
    }

    /// The next send in line, if the last operation left space for it.
    fn next_writer_with_space(&mut self) -> Option<Waiter> {
        if self.messages.len() < self.capacity {
            self.first_writer()
        } else {
            None
        }
    }
}

impl Watchers {
    fn note(&mut self, feed: usize, component: usize) {
        if feed >= self.components.len() {
            self.components.resize(feed + 1, None);
        }
        self.components[feed] = Some(component);
    }

    fn drain(&mut self) -> Vec<Waiter> {
        let components = self.components.drain(..).flatten().map(Waiter::Component);
        components.chain(self.others.drain()).collect()
    }
}

/// A wait for the end of an inbox. A cancelled wait leaves nothing behind but the number of its
/// component.
pub(crate) struct ClosedWait<'a, T> {
    queue: &'a Queue<T>,
    /// The number of the outbox that waits.
    feed: usize,
    /// The key of the wait, once it has been polled with a waker of its own.
    ticket: Option<Ticket>,
}

impl<T> Future for ClosedWait<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.queue.state.borrow_mut();
        if !state.inbox_open {
            return Poll::Ready(());
        }
        let waiter = Waiter::of(cx, &self.queue.ready);
        let watchers = state.watchers.get_or_insert_default();
        match (self.ticket, waiter) {
            (None, Waiter::Component(component)) => watchers.note(self.feed, component),
            (None, waiter) => self.ticket = Some(watchers.others.enter(waiter)),
            (Some(ticket), waiter) => {
                if let Some(known) = watchers.others.find(ticket) {
                    // A waker may own anything: it is dropped when nothing is borrowed.
                    let before = std::mem::replace(known, waiter);
                    drop(state);
                    drop(before);
                }
            }
        }
        Poll::Pending
    }
}

impl<T> Drop for ClosedWait<'_, T> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut state = self.queue.state.borrow_mut();
        let watchers = state.watchers.as_mut();
        let known = watchers.and_then(|watchers| watchers.others.leave(ticket));
        drop(state);
        drop(known);
    }
}

/// A [`Queue`] of any message type.
pub(crate) trait AnyQueue: Any + Counted {
    /// How many outboxes hold the link open.
    fn holders(&self) -> usize;

    /// An outbox that held it open no longer does.
    fn release(&self);

    /// Its inbox will never be opened.
    fn close(&self);

    /// Makes its first message, or its end, wake a component that has not been made yet.
    fn await_first(&self, component: usize);
}

impl<T: Message> AnyQueue for Queue<T> {
    fn holders(&self) -> usize {
        self.state.borrow().holders
    }

    fn release(&self) {
        self.release();
    }

    fn close(&self) {
        self.close();
    }

    fn await_first(&self, component: usize) {
        self.state.borrow_mut().reader = Some(Waiter::Component(component));
    }
}

impl<T: Message> Counted for Queue<T> {
    fn add_to(&self, counts: &mut LinkCounts, sent: &mut [u64]) {
        let state = self.state.borrow();
        counts.messages += state.sent;
        if let Some((first, others)) = sent.split_first_mut() {
            *first += state.sent;
            for (sum, sent) in others.iter_mut().zip(&state.sent_by_others) {
                *sum += sent;
                counts.messages += sent;
            }
        }
        counts.bytes += state.watch.as_ref().map_or(0, |watch| watch.bytes);
        counts.high_water = counts.high_water.max(state.high_water as u64);
    }

    fn queued(&self) -> u64 {
        self.len() as u64
    }

    fn reader_waits(&self, polls: u64) -> bool {
        let state = self.state.borrow();
        // If it was polled again and did not look here, it now waits for something else.
        state.reader.is_some() && state.reader_polls == polls
    }

    fn each_writer(&self, then: &mut dyn FnMut(usize, Instant)) {
        let state = self.state.borrow();
        // A send that was woken is about to send.
        let waiting = state
            .writers
            .iter()
            .filter(|writer| writer.waiter.is_some());
        waiting.for_each(|writer| then(writer.feed, writer.since));
    }

    fn tap(&self, feed: Option<usize>, point: &Arc<TapPoint>) {
        let mut state = self.state.borrow_mut();
        let watch = state.watch.get_or_insert_default();
        watch.taps.push(Tapping::new(feed, point));
        state.quick = 0;
    }

    fn untap(&self, point: &Arc<TapPoint>) {
        let mut state = self.state.borrow_mut();
        let Some(watch) = &mut state.watch else {
            return;
        };
        watch.taps.retain(|tap| !tap.is_at(point));
        if watch.is_idle() {
            state.watch = None;
        }
        state.reckon();
    }
}
