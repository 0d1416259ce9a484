//! What `lab` is told on its command line.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use kamea_recipes::InspectOptions;

use super::experiment::{Experiment, Mode, Server};

/// Measures spidey in its modes, and its peers beside it: lab run, then lab report
#[derive(Debug, Parser)]
#[command(name = "lab", version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Carry out the experiments; a run that was interrupted goes on
    Run(Run),
    /// Write a report of a run: pages, charts, tables
    Report(Report),
    /// Run a program until standard input ends, then end it and all that it has started
    #[command(hide = true)]
    Guard(Guard),
}

/// What is measured, and how.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Where the results go; where an interrupted run has left some, it goes on [default: lab-results, or lab-results-2 ...]
    #[arg(value_name = "DIRECTORY")]
    pub(crate) directory: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) wishes: Wishes,
    /// Say nothing but what has failed
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) inspect: InspectOptions,
}

/// What of a plan was said on the command line.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Wishes {
    /// Only these experiments [default: all]
    #[arg(long, value_name = "EXPERIMENT", value_delimiter = ',')]
    pub(crate) only: Vec<Experiment>,
    /// Only these servers [default: spidey, and those peers that are installed]
    #[arg(long, value_name = "SERVER", value_delimiter = ',')]
    pub(crate) servers: Vec<Server>,
    /// Only these modes of spidey [default: all]
    #[arg(long, value_name = "MODE", value_delimiter = ',')]
    pub(crate) modes: Vec<Mode>,
    /// How often each experiment is carried out [default: 5]
    #[arg(long, value_name = "N")]
    pub(crate) repetitions: Option<NonZeroU32>,
    /// How long each of them is measured [default: 3]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<Seconds>,
    /// How many connections ask at once for throughput; for the 1 GB file at most 4 [default: 16]
    #[arg(long, value_name = "N")]
    pub(crate) connections: Option<NonZeroU32>,
    /// Use a connection for many requests, instead of one for each
    #[arg(long)]
    pub(crate) keep_alive: bool,
    /// What the order of the samples is drawn from [default: drawn itself]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Small files, one repetition, part of a second: to try it out
    #[arg(long)]
    pub(crate) quick: bool,
}

/// Which run is reported, and where.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// Where its results are
    #[arg(value_name = "DIRECTORY", default_value = "lab-results")]
    pub(crate) directory: PathBuf,
    /// Where the report goes [default: the folder report among the results]
    #[arg(short, long, value_name = "DIRECTORY")]
    pub(crate) out: Option<PathBuf>,
}

/// What is run under guard.
#[derive(Debug, Args)]
pub(crate) struct Guard {
    /// The cores that it may run on [default: all]
    #[arg(long, value_delimiter = ',')]
    pub(crate) cores: Vec<usize>,
    /// The program
    pub(crate) program: PathBuf,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

/// A time that is more than nothing, and not longer than an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Seconds(pub(crate) f64);

impl FromStr for Seconds {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let seconds = text.parse().ok();
        let seconds = seconds.filter(|seconds| (0.01..=3600.0).contains(seconds));
        let wanted = "a number of seconds is wanted, from 0.01 to 3600, such as 0.5";
        seconds.map(Self).ok_or(wanted)
    }
}
