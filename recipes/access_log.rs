//! The access log of a program, if there is to be one.

use std::io;
use std::path::Path;
use std::time::Duration;

use kamea::{Graph, InboxHandle, Scheduler, Sender};
use kamea_components::server::{LogEntry, LogFormat, LogTarget, write_access_log};
use kamea_components::stream::null_sink;

/// How long the log may take to write its last lines.
const DRAIN: Duration = Duration::from_secs(5);

/// A log that runs. It has a scheduler of its own, which stops last: nothing is lost.
#[derive(Debug)]
pub struct AccessLog(Option<(Sender<LogEntry>, Scheduler)>);

impl AccessLog {
    /// No log.
    #[must_use]
    pub const fn none() -> Self {
        Self(None)
    }

    /// Starts a log to a file, or to stdout if the name is `-`.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub fn to(path: &Path, format: LogFormat) -> io::Result<Self> {
        let target = match path {
            path if path == Path::new("-") => LogTarget::Stdout,
            path => LogTarget::File(path.to_owned()),
        };
        let log = write_access_log(target, format).map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot write {}: {error}", path.display()),
            )
        })?;
        let mut graph = Graph::new("access log");
        let inbox = graph.add("log", log).inbox;
        Self::run(graph, inbox)
    }

    /// Starts a log that nobody reads: the recorder says in the log of the program what came of
    /// each request.
    ///
    /// # Errors
    ///
    /// Never: the graph is complete.
    pub fn nowhere() -> io::Result<Self> {
        let mut graph = Graph::new("access log");
        let inbox = graph.add("log", null_sink::<LogEntry>).inbox;
        Self::run(graph, inbox)
    }

    fn run(mut graph: Graph, inbox: InboxHandle<LogEntry>) -> io::Result<Self> {
        let entries = graph.feed(inbox);
        let scheduler = Scheduler::with_workers(1);
        scheduler.run(graph).map_err(io::Error::other)?;
        Ok(Self(Some((entries, scheduler))))
    }

    /// Where to send its entries.
    #[must_use]
    pub fn entries(&self) -> Option<Sender<LogEntry>> {
        self.0.as_ref().map(|(entries, _)| entries.clone())
    }

    /// Writes what is left, once nobody else sends anything.
    pub fn finish(self) {
        let Some((entries, scheduler)) = self.0 else {
            return;
        };
        drop(entries);
        if let Err(left) = scheduler.stop(DRAIN) {
            log::error!("the access log could not be written to its end: {left}");
        }
    }
}
