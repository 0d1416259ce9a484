//! Processes that make requests one after another, each over a connection of its own, and print the
//! responses.

mod processes;
mod receive;
mod requests;

use std::io;

use kamea_recipes::{Stamp, log_modules_to_stderr};
use log::LevelFilter;

use super::options::Options;

/// The reason of a failure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// A process has failed, and has printed the reason.
    #[error("a process has failed")]
    Known,
    /// A process could not be started or waited for.
    #[error("cannot run a process: {0}")]
    Process(#[from] io::Error),
    /// A process was ended by a signal.
    #[error("process {process} was killed by signal {signal}")]
    Killed { process: i32, signal: i32 },
    /// The options cannot be followed.
    #[error("{0}")]
    Usage(String),
    /// A request has failed.
    #[error("{0}")]
    Request(String),
}

impl Failed {
    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            _ => 1,
        }
    }
}

/// Makes the requests of one process, or starts processes that make theirs.
pub(crate) fn run(options: &Options) -> Result<(), Failed> {
    if options.verbose {
        // Its own lines and those about connections. Nothing else logs here yet.
        let modules = ["thor", "kamea_components::net"];
        let _ = log_modules_to_stderr(LevelFilter::Debug, Stamp::Time, &modules);
    }
    // Before processes are started, so that each complaint is made once.
    let is_https = options.target().is_ok_and(|target| target.url.is_https());
    let tls = is_https.then(|| options.tls.read());
    let tls = tls.transpose().map_err(Failed::Usage)?;
    if options.one_process {
        requests::make_requests(options, tls.as_ref())
    } else {
        processes::run_processes(options.processes)
    }
}
