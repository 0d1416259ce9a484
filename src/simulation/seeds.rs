//! Runs a simulation for many seeds, on all cores, until one fails.

use std::env;
use std::fmt::{self, Display};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Simulation, SimulationError};
use crate::random::Chance;

/// The environment variable that names the one seed to run.
const REPLAY: &str = "KAMEA_SEED";

/// Simulations of many seeds. Made by [`Simulation::seeds`].
#[must_use = "nothing happens before a check"]
#[derive(Debug, Clone)]
pub struct Seeds(Range<u64>);

impl Simulation {
    /// Simulates each of these seeds.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Simulation, Source};
    ///
    /// Simulation::seeds(0..100).check(|simulation| {
    ///     let mut graph = Graph::new("greeting");
    ///     let greet = graph.add("greet", async |io: &mut Source<&'static str>| Ok(io.outbox.send("hello").await?));
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
    /// The failure.
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
    /// Runs `check` for each seed. All that it draws from [`random`](crate::random) follows from
    /// the seed, also outside of the simulation.
    ///
    /// If the environment variable `KAMEA_SEED` is set, only that seed runs, and its events are
    /// printed.
    ///
    /// # Panics
    ///
    /// If `check` returns an error, or panics, for any seed. The message names the seed.
    pub fn check<T, E: Display>(self, check: impl Fn(Simulation) -> Result<T, E> + Sync) {
        if let Some(failed) = self.first_failure(check) {
            panic!("{failed}");
        }
    }

    /// Like [`check`](Self::check), but returns the first seed that fails, if any does. For tests
    /// that expect a failure.
    pub fn first_failure<T, E: Display>(
        self,
        check: impl Fn(Simulation) -> Result<T, E> + Sync,
    ) -> Option<FailedSeed> {
        let replay = env::var(REPLAY).ok().map(|seed| {
            let number = seed.parse::<u64>();
            number.unwrap_or_else(|error| panic!("{REPLAY}={seed} is not a seed: {error}"))
        });
        let seeds = replay.map_or(self.0, |seed| seed..seed + 1);
        let next = AtomicU64::new(seeds.start);
        let first = Mutex::new(None::<FailedSeed>);
        // The cores take seeds in turn. All seeds before one that fails have begun, and their
        // results will arrive.
        let work = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    return;
                }
                if let Some(failure) = failure_of(seed, replay.is_some(), &check) {
                    next.store(seeds.end, Ordering::Relaxed);
                    let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
                    if first.as_ref().is_none_or(|first| seed < first.seed) {
                        *first = Some(FailedSeed { seed, failure });
                    }
                }
            }
        };
        thread::scope(|scope| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
                scope.spawn(work);
            }
        });
        first.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the failure of a seed, if it fails.
fn failure_of<T, E: Display>(
    seed: u64,
    is_replay: bool,
    check: impl Fn(Simulation) -> Result<T, E>,
) -> Option<String> {
    let simulation = Simulation {
        is_replay,
        ..Simulation::seed(seed)
    };
    let before = Chance::of_seed(seed).enter();
    let outcome = catch_unwind(AssertUnwindSafe(|| check(simulation)));
    before.enter();
    match outcome {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => Some(error.to_string()),
        Err(payload) => Some(SimulationError::panicked("the check", payload).to_string()),
    }
}
