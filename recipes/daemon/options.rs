//! The command line of the daemon's programs, and how they run.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::process;
use std::time::Duration;

use clap::Parser;
use kamea::Scheduler;
use kamea_components::server::WebServer;
use kamea_recipes::{Stamp, check_streams, listen_until_ctrl_c, log_to_stderr, wrong_usage};

use crate::BackendError;

/// How long requests that are under way may take after ctrl-c.
const DEADLINE: Duration = Duration::from_secs(5);

/// Reads the options of a program. A mistake ends the program with status 2 and one line on stderr.
#[must_use]
pub fn parse<O: Parser>() -> O {
    if let Err(closed) = check_streams() {
        // Whichever of the two is still open shows it.
        let _ = writeln!(io::stderr(), "{closed}");
        process::exit(1)
    }
    O::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit();
        }
        // If stderr is closed, the status still says it.
        let _ = writeln!(io::stderr(), "{}", wrong_usage(&error));
        process::exit(2)
    })
}

/// Runs a server until ctrl-c or SIGTERM, and prints where it listens. Errors of connections go to
/// stderr.
///
/// # Errors
///
/// [`BackendError`], if the server cannot start, or has dropped something at the end.
pub fn run(
    scheduler: Scheduler,
    server: WebServer,
    ip: IpAddr,
    port: u16,
) -> Result<(), BackendError> {
    // A program that logs elsewhere has its own log.
    let _ = log_to_stderr(false, Stamp::Time);
    let listening = server.run(&scheduler, &[SocketAddr::new(ip, port)])?;
    let addresses = listening.addresses().to_vec();
    let ended = listen_until_ctrl_c(scheduler, &addresses, DEADLINE);
    ended.map_err(|error| BackendError::Stopped(error.to_string()))
}
