//! `spidey`, the web server: serves the files of a folder through a graph of components.
//!
//! `cargo run --release -- -v -d www` serves `www/` at <http://localhost:9234/>.

use std::error::Error;
use std::io::{self, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{Parser, value_parser};
use kamea::Scheduler;
use kamea_components::file::{CacheRule, read_error_pages};
use kamea_components::http::{Site, WebServer, answer_errors_with, answer_trace};
use log::LevelFilter;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use simplelog::{ConfigBuilder, WriteLogger};
use time::macros::format_description;

/// A web server for the files of a folder, made of small components.
#[derive(Debug, Parser)]
#[command(name = "spidey", version)]
struct Options {
    /// Say what happens, on stderr
    #[arg(short, long)]
    verbose: bool,
    /// The port to listen on; 0 takes a free one
    #[arg(short, long, default_value_t = 9234)]
    port: u16,
    /// The folder to serve
    #[arg(short, long, default_value = ".", value_name = "FOLDER")]
    docroot: PathBuf,
    /// The address to listen on [default: 0.0.0.0 and ::]
    #[arg(short, long, value_name = "ADDRESS")]
    bind: Vec<IpAddr>,
    /// How many threads serve [default: one per core]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    /// Serve files whose names begin with a dot too
    #[arg(long)]
    hidden: bool,
    /// How long clients may keep files: Cache-Control by name (*.css), path (/assets/*) or media type (image/*); the first
    /// rule that matches counts
    #[arg(long, value_name = "PATTERN=VALUE")]
    cache_control: Vec<CacheRule>,
    /// A folder of error pages, templates named like 404.html
    #[arg(long, value_name = "FOLDER")]
    error_pages: Option<PathBuf>,
    /// Answer TRACE, with what of a request arrives
    #[arg(long)]
    trace: bool,
    /// Seconds that the head of a request may take
    #[arg(long, default_value = "20", value_name = "SECONDS", value_parser = seconds)]
    header_timeout: Duration,
    /// Seconds without a byte while the content of a request comes in
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    body_timeout: Duration,
    /// Seconds that a connection may be silent between requests
    #[arg(long, default_value = "75", value_name = "SECONDS", value_parser = seconds)]
    keep_alive: Duration,
    /// Seconds that a client may read nothing of its response
    #[arg(long, default_value = "30", value_name = "SECONDS", value_parser = seconds)]
    write_timeout: Duration,
    /// Bytes of a request line
    #[arg(long, default_value_t = 8192, value_name = "BYTES")]
    max_request_line: usize,
    /// Bytes of the head of a request
    #[arg(long, default_value_t = 32_768, value_name = "BYTES")]
    max_header: usize,
    /// Header fields of a request
    #[arg(long, default_value_t = 100, value_name = "N")]
    max_fields: usize,
    /// Bytes of the content of a request
    #[arg(long, default_value_t = 1_048_576, value_name = "BYTES")]
    max_body: u64,
    /// Connections in all
    #[arg(long, default_value_t = 16_384, value_name = "N")]
    connections: usize,
    /// Connections of one client address
    #[arg(long, default_value_t = 10_000, value_name = "N")]
    connections_per_client: usize,
}

/// How long connections may go on after a signal to stop.
const DRAIN: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let options = match Options::try_parse() {
        Ok(options) => options,
        Err(error) if !error.use_stderr() => error.exit(),
        Err(error) => {
            return wrong_usage(
                error
                    .to_string()
                    .lines()
                    .next()
                    .unwrap_or("error: wrong usage"),
            );
        }
    };
    if let Err(error) = log_to_stderr(options.verbose) {
        return wrong_usage(&format!("error: {error}"));
    }
    match serve(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => wrong_usage(&format!("error: {error}")),
    }
}

fn serve(options: &Options) -> Result<(), Box<dyn Error>> {
    raise_file_limit();
    let cores = || thread::available_parallelism().map_or(1, usize::from);
    let scheduler = Scheduler::with_workers(options.workers.map_or_else(cores, usize::from));
    let mut server = WebServer::new(options.site());
    if let Some(folder) = &options.error_pages {
        let pages = read_error_pages(folder);
        let wrong = |error| {
            format!(
                "cannot use the error pages of {}: {error}",
                folder.display()
            )
        };
        server = server.errors(answer_errors_with(pages.map_err(wrong)?));
    }
    if options.trace {
        server = server.method("TRACE", answer_trace())?;
    }
    let listening = server.run(&scheduler, &options.addresses())?;
    for address in listening.addresses() {
        writeln!(io::stdout(), "Listening on {address}")?;
    }
    Ok(scheduler.until_ctrl_c(DRAIN)?)
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

impl Options {
    fn addresses(&self) -> Vec<SocketAddr> {
        let everywhere = || {
            let mut everywhere = vec![IpAddr::from(Ipv4Addr::UNSPECIFIED)];
            // A machine may do without IPv6.
            if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
                everywhere.push(Ipv6Addr::UNSPECIFIED.into());
            }
            everywhere
        };
        let addresses = if self.bind.is_empty() {
            everywhere()
        } else {
            self.bind.clone()
        };
        addresses
            .into_iter()
            .map(|address| SocketAddr::new(address, self.port))
            .collect()
    }

    fn site(&self) -> Site {
        let mut site = Site::new(&self.docroot);
        site.files.hidden = self.hidden;
        site.files.cache_rules = self.cache_control.clone();
        site.limits.request_line = self.max_request_line;
        site.limits.head_bytes = self.max_header;
        site.limits.fields = self.max_fields;
        site.limits.body = self.max_body;
        site.patience.head = self.header_timeout;
        site.patience.content = self.body_timeout;
        site.keep_alive = self.keep_alive;
        site.write_stall = self.write_timeout;
        site.connections = self.connections;
        site.connections_per_client = self.connections_per_client;
        site
    }
}

/// Log lines as `[2016-04-10 16:29:01] what happened`, in local time where the system knows it.
fn log_to_stderr(verbose: bool) -> Result<(), log::SetLoggerError> {
    let level = if verbose {
        LevelFilter::Debug
    } else {
        LevelFilter::Warn
    };
    let mut config = ConfigBuilder::new();
    config
        .set_max_level(LevelFilter::Off)
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        .set_time_format_custom(format_description!(
            "[[[year]-[month]-[day] [hour]:[minute]:[second]]"
        ));
    // Where the local time is not to be had, it stays UTC.
    let _ = config.set_time_offset_to_local();
    WriteLogger::init(level, config.build(), io::stderr())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text
        .parse::<f64>()
        .ok()
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let seconds =
        seconds.filter(|seconds| !seconds.is_zero() && *seconds <= Duration::from_secs(86_400));
    seconds.ok_or_else(|| "a number of seconds above 0 is wanted, at most 86400".to_owned())
}

fn wrong_usage(line: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "{line}");
    ExitCode::from(2)
}
