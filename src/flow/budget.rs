//! Limits what a flow may do before it yields to the other work of its thread: other flows, timers,
//! sockets, jobs, a census.
//!
//! The budget counts polls and messages. When a number of them is used up, it looks at the clock. A
//! turn ends after about 200 microseconds, whatever the capacity of its links. Links with a large
//! capacity count messages, once for [`CHUNK`] of them, so that a single message costs nothing.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::task::Context;
use std::time::{Duration, Instant};

use crate::simulation;
use crate::time::now;

/// The number of polls of components between two looks at the clock.
pub(super) const POLLS: usize = 256;

/// The number of messages between two looks at the clock.
const MESSAGES: u32 = 4096;

/// The step in which a link counts its messages. A link with a smaller capacity need not count: its
/// capacity ends the poll.
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
    /// How many messages are left until the next look at the clock. Outside of a flow they are not
    /// limited.
    messages: Cell<u32>,
    is_spent: Cell<bool>,
    /// When the turn ends, once the clock has been read.
    until: Cell<Option<Instant>>,
}

/// Begins the turn of an outermost flow.
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

/// Whether a link has refused to continue because the turn is over.
pub(super) fn is_spent() -> bool {
    BUDGET.with(|budget| budget.is_spent.get())
}

/// Whether the turn may continue although a number of polls or messages is used up.
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

/// Counts messages that cross a link. If this returns false, no message may follow before the
/// component has [yielded](give_way).
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

/// Schedules the task of this context to be polled again, after all others and after the sockets
/// and timers of its worker.
pub(crate) fn give_way(cx: &mut Context<'_>) {
    if simulation::is_on() {
        cx.waker().wake_by_ref();
    } else {
        // The first poll leaves the waker to the runtime, which wakes the task after it has polled
        // its sockets and timers.
        let _ = pin!(tokio::task::yield_now()).poll(cx);
    }
}
