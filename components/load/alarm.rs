//! A wait for a moment that is as exact as the system's clock.

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

/// Waits for moments.
///
/// Those of the event queue come up to two milliseconds late, which is longer than what is to be measured: so it is a timer of the
/// system that is waited for. In a simulation, which has no event queue, time is exact anyway.
#[derive(Debug)]
pub(super) enum Alarm {
    /// To the event queue a timer is as good as a socket.
    Exact(TcpStream),
    Coarse(Timer),
}

impl Alarm {
    pub(super) fn new() -> Self {
        match watched_timer() {
            Some(timer) => Self::Exact(timer),
            None => Self::Coarse(Timer::new()),
        }
    }

    /// Waits until `moment` has come.
    pub(super) async fn until(&mut self, moment: Instant) {
        let wait = moment.saturating_duration_since(now());
        match self {
            _ if wait.is_zero() => {}
            Self::Exact(timer) if set(timer, wait) => {
                // An earlier wait that was given up may have left it ready.
                while now() < moment && timer.readable().await.is_ok() {
                    let not_any_more = || Err(io::ErrorKind::WouldBlock.into());
                    let _ = timer.try_io::<()>(Interest::READABLE, not_any_more);
                }
            }
            Self::Exact(_) => {
                *self = Self::Coarse(Timer::new());
                Box::pin(self.until(moment)).await;
            }
            Self::Coarse(timer) => {
                timer.set(moment);
                timer.expired().await;
            }
        }
    }
}

/// A timer that the worker watches; none where there is no event queue, or the system has no more descriptors.
fn watched_timer() -> Option<TcpStream> {
    Handle::try_current().ok()?;
    let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
    let timer = timerfd_create(TimerfdClockId::Monotonic, flags).ok()?;
    TcpStream::from_std(timer.into()).ok()
}

/// Has a timer go off; gives whether it will.
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
            let mut alarm = Alarm::new();
            for wait in [0, 1, 700, 2_500].map(Duration::from_micros) {
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
                Alarm::new().until(moment).await;
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
