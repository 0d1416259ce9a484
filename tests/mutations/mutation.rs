//! Mistakes that are made on purpose, one at a time, to test whether the simulation finds them:
//! `src/mutation.rs` of a copy of the source. `mistakes.patch` puts the mistakes into the copy.

use std::cell::Cell;

thread_local! {
    static PRESENT: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Whether to make this mistake here.
pub fn mutated(mistake: &str) -> bool {
    PRESENT.get() == Some(mistake)
}

/// Makes this thread commit a mistake from now on.
pub(crate) fn mutate(mistake: Option<&'static str>) {
    PRESENT.set(mistake);
}
