//! Mistakes that are made on purpose, one at a time, to see whether the simulation finds them. They are compiled only with the feature
//! `mutations`, which nothing but `make mutations` turns on.

#[cfg(feature = "mutations")]
thread_local! {
    static PRESENT: std::cell::Cell<Option<&'static str>> = const { std::cell::Cell::new(None) };
}

/// Whether this mistake is to be made here.
#[cfg(not(feature = "mutations"))]
#[inline(always)]
pub const fn mutated(_mistake: &str) -> bool {
    false
}

/// Whether this mistake is to be made here.
#[cfg(feature = "mutations")]
pub fn mutated(mistake: &str) -> bool {
    PRESENT.get() == Some(mistake)
}

/// Has this thread make a mistake, from now on.
#[cfg(feature = "mutations")]
pub(crate) fn mutate(mistake: Option<&'static str>) {
    PRESENT.set(mistake);
}
