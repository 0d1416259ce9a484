//! The running graphs, so that they can be stopped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::stop::Stop;

/// How to stop each running graph. Adding and removing one takes constant time, however many there
/// are.
#[derive(Debug, Default)]
pub(super) struct Listing {
    graphs: Mutex<Graphs>,
    /// Set while all are being stopped, once the remaining ones only answer others.
    others_ended: Stop,
    /// Whether all must stop.
    is_stopping: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Graphs {
    stops: HashMap<u64, Arc<Stop>>,
    next: u64,
    /// How many do more than answer others.
    busy: usize,
    is_stopping: bool,
}

/// Keeps a graph in the list for as long as this lives.
#[derive(Debug)]
pub(super) struct Listed {
    listing: Arc<Listing>,
    number: u64,
    /// Whether it only answers others.
    rests: AtomicBool,
}

impl Listing {
    pub(super) fn add(self: &Arc<Self>, stop: Arc<Stop>) -> Listed {
        let mut graphs = self.graphs();
        let number = graphs.next;
        graphs.next += 1;
        graphs.busy += 1;
        graphs.stops.insert(number, stop);
        drop(graphs);
        Listed {
            listing: self.clone(),
            number,
            rests: AtomicBool::new(false),
        }
    }

    /// Registers how to stop one more graph.
    pub(super) fn stop(&self) -> Stop {
        Stop::of_all(&self.is_stopping)
    }

    /// Stops every graph gracefully.
    pub(super) fn stop_all(&self) {
        // All are informed before any of them acts.
        self.is_stopping.store(true, Ordering::SeqCst);
        let mut graphs = self.graphs();
        graphs.is_stopping = true;
        let stops: Vec<_> = graphs.stops.values().cloned().collect();
        let is_last = graphs.busy == 0;
        drop(graphs);
        stops.iter().for_each(|stop| stop.set());
        if is_last {
            self.others_ended.set();
        }
    }

    fn graphs(&self) -> MutexGuard<'_, Graphs> {
        self.graphs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listed {
    /// Waits, while all graphs are being stopped, until the remaining ones only answer others. This
    /// graph counts as one of them from now on.
    pub(super) async fn others_ended(&self) {
        self.rest();
        if self.listing.graphs().is_stopping {
            self.listing.others_ended.wait().await;
        }
    }

    fn rest(&self) {
        if self.rests.swap(true, Ordering::SeqCst) {
            return;
        }
        let mut graphs = self.listing.graphs();
        graphs.busy -= 1;
        let is_last = graphs.busy == 0 && graphs.is_stopping;
        drop(graphs);
        if is_last {
            self.listing.others_ended.set();
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.listing.graphs().stops.remove(&self.number);
        self.rest();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// Ample for a debug build on a busy machine. If each graph checked all others, it would take
    /// longer.
    #[test]
    fn a_hundred_thousand_are_listed_and_forgotten_in_a_time_that_grows_with_their_number() {
        let listing = Arc::new(Listing::default());
        let began = Instant::now();
        let listed: Vec<_> = (0..100_000).map(|_| listing.add(Arc::default())).collect();
        drop(listed);
        assert!(
            began.elapsed() < Duration::from_secs(3),
            "{:?}",
            began.elapsed()
        );
    }

    #[test]
    fn who_has_ended_is_forgotten_and_all_others_are_stopped() {
        let listing = Arc::new(Listing::default());
        let stops: Vec<_> = (0..100).map(|_| Arc::new(Stop::default())).collect();
        let mut listed: Vec<_> = stops.iter().map(|stop| listing.add(stop.clone())).collect();
        listed.drain(..50);
        assert_eq!(listing.graphs().stops.len(), 50);
        listing.stop_all();
        assert!(stops[..50].iter().all(|stop| !stop.is_set()));
        assert!(stops[50..].iter().all(|stop| stop.is_set()));
        drop(listed);
        assert!(listing.graphs().stops.is_empty());
    }
}
