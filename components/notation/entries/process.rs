//! Processes, and the signals of our own process.

use bytes::Bytes;
use kamea::Source;
use log::Level;

use super::{Entry, component};
use crate::process::{Command, hangups, log_lines, unix_process};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        component! { "hangups" = hangups in "process/hangups.rs" { => hangups() } },
        component! {
            "log_lines" = log_lines in "process/log_lines.rs" {
                /// The prefix of each line.
                prefix: String,
                /// Whether the lines are warnings; by default they are notes, which `--verbose`
                /// shows.
                warn: bool = "yes",
                => log_lines(prefix, if warn { Level::Warn } else { Level::Info })
            }
        },
        component! {
            "read_pipe" = read_pipe in "process/pipe.rs" over Source<Bytes>,
            needs "a pipe of a process that was started"
        },
        component! {
            "unix_process" = unix_process in "process/unix_process.rs" {
                /// The program; it is searched for along `PATH` unless it has a slash.
                program: String,
                /// Its arguments.
                arguments: Vec<String>,
                => unix_process(Command::new(program).args(arguments))
            }
        },
    ]
}
