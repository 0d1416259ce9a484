//! Time for components. It comes from the kernel, so that a simulation can replace it.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use tokio::time::Sleep;

use crate::simulation;

/// Returns the present moment.
pub fn now() -> Instant {
    simulation::now().unwrap_or_else(Instant::now)
}

/// Returns the moment at which the present turn of a flow began. It is the same for the whole turn,
/// and costs nothing after the first call. Use it for deadlines and caches, and [`now`] for
/// measuring. Outside of a flow it equals [`now`].
///
/// # Examples
///
/// ```
/// use kamea::time::{now, turn};
///
/// assert!(turn() <= now());
/// ```
pub fn turn() -> Instant {
    TURN.with(|turn| match (turn.depth.get(), turn.began.get()) {
        (0, _) => now(),
        (_, Some(began)) => began,
        (_, None) => {
            let began = now();
            turn.began.set(Some(began));
            began
        }
    })
}

/// The turn of the flow that is being polled on this thread.
struct Turn {
    /// How many flows are being polled, one inside the other.
    depth: Cell<usize>,
    /// When it began, if anything has asked for it.
    began: Cell<Option<Instant>>,
}

thread_local! {
    static TURN: Turn = const {
        Turn { depth: Cell::new(0), began: Cell::new(None) }
    };
}

/// The turn of a flow, for as long as it lives.
#[derive(Debug)]
pub(crate) struct InTurn(());

impl InTurn {
    pub(crate) fn begin() -> Self {
        TURN.with(|turn| turn.depth.set(turn.depth.get() + 1));
        Self(())
    }

    /// Whether this is the turn of an outermost flow.
    pub(crate) fn is_outermost(&self) -> bool {
        TURN.with(|turn| turn.depth.get() == 1)
    }
}

impl Drop for InTurn {
    fn drop(&mut self) {
        TURN.with(|turn| {
            turn.depth.set(turn.depth.get() - 1);
            if turn.depth.get() == 0 {
                turn.began.set(None);
            }
        });
    }
}

/// Returns the present calendar time.
pub fn wall_clock() -> SystemTime {
    simulation::wall_clock().unwrap_or_else(SystemTime::now)
}

/// Waits for `duration`.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::time::{now, sleep};
///
/// # kamea::testing::block_on(async {
/// let before = now();
/// sleep(Duration::from_millis(5)).await;
/// assert!(now() - before >= Duration::from_millis(5));
/// # });
/// ```
pub async fn sleep(duration: Duration) {
    if let Some(now) = simulation::now() {
        let mut alarm = simulation::Alarm::new(now.checked_add(duration).unwrap_or(now + AGES));
        let mut is_first = true;
        poll_fn(|cx| {
            if std::mem::take(&mut is_first) {
                // A sleep with duration zero also lets others run.
                alarm.arm(cx)
            } else {
                alarm.poll(cx)
            }
        })
        .await;
    } else {
        expect_timers();
        tokio::time::sleep(duration).await;
    }
}

/// Call it before a timer is made: tokio's own message says only that there is no reactor.
///
/// # Panics
///
/// If the thread has no timers.
#[track_caller]
fn expect_timers() {
    assert!(
        tokio::runtime::Handle::try_current().is_ok(),
        "there are no timers here: use them in a component, on a thread of another tokio runtime, or in `kamea::testing::block_on`"
    );
}

/// Longer than anybody waits.
const AGES: Duration = Duration::from_secs(u32::MAX as u64);

/// A deadline that can be moved at almost no cost, as often as for every message.
///
/// The timer of the operating system behind it is moved only when it fires too early. If a deadline
/// is postponed again and again, each postponement costs one comparison.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::time::{Timer, now};
///
/// # kamea::testing::block_on(async {
/// let mut timer = Timer::new();
/// timer.set(now() + Duration::from_secs(3600));
/// timer.set(now() + Duration::from_millis(5));
/// timer.expired().await;
/// # });
/// ```
#[derive(Debug, Default)]
pub struct Timer {
    deadline: Option<Instant>,
    alarm: Option<Alarm>,
}

impl Timer {
    /// Makes a timer without a deadline: it does not expire.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets or moves the deadline.
    pub fn set(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
    }

    /// Removes the deadline.
    pub fn clear(&mut self) {
        self.deadline = None;
    }

    /// Waits until the deadline has passed. Without a deadline it waits for ever.
    pub async fn expired(&mut self) {
        poll_fn(|cx| self.poll_expired(cx)).await;
    }

    /// Like [`expired`](Self::expired), for use in a hand-written future.
    pub fn poll_expired(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.deadline else {
            return Poll::Pending;
        };
        let alarm = self.alarm.get_or_insert_with(|| Alarm::new(deadline));
        if deadline < alarm.deadline() {
            alarm.reset(deadline);
        }
        while alarm.poll(cx).is_ready() {
            if alarm.deadline() >= deadline {
                // An alarm that has fired keeps the waker of the task that waited for it.
                self.alarm = None;
                return Poll::Ready(());
            }
            alarm.reset(deadline);
        }
        Poll::Pending
    }
}

/// A wait for a moment, in real time or in a simulation's time.
#[derive(Debug)]
enum Alarm {
    World(Pin<Box<Sleep>>),
    Simulated(simulation::Alarm),
}

impl Alarm {
    fn new(deadline: Instant) -> Self {
        if simulation::is_on() {
            Self::Simulated(simulation::Alarm::new(deadline))
        } else {
            expect_timers();
            Self::World(Box::pin(tokio::time::sleep_until(deadline.into())))
        }
    }

    fn deadline(&self) -> Instant {
        match self {
            Self::World(sleep) => sleep.deadline().into_std(),
            Self::Simulated(alarm) => alarm.deadline(),
        }
    }

    fn reset(&mut self, deadline: Instant) {
        match self {
            Self::World(sleep) => sleep.as_mut().reset(deadline.into()),
            Self::Simulated(alarm) => alarm.reset(deadline),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::World(sleep) => sleep.as_mut().poll(cx),
            Self::Simulated(alarm) => alarm.poll(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::block_on;

    const STEP: Duration = Duration::from_millis(10);

    #[test]
    fn a_deadline_can_be_put_off_and_brought_forward() {
        block_on(async {
            let mut timer = Timer::new();
            let start = now();
            timer.set(start + STEP);
            let waker = std::task::Waker::noop();
            assert!(
                timer
                    .poll_expired(&mut Context::from_waker(waker))
                    .is_pending()
            );
            timer.set(start + 3 * STEP);
            timer.expired().await;
            assert!(
                now() >= start + 3 * STEP,
                "it did not go off at the first deadline"
            );

            timer.set(now() + Duration::from_secs(3600));
            assert!(
                timer
                    .poll_expired(&mut Context::from_waker(waker))
                    .is_pending()
            );
            timer.set(now() + STEP);
            timer.expired().await;
        });
    }

    #[test]
    fn without_a_deadline_it_never_expires() {
        block_on(async {
            let mut timer = Timer::new();
            timer.set(now());
            timer.clear();
            let waker = std::task::Waker::noop();
            assert!(
                timer
                    .poll_expired(&mut Context::from_waker(waker))
                    .is_pending()
            );
        });
    }

    #[test]
    fn a_turn_stands_still_and_ends_with_its_poll() {
        let before = turn();
        let outer = InTurn::begin();
        let began = turn();
        drop(InTurn::begin());
        assert_eq!(turn(), began, "a flow inside of a flow is the same turn");
        drop(outer);
        assert!(before <= began && began <= turn());
        assert!(TURN.with(|turn| turn.began.get()).is_none());
    }

    #[test]
    #[should_panic(expected = "there are no timers here: use them in a component")]
    fn where_there_are_no_timers_it_is_said_where_there_are() {
        crate::blocking::block_on(sleep(STEP));
    }

    #[test]
    fn timers_of_another_runtime_will_do() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        runtime.unwrap().block_on(async {
            sleep(STEP).await;
            let mut timer = Timer::new();
            timer.set(now() + STEP);
            timer.expired().await;
        });
    }
}
