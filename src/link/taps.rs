//! The taps of a link across threads.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Tapping;
use crate::port::Message;
use crate::tap::TapPoint;

/// Taps that any thread may add and remove while messages pass.
#[derive(Debug)]
pub(super) struct Taps<T> {
    /// Whether there are any. Each message checks this.
    are_there: AtomicBool,
    taps: Mutex<Vec<Tapping<T>>>,
}

impl<T> Default for Taps<T> {
    fn default() -> Self {
        Self {
            are_there: AtomicBool::new(false),
            taps: Mutex::default(),
        }
    }
}

impl<T> Taps<T> {
    pub(super) fn are_there(&self) -> bool {
        self.are_there.load(Relaxed)
    }

    /// Shows them a message that is about to be sent by this outbox.
    #[cold]
    pub(super) fn show(&self, message: &T, feed: usize) {
        let taps = self.lock();
        taps.iter().for_each(|tap| tap.see(message, feed));
    }

    pub(super) fn add(&self, feed: Option<usize>, point: &Arc<TapPoint>)
    where
        T: Message,
    {
        self.lock().push(Tapping::new(feed, point));
        self.are_there.store(true, Relaxed);
    }

    pub(super) fn remove(&self, point: &Arc<TapPoint>) {
        let mut taps = self.lock();
        taps.retain(|tap| !tap.is_at(point));
        self.are_there.store(!taps.is_empty(), Relaxed);
    }

    /// The data behind the lock is consistent at any moment.
    fn lock(&self) -> MutexGuard<'_, Vec<Tapping<T>>> {
        self.taps.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
