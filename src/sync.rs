//! The primitives that cross threads, in one place, so that the model checker can replace them by
//! its own.

#[cfg(kamea_loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

#[cfg(not(kamea_loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

/// Belongs between a store and a load where each of two threads stores one value and loads the
/// other, and at least one of them must see the new value. With `SeqCst` operations that holds
/// without a fence, so this does nothing in a build. Loom treats these operations as `AcqRel` and
/// needs the fence.
pub(crate) fn store_load_fence() {
    #[cfg(kamea_loom)]
    loom::sync::atomic::fence(Ordering::SeqCst);
}
