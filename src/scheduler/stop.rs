//! The wish that a graph come to its end.

use std::cell::RefCell;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Set once, by whoever wants a graph, and all that was spawned from it, to end.
#[derive(Debug, Default)]
pub(super) struct Stop {
    is_set: AtomicBool,
    notify: Notify,
}

impl Stop {
    pub(super) fn set(&self) {
        self.is_set.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::SeqCst)
    }

    pub(super) async fn wait(&self) {
        // Made before the look at the flag: a `set` between the two is not missed.
        let notified = self.notify.notified();
        if !self.is_set() {
            notified.await;
        }
    }
}

thread_local! {
    /// The wish that concerns the task that is being polled.
    static CURRENT: RefCell<Option<Arc<Stop>>> = const { RefCell::new(None) };
}

/// Makes `stop` the one that concerns what runs now; gives back the one before.
pub(super) fn enter(stop: Option<Arc<Stop>>) -> Option<Arc<Stop>> {
    CURRENT.replace(stop)
}

pub(super) fn current() -> Option<Arc<Stop>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Whether the graph that this component belongs to is to come to its end.
pub fn is_stopping() -> bool {
    CURRENT.with_borrow(|stop| stop.as_ref().is_some_and(|stop| stop.is_set()))
}

/// Waits until the graph that this component belongs to is to come to its end.
///
/// Only what waits for the world needs this, in graphs spawned by a component: the sources of the graph that the
/// scheduler runs are ended by it, and the end travels downstream.
pub async fn stopping() {
    match current() {
        Some(stop) => stop.wait().await,
        None => pending().await,
    }
}
