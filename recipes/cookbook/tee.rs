//! Copies the standard input to the standard output and to files.

use kamea::{Graph, map, pipeline};
use kamea_components::chassis::tee;
use kamea_components::console::{console_echoer, console_reader};
use kamea_components::file::{Existing, write_file};
use kamea_recipes::{Outcome, arguments, run};

fn main() -> Outcome {
    let mut graph = Graph::new("tee");
    let (_, mut text) = pipeline!(graph, console_reader() => map(|line: String| line + "\n"));
    for path in arguments() {
        let copy = graph.add(&path, tee(write_file(&path, Existing::Replace)));
        graph.link(text, copy.inbox);
        text = copy.outbox;
    }
    let echoer = graph.add("echoer", console_echoer());
    graph.link(text, echoer.inbox);
    run(graph)
}
