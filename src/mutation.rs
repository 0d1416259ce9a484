//! Mistakes that are made on purpose, one at a time, to test whether the simulation finds them.
//! They are compiled only with the feature `mutations`, which only `make mutations` enables.

#[cfg(feature = "mutations")]
thread_local! {
    static PRESENT: std::cell::Cell<Option<&'static str>> = const { std::cell::Cell::new(None) };
}

/// Whether to make this mistake here.
#[cfg(not(feature = "mutations"))]
#[inline(always)]
pub const fn mutated(_mistake: &str) -> bool {
    false
}

/// Whether to make this mistake here.
#[cfg(feature = "mutations")]
pub fn mutated(mistake: &str) -> bool {
    PRESENT.get() == Some(mistake)
}

/// Makes this thread commit a mistake from now on.
#[cfg(feature = "mutations")]
pub(crate) fn mutate(mistake: Option<&'static str>) {
    PRESENT.set(mistake);
}
