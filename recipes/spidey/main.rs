//! `spidey`, the web server: serves the files of a folder through a graph of components.
//!
//! `cargo run --release -- -v -d www` serves `www/` at <http://localhost:9234/>.

mod access_log;
mod acme;
mod cgi;
mod confine;
mod connection;
mod file;
mod implicit;
mod inspect;
mod mode;
mod options;
mod own;
mod proxy;
#[cfg(test)]
mod reference;
mod reload;
mod start;
mod tls;
mod urls;
mod values;
mod wsgi;

use std::env;
use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use kamea::{Graph, Scheduler, Sender, StopError};
use kamea_components::documents::read_error_pages;
use kamea_components::process::hangups;
use kamea_components::server::{Bound, Explanations, LogEntry, Tls, WebServer};
use kamea_components::web::{
    ErrorPages, answer_errors_with, answer_trace, ask_for_password, require_loopback_name,
};
use kamea_components::wsgi::{LoadError, WsgiPool};
use kamea_recipes::{Stamp, listen_until_ctrl_c, log_to_stderr, parse_with, raise_file_limit};

use mode::Placement;
use options::Options;
use reload::{Reload, Served, reload_on_hangup};
use tls::note_bound;

/// How long connections may go on after a signal to stop.
const DRAIN: Duration = Duration::from_secs(5);

/// How much longer the processes of connections may take to end than the connections.
const REAP: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments = parse_with(Options::definition(), || {
        Options::of_arguments(env::args_os().collect())
    });
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        // The options are right, the application is not.
        Err(error) if error.is::<LoadError>() => fail(&format!("error: {error}"), 1),
        // Everything was right, but not everything has ended in time.
        Err(error) if error.is::<StopError>() => fail(&format!("error: {error}"), 1),
        Err(error) => fail(&format!("error: {error}"), 2),
    }
}

fn run(arguments: Options) -> Result<(), Box<dyn Error>> {
    if arguments.connection {
        return connection::serve_connection(arguments);
    }
    let options = arguments.clone().with_file()?;
    if options.check {
        let unloaded = wsgi::wsgi(&options).map(WsgiPool::unloaded);
        let explanations = options.explanations();
        let tls = options.tls()?;
        let lines = tls.as_ref().map(|tls| options.tls_in_force(tls));
        let graph = server(&options, None, unloaded, explanations, tls)?.check()?;
        let mode = options.mode()?;
        let mut stdout = io::stdout();
        writeln!(stdout, "{graph}mode {mode}")?;
        for line in lines.into_iter().flatten() {
            writeln!(stdout, "{line}")?;
        }
        return Ok(());
    }
    log_to_stderr(options.verbose, Stamp::Time)?;
    if let Err(error) = raise_file_limit() {
        log::warn!("the number of open files stays at its limit: {error}");
    }
    let log = options.start_access_log()?;

    let workers = options.worker_count();
    let listeners = match options.placement() {
        Placement::Single => 1,
        Placement::Pool | Placement::Forking => workers,
    };
    let (plain, secure) = options.addresses_by_security();
    let bound = Bound::new(&plain, listeners)?.tls(&secure)?;
    note_bound(&bound.addresses()[plain.len()..]);
    let authority = options.prepare_acme()?;
    let tls = options.tls()?;
    // What is opened from here on, and by threads that start from here on, is opened with fewer rights.
    let mut in_force = options.confine()?;
    in_force.extend(options.check_tls_files()?);
    in_force.extend(tls.iter().flat_map(|tls| options.tls_in_force(tls)));
    let scheduler = Scheduler::with_workers(workers);
    let wsgi = wsgi::load(&options, &scheduler)?;
    let explanations = options.explanations();
    let served = Served::by(options.clone());
    let server = server(
        &options,
        log.entries(),
        wsgi.clone(),
        explanations.clone(),
        tls,
    )?;
    let listening = Arc::new(server.run_on(&scheduler, bound)?);
    let _inspecting = options.inspect(&scheduler, explanations.clone())?;
    let acme = options.keep_certificates(&scheduler, authority)?;
    let few = options.few_connections(listening.connections());
    options.say_what_is_in_force(in_force.into_iter().chain(few).collect());
    options.say_urls(listening.addresses());
    let mut graph = Graph::new("configuration");
    let hangups = graph.add("hangups", hangups());
    let reload = Reload {
        arguments,
        listening: listening.clone(),
        log: log.entries(),
        wsgi,
        explanations,
        acme,
    };
    let reload = reload_on_hangup(reload, served);
    let reload = graph.add("reload", reload);
    graph.link(hangups.outbox, reload.inbox);
    scheduler.run(graph)?;
    let addresses = listening.addresses().to_vec();
    drop(listening);
    let deadline = match options.placement() {
        Placement::Forking => DRAIN + REAP,
        Placement::Pool | Placement::Single => DRAIN,
    };
    listen_until_ctrl_c(scheduler, &addresses, deadline)?;
    log.finish();
    Ok(())
}

/// The server that the options describe.
fn server(
    options: &Options,
    log: Option<Sender<LogEntry>>,
    wsgi: Option<WsgiPool>,
    explanations: Option<Explanations>,
    tls: Option<Tls>,
) -> Result<WebServer, Box<dyn Error>> {
    let mut server = WebServer::new(options.site()).mode(options.mode()?);
    if options.answers_loopback_only() {
        let names = options.host.iter().map(|name| name.to_lowercase());
        server = server.filter("host", require_loopback_name(names));
    }
    let mut pages = match &options.error_pages {
        None => ErrorPages::default(),
        Some(folder) => {
            let wrong = |error| {
                format!(
                    "cannot use the error pages of {}: {error}",
                    folder.display()
                )
            };
            match read_error_pages(folder).map_err(wrong) {
                // They have changed since the server has read them, and this is the process of but one connection.
                Err(error) if options.connection => {
                    log::error!("{error}");
                    ErrorPages::default()
                }
                pages => pages?,
            }
        }
    };
    for redirect in &options.error_redirect {
        pages = pages.redirect(redirect.clone());
    }
    if !pages.is_empty() {
        server = server.errors(answer_errors_with(pages));
    }
    if !options.auth.is_empty() {
        server = server.filter("users", ask_for_password(options.auth.clone()));
    }
    if let Some(cgi) = cgi::cgi(options) {
        server = server.cgi(cgi);
    }
    if options.trace {
        server = server.method("TRACE", answer_trace())?;
    }
    server = proxy::forward(server, &options.proxy);
    if let Some(wsgi) = wsgi {
        server = server.wsgi(wsgi::mount(options), wsgi);
    }
    if let Some(explanations) = explanations {
        server = server.explain(explanations);
    }
    if let Some(log) = log {
        server = server.records(log);
    }
    if let Some(tls) = tls {
        server = server.tls(tls);
    }
    Ok(options.with_challenges(server))
}

fn fail(line: &str, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{line}");
    ExitCode::from(status)
}
