//! Sends on other threads, which are woken at the end of a turn.
//!
//! Otherwise a receiver that takes one message after the other would wake a waiting sender for each
//! of them.

use std::cell::{Cell, RefCell};
use std::task::Waker;

use crate::flow::wake_caught;

/// A channel, by its address, and the ticket of a send that waits there.
type Key = (usize, u64);

thread_local! {
    static TURNS: Cell<usize> = const { Cell::new(0) };
    static NOTED: RefCell<Vec<(Key, Waker)>> = const { RefCell::new(Vec::new()) };
}

/// A turn of a flow on this thread, for as long as this lives.
#[derive(Debug)]
pub(crate) struct LateWakes(());

impl LateWakes {
    pub(crate) fn begin() -> Self {
        TURNS.set(TURNS.get() + 1);
        Self(())
    }
}

impl Drop for LateWakes {
    fn drop(&mut self) {
        TURNS.set(TURNS.get() - 1);
        while let Some((_, waker)) = NOTED.with_borrow_mut(Vec::pop) {
            wake_caught(waker);
        }
    }
}

pub(super) fn is_in_turn() -> bool {
    TURNS.get() > 0
}

/// Schedules a wake-up of the send for the end of this turn.
pub(super) fn note(key: Key, waker: &Waker) {
    if !is_noted(key) {
        let waker = waker.clone();
        NOTED.with_borrow_mut(|noted| noted.push((key, waker)));
    }
}

pub(super) fn is_noted(key: Key) -> bool {
    NOTED.with_borrow(|noted| noted.iter().any(|(known, _)| *known == key))
}

/// All sends that waited for space in this channel have been handled.
pub(super) fn forget(channel: usize) {
    let forgotten: Vec<_> = NOTED.with_borrow_mut(|noted| {
        let forgotten = noted.extract_if(.., |((known, _), _)| *known == channel);
        forgotten.collect()
    });
    // A waker may own anything.
    drop(forgotten);
}
