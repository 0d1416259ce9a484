//! The primitives that cross threads, in one place, so that the model checker can put its own in their stead.

#[cfg(kamea_loom)]
pub(crate) use loom::{
    future::AtomicWaker,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

#[cfg(not(kamea_loom))]
pub(crate) use {
    atomic_waker::AtomicWaker,
    std::sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
