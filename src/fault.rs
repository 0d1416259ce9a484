//! Faults: a component's failure, as a message.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A component failed: it returned an error, or it panicked.
///
/// It ends that component alone. The graph's policy decides what becomes of the rest.
///
/// # Examples
///
/// ```
/// use kamea::{Cause, Done, End, Graph, Ports, Scheduler};
///
/// #[derive(Ports)]
/// struct NoPorts {}
///
/// let mut graph = Graph::new("weather");
/// graph.add("forecast", async |_: &mut NoPorts| -> Done { Err(End::fault("the sky is gone")) });
/// let fault = Scheduler::with_workers(1).run(graph)?.wait().unwrap_err();
/// assert_eq!(fault.to_string(), "component `forecast` of graph `weather` failed: the sky is gone");
/// assert!(matches!(fault.cause(), Cause::Error(_)));
/// # Ok::<(), kamea::GraphError>(())
/// ```
#[derive(Debug)]
pub struct Fault {
    pub(crate) graph: Arc<str>,
    pub(crate) component: Arc<str>,
    pub(crate) cause: Cause,
}

/// What made a component fail.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// It returned an error.
    Error(Box<dyn Error + Send + Sync>),
    /// It panicked, with this message.
    Panic(String),
}

impl Fault {
    /// The name of the graph.
    pub fn graph(&self) -> &str {
        &self.graph
    }

    /// The name of the component in its graph.
    pub fn component(&self) -> &str {
        &self.component
    }

    /// What made it fail.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "component `{}` of graph `{}` ",
            self.component, self.graph
        )?;
        match &self.cause {
            Cause::Error(error) => write!(f, "failed: {error}"),
            Cause::Panic(message) => write!(f, "panicked: {message}"),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::Error(error) => Some(&**error),
            Cause::Panic(_) => None,
        }
    }
}

impl Cause {
    pub(crate) fn panic(payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        Self::Panic(text.unwrap_or_else(|| "(no message)".to_owned()))
    }
}

/// What becomes of a graph when one of its components has failed.
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
    /// The other components carry on. The fault goes to the graph's [`faults`](crate::Graph::faults), or into the log.
    CarryOn,
}

/// Decides by the fault.
pub(crate) type Supervise = Arc<dyn Fn(&Fault) -> Policy + Send + Sync>;
