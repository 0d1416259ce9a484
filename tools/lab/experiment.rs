//! The experiments, and the servers and modes of each.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// An experiment: what is requested, and what is measured.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Experiment {
    /// Latency of the listing of a directory
    Listing,
    /// Latency of a file of 1 KB
    File,
    /// Latency of a CGI script
    Cgi,
    /// Throughput of a file of 1 KB
    #[value(name = "1kb")]
    #[serde(rename = "1kb")]
    Kilobyte,
    /// Throughput of a file of 1 MB
    #[value(name = "1mb")]
    #[serde(rename = "1mb")]
    Megabyte,
    /// Throughput of a file of 1 GB
    #[value(name = "1gb")]
    #[serde(rename = "1gb")]
    Gigabyte,
}

/// What an experiment measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The duration of a response, with one request at a time.
    Latency,
    /// Responses and bytes per second, over several connections.
    Throughput,
}

impl Experiment {
    pub(crate) fn kind(self) -> Kind {
        match self {
            Self::Listing | Self::File | Self::Cgi => Kind::Latency,
            Self::Kilobyte | Self::Megabyte | Self::Gigabyte => Kind::Throughput,
        }
    }

    /// Its name on the command line and in the journal.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Listing => "listing",
            Self::File => "file",
            Self::Cgi => "cgi",
            Self::Kilobyte => "1kb",
            Self::Megabyte => "1mb",
            Self::Gigabyte => "1gb",
        }
    }
}

impl fmt::Display for Experiment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Listing => "latency of a directory listing",
            Self::File => "latency of a static file",
            Self::Cgi => "latency of a CGI script",
            Self::Kilobyte => "throughput of a 1 KB file",
            Self::Megabyte => "throughput of a 1 MB file",
            Self::Gigabyte => "throughput of a 1 GB file",
        })
    }
}

/// A server under test.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Server {
    /// Ours
    Spidey,
    /// nginx
    Nginx,
    /// The Apache HTTP Server
    Apache,
    /// lighttpd
    Lighttpd,
    /// Caddy
    Caddy,
    /// python3 -m http.server
    Python,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spidey => "spidey",
            Self::Nginx => "nginx",
            Self::Apache => "Apache",
            Self::Lighttpd => "lighttpd",
            Self::Caddy => "Caddy",
            Self::Python => "http.server",
        })
    }
}

/// Where the connections of spidey run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// One connection at a time
    Single,
    /// A process for each connection
    Forking,
    /// Side by side, on a pool of threads
    Pool,
}

impl Mode {
    /// Its name in spidey's options.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Forking => "forking",
            Self::Pool => "pool",
        }
    }
}

/// A server in one of its modes: one bar of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Contender {
    pub(crate) server: Server,
    /// The mode of spidey. Other servers have no modes.
    pub(crate) mode: Option<Mode>,
}

impl Contender {
    /// A server in each of these modes, if it has modes.
    pub(crate) fn of(server: Server, modes: &[Mode]) -> Vec<Self> {
        let contender = |mode| Self { server, mode };
        match server {
            Server::Spidey => modes.iter().map(|mode| contender(Some(*mode))).collect(),
            _ => vec![contender(None)],
        }
    }
}

impl fmt::Display for Contender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.server.fmt(f)?;
        match self.mode {
            None => Ok(()),
            Some(mode) => write!(f, " {}", mode.name()),
        }
    }
}
