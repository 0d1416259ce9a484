//! Checks that the simulation finds mistakes: each is made on purpose, and must be found within a
//! thousand seeds. `run.sh` runs this in a copy of the source.

use std::error::Error;

use kamea::Simulation;

use crate::kernel::relay_and_check;
use crate::server::{serve_and_check, serve_stop_and_check};

type Check = fn(Simulation) -> Result<(), Box<dyn Error>>;

const KERNEL: Check = relay_and_check;
const SERVER: Check = serve_and_check;
const STOPPED: Check = serve_stop_and_check;

/// The mistakes, each with the check that must find it. The code that makes them looks for these
/// names.
const MISTAKES: [(&str, Check); 16] = [
    ("who waits for space is not woken", KERNEL),
    ("a link holds one too many", KERNEL),
    ("a send overtakes one that waits", KERNEL),
    ("a send that is given up wakes nobody", KERNEL),
    ("the end wakes nobody", KERNEL),
    ("the end overtakes messages", KERNEL),
    ("who is woken from outside replaces who is ready", KERNEL),
    ("a deadline that was put off counts", KERNEL),
    ("the end of the last flow wakes nobody", KERNEL),
    ("the end of a receiver wakes nobody", KERNEL),
    ("answers go out of order", SERVER),
    ("a partial write counts as whole", SERVER),
    ("the parser is not told what is written", SERVER),
    ("what ends a pause is lost", SERVER),
    ("a part of a file counts as whole", SERVER),
    ("a connection is closed with bytes unread", STOPPED),
];

#[test]
fn each_mistake_is_found_within_a_thousand_seeds() {
    for (mistake, check) in MISTAKES {
        let seeds = Simulation::seeds(0..1_000);
        let found = seeds.first_failure(|simulation| check(simulation.mistake(mistake)));
        match found {
            Some(failed) => println!("{mistake}: {failed}"),
            None => panic!("nobody has noticed that {mistake}"),
        }
    }
}

#[test]
fn without_a_mistake_nothing_is_found() {
    for check in [KERNEL, SERVER] {
        let found = Simulation::seeds(0..1_000).first_failure(check);
        assert_eq!(found, None);
    }
}
