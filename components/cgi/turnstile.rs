//! How many programs run at once, and how many requests wait for their turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Lets so many in at once, and has so many wait. Shared by all workers.
#[derive(Debug)]
pub(super) struct Turnstile {
    places: Arc<Semaphore>,
    /// How many wait, and how many may.
    waiting: AtomicUsize,
    queue: usize,
}

/// Too many wait already.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

impl Turnstile {
    pub(super) fn new(places: usize, queue: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(places)),
            waiting: AtomicUsize::new(0),
            queue,
        }
    }

    /// Waits for a place, in turn; it is free again once what this gives is dropped.
    pub(super) async fn enter(&self) -> Result<OwnedSemaphorePermit, Full> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(place);
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.queue {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Full);
        }
        let _leaving = Leaving(&self.waiting);
        self.places.clone().acquire_owned().await.map_err(|_| Full)
    }
}

/// Counts as waiting until it is dropped, also if that is because the client has gone.
struct Leaving<'t>(&'t AtomicUsize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{block_on, poll_once};

    use super::*;

    #[test]
    fn so_many_enter_so_many_wait_and_the_others_are_turned_away() {
        block_on(async {
            let turnstile = Turnstile::new(1, 2);
            let first = turnstile.enter().await.unwrap();
            let (mut second, mut third) =
                (Box::pin(turnstile.enter()), Box::pin(turnstile.enter()));
            assert!(poll_once(&mut second).await.is_none());
            assert!(poll_once(&mut third).await.is_none());
            assert_eq!(turnstile.enter().await.unwrap_err(), Full);
            // One that waits goes away, so that there is room for another one.
            drop(second);
            let mut fourth = Box::pin(turnstile.enter());
            assert!(poll_once(&mut fourth).await.is_none());
            drop(first);
            let third = poll_once(&mut third).await.unwrap().unwrap();
            assert!(poll_once(&mut fourth).await.is_none(), "in turn");
            drop(third);
            assert!(poll_once(&mut fourth).await.unwrap().is_ok());
        });
    }
}
