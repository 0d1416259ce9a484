//! The errors of a simulation.

use std::any::Any;
use std::time::Duration;

use crate::graph::GraphError;
use crate::scheduler::RunError;
use crate::supervision::{Cause, Fault};

/// The reason why a simulation has failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimulationError {
    /// The graph has a mistake. Nothing has run.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// A fault stopped the graph.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// The graph could not be started.
    #[error(transparent)]
    Run(RunError),
    /// A task beside the graph panicked.
    #[error("{name} panicked: {panic}")]
    Panicked {
        /// Its name.
        name: String,
        /// The message of the panic.
        panic: String,
    },
    /// Nothing can happen any more, and not everything has ended: a wake-up was lost, or some
    /// components wait for each other.
    #[error("nothing can happen any more, and these wait for ever: {}{}", waiting.join(", "), rings_in_words(rings))]
    Stalled {
        /// The waiting components, each as graph/component, and what they wait for.
        waiting: Vec<String>,
        /// The components that wait for each other.
        rings: Vec<String>,
    },
    /// The time limit passed before everything had ended.
    #[error("not at its end after {} s; still there: {}{}", after.as_secs_f64(), waiting.join(", "), rings_in_words(rings))]
    TimedOut {
        /// The limit, in virtual time.
        after: Duration,
        /// The remaining components, each as graph/component, and what they wait for.
        waiting: Vec<String>,
        /// The components that wait for each other.
        rings: Vec<String>,
    },
    /// So many polls that a component seems to spin.
    #[error(
        "not at its end after {polls} polls: something spins, or `Simulation::polls` should allow for more"
    )]
    Spinning {
        /// The number of polls.
        polls: u64,
    },
    /// A component has a thread of its own, whose steps the simulation cannot order.
    #[error(
        "component `{component}` cannot be simulated, because it has a thread of its own (`blocking`): put a simulated one in its place"
    )]
    OwnThread {
        /// Its name, as graph/component.
        component: String,
    },
}

fn rings_in_words(rings: &[String]) -> String {
    let rings = rings.iter().map(|ring| format!("; {ring}"));
    rings.collect()
}

impl SimulationError {
    pub(super) fn of(error: RunError) -> Self {
        match error {
            RunError::Fault(fault) => Self::Fault(fault),
            other => Self::Run(other),
        }
    }

    pub(super) fn panicked(name: &str, payload: Box<dyn Any + Send>) -> Self {
        let panic = match Cause::panic(payload) {
            Cause::Panic(text) => text,
            other => other.to_string(),
        };
        Self::Panicked {
            name: name.to_owned(),
            panic,
        }
    }
}
