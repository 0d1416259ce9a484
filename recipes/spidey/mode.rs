//! Where the connections of `spidey` run.

use std::env;
use std::fmt;

use clap::ValueEnum;
use kamea_components::process::{Command, Stdio};
use kamea_components::server::{Handover, Mode};

use super::options::Options;
use super::tls::ticket_keys;

/// What `--mode` names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Placement {
    /// Side by side, on a pool of threads
    #[default]
    Pool,
    /// One connection at a time
    Single,
    /// A process for each connection
    Forking,
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pool => "pool",
            Self::Single => "single",
            Self::Forking => "forking",
        })
    }
}

impl Options {
    /// How the server is to place its connections.
    ///
    /// # Errors
    ///
    /// A line that says what is wrong.
    pub(crate) fn mode(&self) -> Result<Mode, String> {
        Ok(match self.placement() {
            Placement::Pool => Mode::Pool,
            Placement::Single => Mode::Single,
            Placement::Forking => Mode::Forking(self.handover()?.into()),
        })
    }

    /// This program again, with the same command line; the configuration file goes with each
    /// connection, as it was when it was read.
    fn handover(&self) -> Result<Handover, String> {
        if self.text_of_connection().len() > Handover::LARGEST_TEXT {
            return Err(format!(
                "the configuration file has {} bytes, and in mode forking it may have {}: it goes to each process",
                self.text.len(),
                Handover::LARGEST_TEXT
            ));
        }
        // The same program even if another one has its name by now.
        let command = Command::new("/proc/self/exe")
            .arg("--connection")
            .args(env::args_os().skip(1))
            .stdout(Stdio::Inherited)
            .stderr(Stdio::Inherited);
        Ok(Handover {
            command,
            text: self.text_of_connection().into(),
            tickets: self.has_tls().then(ticket_keys).transpose()?,
        })
    }
}
