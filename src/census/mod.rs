//! The census: what runs at this moment, and its counters.
//!
//! Counting is always on and costs almost nothing: the queues and flows of a worker count in plain
//! cells, which no other thread reads. A census is a job that each worker runs between two turns,
//! so nothing is stopped and nothing is shared. Instances of one template, and graphs with the same
//! name and shape, are summed up. The worst few are singled out.

mod at;
mod dot;
mod look;
mod prometheus;
mod record;
mod registry;
mod report;
mod rings;
mod take;
#[cfg(test)]
mod tests;
mod waits;
mod watch;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use at::At;
pub(crate) use record::Recorded;
pub(crate) use registry::Registry;
use serde::{Serialize, Serializer};

use crate::graph::Plan;

/// What runs under a scheduler at one moment.
///
/// Made by [`Workers::census`](crate::Workers::census) and
/// [`Scheduler::census`](crate::Scheduler::census). The workers answer at slightly different
/// moments, some microseconds apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Census {
    /// The age of the scheduler. Use it to compute rates.
    #[serde(rename = "uptime_seconds", serialize_with = "seconds")]
    pub uptime: Duration,
    /// The workers, in the order of their numbers.
    pub workers: Vec<WorkerCensus>,
    /// The graphs that run or have run, by name. Graphs with the same name and shape are one entry.
    pub graphs: Vec<GraphCensus>,
    /// The latest faults, oldest first: up to 64.
    pub faults: Vec<FaultCensus>,
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FaultCensus {
    /// The age of the scheduler when the fault happened.
    #[serde(rename = "at_seconds", serialize_with = "seconds")]
    pub at: Duration,
    /// The graph and the component.
    #[serde(flatten)]
    pub place: Place,
    /// How the graph continued: the name of the [`Policy`](crate::Policy) (`stop`, `carry_on`,
    /// `restart`).
    pub policy: &'static str,
    /// The text of the fault, up to 512 bytes.
    pub text: String,
}

/// One worker.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkerCensus {
    /// Its number, from 0.
    pub index: usize,
    /// Whether it has answered. If not, the census lacks what it runs.
    pub answers: bool,
    /// If it has not answered: the component that blocks it.
    pub at: Option<Place>,
    /// How many graphs it runs, including those inside components.
    pub running: u64,
    /// How often a graph was woken up.
    pub turns: u64,
}

/// A component of a graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[non_exhaustive]
pub struct Place {
    /// The graph's name.
    pub graph: Arc<str>,
    /// The component's name.
    pub component: Arc<str>,
}

/// All graphs of one name and shape, on all workers.
///
/// Counters are sums since the start of the scheduler, and include what has ended. Queues and
/// states are those of this moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GraphCensus {
    /// The name.
    pub name: Arc<str>,
    /// Distinguishes graphs of the same name that have different components or links: 16
    /// hexadecimal digits, the same in every run of a program.
    pub shape: String,
    /// The component that started the first of them, by running or spawning it.
    pub started_by: Option<Place>,
    /// The workers that run some of them.
    pub workers: Vec<usize>,
    /// How many run.
    pub running: u64,
    /// How many have been started.
    pub started: u64,
    /// How many were stopped by a fault.
    pub failed: u64,
    /// The age of the oldest running graph.
    #[serde(rename = "oldest_seconds", serialize_with = "seconds")]
    pub oldest: Duration,
    /// The components in flow order, then the functions that are fused into others.
    pub components: Vec<ComponentCensus>,
    /// The links, in the order in which they were made.
    pub links: Vec<LinkCensus>,
    /// Components that wait for each other for ever.
    pub rings: Vec<RingCensus>,
    /// If several instances run: the worst of them.
    pub worst: Vec<InstanceCensus>,
}

/// Components of a graph that wait for each other for ever. Nothing but the end of their graph
/// changes that.
///
/// Found by each worker about a second after the last of them began to wait. It is not found if one
/// of the links leads through another graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RingCensus {
    /// The components. Each waits for the next one, and the last one for the first.
    pub components: Vec<Arc<str>>,
    /// The links that are full: their numbers in [`GraphCensus::links`].
    pub full: Vec<usize>,
    /// What each of them waits for, in a line.
    pub text: String,
    /// The number of instances with this ring.
    pub count: u64,
}

/// A component, in all instances of its graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ComponentCensus {
    /// Its name in the graph.
    pub name: Arc<str>,
    /// The path of its function.
    pub kind: &'static str,
    /// The source file that added it to its graph.
    pub file: &'static str,
    /// The line in that file.
    pub line: u32,
    /// Whether it has a thread of its own. Its polls and busy time do not include what it does
    /// there.
    pub own_thread: bool,
    /// Whether it is a function that the next component runs when it takes a message. Such a
    /// function has no states, polls and time of its own. These functions come last among the
    /// components.
    pub is_fused: bool,
    /// The number of instances in each state, most frequent state first.
    pub states: Vec<StateCount>,
    /// How often it was polled.
    pub polls: u64,
    /// How long it was busy: an estimate, from about one turn in 32.
    #[serde(rename = "busy_seconds", serialize_with = "seconds")]
    pub busy: Duration,
    /// How often it failed.
    pub faults: u64,
    /// How often it was restarted.
    pub restarts: u64,
}

/// The number of instances of a component in one state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StateCount {
    /// The state.
    #[serde(flatten)]
    pub state: State,
    /// The number of instances.
    pub count: u64,
    /// If they wait for space: the longest time that one of them has waited.
    #[serde(rename = "longest_seconds", serialize_with = "seconds")]
    pub longest: Duration,
}

/// What a component is doing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// It waits for space, because its outbox is full.
    WaitingForSpace {
        /// The outbox.
        outbox: String,
        /// The component that does not receive from it. `None` if it is not in the graph.
        blocked_by: Option<Arc<str>>,
        /// The bottleneck: the first component downstream that does not wait for space itself.
        /// `None` if it is not in the graph.
        culprit: Option<Arc<str>>,
    },
    /// It has work, and waits for its turn.
    Ready,
    /// It runs, on a thread of its own.
    Running,
    /// It waits for something outside: a socket, a timer, a job, a graph inside it.
    WaitingForWorld,
    /// It waits for messages, because its inboxes are empty.
    WaitingForMessage {
        /// The inboxes. A message in any of them is enough.
        inboxes: Vec<String>,
    },
    /// It has ended, while other components of its graph still run.
    Ended,
}

/// A link, in all instances of its graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LinkCensus {
    /// What feeds it. Empty if nothing in its graph does.
    pub from: Vec<FeedCensus>,
    /// The component that takes from it. `None` if it is not in the graph.
    pub to: Option<Arc<str>>,
    /// The inbox of that component.
    pub inbox: Option<&'static str>,
    /// The name of the end that is not in the graph, if it is an [open
    /// port](crate::Graph::open_outboxes) of another graph.
    pub outside: Option<Arc<str>>,
    /// The type of the messages.
    pub message: &'static str,
    /// Whether it crosses threads.
    pub across: bool,
    /// Whether it leads from a function that is fused into the inbox at its end. Such a link is not
    /// a queue, and counts nothing.
    pub is_fused: bool,
    /// The capacity of each instance, in messages.
    pub capacity: usize,
    /// How many messages were sent into it.
    pub messages: u64,
    /// The sum of their sizes in bytes, if the link has a [measure](crate::LinkOptions::measure).
    pub bytes: Option<u64>,
    /// How many messages wait in it. If it leads out of several graphs, each of them shows all.
    pub queued: u64,
    /// How many messages wait in the fullest instance.
    pub fullest: u64,
    /// The largest number of messages that ever waited in an instance.
    pub high_water: u64,
}

/// What feeds a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FeedCensus {
    /// The component. `None` for the graph itself, which sends its faults.
    pub component: Option<Arc<str>>,
    /// The outbox, with its index if there are several of the name: `targets[0]`.
    pub outbox: String,
    /// Whether it is a feedback link.
    pub feedback: bool,
    /// How many messages came from it.
    pub messages: u64,
}

/// One graph among many with its name and shape, singled out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct InstanceCensus {
    /// The worker that runs it.
    pub worker: usize,
    /// Its number on that worker.
    pub number: u64,
    /// The reasons why it is singled out.
    pub because: Vec<Because>,
    /// Its age.
    #[serde(rename = "age_seconds", serialize_with = "seconds")]
    pub age: Duration,
    /// How many messages wait in its links.
    pub queued: u64,
    /// How long a component of it has waited for space.
    #[serde(rename = "blocked_seconds", serialize_with = "seconds")]
    pub blocked: Duration,
    /// How long its components were busy: an estimate.
    #[serde(rename = "busy_seconds", serialize_with = "seconds")]
    pub busy: Duration,
    /// The state of each component, in the order of [`GraphCensus::components`], without the
    /// functions.
    pub states: Vec<State>,
    /// How many messages wait in each link, in the order of [`GraphCensus::links`].
    pub depths: Vec<u64>,
}

/// The reasons to single out a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Because {
    /// It has the most waiting messages.
    MostQueued,
    /// One of its components has waited longest for space.
    LongestBlocked,
    /// It has been busy longest.
    MostBusy,
    /// It is the oldest.
    Oldest,
}

impl Because {
    const ALL: [Self; 4] = [
        Self::MostQueued,
        Self::LongestBlocked,
        Self::MostBusy,
        Self::Oldest,
    ];
}

impl Census {
    /// Returns the census as JSON. Durations are in seconds, as in `"busy_seconds": 0.25`.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("there is nothing in a census that JSON cannot say")
    }
}

impl LinkCensus {
    /// Returns what feeds it, as `component.outbox`, joined by `+` if there are several. If nothing
    /// in its graph does, returns the open port of another graph, as `graph: component.port`, or
    /// `(outside)`.
    pub fn from_label(&self) -> String {
        match &self.from[..] {
            [] => self.outside_label(),
            feeds => feeds
                .iter()
                .map(FeedCensus::label)
                .collect::<Vec<_>>()
                .join("+"),
        }
    }

    /// Returns where it leads, as `component.inbox`. If that is not in its graph, returns the open
    /// port of another graph, or `(outside)`.
    pub fn to_label(&self) -> String {
        match (&self.to, self.inbox) {
            (Some(component), Some(inbox)) => format!("{component}.{inbox}"),
            _ => self.outside_label(),
        }
    }

    fn outside_label(&self) -> String {
        let outside = self.outside.as_deref();
        outside.unwrap_or(Plan::OUTSIDE).to_owned()
    }
}

impl FeedCensus {
    /// As `component.outbox`; `(faults)` for those of the graph itself.
    pub fn label(&self) -> String {
        match &self.component {
            Some(component) => format!("{component}.{}", self.outbox),
            None => Plan::FAULTS.to_owned(),
        }
    }
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
