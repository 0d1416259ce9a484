//! The end of a receiver, and the waits for it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::line::{Line, Ticket};
use crate::flow::wake_caught;
use crate::sync::{AtomicBool, Mutex, Ordering};

/// Records that a receiving end is gone, and which senders wait for that. Without it, a sender
/// notices only when it sends.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    is_gone: AtomicBool,
    waiting: Mutex<Line<Waker>>,
}

impl Gone {
    pub(super) fn set(&self) {
        self.is_gone.store(true, Ordering::Release);
        let mut wakers = match self.waiting.lock() {
            Ok(mut waiting) => std::mem::take(&mut *waiting),
            Err(_) => return,
        };
        wakers.drain().for_each(wake_caught);
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    /// Waits for the end. A cancelled wait is removed: many senders may send to one receiver, one
    /// after another.
    pub(super) fn wait(&self) -> GoneWait<'_> {
        GoneWait {
            gone: self,
            ticket: None,
        }
    }
}

/// A wait for the end of a receiver.
#[derive(Debug)]
pub(super) struct GoneWait<'a> {
    gone: &'a Gone,
    /// The key of the wait, once it has been polled.
    ticket: Option<Ticket>,
}

impl GoneWait<'_> {
    fn register(&mut self, waker: &Waker) {
        let Ok(mut waiting) = self.gone.waiting.lock() else {
            return;
        };
        let known = self.ticket.and_then(|ticket| waiting.find(ticket));
        match known {
            Some(known) => known.clone_from(waker),
            None => self.ticket = Some(waiting.enter(waker.clone())),
        }
    }
}

impl Future for GoneWait<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.gone.is_set() {
            return Poll::Ready(());
        }
        self.register(cx.waker());
        // `set` may have run between the first look and the registration.
        if self.gone.is_set() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for GoneWait<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let known = match self.gone.waiting.lock() {
            Ok(mut waiting) => waiting.leave(ticket),
            Err(_) => None,
        };
        // A waker may own anything, and what it owns may wait for the same.
        drop(known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wait for the end of a receiver sees it, also if the end comes while the wait begins.
    #[cfg(kamea_loom)]
    #[test]
    fn loom_the_end_is_not_missed() {
        loom::model(|| {
            let gone = std::sync::Arc::new(Gone::default());
            let setter = gone.clone();
            let thread = loom::thread::spawn(move || setter.set());
            loom::future::block_on(gone.wait());
            thread.join().unwrap();
        });
    }

    #[cfg(not(kamea_loom))]
    #[test]
    fn who_gives_up_its_wait_leaves_nothing_behind() {
        let mut cx = Context::from_waker(Waker::noop());
        let gone = Gone::default();
        let mut stays = gone.wait();
        for _ in 0..100 {
            let mut given_up = gone.wait();
            assert!(Pin::new(&mut given_up).poll(&mut cx).is_pending());
            assert!(Pin::new(&mut stays).poll(&mut cx).is_pending());
        }
        assert_eq!(gone.waiting.lock().unwrap().iter().count(), 1);
        gone.set();
        assert!(Pin::new(&mut stays).poll(&mut cx).is_ready());
    }
}
