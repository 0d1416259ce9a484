//! Plays text files, one after another, at the pace of a reader.

use std::time::Duration;

use kamea::{Graph, map, pipeline};
use kamea_components::chassis::{carousel, forward_chooser};
use kamea_components::console::console_echoer;
use kamea_components::file::read_file;
use kamea_components::stream::{LONGEST_LINE, lines, rate_limit};
use kamea_recipes::{Outcome, arguments, run};

fn main() -> Outcome {
    let mut graph = Graph::new("player");
    let files = graph.add("files", forward_chooser(arguments()));
    let player = graph.add("player", carousel(|path: String| {
        pipeline!(read_file(path) => lines(LONGEST_LINE) => map(|line| line + "\n"))
    }));
    // Each file has its own reader, which requests the next file at its end.
    graph.link(files.outbox, player.next);
    graph.feedback(player.requests, files.inbox);
    let pace = rate_limit(1, Duration::from_millis(100));
    let (text, ()) = pipeline!(graph, pace => console_echoer());
    graph.link(player.outbox, text);
    run(graph)
}
