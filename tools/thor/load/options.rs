//! The load options of `thor`.

use std::num::{NonZeroU16, NonZeroU64};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Args};
use http::Method;
use kamea_recipes::{whole, within};

use crate::values::Period;

/// The default duration.
const USUAL_DURATION: Duration = Duration::from_secs(10);

/// The default number of connections.
const USUAL_CONNECTIONS: usize = 10;

/// How much load to make, and of what kind.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
#[group(skip)]
#[command(group = ArgGroup::new("how_much").multiple(true).args(["connections", "duration", "number", "rate"]))]
pub(crate) struct LoadOptions {
    /// Open connections [default under load: 10]
    #[arg(short, long, value_name = "CONNECTIONS", value_parser = within(1_u32..=1_000_000))]
    connections: Option<u32>,
    /// Duration: 10s, 2m [default under load: 10s]
    #[arg(short, long, value_name = "TIME", conflicts_with = "number")]
    duration: Option<Period>,
    /// Total number of requests
    #[arg(short, long, value_name = "REQUESTS", value_parser = whole::<NonZeroU64>)]
    number: Option<NonZeroU64>,
    /// Requests per second, on a schedule that does not wait for the server
    #[arg(long, value_name = "REQUESTS")]
    rate: Option<Rate>,
    /// Warm-up before the measurement
    #[arg(
        long,
        value_name = "TIME",
        requires = "how_much",
        conflicts_with = "number"
    )]
    warm_up: Option<Period>,
    /// Number of threads
    #[arg(
        long,
        value_name = "THREADS",
        value_parser = whole::<NonZeroU16>,
        default_value = "1",
        requires = "how_much"
    )]
    pub(crate) threads: NonZeroU16,
    /// Request method [default: GET, or POST with a body]
    #[arg(long, value_name = "METHOD", requires = "how_much")]
    pub(crate) method: Option<Method>,
    /// Header field of each request, as 'Name: value'; repeatable
    #[arg(short = 'H', long, value_name = "FIELD", requires = "how_much")]
    pub(crate) header: Vec<String>,
    /// File with the body of each request, or with the message
    #[arg(long, value_name = "FILE", requires = "how_much")]
    pub(crate) body: Option<PathBuf>,
    /// Requests or messages in flight on each connection
    #[arg(long, value_name = "REQUESTS", requires = "how_much", value_parser = within(1_u16..=1024))]
    pipeline: Option<u16>,
    /// Open a new connection for each request
    #[arg(long, requires = "how_much", conflicts_with = "pipeline")]
    pub(crate) no_keep_alive: bool,
    /// File with further URLs, one per line
    #[arg(
        id = "url_file",
        long = "urls",
        value_name = "FILE",
        requires = "how_much"
    )]
    pub(crate) url_file: Option<PathBuf>,
    /// No output before the end
    #[arg(short, long, requires = "how_much")]
    pub(crate) quiet: bool,
}

impl LoadOptions {
    /// Whether load is requested.
    pub(crate) fn is_wanted(&self) -> bool {
        self.connections.is_some()
            || self.duration.is_some()
            || self.number.is_some()
            || self.rate.is_some()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections
            .map_or(USUAL_CONNECTIONS, |asked| asked as usize)
    }

    /// The duration, unless the number of requests is given.
    pub(crate) fn duration(&self) -> Option<Duration> {
        match (self.duration, self.number) {
            (Some(Period(duration)), _) => Some(duration),
            (None, Some(_)) => None,
            (None, None) => Some(USUAL_DURATION),
        }
    }

    pub(crate) fn requests(&self) -> Option<u64> {
        self.number.map(NonZeroU64::get)
    }

    pub(crate) fn rate(&self) -> Option<f64> {
        self.rate.map(|Rate(rate)| rate)
    }

    pub(crate) fn warm_up(&self) -> Duration {
        self.warm_up
            .map_or(Duration::ZERO, |Period(warm_up)| warm_up)
    }

    /// Requests in flight on a connection.
    pub(crate) fn depth(&self) -> usize {
        self.pipeline.map_or(1, usize::from)
    }

    pub(crate) fn method(&self) -> Method {
        let usual = match &self.body {
            None => Method::GET,
            Some(_) => Method::POST,
        };
        self.method.clone().unwrap_or(usual)
    }
}

/// Requests in a second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate(f64);

impl FromStr for Rate {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(rate @ 0.001..=1e9) => Ok(Self(rate)),
            _ => Err("a rate is a number of requests in a second, from 0.001 to 1e9"),
        }
    }
}
