//! A graph that runs, in the hands of who runs it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::stop::Stop;
use crate::simulation;
use crate::supervision::Fault;

/// A graph that runs.
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
    pub(super) outcome: flume::Receiver<Result<(), Fault>>,
    pub(super) stop: Arc<Stop>,
    /// Makes a graph that is stopping drop what has not drained.
    pub(super) abort: Arc<Stop>,
}

impl Running {
    /// Blocks this thread until the graph has ended. Not for code that runs on a worker.
    ///
    /// # Errors
    ///
    /// The [`Fault`] that stopped the graph, if one did.
    pub fn wait(self) -> Result<(), Fault> {
        simulation::refuse_to_block("wait");
        // No outcome: the scheduler was stopped and has dropped the graph.
        self.outcome.recv().unwrap_or(Ok(()))
    }

    /// Like [`wait`](Self::wait), but gives up at a moment; `None` then, and the graph runs on.
    pub fn wait_until(&self, moment: Instant) -> Option<Result<(), Fault>> {
        simulation::refuse_to_block("wait_until");
        match self.outcome.recv_deadline(moment) {
            Ok(outcome) => Some(outcome),
            Err(flume::RecvTimeoutError::Disconnected) => Some(Ok(())),
            Err(flume::RecvTimeoutError::Timeout) => None,
        }
    }

    /// How the graph has ended; as if it had not failed, if it has not ended.
    pub(crate) fn try_outcome(&self) -> Result<(), Fault> {
        self.outcome.try_recv().unwrap_or(Ok(()))
    }

    /// Waits until the graph has ended.
    ///
    /// # Errors
    ///
    /// The [`Fault`] that stopped the graph, if one did.
    pub async fn finished(self) -> Result<(), Fault> {
        self.outcome.recv_async().await.unwrap_or(Ok(()))
    }

    /// Begins a graceful stop: the sources of the graph end, so that it drains. What a source was sending is still delivered. What
    /// [feeds](crate::Graph::feed) the graph from outside is no source of its own: it drains once the sender has been dropped.
    pub fn stop(&self) {
        self.stop.set();
    }

    /// Stops gracefully, and drops what has not drained after `deadline`; graphs that its components have spawned drain
    /// by themselves. Gives whether everything drained. Blocks this thread: not for code that runs on a worker.
    ///
    /// # Errors
    ///
    /// The [`Fault`] that stopped the graph, if one did.
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
    /// /// Takes no end, although it is told of it.
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
    pub fn stop_within(self, deadline: Duration) -> Result<bool, Fault> {
        self.stop();
        match self.outcome.recv_timeout(deadline) {
            Ok(outcome) => outcome.map(|()| true),
            Err(flume::RecvTimeoutError::Disconnected) => Ok(true),
            Err(flume::RecvTimeoutError::Timeout) => {
                self.abort.set();
                self.wait().map(|()| false)
            }
        }
    }
}
