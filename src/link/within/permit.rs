//! Space in a queue that is reserved for one message.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::{Queue, Ticket, Waiter};
use crate::port::Closed;

impl<T> Queue<T> {
    /// Reserves space once there is some, first come first served.
    pub(crate) fn reserve(self: &Rc<Self>, feed: usize) -> Reserve<'_, T> {
        Reserve {
            queue: self,
            feed,
            ticket: None,
        }
    }
}

/// The future of [`Queue::reserve`].
pub(crate) struct Reserve<'a, T> {
    queue: &'a Rc<Queue<T>>,
    feed: usize,
    ticket: Option<Ticket>,
}

/// Space for one message. The queue is smaller by it as long as this lives.
pub(crate) struct Permit<'a, T> {
    queue: &'a Rc<Queue<T>>,
    feed: usize,
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<'a, T>, Closed<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (queue, feed) = (self.queue, self.feed);
        let mut state = queue.state.borrow_mut();
        if !state.inbox_open {
            self.ticket = None;
            return Poll::Ready(Err(Closed(())));
        }
        let is_first = state.writers.first_ticket() == self.ticket;
        if !is_first || state.messages.len() >= state.capacity {
            let waiter = Waiter::of(cx, &queue.ready);
            queue.ready.set_jammed(true);
            state.wait(waiter, feed, &mut self.ticket);
            return Poll::Pending;
        }
        if self.ticket.take().is_some() {
            state.writers.pop();
        }
        state.capacity -= 1;
        state.reckon();
        let next = state.next_writer_with_space();
        drop(state);
        queue.wake(next);
        Poll::Ready(Ok(Permit { queue, feed }))
    }
}

impl<T> Drop for Reserve<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.queue.leave(ticket, &mut None);
        }
    }
}

impl<T> Permit<'_, T> {
    pub(crate) fn send(self, message: T) -> Result<(), Closed<T>> {
        let mut state = self.queue.state.borrow_mut();
        if !state.inbox_open {
            return Err(Closed(message));
        }
        state.capacity += 1;
        state.accept(message, self.feed);
        self.queue.wake_reader(state);
        std::mem::forget(self);
        Ok(())
    }
}

impl<T> Drop for Permit<'_, T> {
    fn drop(&mut self) {
        let mut state = self.queue.state.borrow_mut();
        if !state.inbox_open {
            return;
        }
        state.capacity += 1;
        state.reckon();
        let next = state.next_writer_with_space();
        drop(state);
        self.queue.wake(next);
    }
}
