//! The command line of `thor`.

use std::num::{NonZeroU16, NonZeroU32};

use clap::Parser;

use kamea_recipes::{InspectOptions, whole};
use kamea_tools::report::ReportOptions;

use super::load::{LoadOptions, MessageOptions};
use super::tls::TlsOptions;
use super::values::{Period, Target, Weighted};

/// Request URLs from web servers: show the responses, or measure under load
#[derive(Debug, Parser)]
#[command(name = "thor", version)]
pub(crate) struct Options {
    /// URL to request: http://localhost:9234/, https://localhost, [::1]/path?query, :9234/ for a port
    /// of this machine; several under load, 3*URL three times as often. Under load also ws://localhost:9234/ and wss://localhost
    #[arg(value_name = "URL", required_unless_present = "url_file")]
    pub(crate) urls: Vec<Weighted>,
    /// Requests of each process, one after another
    #[arg(short, long, value_name = "REQUESTS", value_parser = whole::<NonZeroU32>, default_value_t = NonZeroU32::MIN, conflicts_with = "how_much")]
    pub(crate) requests: NonZeroU32,
    /// Processes that make requests at the same time
    #[arg(short, long, value_name = "PROCESSES", value_parser = whole::<NonZeroU16>, default_value_t = NonZeroU16::MIN, conflicts_with = "how_much")]
    pub(crate) processes: NonZeroU16,
    /// Report each step on stderr
    #[arg(short, long, conflicts_with = "how_much")]
    pub(crate) verbose: bool,
    /// Time limit for connecting and for silence of the server; under load, for a whole response
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) timeout: Period,
    /// Accept only responses that follow RFC 9112 exactly; otherwise what curl accepts
    #[arg(long)]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) tls: TlsOptions,
    #[command(flatten)]
    pub(crate) load: LoadOptions,
    #[command(flatten)]
    pub(crate) messages: MessageOptions,
    #[command(flatten)]
    pub(crate) report: ReportOptions,
    #[command(flatten)]
    pub(crate) inspect: InspectOptions,
    /// Make the requests of one process
    #[arg(long, hide = true)]
    pub(crate) one_process: bool,
}

impl Options {
    /// The single URL, without load.
    ///
    /// # Errors
    ///
    /// The options that are only for load.
    pub(crate) fn target(&self) -> Result<&Target, &'static str> {
        match &self.urls[..] {
            _ if self.inspect.is_wanted() => {
                Err("--inspect shows what runs under load: say how much by -c, -d, -n or --rate")
            }
            _ if self.report.are_wanted() => {
                Err("reports are of load: say how much by -c, -d, -n or --rate")
            }
            [Weighted { target, .. }] if target.is_websocket => {
                Err("a WebSocket is for load: say how much by -c, -d, -n or --rate")
            }
            [Weighted { target, weight: 1 }] => Ok(target),
            _ => Err("several URLs are for load: say how much by -c, -d, -n or --rate"),
        }
    }
}
