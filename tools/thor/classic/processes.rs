//! The processes: this program starts itself again.

use std::env;
use std::io;
use std::num::NonZeroU16;
use std::process::{Command, Stdio};

use rustix::process::{WaitOptions, wait};

use super::Failed;

/// Starts this many processes, each of which makes its requests, and waits for all of them.
pub(super) fn run_processes(count: NonZeroU16) -> Result<(), Failed> {
    let mut outcome = Ok(());
    let mut running = 0;
    for _ in 0..count.get() {
        match start() {
            Ok(()) => running += 1,
            // Processes that have been started are waited for.
            Err(error) => {
                outcome = Err(error.into());
                break;
            }
        }
    }
    for _ in 0..running {
        outcome = outcome.and(wait_for_one());
    }
    outcome
}

fn start() -> io::Result<()> {
    Command::new(env::current_exe()?)
        .arg("--one-process")
        .args(env::args_os().skip(1))
        .stdin(Stdio::null())
        .spawn()?;
    Ok(())
}

fn wait_for_one() -> Result<(), Failed> {
    let ended = wait(WaitOptions::empty()).map_err(io::Error::from)?;
    let Some((process, status)) = ended else {
        return Ok(());
    };
    let process = process.as_raw_pid();
    match (status.exit_status(), status.terminating_signal()) {
        (_, Some(signal)) => Err(Failed::Killed { process, signal }),
        (status, None) => {
            let status = status.unwrap_or_default();
            log::debug!("Process {process} terminated with exit status {status}");
            if status == 0 {
                Ok(())
            } else {
                Err(Failed::Known)
            }
        }
    }
}
