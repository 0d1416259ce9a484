//! The waits for space: for a message, or for a permit for a later message.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::permit::Permit;
use super::sender::Sender;
use super::{Channel, Want, Woken};
use crate::link::line::Ticket;
use crate::port::Closed;

/// The future of [`Sender::send`].
pub(in crate::link) struct Send<'a, T> {
    sender: &'a Sender<T>,
    message: Option<T>,
    ticket: Option<Ticket>,
}

/// The future of [`Sender::reserve`].
pub(in crate::link) struct Reserve<'a, T> {
    sender: &'a Sender<T>,
    ticket: Option<Ticket>,
}

// Nothing here is pinned: a message is only moved.
impl<T> Unpin for Send<'_, T> {}

impl<'a, T> Send<'a, T> {
    pub(super) fn new(sender: &'a Sender<T>, message: T) -> Self {
        Self {
            sender,
            message: Some(message),
            ticket: None,
        }
    }
}

impl<'a, T> Reserve<'a, T> {
    pub(super) fn new(sender: &'a Sender<T>) -> Self {
        Self {
            sender,
            ticket: None,
        }
    }
}

impl<T> Future for Send<'_, T> {
    type Output = Result<(), Closed<T>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut want = this.message.take().map(Want::Message);
        let outcome = this
            .sender
            .channel
            .poll_wait(&mut this.ticket, &mut want, cx);
        outcome.map_err(|want| match want {
            Want::Message(message) => Closed(message),
            Want::Space => unreachable!("it is a message that is sent"),
        })
    }
}

impl<'a, T> Future for Reserve<'a, T> {
    type Output = Result<Permit<T>, Closed<()>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let mut want = this.ticket.is_none().then_some(Want::Space);
        let outcome = this
            .sender
            .channel
            .poll_wait(&mut this.ticket, &mut want, cx);
        outcome.map(|outcome| match outcome {
            Ok(()) => Ok(Permit::new(this.sender.clone())),
            Err(_) => Err(Closed(())),
        })
    }
}

impl<T> Channel<T> {
    /// Waits until `want` is in the channel. It is taken when the wait begins.
    fn poll_wait(
        &self,
        ticket: &mut Option<Ticket>,
        want: &mut Option<Want<T>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Want<T>>> {
        let mut woken = Woken::default();
        let mut replaced = None;
        let mut back = self.back();
        if let Some(want) = want.take() {
            let waker = cx.waker().clone();
            *ticket = Some(back.writers.enter((want, waker)));
        }
        let Some(known) = *ticket else {
            panic!("polled after it was ready");
        };
        // The receiver is informed before this looks for space: one of the two sees the other.
        self.note_first(&back);
        let outcome = if back.is_open() {
            self.admit(&mut back, &mut woken);
            match back.writers.find(known) {
                None => Poll::Ready(Ok(())),
                Some((_, waker)) => {
                    if !waker.will_wake(cx.waker()) {
                        replaced = Some(std::mem::replace(waker, cx.waker().clone()));
                    }
                    Poll::Pending
                }
            }
        } else {
            let wait = back.writers.leave(known);
            self.note_first(&back);
            Poll::Ready(wait.map_or(Ok(()), |(want, _)| Err(want)))
        };
        if outcome.is_ready() {
            *ticket = None;
        }
        drop(back);
        drop(replaced);
        woken.wake();
        outcome
    }

    /// Cancels a wait. Returns whether what it waited for had been done.
    fn give_up(&self, ticket: Ticket) -> bool {
        let mut woken = Woken::default();
        let mut back = self.back();
        let wait = back.writers.leave(ticket);
        self.admit(&mut back, &mut woken);
        drop(back);
        woken.wake();
        wait.is_none()
    }
}

impl<T> Drop for Send<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket {
            self.sender.channel.give_up(ticket);
        }
    }
}

impl<T> Drop for Reserve<'_, T> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket
            && self.sender.channel.give_up(ticket)
        {
            // The space was granted, and no permit holds it.
            drop(Permit::new(self.sender.clone()));
        }
    }
}
