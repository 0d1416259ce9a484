//! How many handshakes a worker makes before it looks after its other connections.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;

/// How many handshakes a worker makes between two looks at its sockets. A full one computes for
/// some tenths of a millisecond, and nothing else runs on the worker meanwhile.
const AT_ONCE: usize = 2;

thread_local! {
    /// The places of this worker.
    static PLACES: Arc<Semaphore> = Arc::new(Semaphore::new(AT_ONCE));
}

/// Waits until this worker has looked at its sockets, and few others compute with this one. Those
/// who wait have their turn in order. Drop the place after the computation; nobody waits with it.
pub(super) async fn place_to_compute() -> Option<OwnedSemaphorePermit> {
    // It is never closed.
    let place = PLACES.with(Arc::clone).acquire_owned().await.ok();
    // A task that yields is polled again after a look at the sockets.
    yield_now().await;
    place
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// The order of events on one worker.
    fn run(count: usize) -> Vec<&'static str> {
        let log = Arc::new(Mutex::new(Vec::new()));
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async {
            let handshakes = (0..count).map(|_| {
                let log = log.clone();
                tokio::spawn(async move {
                    let _place = place_to_compute().await;
                    log.lock().unwrap().push("handshake");
                })
            });
            let handshakes: Vec<_> = handshakes.collect();
            let other = log.clone();
            let other = tokio::spawn(async move {
                loop {
                    other.lock().unwrap().push("look");
                    yield_now().await;
                }
            });
            for handshake in handshakes {
                handshake.await.unwrap();
            }
            other.abort();
        });
        std::mem::take(&mut *log.lock().unwrap())
    }

    #[test]
    fn other_connections_have_their_turn_between_handshakes() {
        let log = run(50);
        let between = log.split(|event| *event == "look");
        let most = between.map(<[_]>::len).max();
        // After a look, tasks run in any order: those of two looks may be neighbours.
        assert!(most <= Some(2 * AT_ONCE), "{log:?}");
        let made = log.iter().filter(|event| **event == "handshake").count();
        assert_eq!(made, 50);
    }

    #[test]
    fn who_gives_up_leaves_its_place() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.unwrap().block_on(async {
            for _ in 0..2 * AT_ONCE {
                let waiting = tokio::spawn(place_to_compute());
                waiting.abort();
                assert!(waiting.await.is_err());
            }
            assert!(place_to_compute().await.is_some());
        });
    }
}
