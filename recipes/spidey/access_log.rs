//! The access log of `spidey`, if there is to be one.

use std::error::Error;
use std::path::Path;

use kamea::{Graph, Scheduler, Sender};
use kamea_components::server::{LogEntry, LogTarget, write_access_log};
use kamea_components::stream::null_sink;

use super::DRAIN;
use super::options::Options;

/// A log that runs. It has a scheduler of its own, which stops last: nothing is lost.
pub(crate) struct AccessLog(Option<(Sender<LogEntry>, Scheduler)>);

impl AccessLog {
    /// Starts the log that the options name.
    pub(crate) fn start(options: &Options) -> Result<Self, Box<dyn Error>> {
        let mut graph = Graph::new("access log");
        let inbox = match &options.access_log {
            // The recorder says on stderr what came of each request, and nobody writes it down.
            None if options.verbose => graph.add("log", null_sink::<LogEntry>).inbox,
            None => return Ok(Self(None)),
            Some(path) => {
                let target = match path {
                    path if path == Path::new("-") => LogTarget::Stdout,
                    path => LogTarget::File(path.clone()),
                };
                let log = write_access_log(target, options.log_format());
                let log =
                    log.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
                graph.add("log", log).inbox
            }
        };
        let entries = graph.feed(inbox);
        let scheduler = Scheduler::with_workers(1);
        scheduler.run(graph)?;
        Ok(Self(Some((entries, scheduler))))
    }

    /// Where to send its entries.
    pub(crate) fn entries(&self) -> Option<Sender<LogEntry>> {
        self.0.as_ref().map(|(entries, _)| entries.clone())
    }

    /// Writes what is left, once nobody else sends anything.
    pub(crate) fn finish(self) {
        let Some((entries, scheduler)) = self.0 else {
            return;
        };
        drop(entries);
        if let Err(left) = scheduler.stop(DRAIN) {
            log::error!("the access log could not be written to its end: {left}");
        }
    }
}
