//! A handle to a running graph.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::stop::Stop;
use super::{LAST_WORDS, RunError, Workers, deadline_after, refuse_to_block};

/// A running graph.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, Source};
///
/// let mut graph = Graph::new("endless");
/// let count = graph.add("count", async |io: &mut Source<u64>| {
///     for number in 0.. {
///         io.outbox.send(number).await?;
///     }
///     Ok(())
/// });
/// let mut numbers = graph.take(count.outbox);
/// let scheduler = Scheduler::with_workers(1);
/// let running = scheduler.run(graph)?;
/// assert_eq!(numbers.next_blocking(), Some(0));
/// running.stop(); // the source ends, and the end travels downstream, behind what has been sent
/// assert!(numbers.into_iter().is_sorted());
/// running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Running {
    pub(super) graph: Arc<str>,
    pub(super) outcome: flume::Receiver<Result<(), RunError>>,
    pub(super) stop: Arc<Stop>,
    /// Makes a graph that is stopping drop what has not drained.
    pub(super) abort: Arc<Stop>,
    pub(super) workers: Workers,
}

/// How long a graph may take to be dropped at its deadline. If its worker takes longer, a component
/// blocks the worker.
const DROP: Duration = Duration::from_millis(500);

impl Running {
    /// Blocks this thread until the graph has ended.
    ///
    /// # Errors
    ///
    /// [`RunError`]: a fault stopped the graph, or it was dropped before its end, or it could not
    /// be started.
    ///
    /// # Panics
    ///
    /// On a worker, which it would block: use [`finished`](Self::finished) there.
    pub fn wait(self) -> Result<(), RunError> {
        refuse_to_block("wait", "`finished().await`");
        self.outcome.recv().unwrap_or_else(|_| Err(self.cut_off()))
    }

    /// Like [`wait`](Self::wait), but stops waiting at a deadline. Then it returns `None`, and the
    /// graph continues.
    ///
    /// # Panics
    ///
    /// The same as those of [`wait`](Self::wait).
    pub fn wait_until(&self, moment: Instant) -> Option<Result<(), RunError>> {
        refuse_to_block("wait_until", "`finished().await`");
        match self.outcome.recv_deadline(moment) {
            Ok(outcome) => Some(outcome),
            Err(flume::RecvTimeoutError::Disconnected) => Some(Err(self.cut_off())),
            Err(flume::RecvTimeoutError::Timeout) => None,
        }
    }

    /// Returns how the graph has ended. If it has not ended, returns the same as without a failure.
    pub(crate) fn try_outcome(&self) -> Result<(), RunError> {
        self.outcome.try_recv().unwrap_or(Ok(()))
    }

    /// Waits until the graph has ended.
    ///
    /// # Errors
    ///
    /// The same as those of [`wait`](Self::wait).
    pub async fn finished(self) -> Result<(), RunError> {
        let outcome = self.outcome.recv_async().await;
        outcome.unwrap_or_else(|_| Err(self.cut_off()))
    }

    /// Its scheduler is gone, and has dropped it.
    fn cut_off(&self) -> RunError {
        RunError::CutOff {
            graph: self.graph.clone(),
        }
    }

    /// Begins a graceful stop: the sources of the graph end, so that it drains. What a source was
    /// sending is still delivered. A sender that [feeds](crate::Graph::feed) the graph from outside
    /// is not one of its sources: the graph drains once that sender has been dropped.
    pub fn stop(&self) {
        self.stop.set();
    }

    /// Stops gracefully, and drops what has not drained after `deadline`. Graphs that its
    /// components have spawned drain by themselves. Returns whether everything drained. Blocks this
    /// thread meanwhile.
    ///
    /// # Errors
    ///
    /// The same as those of [`wait`](Self::wait). [`RunError::Blocked`] if a component blocks the
    /// worker, so that the graph could not be dropped.
    ///
    /// # Panics
    ///
    /// The same as those of [`wait`](Self::wait).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use kamea::{Done, Graph, Scheduler, Sink, Source};
    ///
    /// async fn count(io: &mut Source<u64>) -> Done {
    ///     for number in 0.. {
    ///         io.outbox.send(number).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// /// Does not end, although it is asked to.
    /// async fn stall(_: &mut Sink<u64>) -> Done {
    ///     std::future::pending().await
    /// }
    ///
    /// let mut graph = Graph::new("stubborn");
    /// let (count, stall) = (graph.add("count", count), graph.add("stall", stall));
    /// graph.link(count.outbox, stall.inbox);
    /// let scheduler = Scheduler::with_workers(1);
    /// let has_drained = scheduler.run(graph)?.stop_within(Duration::from_millis(10))?;
    /// assert!(!has_drained);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop_within(self, deadline: Duration) -> Result<bool, RunError> {
        refuse_to_block("stop_within", "`stop()` and `finished().await`");
        self.stop();
        if let Some(outcome) = self.wait_until(deadline_after(deadline)) {
            return outcome.map(|()| self.stop.dropped() == 0);
        }
        self.abort.set();
        match self.wait_until(deadline_after(DROP)) {
            Some(Err(RunError::CutOff { .. })) => Ok(false),
            Some(outcome) => outcome.map(|()| true),
            None => Err(RunError::Blocked {
                blocked: self.workers.blocked(LAST_WORDS),
                graph: self.graph,
            }),
        }
    }
}
