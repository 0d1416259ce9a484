//! The end of a receiver, and who waits for it.

use std::task::{Context, Poll, Waker};

use crate::flow::wake_caught;
use crate::mutation::mutated;
use crate::sync::{AtomicBool, Mutex, Ordering};

/// The fact that a receiving end is gone, and who waits for it. `flume` tells a sender only when it sends.
#[derive(Debug, Default)]
pub(crate) struct Gone {
    is_gone: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl Gone {
    pub(crate) fn set(&self) {
        self.is_gone.store(true, Ordering::Release);
        if mutated("the end of a receiver wakes nobody") {
            return;
        }
        let waiting = match self.waiting.lock() {
            Ok(mut waiting) => std::mem::take(&mut *waiting),
            Err(_) => return,
        };
        waiting.into_iter().for_each(wake_caught);
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_set() {
            return Poll::Ready(());
        }
        if let Ok(mut waiting) = self.waiting.lock()
            && !waiting.iter().any(|waker| waker.will_wake(cx.waker()))
        {
            waiting.push(cx.waker().clone());
        }
        // `set` may have run between the first look and the registration.
        if self.is_set() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

#[cfg(all(test, kamea_loom))]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Whoever waits for the end of a receiver hears of it, also if it ends while the wait begins.
    #[test]
    fn loom_the_end_is_not_missed() {
        loom::model(|| {
            let gone = Arc::new(Gone::default());
            let setter = gone.clone();
            let thread = loom::thread::spawn(move || setter.set());
            loom::future::block_on(std::future::poll_fn(|cx| gone.poll(cx)));
            thread.join().unwrap();
        });
    }
}
