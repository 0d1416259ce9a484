//! A component's failure, as a message.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::caught;

/// A component failed: it returned an error, or it panicked.
///
/// A fault ends only that component. The graph's [policy](crate::Policy) decides how it and the
/// others continue.
///
/// # Examples
///
/// ```
/// use kamea::{Cause, Done, End, Graph, Ports, RunError, Scheduler};
///
/// #[derive(Ports)]
/// struct NoPorts {}
///
/// let mut graph = Graph::new("weather");
/// graph.add("forecast", async |_: &mut NoPorts| -> Done { Err(End::fault("the sky is gone")) });
/// let error = Scheduler::with_workers(1).run(graph)?.wait().unwrap_err();
/// let RunError::Fault(fault) = error else { panic!("{error}") };
/// assert_eq!(fault.to_string(), "component `forecast` of graph `weather` failed: the sky is gone");
/// assert!(matches!(fault.cause(), Cause::Error(_)));
/// # Ok::<(), kamea::GraphError>(())
/// ```
#[derive(Debug)]
pub struct Fault {
    pub(crate) graph: Arc<str>,
    pub(crate) component: Arc<str>,
    /// The length of the prefix of the component's name that belongs to the graphs around the one
    /// whose policy applies.
    pub(crate) prefix: usize,
    pub(crate) cause: Cause,
    pub(crate) restarts: u32,
    pub(crate) restarts_in: Option<Duration>,
}

/// The reason why a component failed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Cause {
    /// It returned an error.
    Error(Box<dyn Error + Send + Sync>),
    /// It panicked, with this message.
    Panic(String),
    /// It is the last of this many components that failed while the link of the graph's
    /// [faults](crate::Graph::faults) was full. The number is sent once there is space. The faults
    /// themselves are in the log.
    Unheard(u64),
}

impl Fault {
    /// Returns the name of the graph.
    pub fn graph(&self) -> &str {
        &self.graph
    }

    /// Returns the name of the component in its graph. A graph inside another graph sees the names
    /// that it assigned itself.
    pub fn component(&self) -> &str {
        &self.component[self.prefix..]
    }

    /// Returns the reason why it failed.
    pub fn cause(&self) -> &Cause {
        &self.cause
    }

    /// Returns how often the component had been restarted before.
    pub fn restarts(&self) -> u32 {
        self.restarts
    }

    /// Returns the pause before the component is restarted. `None` if it is not restarted, or if
    /// that is not decided yet.
    pub fn restarts_in(&self) -> Option<Duration> {
        self.restarts_in
    }

    /// Writes it into the log.
    pub(crate) fn log(&self) {
        match self.restarts_in {
            Some(pause) => log::warn!("{self}; it is started again in {pause:?}"),
            None => log::error!("{self}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "component `{}` of graph `{}` ",
            self.component, self.graph
        )?;
        self.cause.fmt(f)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Formatting an error runs the user's code, which may panic too.
            Self::Error(error) => match caught(|| error.to_string()) {
                Ok(shown) => write!(f, "failed: {shown}"),
                Err(_) => f.write_str("failed, and so does what shows its error"),
            },
            Self::Unheard(1) => f.write_str("failed, and there was no space to tell of it"),
            Self::Unheard(count) => write!(
                f,
                "failed, the last of {count} faults that there was no space to tell of"
            ),
            Self::Panic(message) => write!(f, "panicked: {message}"),
        }
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            Cause::Error(error) => Some(&**error),
            Cause::Panic(_) | Cause::Unheard(_) => None,
        }
    }
}
