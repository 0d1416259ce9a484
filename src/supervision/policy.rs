//! The policy of a graph for faults.

use std::sync::Arc;
use std::time::Duration;

use super::{Fault, caught};

/// How a graph continues when one of its components has failed.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Pipe, Policy, Source};
///
/// let mut graph = Graph::new("two ways");
/// let risky = graph.add("risky", async |io: &mut Source<u32>| {
///     io.outbox.send("not a number".parse()?).await?;
///     Ok(())
/// });
/// let safe = graph.add("safe", async |io: &mut Source<u32>| Ok(io.outbox.send(7).await?));
/// let join = graph.add("join", async |io: &mut Pipe<u32, u32>| {
///     while let Some(number) = io.inbox.next().await {
///         io.outbox.send(number).await?;
///     }
///     Ok(())
/// });
/// graph.merge([risky.outbox, safe.outbox], join.inbox);
/// graph.supervise(|fault| match fault.component() {
///     "risky" => Policy::CarryOn,
///     _ => Policy::Stop,
/// });
/// let numbers = graph.take(join.outbox);
/// kamea::testing::block_on(graph.start()?)?;
/// assert_eq!(numbers.into_iter().collect::<Vec<_>>(), [7]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Policy {
    /// The graph stops: its other components are dropped, and the fault is the graph's outcome.
    Stop,
    /// The other components continue. The fault goes to the graph's
    /// [`faults`](crate::Graph::faults), or into the log.
    CarryOn,
    /// The component is restarted over the same ports: the messages in its inboxes are still there.
    /// The fault goes to the graph's [`faults`](crate::Graph::faults), or into the log.
    Restart(Restart),
}

impl Policy {
    /// Its name in a census.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::CarryOn => "carry_on",
            Self::Restart(_) => "restart",
        }
    }
}

/// How often, and after which pauses, a failed component is restarted.
///
/// Allows up to `times` restarts within any period of length `within`, not counting the pauses. The
/// first restart of such a period comes after the first pause. Each further one comes after twice
/// the previous pause, up to the longest. One more fault stops the graph, unless it may [carry
/// on](Self::or_carry_on).
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::{Graph, Pipe, Policy, Restart};
///
/// let mut graph = Graph::new("reciprocals");
/// let divide = graph.add("divide", async |io: &mut Pipe<u32, u32>| {
///     while let Some(number) = io.inbox.next().await {
///         io.outbox.send(1000 / number).await?; // panics at 0
///     }
///     Ok(())
/// });
/// graph.supervise(|_| {
///     let pause = Duration::from_millis(1);
///     Policy::Restart(Restart::new(3, Duration::from_secs(60)).pause(pause, 8 * pause))
/// });
/// let unanswered = graph.dead_letters(&divide.inbox);
/// let (numbers, unanswered, results) = (graph.feed(divide.inbox), graph.take(unanswered), graph.take(divide.outbox));
/// for number in [1, 0, 2] {
///     numbers.try_send(number).unwrap();
/// }
/// drop(numbers);
/// kamea::testing::block_on(graph.start()?)?;
/// assert_eq!(results.into_iter().collect::<Vec<_>>(), [1000, 500]);
/// assert_eq!(unanswered.into_iter().collect::<Vec<_>>(), [0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restart {
    pub(super) times: u32,
    pub(super) within: Duration,
    pub(super) first_pause: Duration,
    pub(super) longest_pause: Duration,
    pub(super) carries_on: bool,
}

impl Restart {
    /// Allows up to `times` restarts within `within`, with pauses from 100 ms to 10 s. A component
    /// that fails more often stops the graph.
    pub const fn new(times: u32, within: Duration) -> Self {
        Self {
            times,
            within,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
            carries_on: false,
        }
    }

    /// Sets the pauses before a restart: the first, and the limit of the doubling.
    #[must_use]
    pub const fn pause(self, first: Duration, longest: Duration) -> Self {
        Self {
            first_pause: first,
            longest_pause: longest,
            ..self
        }
    }

    /// Lets a component that fails more often end for good, while the others continue.
    #[must_use]
    pub const fn or_carry_on(self) -> Self {
        Self {
            carries_on: true,
            ..self
        }
    }

    /// The policy for the fault that exceeds the limit.
    pub(crate) const fn otherwise(self) -> Policy {
        if self.carries_on {
            Policy::CarryOn
        } else {
            Policy::Stop
        }
    }
}

impl Default for Restart {
    /// 5 restarts a minute.
    fn default() -> Self {
        Self::new(5, Duration::from_secs(60))
    }
}

/// Decides by the fault.
pub(crate) type Supervise = Arc<dyn Fn(&Fault) -> Policy + Send + Sync>;

/// The policy that applies to a component.
#[derive(Clone)]
pub(crate) struct Supervisor {
    pub(crate) supervise: Supervise,
    /// The length of the prefix of the component's name that the deciding graph does not know.
    pub(crate) prefix: usize,
}

impl Supervisor {
    pub(crate) fn of(supervise: Option<&Supervise>) -> Option<Self> {
        supervise.map(|supervise| Self {
            supervise: supervise.clone(),
            prefix: 0,
        })
    }

    /// The same, for a graph that is a component of another one.
    pub(crate) fn within(self, prefix: usize) -> Self {
        Self {
            prefix: self.prefix + prefix,
            ..self
        }
    }

    /// Decides. If the function panics, the graph stops.
    pub(crate) fn decide(&self, fault: &mut Fault) -> Policy {
        fault.prefix = self.prefix;
        let decided = caught(|| (self.supervise)(fault));
        fault.prefix = 0;
        decided.unwrap_or_else(|cause| {
            log::error!(
                "the policy of graph `{}` failed, so that the graph stops: {cause}",
                fault.graph,
            );
            Policy::Stop
        })
    }
}
