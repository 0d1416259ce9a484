//! What `thor` is told of load.

use std::num::{NonZeroU16, NonZeroU64};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Args};
use http::Method;

use crate::values::Period;

/// How long load lasts unless it is told otherwise.
const USUAL_DURATION: Duration = Duration::from_secs(10);

/// How many connections there are unless it is told otherwise.
const USUAL_CONNECTIONS: usize = 10;

/// How much load there is to be, and of what kind.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Load")]
#[group(skip)]
#[command(group = ArgGroup::new("how_much").multiple(true).args(["connections", "duration", "number", "rate"]))]
pub(crate) struct LoadOptions {
    /// Ask over so many connections at once [default under load: 10]
    #[arg(short, long, value_name = "CONNECTIONS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    connections: Option<u32>,
    /// Ask for so long: 10s, 2m [default under load: 10s]
    #[arg(short, long, value_name = "TIME", conflicts_with = "number")]
    duration: Option<Period>,
    /// Ask so many times in all
    #[arg(short, long, value_name = "REQUESTS")]
    number: Option<NonZeroU64>,
    /// Ask so many times in a second, on a schedule, whether or not the server keeps up
    #[arg(long, value_name = "REQUESTS")]
    rate: Option<Rate>,
    /// Ask for so long before anything is measured
    #[arg(
        long,
        value_name = "TIME",
        requires = "how_much",
        conflicts_with = "number"
    )]
    warm_up: Option<Period>,
    /// Run so many threads
    #[arg(long, value_name = "THREADS", default_value = "1")]
    pub(crate) threads: NonZeroU16,
    /// Ask by this method [default: GET, or POST if there is a body]
    #[arg(long, value_name = "METHOD", requires = "how_much")]
    pub(crate) method: Option<Method>,
    /// Send this field with each request, as 'Name: value'
    #[arg(short = 'H', long, value_name = "FIELD", requires = "how_much")]
    pub(crate) header: Vec<String>,
    /// Send what is in this file with each request
    #[arg(long, value_name = "FILE", requires = "how_much")]
    pub(crate) body: Option<PathBuf>,
    /// Send up to so many requests on each connection before their responses have come
    #[arg(long, value_name = "REQUESTS", requires = "how_much", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pipeline: Option<u16>,
    /// Make a connection for each request
    #[arg(long, requires = "how_much", conflicts_with = "pipeline")]
    pub(crate) no_keep_alive: bool,
    /// Ask for the URLs in this file too, a line each
    #[arg(
        id = "url_file",
        long = "urls",
        value_name = "FILE",
        requires = "how_much"
    )]
    pub(crate) url_file: Option<PathBuf>,
    /// Say nothing before the end
    #[arg(short, long, requires = "how_much")]
    pub(crate) quiet: bool,
}

impl LoadOptions {
    /// Whether there is to be load.
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

    /// How long, if it is not told how many times.
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

    /// How many requests may be on their way on a connection.
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
