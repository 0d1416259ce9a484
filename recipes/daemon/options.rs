//! How the daemon's programs run.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use kamea::Scheduler;
use kamea_components::server::WebServer;
use kamea_recipes::{Stamp, listen_until_ctrl_c, log_to_stderr};

use crate::BackendError;

/// How long requests that are under way may take after ctrl-c.
const DEADLINE: Duration = Duration::from_secs(5);

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
