//! Runs a graph as a whole program, in one line.

use std::fmt;
use std::time::Duration;

use crate::graph::{Graph, GraphError, Part};
use crate::ports::Ports;
use crate::scheduler::{RunError, Scheduler, StopError};
use crate::standard_streams::{StreamClosed, check_standard_streams};
use crate::stderr_log;

/// How long accepted messages have to drain after ctrl-c.
const DRAIN: Duration = Duration::from_secs(5);

/// Runs a graph, or a component without ports that must be linked. It runs until the graph ends, or
/// until ctrl-c or SIGTERM. After a signal its sources end, and accepted messages have five seconds
/// to drain.
///
/// It runs on a [`Scheduler`] of its own with one worker for each core. If the program has not set
/// up a log (see the crate `log`), it logs to standard error, so that no error is silent.
/// `KAMEA_LOG=debug` logs more, `KAMEA_LOG=off` nothing.
///
/// # Errors
///
/// [`ProgramError`]: the graph has a mistake, a fault has stopped it, something was dropped after
/// the deadline, or standard output or standard error is closed. A `main` that returns it prints it
/// and exits with status 1.
///
/// # Examples
///
/// ```
/// use kamea::{Sink, Source, pipeline};
///
/// fn main() -> Result<(), kamea::ProgramError> {
///     let count = async |io: &mut Source<u32>| {
///         for number in 1..=3 {
///             io.outbox.send(number).await?;
///         }
///         Ok(())
///     };
///     let print = async |io: &mut Sink<u32>| {
///         while let Some(number) = io.inbox.next().await {
///             println!("{number}");
///         }
///         Ok(())
///     };
///     kamea::run(pipeline!(count => print))
/// }
/// ```
pub fn run<Kind>(program: impl Program<Kind>) -> Result<(), ProgramError> {
    check_standard_streams()?;
    stderr_log::log_to_stderr();
    let scheduler = Scheduler::new();
    let running = scheduler.run(program.into_graph())?;
    let mut outcome = Ok(());
    let ended = async { outcome = running.finished().await };
    let stopped = scheduler.until_ctrl_c_or(ended, DRAIN);
    // The fault matters more than what was left when it happened.
    outcome?;
    Ok(stopped?)
}

/// What [`run`] takes: a graph, or a component.
pub trait Program<Kind> {
    #[doc(hidden)]
    fn into_graph(self) -> Graph;
}

/// It is a graph already.
#[doc(hidden)]
#[derive(Debug)]
pub struct WholeGraph;

impl Program<WholeGraph> for Graph {
    fn into_graph(self) -> Graph {
        self
    }
}

impl<P: Ports, Kind, T: Part<P, Kind>> Program<(P, Kind)> for T {
    fn into_graph(self) -> Graph {
        let mut graph = Graph::new("program");
        graph.add("main", self);
        graph
    }
}

/// The reason why a program has failed. `Debug` shows it like `Display`, because the end of `main`
/// prints `Debug`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    /// The graph has a mistake. Nothing has run.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The graph did not end by itself, most often because of a fault.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Something was dropped when the time was up.
    #[error(transparent)]
    Stop(#[from] StopError),
    /// Standard output or standard error is closed. Nothing has run.
    #[error(transparent)]
    Closed(#[from] StreamClosed),
    /// Another reason, in the words of the program, such as how it is used.
    #[error("{0}")]
    Other(String),
}

/// So that `?` ends `main` with a message of its own.
impl From<&str> for ProgramError {
    fn from(reason: &str) -> Self {
        Self::Other(reason.to_owned())
    }
}

impl fmt::Debug for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{End, Source};

    #[derive(Ports)]
    struct NoPorts {}

    #[test]
    fn main_prints_its_own_message_without_quotation_marks() {
        let main = |file: Option<&str>| -> Result<(), ProgramError> {
            file.ok_or("usage: count FILE")?;
            Ok(())
        };
        let error = main(None).unwrap_err();
        assert_eq!(format!("{error:?}"), "usage: count FILE");
    }

    #[test]
    fn a_fault_is_what_comes_of_a_program() {
        let error = run(async |_: &mut NoPorts| Err(End::fault("no luck"))).unwrap_err();
        assert_eq!(
            format!("{error:?}"),
            "component `main` of graph `program` failed: no luck"
        );
    }

    #[test]
    fn a_mistake_in_the_graph_is_what_comes_of_a_program() {
        let error = run(async |_: &mut Source<u32>| Ok(())).unwrap_err();
        assert_eq!(
            error.to_string(),
            "graph `program`: the outbox `outbox` of component `main` is not linked"
        );
    }

    #[test]
    fn a_program_that_comes_to_its_end_is_a_success() {
        run(async |_: &mut NoPorts| Ok(())).unwrap();
        run(Graph::new("empty")).unwrap();
    }
}
