//! The command line of `lab`.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand};
use kamea_recipes::{InspectOptions, whole};

use super::experiment::{Experiment, Mode, Server};

/// Measure spidey in its modes beside its peers: lab run, then lab report
#[derive(Debug, Parser)]
#[command(name = "lab", version)]
pub(crate) struct Options {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the experiments, or continue an interrupted run
    Run(Run),
    /// Write a report of a run: pages, charts, tables
    Report(Report),
    /// Run a program until standard input ends, then kill it and everything it started
    #[command(hide = true)]
    Guard(Guard),
}

/// What to measure, and how.
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Where to write the results; continues an interrupted run there [default: lab-results, or
    /// lab-results-2 ...]
    #[arg(value_name = "DIRECTORY")]
    pub(crate) directory: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) wishes: Wishes,
    /// Report failures only
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) inspect: InspectOptions,
}

/// The parts of a plan that the command line gives.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Wishes {
    /// Only these experiments [default: all]
    #[arg(long, value_name = "EXPERIMENT", value_delimiter = ',')]
    pub(crate) only: Vec<Experiment>,
    /// Only these servers [default: spidey and all installed peers]
    #[arg(long, value_name = "SERVER", value_delimiter = ',')]
    pub(crate) servers: Vec<Server>,
    /// Only these modes of spidey [default: all]
    #[arg(long, value_name = "MODE", value_delimiter = ',')]
    pub(crate) modes: Vec<Mode>,
    /// Number of rounds [default: 5]
    #[arg(long, value_name = "N", value_parser = whole::<NonZeroU32>)]
    pub(crate) repetitions: Option<NonZeroU32>,
    /// Measured time of each sample, in seconds [default: 3]
    #[arg(long, value_name = "SECONDS")]
    pub(crate) seconds: Option<Seconds>,
    /// Connections of the throughput experiments; at most 4 for the 1 GB file [default: 16]
    #[arg(long, value_name = "N", value_parser = whole::<NonZeroU32>)]
    pub(crate) connections: Option<NonZeroU32>,
    /// Send many requests over each connection, instead of one
    #[arg(long)]
    pub(crate) keep_alive: bool,
    /// Seed of the random order of the samples [default: random]
    #[arg(long, value_name = "N", value_parser = whole::<u64>)]
    pub(crate) seed: Option<u64>,
    /// Trial run: small files, one repetition, a fraction of a second
    #[arg(long)]
    pub(crate) quick: bool,
}

/// Which run to report, and where.
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The folder with the results
    #[arg(value_name = "DIRECTORY", default_value = "lab-results")]
    pub(crate) directory: PathBuf,
    /// Where to write the report [default: the folder report inside the results]
    #[arg(short, long, value_name = "DIRECTORY")]
    pub(crate) out: Option<PathBuf>,
}

/// A program under guard.
#[derive(Debug, Args)]
pub(crate) struct Guard {
    /// The cores it may use [default: all]
    #[arg(long, value_delimiter = ',')]
    pub(crate) cores: Vec<usize>,
    /// The program
    pub(crate) program: PathBuf,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

/// A positive time of at most an hour.
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
