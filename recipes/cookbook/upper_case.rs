//! Converts the standard input to upper case.

use kamea::{map, pipeline};
use kamea_components::console::{console_echoer, console_reader};
use kamea_recipes::{Outcome, run};

fn main() -> Outcome {
    let shout = map(|line: String| line.to_uppercase() + "\n");
    run(pipeline!(console_reader() => shout => console_echoer()))
}
