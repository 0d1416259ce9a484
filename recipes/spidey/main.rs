//! `spidey`, the web server: serves the files of a folder through a graph of components.
//!
//! `cargo run --release -- -v -d www` serves `www/` at <http://localhost:9234/>.

mod cgi;
mod options;
mod program_log;
mod reload;

use std::error::Error;
use std::io::{self, Write as _};
use std::num::NonZeroU16;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use clap::Parser as _;
use kamea::{Graph, Scheduler, Sender};
use kamea_components::file::{LogEntry, LogTarget, read_error_pages, write_access_log};
use kamea_components::http::{ErrorPages, WebServer, answer_errors_with, answer_trace};
use kamea_components::process::hangups;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use options::Options;
use reload::{Reload, reload_on_hangup};

/// How long connections may go on after a signal to stop.
const DRAIN: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let arguments = match Options::try_parse() {
        Ok(arguments) => arguments,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            let text = error.to_string();
            return wrong_usage(text.lines().next().unwrap_or("error: wrong usage"));
        }
    };
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => wrong_usage(&format!("error: {error}")),
    }
}

fn run(arguments: Options) -> Result<(), Box<dyn Error>> {
    let options = arguments.clone().with_file()?;
    if options.check {
        let graph = server(&options, None)?.check()?;
        return Ok(write!(io::stdout(), "{graph}")?);
    }
    program_log::write_to_stderr(options.verbose)?;
    raise_file_limit();
    // The log has a scheduler of its own, which stops last: nothing is lost.
    let log_scheduler = Scheduler::with_workers(1);
    let log = start_access_log(&options, &log_scheduler)?;

    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let workers = options.workers.map(NonZeroU16::get);
    let scheduler = Scheduler::with_workers(workers.map_or_else(cores, usize::from));
    let server = server(&options, log.clone())?;
    let listening = Arc::new(server.run(&scheduler, &options.addresses())?);
    let mut graph = Graph::new("configuration");
    let hangups = graph.add("hangups", hangups());
    let reload = reload_on_hangup(Reload {
        arguments,
        listening: listening.clone(),
        log,
    });
    let reload = graph.add("reload", reload);
    graph.link(hangups.outbox, reload.inbox);
    scheduler.run(graph)?;
    for address in listening.addresses() {
        writeln!(io::stdout(), "Listening on {address}")?;
    }
    drop(listening);
    scheduler.until_ctrl_c(DRAIN)?;
    if !log_scheduler.stop(DRAIN) {
        log::error!("the access log could not be written to its end");
    }
    Ok(())
}

/// The server that the options describe.
fn server(options: &Options, log: Option<Sender<LogEntry>>) -> Result<WebServer, Box<dyn Error>> {
    let mut server = WebServer::new(options.site());
    let mut pages = match &options.error_pages {
        None => ErrorPages::default(),
        Some(folder) => {
            let wrong = |error| {
                format!(
                    "cannot use the error pages of {}: {error}",
                    folder.display()
                )
            };
            read_error_pages(folder).map_err(wrong)?
        }
    };
    for redirect in &options.error_redirect {
        pages = pages.redirect(redirect.clone());
    }
    if !pages.is_empty() {
        server = server.errors(answer_errors_with(pages));
    }
    if let Some(cgi) = cgi::cgi(options) {
        server = server.cgi(cgi);
    }
    if options.trace {
        server = server.method("TRACE", answer_trace())?;
    }
    if let Some(log) = log {
        server = server.records(log);
    }
    Ok(server)
}

/// Starts the access log, if there is to be one; gives where to send its entries.
fn start_access_log(
    options: &Options,
    scheduler: &Scheduler,
) -> Result<Option<Sender<LogEntry>>, Box<dyn Error>> {
    let Some(path) = &options.access_log else {
        return Ok(None);
    };
    let target = match path {
        path if path == Path::new("-") => LogTarget::Stdout,
        path => LogTarget::File(path.clone()),
    };
    let log = write_access_log(target, options.log_format());
    let log = log.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    let mut graph = Graph::new("access log");
    let log = graph.add("log", log);
    let entries = graph.feed(log.inbox);
    scheduler.run(graph)?;
    Ok(Some(entries))
}

/// Lets this process have as many open files as the system allows it at all: a connection is one.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        log::warn!("the number of open files stays at its limit: {error}");
    }
}

fn wrong_usage(line: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "{line}");
    ExitCode::from(2)
}
