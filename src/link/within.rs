//! The link inside a flow: a bounded queue on one thread. No atomics, no locks; waking a component is setting a bit.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use crate::flow::{ReadySet, Waiter};
use crate::port::{Closed, TrySendError};

/// The queue behind one inbox and the outboxes that feed it.
pub(crate) struct Queue<T> {
    state: RefCell<State<T>>,
    ready: Rc<ReadySet>,
}

struct State<T> {
    messages: VecDeque<T>,
    capacity: usize,
    /// Open outboxes that hold the link open (feedback links do not).
    holders: usize,
    inbox_open: bool,
    /// The component that waits for a message.
    reader: Option<Waiter>,
    /// Sends that wait for space, first come first served.
    writers: VecDeque<(Ticket, Waiter)>,
    next_ticket: Ticket,
    /// Components that wait for the inbox to close.
    watchers: Vec<Waiter>,
}

type Ticket = u64;

impl<T> Queue<T> {
    pub(crate) fn new(capacity: usize, holders: usize, ready: Rc<ReadySet>) -> Self {
        Self {
            state: RefCell::new(State {
                messages: VecDeque::new(),
                capacity,
                holders,
                inbox_open: true,
                reader: None,
                writers: VecDeque::new(),
                next_ticket: 0,
                watchers: Vec::new(),
            }),
            ready,
        }
    }

    fn wake(&self, waiter: Option<Waiter>) {
        if let Some(waiter) = waiter {
            waiter.wake(&self.ready);
        }
    }

    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut state = self.state.borrow_mut();
        if let Some(message) = state.messages.pop_front() {
            let writer = state.first_writer();
            drop(state);
            self.wake(writer);
            return Poll::Ready(Some(message));
        }
        if state.holders == 0 {
            return Poll::Ready(None);
        }
        state.reader = Some(Waiter::of(cx, &self.ready));
        Poll::Pending
    }

    pub(crate) fn try_next(&self) -> Option<T> {
        let mut state = self.state.borrow_mut();
        let message = state.messages.pop_front()?;
        let writer = state.first_writer();
        drop(state);
        self.wake(writer);
        Some(message)
    }

    pub(crate) fn len(&self) -> usize {
        self.state.borrow().messages.len()
    }

    pub(crate) fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let mut state = self.state.borrow_mut();
        if !state.inbox_open {
            return Err(TrySendError::Closed(message));
        }
        if state.messages.len() >= state.capacity || !state.writers.is_empty() {
            return Err(TrySendError::Full(message));
        }
        state.messages.push_back(message);
        let reader = state.reader.take();
        drop(state);
        self.wake(reader);
        Ok(())
    }

    pub(crate) fn send(&self, message: T) -> Send<'_, T> {
        Send {
            queue: self,
            message: Some(message),
            ticket: None,
        }
    }

    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.state.borrow_mut();
        if !state.inbox_open {
            return Poll::Ready(());
        }
        let waiter = Waiter::of(cx, &self.ready);
        if !state.watchers.iter().any(|known| known.same(&waiter)) {
            state.watchers.push(waiter);
        }
        Poll::Pending
    }

    pub(crate) fn is_closed(&self) -> bool {
        !self.state.borrow().inbox_open
    }

    /// An outbox that held the link open is gone.
    pub(crate) fn release(&self) {
        let mut state = self.state.borrow_mut();
        state.holders -= 1;
        let reader = if state.holders == 0 {
            state.reader.take()
        } else {
            None
        };
        drop(state);
        self.wake(reader);
    }

    /// The inbox is gone: whoever waits to send, or for this to happen, hears of it.
    pub(crate) fn close(&self) {
        let mut state = self.state.borrow_mut();
        state.inbox_open = false;
        let undelivered = std::mem::take(&mut state.messages);
        let writers = std::mem::take(&mut state.writers);
        let watchers = std::mem::take(&mut state.watchers);
        drop(state);
        // A message may own anything, so it is dropped only now that nothing is borrowed.
        drop(undelivered);
        for waiter in writers
            .into_iter()
            .map(|(_, waiter)| waiter)
            .chain(watchers)
        {
            waiter.wake(&self.ready);
        }
    }
}

impl<T> State<T> {
    /// Who is to be woken because there is space again. It keeps its place until it has sent.
    fn first_writer(&self) -> Option<Waiter> {
        self.writers.front().map(|(_, waiter)| waiter.clone())
    }

    fn leave(&mut self, ticket: Ticket) {
        self.writers.retain(|(held, _)| *held != ticket);
    }

    /// The next writer in line, if what just happened left space for it.
    fn next_writer_with_space(&self) -> Option<Waiter> {
        if self.messages.len() < self.capacity {
            self.first_writer()
        } else {
            None
        }
    }
}

/// A message on its way into a queue; it waits while the queue is full.
pub(crate) struct Send<'a, T> {
    queue: &'a Queue<T>,
    message: Option<T>,
    /// Its place among those that wait.
    ticket: Option<Ticket>,
}

// Nothing here is pinned: the message is only ever moved.
impl<T> Unpin for Send<'_, T> {}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), Closed<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let queue = self.queue;
        let mut state = queue.state.borrow_mut();
        if !state.inbox_open {
            self.ticket = None;
            let message = self.message.take().expect("polled after it was ready");
            return Poll::Ready(Err(Closed(message)));
        }
        let first_in_line = state.writers.front().map(|(ticket, _)| *ticket) == self.ticket;
        if first_in_line && state.messages.len() < state.capacity {
            let message = self.message.take().expect("polled after it was ready");
            state.messages.push_back(message);
            let reader = state.reader.take();
            let mut next = None;
            if self.ticket.take().is_some() {
                state.writers.pop_front();
                next = state.next_writer_with_space();
            }
            drop(state);
            queue.wake(reader);
            queue.wake(next);
            return Poll::Ready(Ok(()));
        }
        let waiter = Waiter::of(cx, &queue.ready);
        match self.ticket {
            Some(ticket) => {
                if let Some(entry) = state.writers.iter_mut().find(|(held, _)| *held == ticket) {
                    entry.1 = waiter;
                }
            }
            None => {
                let ticket = state.next_ticket;
                state.next_ticket += 1;
                state.writers.push_back((ticket, waiter));
                drop(state);
                self.ticket = Some(ticket);
            }
        }
        Poll::Pending
    }
}

impl<T> Drop for Send<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            let mut state = self.queue.state.borrow_mut();
            state.leave(ticket);
            let next = state.next_writer_with_space();
            drop(state);
            self.queue.wake(next);
        }
    }
}
