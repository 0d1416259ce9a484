//! A clock.

use std::time::Duration;

use kamea::time::{now, sleep};
use kamea::{Component, Source};

/// Ticks at the end of each `period`. The message is the number of the tick, counted from 1.
///
/// It does not drift: tick n is due n periods after the start, however late earlier ticks were. A
/// tick that finds no space in time is skipped, which the numbers show. Ticks that wait in the link
/// stay there: for at most one, give the link a [`capacity`](kamea::LinkOptions::capacity) of 1.
///
/// # Panics
///
/// If `period` is zero.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::{Graph, pipeline};
/// use kamea_components::stream::{first_only, ticker};
///
/// let mut graph = Graph::new("clock");
/// let (_, ticks) = pipeline!(graph, ticker(Duration::from_millis(5)) => first_only(3));
/// let ticks = graph.take(ticks);
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// let ticks: Vec<u64> = ticks.into_iter().collect(); // 1, 2, 3 on a machine that has the time
/// assert!(ticks.len() == 3 && ticks.is_sorted_by(|a, b| a < b));
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn ticker(period: Duration) -> impl Component<Source<u64>> + Clone + Send + Sync {
    assert!(!period.is_zero(), "a period takes time");
    async move |io: &mut Source<u64>| {
        let start = now();
        loop {
            let (number, wait) = next_tick(now() - start, period);
            io.outbox.while_open(sleep(wait)).await?;
            io.outbox.send(number).await?;
        }
    }
}

/// The number of the next tick, and the time until it is due.
fn next_tick(passed: Duration, period: Duration) -> (u64, Duration) {
    let (passed, period) = (passed.as_nanos(), period.as_nanos());
    let number = passed / period + 1;
    // A number that does not fit is centuries away.
    let wait = u64::try_from(number * period - passed).unwrap_or(u64::MAX);
    (
        u64::try_from(number).unwrap_or(u64::MAX),
        Duration::from_nanos(wait),
    )
}

#[cfg(test)]
mod tests {
    use kamea::Graph;
    use kamea::testing::block_on;

    use super::*;

    #[test]
    fn ticks_are_due_at_whole_periods() {
        let ms = Duration::from_millis;
        let rows = [
            (ms(0), (1, ms(10))),
            (ms(9), (1, ms(1))),
            (ms(10), (2, ms(10))),
            (ms(11), (2, ms(9))),
            // Late by more than two periods: those are left out.
            (ms(35), (4, ms(5))),
        ];
        for (passed, expected) in rows {
            assert_eq!(next_tick(passed, ms(10)), expected, "after {passed:?}");
        }
        assert_eq!(next_tick(ms(1), Duration::MAX).0, 1);
    }

    #[test]
    fn it_is_never_early_and_does_not_pile_up_what_nobody_took() {
        const PERIOD: Duration = Duration::from_millis(1);
        let mut graph = Graph::new("clock");
        let part = graph.add("ticker", ticker(PERIOD));
        let mut ticks = graph.take(part.outbox);
        block_on(async {
            let begin = now();
            let script = async move {
                let mut last = 0;
                for _ in 0..20 {
                    let tick = ticks.next().await.unwrap();
                    assert!(tick > last);
                    assert!(now() - begin >= Duration::from_millis(tick));
                    last = tick;
                }
                // Nobody looks for longer than the link holds ticks.
                let held = kamea::DEFAULT_CAPACITY as u64 + 2;
                sleep(Duration::from_millis(10 * held)).await;
                let waiting = std::iter::from_fn(|| ticks.try_next()).count() as u64;
                assert!(waiting <= held);
                let tick = ticks.next().await.unwrap();
                assert!(tick > last + 5 * held, "{tick} after {last}");
            };
            let flow = graph.start().unwrap();
            futures_lite::future::zip(flow, script).await.0.unwrap();
        });
    }

    #[test]
    fn it_ends_when_nobody_listens_though_its_period_is_long() {
        let mut graph = Graph::new("clock");
        let part = graph.add("ticker", ticker(Duration::from_secs(3600)));
        drop(graph.take(part.outbox));
        block_on(graph.start().unwrap()).unwrap();
    }
}
