//! Many seeds, one after another, until one fails.

use std::env;
use std::fmt::{self, Display};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{Simulation, SimulationError};
use crate::random::Chance;

/// The variable of the environment that names the one seed to run.
const REPLAY: &str = "KAMEA_SEED";

/// Simulations of many seeds. Made by [`Simulation::seeds`].
#[must_use = "nothing happens before a check"]
#[derive(Debug, Clone)]
pub struct Seeds(Range<u64>);

impl Simulation {
    /// Simulations of each of these seeds.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Simulation, Source};
    ///
    /// Simulation::seeds(0..100).check(|simulation| {
    ///     let mut graph = Graph::new("greeting");
    ///     let greet = graph.add("greet", async |io: &mut Source<&str>| Ok(io.outbox.send("hello").await?));
    ///     let mut greetings = graph.take(greet.outbox);
    ///     simulation
    ///         .beside("guest", async move || assert_eq!(greetings.next().await, Some("hello")))
    ///         .run(graph)
    /// });
    /// ```
    pub fn seeds(seeds: Range<u64>) -> Seeds {
        Seeds(seeds)
    }
}

/// A seed for which a check has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedSeed {
    /// The seed.
    pub seed: u64,
    /// What went wrong.
    pub failure: String,
}

impl fmt::Display for FailedSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, failure } = self;
        write!(
            f,
            "seed {seed} failed: {failure}; replay with {REPLAY}={seed}"
        )
    }
}

impl Seeds {
    /// Runs `check` for each seed. Whatever it draws from [`random`](crate::random) follows from the seed, also outside of the simulation.
    ///
    /// If the variable `KAMEA_SEED` is set in the environment, that seed alone is run, and what happens in it is printed.
    ///
    /// # Panics
    ///
    /// If `check` gives an error, or panics, for any of them; the seed is named.
    pub fn check<T, E: Display>(self, check: impl FnMut(Simulation) -> Result<T, E>) {
        if let Some(failed) = self.first_failure(check) {
            panic!("{failed}");
        }
    }

    /// Like [`check`](Self::check), but gives the first seed that fails, if any does: for tests which want one to.
    pub fn first_failure<T, E: Display>(
        self,
        mut check: impl FnMut(Simulation) -> Result<T, E>,
    ) -> Option<FailedSeed> {
        let replay = env::var(REPLAY).ok().map(|seed| {
            let number = seed.parse::<u64>();
            number.unwrap_or_else(|error| panic!("{REPLAY}={seed} is not a seed: {error}"))
        });
        let seeds = replay.map_or(self.0, |seed| seed..seed + 1);
        seeds.into_iter().find_map(|seed| {
            let simulation = Simulation {
                is_replay: replay.is_some(),
                ..Simulation::seed(seed)
            };
            let before = Chance::of_seed(seed).enter();
            let outcome = catch_unwind(AssertUnwindSafe(|| check(simulation)));
            before.enter();
            let failure = match outcome {
                Ok(Ok(_)) => return None,
                Ok(Err(error)) => error.to_string(),
                Err(payload) => SimulationError::panicked("the check", &*payload).to_string(),
            };
            Some(FailedSeed { seed, failure })
        })
    }
}
