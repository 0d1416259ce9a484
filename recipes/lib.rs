//! What the recipes have in common: they run a server until ctrl-c.

use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use kamea::Scheduler;
use kamea_components::http::WebServer;

/// Runs a server at the address that the command line names, `127.0.0.1:8080` otherwise, until ctrl-c.
///
/// # Errors
///
/// If the address is none, or is taken, or the server cannot start.
pub fn serve(server: WebServer) -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:8080").parse()?;
    let scheduler = Scheduler::new();
    let listening = server.run(&scheduler, &[address])?;
    writeln!(io::stdout(), "Listening on {}", listening.addresses()[0])?;
    Ok(scheduler.until_ctrl_c(Duration::from_secs(5))?)
}
