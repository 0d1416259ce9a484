//! Follows a log, and raises an alarm when too many of its lines in a second contain a word.

use std::time::Duration;

use kamea::{Graph, filter, map, pipeline};
use kamea_components::console::console_echoer;
use kamea_components::process::{Command, unix_process};
use kamea_components::stream::{LONGEST_LINE, lines, measure_rate};
use kamea_recipes::{Outcome, arguments, run, whole};

const SECOND: Duration = Duration::from_secs(1);

fn main() -> Outcome {
    let arguments = arguments();
    let [log, word, most] = &arguments[..] else {
        return Err("usage: log_alarm LOG WORD MOST".into());
    };
    let (word, most) = (word.clone(), whole::<u64>(most)?);
    // From the beginning of the log; it continues when a new log replaces it.
    let options = ["-n", "+1", "-F"].into_iter();
    let follow = options.fold(Command::new("tail"), Command::arg).arg(log);
    let matches = filter(move |line: &String| line.contains(&word));
    let is_much = filter(move |count| *count > most);
    let alarm = map(|count| format!("alarm: {count} lines in a second\n"));
    let mut graph = Graph::new("log alarm");
    let _ = pipeline!(graph, unix_process(follow) => lines(LONGEST_LINE) => matches => measure_rate(SECOND)
        => is_much => alarm => console_echoer());
    run(graph)
}
