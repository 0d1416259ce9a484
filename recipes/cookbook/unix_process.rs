//! A program of the system in a pipeline: sorts the lines of a file.

use std::error::Error;

use kamea::{Graph, Scheduler, pipeline};
use kamea_components::console::console_echoer;
use kamea_components::file::read_file;
use kamea_components::process::{Command, unix_process};

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1);
    let file = file.ok_or("usage: unix_process FILE")?;
    let sorted = Command::new("sort").env("LC_ALL", "C");
    let counted = Command::new("uniq").arg("-c");

    let mut graph = Graph::new("sorting");
    pipeline!(graph, read_file(file) => unix_process(sorted) => unix_process(counted) => console_echoer());
    let scheduler = Scheduler::new();
    let running = scheduler.run(graph)?;
    Ok(running.wait().map_err(|fault| fault.to_string())?)
}
