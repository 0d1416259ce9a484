//! Waits until a moment, as exactly as the system's clock allows.

use std::cell::RefCell;
use std::io;
use std::time::{Duration, Instant};

use kamea::time::{Timer, now};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::runtime::Handle;

/// How much earlier we wake up: timers of the event queue are up to two milliseconds late.
const EARLY: Duration = Duration::from_millis(3);

thread_local! {
    /// Unused timers. A worker needs one per wait in its last milliseconds, not one per connection.
    static SPARE: RefCell<Vec<TcpStream>> = const { RefCell::new(Vec::new()) };
}

/// Waits until a moment.
///
/// The event queue's timers are too late for measurements. They bring us near, and a system timer
/// does the rest. In a simulation, which has no event queue, time is exact.
#[derive(Debug, Default)]
pub(super) struct Alarm(Timer);

impl Alarm {
    /// Waits until `moment`.
    pub(super) async fn until(&mut self, moment: Instant) {
        if let Some(early) = moment.checked_sub(EARLY)
            && now() < early
        {
            self.coarsely(early).await;
        }
        if let Some(timer) = Exact::take() {
            timer.until(moment).await;
        }
        if now() < moment {
            self.coarsely(moment).await;
        }
    }

    async fn coarsely(&mut self, moment: Instant) {
        self.0.set(moment);
        self.0.expired().await;
    }
}

/// A timer of the system. The event queue handles it like a socket.
struct Exact(Option<TcpStream>);

impl Exact {
    /// An unused timer. `None` without an event queue, or if no descriptor is left.
    fn take() -> Option<Self> {
        Handle::try_current().ok()?;
        let timer = SPARE.with_borrow_mut(Vec::pop).or_else(|| {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags).ok()?;
            TcpStream::from_std(timer.into()).ok()
        })?;
        Some(Self(Some(timer)))
    }

    /// Waits until `moment`. Returns early if the timer fails.
    async fn until(mut self, moment: Instant) {
        let wait = moment.saturating_duration_since(now());
        let Some(timer) = &self.0 else { return };
        if wait.is_zero() {
            return;
        }
        let mut is_of_use = set(timer, wait);
        // An earlier wait that was given up may have left it ready.
        while is_of_use && now() < moment {
            is_of_use = timer.readable().await.is_ok();
            let not_any_more = || Err(io::ErrorKind::WouldBlock.into());
            let _ = timer.try_io::<()>(Interest::READABLE, not_any_more);
        }
        if !is_of_use {
            self.0 = None;
        }
    }
}

impl Drop for Exact {
    fn drop(&mut self) {
        // A thread that ends needs no timer.
        let _ = SPARE.try_with(|spare| spare.borrow_mut().extend(self.0.take()));
    }
}

/// Sets the timer. Returns whether that worked.
fn set(timer: &TcpStream, after: Duration) -> bool {
    let Ok(it_value) = Timespec::try_from(after) else {
        return false;
    };
    let once = Itimerspec {
        it_interval: Timespec::default(),
        it_value,
    };
    timerfd_settime(timer, TimerfdTimerFlags::empty(), &once).is_ok()
}

#[cfg(test)]
mod tests {
    use futures_lite::future::poll_once;
    use kamea::testing::block_on;
    use kamea::time::sleep;
    use kamea::{Graph, Simulation, Source};

    use super::*;

    #[test]
    fn it_is_never_early_also_after_a_wait_that_was_given_up() {
        block_on(async {
            let mut alarm = Alarm::default();
            for wait in [0, 1, 700, 2_500, 5_500].map(Duration::from_micros) {
                // It goes off while nobody waits for it.
                let _ = poll_once(alarm.until(now() + wait / 2)).await;
                sleep(wait).await;
                let moment = now() + wait;
                alarm.until(moment).await;
                assert!(now() >= moment);
            }
        });
    }

    #[test]
    fn in_a_simulation_it_is_exact() {
        Simulation::seeds(0..5).check(|simulation| {
            let mut graph = Graph::new("alarm");
            let part = graph.add("alarm", async |io: &mut Source<u8>| {
                let moment = now() + Duration::from_micros(1_234_567);
                Alarm::default().until(moment).await;
                // A poll takes up to 2 µs there.
                assert!(now() - moment < Duration::from_micros(10));
                Ok(io.outbox.send(1).await?)
            });
            let mut ends = graph.take(part.outbox);
            simulation
                .beside("end", async move || {
                    assert_eq!(ends.next().await, Some(1));
                })
                .run(graph)
        });
    }
}
