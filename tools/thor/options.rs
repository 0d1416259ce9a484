//! What `thor` is told on its command line.

use std::num::{NonZeroU16, NonZeroU32};

use clap::Parser;

use kamea_recipes::InspectOptions;
use kamea_tools::report::ReportOptions;

use super::load::LoadOptions;
use super::values::{Period, Place, Weighted};

/// Asks web servers for what a URL names, and shows what they send.
#[derive(Debug, Parser)]
#[command(name = "thor", version)]
pub(crate) struct Options {
    /// What to ask for: http://localhost:9234/, localhost:9234, [::1]/path?query; under load several, 3*URL three times as often
    #[arg(value_name = "URL", required_unless_present = "url_file")]
    pub(crate) urls: Vec<Weighted>,
    /// How many requests each process makes, one after another
    #[arg(short, long, value_name = "REQUESTS", default_value_t = NonZeroU32::MIN)]
    pub(crate) requests: NonZeroU32,
    /// How many processes make requests, all at once
    #[arg(short, long, value_name = "PROCESSES", default_value_t = NonZeroU16::MIN)]
    pub(crate) processes: NonZeroU16,
    /// Say what happens, on stderr
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// How long a server may take to accept a connection, and how long it may send nothing; under load, how long a response may take
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) timeout: Period,
    #[command(flatten)]
    pub(crate) load: LoadOptions,
    #[command(flatten)]
    pub(crate) report: ReportOptions,
    #[command(flatten)]
    pub(crate) inspect: InspectOptions,
    /// Make the requests of one process
    #[arg(long, hide = true)]
    pub(crate) one_process: bool,
}

impl Options {
    /// The one thing to ask for, without load.
    ///
    /// # Errors
    ///
    /// What is for load only.
    pub(crate) fn place(&self) -> Result<&Place, &'static str> {
        match &self.urls[..] {
            _ if self.inspect.is_wanted() => {
                Err("--inspect shows what runs under load: say how much by -c, -d, -n or --rate")
            }
            _ if self.report.are_wanted() => {
                Err("reports are of load: say how much by -c, -d, -n or --rate")
            }
            [Weighted { place, weight: 1 }] => Ok(place),
            _ => Err("several URLs are for load: say how much by -c, -d, -n or --rate"),
        }
    }
}
