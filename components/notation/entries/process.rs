//! Processes.

use super::{Entry, component};
use crate::process::{Command, unix_process};

pub(super) fn entries() -> Vec<Entry> {
    vec![component! {
        "unix_process" = unix_process in "process/unix_process.rs" {
            /// The program, which is looked for along `PATH` unless it has a slash.
            program: String,
            /// Its arguments.
            arguments: Vec<String>,
            => unix_process(Command::new(program).args(arguments))
        }
    }]
}
