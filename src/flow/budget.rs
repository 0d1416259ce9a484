//! How much a flow may do before it gives way to others of its worker: to other flows, timers, sockets, jobs, a census.
//!
//! Polls and messages are counted, and the clock is looked at when a number of them is used up: a turn ends after some
//! 200 microseconds, whatever the capacity of its links. Messages are counted by links that hold many, once for
//! [`CHUNK`] of them, so that a message in passing costs nothing.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::task::Context;
use std::time::{Duration, Instant};

use crate::simulation;
use crate::time::now;

/// How many polls of components there may be between two looks at the clock.
pub(super) const POLLS: usize = 256;

/// How many messages there may be between two looks at the clock.
const MESSAGES: u32 = 4096;

/// A link counts its messages in steps of so many. One that holds no more need not count: its capacity ends the poll.
pub(crate) const CHUNK: usize = 64;

/// How long a turn may take.
const SPAN: Duration = Duration::from_micros(200);

thread_local! {
    static BUDGET: Budget = const {
        Budget { messages: Cell::new(u32::MAX), is_spent: Cell::new(false), until: Cell::new(None) }
    };
}

/// The budget of the flow that is being polled on this thread.
struct Budget {
    /// How many messages are left until the clock is looked at; outside of a flow they are not limited.
    messages: Cell<u32>,
    is_spent: Cell<bool>,
    /// When the turn is over, once the clock has been looked at.
    until: Cell<Option<Instant>>,
}

/// Begins the turn of a flow that is not inside of another one.
pub(super) fn begin() {
    BUDGET.with(|budget| {
        budget.messages.set(MESSAGES);
        budget.is_spent.set(false);
        budget.until.set(None);
    });
}

/// Ends that turn.
pub(super) fn end() {
    BUDGET.with(|budget| {
        budget.messages.set(u32::MAX);
        budget.is_spent.set(false);
    });
}

/// Whether a link has refused to go on, because the turn is over.
pub(super) fn is_spent() -> bool {
    BUDGET.with(|budget| budget.is_spent.get())
}

/// Whether the turn may go on although a number of polls or messages is used up.
pub(super) fn renew() -> bool {
    if simulation::is_on() {
        return false;
    }
    BUDGET.with(|budget| {
        let now = now();
        let until = budget.until.get().unwrap_or(now + SPAN);
        budget.until.set(Some(until));
        now < until
    })
}

/// Counts messages that go over a link. If this gives false, none may follow before the component has
/// [given way](give_way).
#[inline]
pub(crate) fn spend(messages: usize) -> bool {
    BUDGET.with(|budget| match budget.messages.get() {
        0 => refill(budget),
        u32::MAX => true,
        left => {
            budget.messages.set(left.saturating_sub(messages as u32));
            true
        }
    })
}

#[cold]
fn refill(budget: &Budget) -> bool {
    let may_go_on = renew();
    if may_go_on {
        budget.messages.set(MESSAGES);
    }
    budget.is_spent.set(!may_go_on);
    may_go_on
}

/// Has the task of this context polled again, after all others and after the sockets and timers of its worker.
pub(crate) fn give_way(cx: &mut Context<'_>) {
    if simulation::is_on() {
        cx.waker().wake_by_ref();
    } else {
        // Its first poll leaves the waker to the runtime, which wakes it when it has looked at the world.
        let _ = pin!(tokio::task::yield_now()).poll(cx);
    }
}
