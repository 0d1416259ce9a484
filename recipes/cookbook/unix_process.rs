//! A program of the system in a pipeline: it sorts the lines of a file.

use kamea::{Graph, pipeline};
use kamea_components::console::console_echoer;
use kamea_components::file::read_file;
use kamea_components::process::{Command, unix_process};
use kamea_recipes::{Outcome, arguments, run};

fn main() -> Outcome {
    let file = arguments().pop().ok_or("usage: unix_process FILE")?;
    let sorted = Command::new("sort").env("LC_ALL", "C");
    let counted = Command::new("uniq").arg("-c");

    let mut graph = Graph::new("sorting");
    pipeline!(graph, read_file(file) => unix_process(sorted) => unix_process(counted) => console_echoer());
    run(graph)
}
