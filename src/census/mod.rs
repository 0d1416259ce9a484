//! The census: what runs at this moment, and its counters.
//!
//! Counting is always on and costs next to nothing: the queues and flows of a worker count in plain cells, which nobody else
//! looks at. A census is a job that each worker does for itself between two turns, so nothing is stopped and nothing shared.
//! Instances of one template, and graphs of the same name and shape, are summed up; the worst few are singled out.

mod at;
mod dot;
mod look;
mod prometheus;
mod record;
mod registry;
mod report;
mod take;
#[cfg(test)]
mod tests;
mod waits;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use at::At;
pub(crate) use record::Recorded;
pub(crate) use registry::Registry;
use serde::{Serialize, Serializer};

use crate::graph::Plan;

/// What runs under a scheduler at one moment.
///
/// Made by [`Workers::census`](crate::Workers::census) and [`Scheduler::census`](crate::Scheduler::census). Each worker was
/// asked at a moment of its own, some microseconds apart.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Census {
    /// How long the scheduler has been there: what rates are to be computed by.
    #[serde(rename = "uptime_seconds", serialize_with = "seconds")]
    pub uptime: Duration,
    /// The workers, by their numbers.
    pub workers: Vec<WorkerCensus>,
    /// The graphs that run or have run, by name; graphs of the same name and shape are one.
    pub graphs: Vec<GraphCensus>,
    /// The latest faults, in the order in which they came: up to 64.
    pub faults: Vec<FaultCensus>,
}

/// A fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FaultCensus {
    /// How long the scheduler had been there.
    #[serde(rename = "at_seconds", serialize_with = "seconds")]
    pub at: Duration,
    /// The graph and the component.
    #[serde(flatten)]
    pub place: Place,
    /// What became of the graph: the name of the [`Policy`](crate::Policy) (`stop`, `carry_on`, `restart`).
    pub policy: &'static str,
    /// What was wrong, up to 512 bytes.
    pub text: String,
}

/// One worker.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct WorkerCensus {
    /// Its number, from 0.
    pub index: usize,
    /// Whether it has answered. What it runs is missing from the census otherwise.
    pub answers: bool,
    /// What it is at, if it has not answered: the component that does not let go of it.
    pub at: Option<Place>,
    /// How many graphs it runs, those inside of components included.
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
/// Counters are sums since the start of the scheduler, and go on counting what has ended; what is said of queues and states is of this moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct GraphCensus {
    /// The name.
    pub name: Arc<str>,
    /// Tells apart graphs of the same name that have different components or links: 16 hexadecimal digits, the same in every run of a
    /// program.
    pub shape: String,
    /// The component that started the first of them: it runs it, or has spawned it.
    pub started_by: Option<Place>,
    /// The workers that run some of them.
    pub workers: Vec<usize>,
    /// How many run.
    pub running: u64,
    /// How many have been started.
    pub started: u64,
    /// How many were stopped by a fault.
    pub failed: u64,
    /// The age of the oldest that runs.
    #[serde(rename = "oldest_seconds", serialize_with = "seconds")]
    pub oldest: Duration,
    /// In flow order, then the functions that are fused into others.
    pub components: Vec<ComponentCensus>,
    /// In the order in which they were made.
    pub links: Vec<LinkCensus>,
    /// If several run, the worst of them.
    pub worst: Vec<InstanceCensus>,
}

/// A component, in all instances of its graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ComponentCensus {
    /// Its name in the graph.
    pub name: Arc<str>,
    /// The function that it is, by its path.
    pub kind: &'static str,
    /// The source file that added it to its graph.
    pub file: &'static str,
    /// The line in that file.
    pub line: u32,
    /// Whether it has a thread of its own. What it does there is not among its polls and busy time.
    pub own_thread: bool,
    /// Whether it is a function that the component behind it does when it takes a message, so that it has no states, polls and time of its
    /// own. These come last among the components.
    pub is_fused: bool,
    /// How many instances are in which state, most first.
    pub states: Vec<StateCount>,
    /// How often it was polled.
    pub polls: u64,
    /// How long it was busy: an estimate, from about one turn in 32.
    #[serde(rename = "busy_seconds", serialize_with = "seconds")]
    pub busy: Duration,
    /// How often it failed.
    pub faults: u64,
    /// How often it was started again.
    pub restarts: u64,
}

/// How many instances of a component are in a state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct StateCount {
    /// The state.
    #[serde(flatten)]
    pub state: State,
    /// How many.
    pub count: u64,
    /// For how long, if they wait for space: the longest of them.
    #[serde(rename = "longest_seconds", serialize_with = "seconds")]
    pub longest: Duration,
}

/// What a component is doing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// Its outbox is full.
    WaitingForSpace {
        /// The outbox.
        outbox: String,
        /// The component that does not take from it; `None` if it is not in the graph.
        blocked_by: Option<Arc<str>>,
        /// Who is at the end of the jam: the first downstream that does not wait for space itself; `None` if it is not in the
        /// graph.
        culprit: Option<Arc<str>>,
    },
    /// It has something to do and waits for its turn.
    Ready,
    /// It runs, on a thread of its own.
    Running,
    /// It waits for the world: a socket, a timer, a job, a graph inside of it.
    WaitingForWorld,
    /// Its inboxes are empty.
    WaitingForMessage {
        /// The inboxes, any of which will do.
        inboxes: Vec<String>,
    },
    /// It has ended, while others of its graph have not.
    Ended,
}

/// A link, in all instances of its graph.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LinkCensus {
    /// What feeds it; nothing of its graph if this is empty.
    pub from: Vec<FeedCensus>,
    /// The component that takes from it; `None` if it is not in the graph.
    pub to: Option<Arc<str>>,
    /// The inbox of that component.
    pub inbox: Option<&'static str>,
    /// The type of the messages.
    pub message: &'static str,
    /// Whether it crosses threads.
    pub across: bool,
    /// Whether it leads from a function that is fused into what it leads to: then it is no queue, and counts nothing.
    pub is_fused: bool,
    /// How many messages each instance holds at the most.
    pub capacity: usize,
    /// How many messages went in.
    pub messages: u64,
    /// How many bytes they were, if the link has a [measure](crate::LinkOptions::measure).
    pub bytes: Option<u64>,
    /// How many messages wait in it; all of them for each of the graphs, if it leads out of several.
    pub queued: u64,
    /// How many messages wait in the fullest instance.
    pub fullest: u64,
    /// The most messages that ever waited in an instance.
    pub high_water: u64,
}

/// What feeds a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FeedCensus {
    /// The component; `None` for the graph itself, which sends its faults.
    pub component: Option<Arc<str>>,
    /// The outbox, with its place if there are several of the name: `targets[0]`.
    pub outbox: String,
    /// Whether it is a feedback link.
    pub feedback: bool,
    /// How many messages came from it.
    pub messages: u64,
}

/// One graph among many of its name and shape, singled out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct InstanceCensus {
    /// The worker that runs it.
    pub worker: usize,
    /// Its number on that worker.
    pub number: u64,
    /// What it is singled out for.
    pub because: Vec<Because>,
    /// How long it has been there.
    #[serde(rename = "age_seconds", serialize_with = "seconds")]
    pub age: Duration,
    /// How many messages wait in its links.
    pub queued: u64,
    /// For how long a component of it has waited for space.
    #[serde(rename = "blocked_seconds", serialize_with = "seconds")]
    pub blocked: Duration,
    /// How long its components were busy: an estimate.
    #[serde(rename = "busy_seconds", serialize_with = "seconds")]
    pub busy: Duration,
    /// The state of each component, in the order of [`GraphCensus::components`], without the functions.
    pub states: Vec<State>,
    /// How many messages wait in each link, in the order of [`GraphCensus::links`].
    pub depths: Vec<u64>,
}

/// What a graph may be singled out for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Because {
    /// Most messages wait in it.
    MostQueued,
    /// One of its components has waited for space for longest.
    LongestBlocked,
    /// It has been busy for longest.
    MostBusy,
    /// It has been there for longest.
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
    /// The census as JSON. Durations are seconds, as in `"busy_seconds": 0.25`.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("there is nothing in a census that JSON cannot say")
    }
}

impl LinkCensus {
    /// What feeds it, as `component.outbox`, several with a `+` between them; `(outside)` if nothing of its graph does.
    pub fn from_label(&self) -> String {
        match &self.from[..] {
            [] => Plan::OUTSIDE.to_owned(),
            feeds => feeds
                .iter()
                .map(FeedCensus::label)
                .collect::<Vec<_>>()
                .join("+"),
        }
    }

    /// Where it leads, as `component.inbox`; `(outside)` if that is not in its graph.
    pub fn to_label(&self) -> String {
        match (&self.to, self.inbox) {
            (Some(component), Some(inbox)) => format!("{component}.{inbox}"),
            _ => Plan::OUTSIDE.to_owned(),
        }
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
