//! `lab` measures `spidey` in its modes beside its peers, and writes a report.
//!
//! `cargo run --release --bin lab -- run`, then `lab report`

mod begin;
mod check;
mod experiment;
mod guard;
mod journal;
mod load;
mod measure;
mod options;
mod patience;
mod plan;
mod progress;
mod report;
mod run;
mod servers;
mod setting;
mod site;

use std::io::{self, Write as _};
use std::process::ExitCode;

use options::{Command, Options};

/// The reason of a failure.
enum Failure {
    /// The command line is wrong.
    Usage(String),
    /// The command failed.
    Run(String),
}

impl From<String> for Failure {
    fn from(line: String) -> Self {
        Self::Run(line)
    }
}

fn main() -> ExitCode {
    let options: Options = kamea_recipes::parse();
    let done = match options.command {
        Command::Run(run) => run::run(&run),
        Command::Report(report) => report::report(&report),
        Command::Guard(guard) => {
            guard::guard(&guard).map_err(|error| Failure::Run(error.to_string()))
        }
    };
    match done {
        Ok(code) => code,
        Err(Failure::Usage(line)) => fail(&format!("error: {line}"), 2),
        Err(Failure::Run(line)) => fail(&format!("error: {line}"), 1),
    }
}

fn fail(line: &str, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{line}");
    ExitCode::from(status)
}
