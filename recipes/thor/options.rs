//! What `thor` is told on its command line.

use std::num::{NonZeroU16, NonZeroU32};

use clap::Parser;

use super::values::{Period, Place};

/// Asks web servers for what a URL names, and shows what they send.
#[derive(Debug, Parser)]
#[command(name = "thor", version)]
pub(crate) struct Options {
    /// What to ask for: http://localhost:9234/, localhost:9234, [::1]/path?query
    #[arg(value_name = "URL")]
    pub(crate) url: Place,
    /// How many requests each process makes, one after another
    #[arg(short, long, value_name = "REQUESTS", default_value_t = NonZeroU32::MIN)]
    pub(crate) requests: NonZeroU32,
    /// How many processes make requests, all at once
    #[arg(short, long, value_name = "PROCESSES", default_value_t = NonZeroU16::MIN)]
    pub(crate) processes: NonZeroU16,
    /// Say what happens, on stderr
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// How long a server may take to accept a connection, and how long it may send nothing
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) timeout: Period,
    /// Make the requests of one process
    #[arg(long, hide = true)]
    pub(crate) one_process: bool,
}
