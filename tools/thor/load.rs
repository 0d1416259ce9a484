//! Load: many connections that send requests all the time, and the measured waiting times.
//!
//! ```text
//!                ┌ load ────────────────────┐ ──progress──▶ the screen
//!  the options ─▶│ a graph for a connection │
//!                └──────────────────────────┘ ──measured──▶ the table, the reports
//! ```

mod messages;
mod options;
mod requests;
mod screen;
mod table;
mod text;

use std::io;
use std::time::Duration;

use futures_lite::future::or;
use kamea::{Receiver, Scheduler, StopError};
use kamea_components::load::{
    Connection, ErrorClass, Generator, Load, Measured, ResponseOptions, generate,
};
use kamea_components::net::dial_any;
use kamea_recipes::raise_file_limit;
use kamea_tools::report::{Settings, Summary};
use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

pub(crate) use messages::MessageOptions;
pub(crate) use options::LoadOptions;

use crate::options::Options;
use screen::Screen;

/// How long connections may continue after a signal to stop.
const DRAIN: Duration = Duration::from_secs(3);

/// How many files are open besides connections: event queues, timers.
const OTHER_FILES: u64 = 64;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    /// The options cannot be followed.
    #[error("{0}")]
    Usage(String),
    /// The run failed.
    #[error("{0}")]
    Run(String),
}

impl Failed {
    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Run(_) => 1,
        }
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Run(error.to_string())
    }
}

/// The results of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) measured: Box<Measured>,
    /// The URLs, as they were written.
    pub(crate) urls: Vec<String>,
    /// Whether they are those of WebSockets.
    pub(crate) is_websocket: bool,
    /// The share of its threads' time in which the client has computed, from 0 to 1.
    pub(crate) busy: f64,
}

/// Makes the load of the options, shows and reports the results. Returns whether all conditions
/// were met.
///
/// # Errors
///
/// If the options cannot be followed, nothing was answered, or a report cannot be written.
pub(crate) fn run(options: &Options) -> Result<bool, Failed> {
    let reporting = options.report.open().map_err(Failed::Usage)?;
    let run = measure(options)?;
    if !options.report.json {
        table::show(options, &run)?;
    }
    let summary = summary(options, &run);
    let has_passed = reporting.finish(&summary, io::stdout(), io::stderr());
    let has_passed = has_passed.map_err(Failed::Run)?;
    match run.measured.requests {
        0 => Err(unanswered(&run.measured)),
        _ => Ok(has_passed),
    }
}

fn summary(options: &Options, run: &Run) -> Summary {
    let settings = Settings {
        thor: env!("CARGO_PKG_VERSION").to_owned(),
        urls: run.urls.clone(),
        connections: options.load.connections() as u64,
        threads: u64::from(options.load.threads.get()),
        rate_asked_per_s: options.load.rate(),
    };
    Summary {
        client_busy: run.busy,
        ..Summary::new(settings, &run.measured)
    }
}

/// Makes the load of the options.
pub(crate) fn measure(options: &Options) -> Result<Run, Failed> {
    let urls = requests::urls(options)?;
    check_file_limit(options)?;
    let generator = generator(options, &urls)?;
    let threads = usize::from(options.load.threads.get());
    let scheduler = Scheduler::with_workers(threads);
    let inspecting = options.inspect.run(&scheduler, None);
    let _inspecting = inspecting.map_err(|error| Failed::Usage(error.to_string()))?;
    let Generator {
        graph,
        mut progress,
        mut measured,
    } = generator;
    let running = scheduler.run(graph);
    running.map_err(|error| Failed::Run(error.to_string()))?;
    let began = computed();
    let mut watch = Watch::new(options);
    let mut result = None;
    let ended = async {
        result = watch.until_measured(&mut progress, &mut measured).await;
    };
    match scheduler.until_ctrl_c_or(ended, DRAIN) {
        // Requests that were in progress at the end of the measurement are not part of it.
        Ok(()) | Err(StopError::NotDrained(_)) => {}
        Err(error) => return Err(Failed::Run(error.to_string())),
    }
    let result = result.or_else(|| measured.try_next());
    let measured =
        result.ok_or_else(|| Failed::Run("the run did not come to an end".to_owned()))?;
    let busy = (computed() - began).as_secs_f64();
    Ok(Run {
        busy: busy / (measured.duration.as_secs_f64() * threads as f64).max(f64::MIN_POSITIVE),
        measured,
        is_websocket: urls.iter().any(|url| url.target.is_websocket),
        urls: urls.into_iter().map(|url| url.target.text).collect(),
    })
}

fn generator(options: &Options, urls: &[crate::values::Weighted]) -> Result<Generator, Failed> {
    let load = Load {
        connections: options.load.connections(),
        depth: options.load.depth(),
        rate: options.load.rate(),
        warm_up: options.load.warm_up(),
        lasts: options.load.duration(),
        requests: options.load.requests(),
        response_options: ResponseOptions {
            within: options.timeout.0,
            keep_alive: !options.load.no_keep_alive,
            strict: options.strict,
        },
    };
    if messages::are_websockets(options, urls)? {
        return messages::generator(options, urls, load);
    }
    let servers = requests::servers(options, urls)?;
    let dealt = requests::deal(&servers, load.connections)?;
    let timeout = options.timeout.0;
    Ok(generate(load, move |connection| {
        let server = &servers[dealt[connection]];
        let tls = server.tls.clone();
        let connect = async move |address| requests::connect(tls.as_ref(), address).await;
        Connection {
            targets: server.work.clone(),
            dial: dial_any(server.addresses.clone(), connect, timeout),
        }
    }))
}

/// Fails if the system does not allow this many connections.
fn check_file_limit(options: &Options) -> Result<(), Failed> {
    let connections = options.load.connections() as u64;
    let needed = connections + OTHER_FILES;
    // If the limit cannot be raised, the present limit may be enough.
    let limit = raise_file_limit().unwrap_or_else(|_| getrlimit(Resource::Nofile).current);
    match limit {
        Some(limit) if limit < needed => Err(Failed::Usage(format!(
            "{connections} connections need {needed} open files, and {limit} are allowed: raise `ulimit -Hn`"
        ))),
        _ => Ok(()),
    }
}

/// How long this process has computed.
fn computed() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

fn unanswered(measured: &Measured) -> Failed {
    let why = measured.errors.examples.values().next();
    Failed::Run(match why {
        Some(why) => format!("nothing was answered: {why}"),
        None => "nothing was answered in the time that there was".to_owned(),
    })
}

/// Watches a run, and detects when it is pointless.
struct Watch {
    screen: Screen,
    connections: u64,
    patience: Duration,
    /// The number of answers and of failed connections at the time of the last answer, and that
    /// time.
    last: (u64, u64, Duration),
}

impl Watch {
    fn new(options: &Options) -> Self {
        Self {
            screen: Screen::new(options),
            connections: options.load.connections() as u64,
            patience: options.timeout.0,
            last: (0, 0, Duration::ZERO),
        }
    }

    /// Shows progress until the run has ended. Returns `None` if the run is pointless.
    async fn until_measured(
        &mut self,
        progress: &mut Receiver<Box<Measured>>,
        measured: &mut Receiver<Box<Measured>>,
    ) -> Option<Box<Measured>> {
        loop {
            let news = async { progress.next().await.map(Err) };
            let end = async { measured.next().await.map(Ok) };
            match or(end, news).await? {
                Ok(measured) => return Some(measured),
                Err(so_far) => {
                    self.screen.show(&so_far);
                    if self.is_in_vain(&so_far) {
                        return None;
                    }
                }
            }
        }
    }

    /// Whether no connection was made, or none can be made any more and nothing has been answered
    /// within the time limit of a response.
    fn is_in_vain(&mut self, so_far: &Measured) -> bool {
        let failed = so_far.errors.of(ErrorClass::Connect);
        let (answered, failed_then, when) = &mut self.last;
        if so_far.requests > *answered {
            (*answered, *failed_then, *when) = (so_far.requests, failed, so_far.duration);
        }
        match *answered {
            0 => failed >= self.connections,
            _ => failed > *failed_then && so_far.duration > *when + self.patience,
        }
    }
}
