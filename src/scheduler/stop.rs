//! The request that a graph ends.

use std::cell::RefCell;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::Notify;

/// Set once, to end a graph and all that was spawned from it.
#[derive(Debug, Default)]
pub(super) struct Stop {
    is_set: AtomicBool,
    /// Set at once for all graphs of a scheduler.
    is_set_for_all: Arc<AtomicBool>,
    /// How many messages components had to drop since then.
    dropped: Arc<AtomicU64>,
    notify: Notify,
}

impl Stop {
    /// One of many that may be set at once.
    pub(super) fn of_all(is_set_for_all: &Arc<AtomicBool>) -> Self {
        Self {
            is_set_for_all: is_set_for_all.clone(),
            ..Self::default()
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::SeqCst)
    }

    pub(super) fn set(&self) {
        self.is_set.store(true, Ordering::SeqCst);
        self.notify.notify_waiters();
    }

    pub(super) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::SeqCst) || self.is_set_for_all.load(Ordering::SeqCst)
    }

    /// Whether all graphs of the scheduler are being stopped. A graph whose open ports feed others
    /// then ends too, and they drain behind it.
    pub(super) fn is_for_all(&self) -> bool {
        self.is_set_for_all.load(Ordering::SeqCst)
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
    /// The stop request of the task that is being polled.
    static CURRENT: RefCell<Option<Arc<Stop>>> = const { RefCell::new(None) };
}

/// Makes `stop` the current one. Returns the previous one.
pub(super) fn enter(stop: Option<Arc<Stop>>) -> Option<Arc<Stop>> {
    CURRENT.replace(stop)
}

pub(super) fn current() -> Option<Arc<Stop>> {
    CURRENT.with_borrow(Clone::clone)
}

/// Returns whether the graph of this component must end.
pub fn is_stopping() -> bool {
    CURRENT.with_borrow(|stop| stop.as_ref().is_some_and(|stop| stop.is_set()))
}

/// The stop request of a component's graph, for other code to check.
///
/// # Examples
///
/// ```
/// use kamea::{Done, Graph, Scheduler, Source, StopWish, heeds_stop, stopping};
///
/// async fn tell(io: &mut Source<Option<StopWish>>) -> Done {
///     io.outbox.send(StopWish::current()).await?;
///     stopping().await;
///     Ok(())
/// }
///
/// let mut graph = Graph::new("wishing");
/// let tell = graph.add("tell", heeds_stop(tell));
/// let mut wishes = graph.take(tell.outbox);
/// let scheduler = Scheduler::with_workers(1);
/// let running = scheduler.run(graph)?;
/// let wish = wishes.next_blocking().flatten().unwrap();
/// assert!(!wish.is_set());
/// running.stop();
/// assert!(wish.is_set());
/// running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct StopWish(Arc<Stop>);

impl StopWish {
    /// Returns that of the component that is being polled. `None` outside of a scheduler.
    pub fn current() -> Option<Self> {
        current().map(Self)
    }

    /// Returns whether the graph must end.
    pub fn is_set(&self) -> bool {
        self.0.is_set()
    }
}

/// Counts accepted messages that a component has to drop because its graph is being stopped. The
/// stop then does not report that everything has drained. Before a stop this counts nothing.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::{Graph, Scheduler, Sink, stopping};
///
/// let mut graph = Graph::new("hasty");
/// let hasty = graph.add("hasty", async |io: &mut Sink<u32>| {
///     stopping().await;
///     let left = std::iter::from_fn(|| io.inbox.try_next()).count();
///     kamea::note_dropped(left as u64);
///     Ok(())
/// });
/// let numbers = graph.feed(hasty.inbox);
/// numbers.try_send(1).unwrap();
/// let scheduler = Scheduler::with_workers(1);
/// let running = scheduler.run(graph)?;
/// assert_eq!(running.stop_within(Duration::from_secs(5))?, false);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn note_dropped(messages: u64) {
    let Some(stop) = current().filter(|stop| messages > 0 && stop.is_set()) else {
        return;
    };
    stop.dropped.fetch_add(messages, Ordering::SeqCst);
    super::worker::note_dropped(messages);
}

/// Waits until the graph of this component must end.
///
/// Only components that wait for outside events, in graphs spawned by a component, need this. The
/// scheduler itself ends the sources of the graphs that it runs, and the end travels downstream.
pub async fn stopping() {
    match current() {
        Some(stop) => stop.wait().await,
        None => pending().await,
    }
}
