//! The ways in which a graph, or a whole scheduler, ends other than by draining.

use std::fmt;
use std::io;
use std::panic::Location;
use std::sync::Arc;

use crate::census::{Census, Place};
use crate::supervision::{Cause, Fault};

/// The reason why a graph has not ended by itself.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, RunError, Scheduler, Sink};
///
/// let mut graph = Graph::new("patient");
/// let wait = graph.add("wait", async |io: &mut Sink<()>| { io.inbox.next().await; Ok(()) });
/// let gate = graph.feed(wait.inbox);
/// let scheduler = Scheduler::with_workers(1);
/// let running = scheduler.run(graph)?;
/// drop(scheduler);
/// assert!(matches!(running.wait(), Err(RunError::CutOff { .. })));
/// # drop(gate);
/// # Ok::<(), kamea::GraphError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A fault stopped it.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// It was dropped before its end: its scheduler was dropped, or its deadline had passed.
    #[error(
        "graph `{graph}` was cut off: its scheduler was dropped, or its deadline passed, before it had ended"
    )]
    CutOff {
        /// The graph.
        graph: Arc<str>,
    },
    /// It could not be started.
    #[error("graph `{graph}` could not be started: what makes its components {cause}")]
    Start {
        /// The graph.
        graph: Arc<str>,
        /// The error.
        cause: Cause,
    },
    /// It could not be dropped when its deadline had passed, because its worker does not respond.
    #[error("graph `{graph}` could not be dropped at its deadline{}", Blocked(.blocked.as_ref()))]
    Blocked {
        /// The graph.
        graph: Arc<str>,
        /// The component that blocks the worker.
        blocked: Option<BlockedWorker>,
    },
}

impl RunError {
    /// Returns the fault that stopped the graph, if a fault did.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }
}

struct Blocked<'a>(Option<&'a BlockedWorker>);

impl fmt::Display for Blocked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(blocked) => write!(f, ": {blocked}"),
            None => Ok(()),
        }
    }
}

/// A worker that could not be ended, because a component blocks it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BlockedWorker {
    /// The number of the worker.
    pub worker: usize,
    /// The component, and where it was added to its graph. `None` if something else blocks the
    /// worker.
    pub component: Option<(Place, &'static Location<'static>)>,
}

impl fmt::Display for BlockedWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let worker = self.worker;
        match &self.component {
            Some((
                Place {
                    graph, component, ..
                },
                location,
            )) => write!(
                f,
                "worker {worker} is blocked by component `{component}` of graph `{graph}`, added at {location}"
            ),
            None => write!(f, "worker {worker} is blocked"),
        }
    }
}

/// What had not drained at the deadline of a stop, and was dropped.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::{Graph, Scheduler, Sink};
///
/// let mut graph = Graph::new("stubborn");
/// let stall = graph.add("stall", async |_: &mut Sink<u32>| std::future::pending().await);
/// let numbers = graph.feed(stall.inbox);
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
/// numbers.send_blocking(1).unwrap();
/// let left = scheduler.stop(Duration::from_millis(10)).unwrap_err();
/// assert_eq!(left.messages(), 1);
/// assert_eq!(
///     left.to_string(),
///     "not everything has ended in time: 1 message and graph `stubborn` were dropped",
/// );
/// # Ok::<(), kamea::GraphError>(())
/// ```
#[derive(Debug, Default)]
pub struct NotDrained {
    graphs: Vec<(Arc<str>, u64)>,
    messages: u64,
    blocked: Vec<BlockedWorker>,
}

impl NotDrained {
    /// What still runs.
    pub(super) fn of(census: &Census) -> Self {
        let running = census.graphs.iter().filter(|graph| graph.running > 0);
        // Messages in a link that leads out of its graph are still there for its receiver.
        let links = running.clone().flat_map(|graph| &graph.links);
        let messages = links.filter(|link| link.to.is_some());
        Self {
            messages: messages.map(|link| link.queued).sum(),
            graphs: running
                .map(|graph| (graph.name.clone(), graph.running))
                .collect(),
            blocked: Vec::new(),
        }
    }

    /// Adds messages that components had to drop.
    pub(super) fn with_messages(mut self, dropped: u64) -> Self {
        self.messages += dropped;
        self
    }

    pub(super) fn blocked_by(mut self, blocked: Vec<BlockedWorker>) -> Self {
        self.blocked = blocked;
        self
    }

    /// Returns the graphs that were dropped, and how many of each.
    pub fn graphs(&self) -> &[(Arc<str>, u64)] {
        &self.graphs
    }

    /// Returns how many messages waited in their links, or were [dropped](crate::note_dropped) by
    /// components that could not pass them on. Messages that components had in hand are not
    /// included.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// Returns the workers that a component blocks. Their threads are left behind, with all that
    /// they run.
    pub fn blocked(&self) -> &[BlockedWorker] {
        &self.blocked
    }
}

impl fmt::Display for NotDrained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not everything has ended in time")?;
        let mut dropped = Vec::new();
        match self.messages {
            0 => {}
            1 => dropped.push("1 message".to_owned()),
            count => dropped.push(format!("{count} messages")),
        }
        let graphs = self.graphs.iter().map(|(name, count)| match count {
            1 => format!("graph `{name}`"),
            _ => format!("{count} graphs `{name}`"),
        });
        dropped.extend(graphs);
        let is_one = self.graphs.len() + usize::from(self.messages > 0) == 1
            && self.messages <= 1
            && self.graphs.iter().all(|(_, count)| *count == 1);
        if let Some(last) = dropped.pop() {
            let others = dropped.join(", ");
            let and = if others.is_empty() { "" } else { " and " };
            let were = if is_one { "was" } else { "were" };
            write!(f, ": {others}{and}{last} {were} dropped")?;
        }
        for blocked in &self.blocked {
            write!(f, "; {blocked}")?;
        }
        Ok(())
    }
}

impl std::error::Error for NotDrained {}

/// The reason why a scheduler that ran until a signal has failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StopError {
    /// The system refuses to watch the signals. Nothing has been stopped.
    #[error("signals cannot be watched: {0}")]
    Signals(#[from] io::Error),
    /// The deadline has passed, and what was left has been dropped.
    #[error(transparent)]
    NotDrained(#[from] NotDrained),
}
