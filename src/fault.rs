//! Faults: a component's failure, as a message.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// A component failed: it returned an error, or it panicked.
///
/// It ends that component alone. The graph's policy decides what becomes of the rest.
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
