//! Whole peers over a simulated network, under many seeds: connections are slow, partial and lost,
//! peers are cut off and come back, programs are killed and start again. In the end all members of
//! a channel have the same history.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cut;
mod script;
mod world;

use std::error::Error;
use std::time::Duration;

use kamea::{Simulation, random};

use world::World;

/// How many seeds a plain test run checks; `KAMEA_CHATS` sets another number.
const SEEDS: u64 = 300;

fn seeds() -> u64 {
    let set = std::env::var("KAMEA_CHATS");
    set.map_or(SEEDS, |count| {
        count.parse().expect("KAMEA_CHATS is a number")
    })
}

fn converse(simulation: Simulation) -> Result<(), Box<dyn Error>> {
    let (world, graph) = World::new(2 + random::usize(..3))?;
    let report = simulation
        .beside("script", async move || script::run(world).await)
        .stop_after(script::LONGEST)
        .time_out(script::LONGEST + Duration::from_secs(3600))
        .polls(200_000_000)
        .run(graph)?;
    assert!(report.faults().is_empty(), "{:?}", report.faults());
    Ok(())
}

/// Convergence, immutability, access rules and delivery, in every seed.
#[test]
fn members_of_a_channel_end_with_the_same_history() {
    Simulation::seeds(0..seeds()).check(converse);
}
