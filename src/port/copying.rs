//! An inbox that keeps a copy of the message in hand, so that it survives a component that fails.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use super::{Across, Inbox, Outbox};
use crate::fuse::Fused;
use crate::port::Message;

/// An inbox, and the destination of the message that its component had in hand when it failed: the
/// last message that it took, unless it has asked for the next one since.
pub(crate) struct CopyingInbox<T> {
    upstream: Rc<Inbox<T>>,
    /// A wait for another thread, once it has begun.
    waiting: RefCell<Option<Across<'static, Option<T>>>>,
    in_hand: Cell<Option<T>>,
    /// Messages that the component has put back: dead letters if it fails.
    put_back: RefCell<Vec<T>>,
    clone: fn(&T) -> T,
    letters: Outbox<T>,
}

/// A message on its way to the dead letters. It waits for space there.
pub type Letter<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

impl<T> CopyingInbox<T> {
    pub(crate) fn new(upstream: Inbox<T>, clone: fn(&T) -> T, letters: Outbox<T>) -> Self {
        Self {
            upstream: Rc::new(upstream),
            waiting: RefCell::default(),
            in_hand: Cell::new(None),
            put_back: RefCell::default(),
            clone,
            letters,
        }
    }

    fn keep(&self, message: Option<T>) -> Option<T> {
        let message = message?;
        match catch_unwind(AssertUnwindSafe(|| (self.clone)(&message))) {
            Ok(copy) => {
                self.in_hand.set(Some(copy));
                Some(message)
            }
            Err(panic) => {
                // The component fails because of this, and this is what it had in hand.
                self.in_hand.set(Some(message));
                resume_unwind(panic)
            }
        }
    }
}

impl<T: Message> Fused<T> for CopyingInbox<T> {
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.in_hand.set(None);
        let message = ready!(self.upstream.poll_fused(cx, &self.waiting));
        Poll::Ready(self.keep(message))
    }

    fn try_next(&self) -> Option<T> {
        self.in_hand.set(None);
        self.keep(self.upstream.try_take())
    }

    fn next_blocking(&self) -> Option<T> {
        self.in_hand.set(None);
        self.keep(self.upstream.take_blocking())
    }

    fn len(&self) -> usize {
        self.upstream.len()
    }

    fn dead_letter(&self) -> Option<Letter<'_>> {
        let mut messages = self.put_back.take();
        messages.extend(self.in_hand.take());
        if messages.is_empty() {
            return None;
        }
        Some(Box::pin(async move {
            for message in messages {
                // If dead letters are no longer taken, this one is dropped too.
                let _ = self.letters.send(message).await;
            }
        }))
    }

    fn take_copy(&self) -> Option<T> {
        self.in_hand.take()
    }

    fn put_back(&self, message: T) {
        self.put_back.borrow_mut().push(message);
    }
}
