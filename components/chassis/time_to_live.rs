//! Ends a part after a fixed time.

use std::time::Duration;

use kamea::{Composite, Part};

use super::gate::{Gated, Limit, gated};

/// Ends `part` when it has run for `limit`, whatever it does. A restart does not extend the time.
///
/// `part` may be a component, a line of components, or a component that blocks. It ends in the
/// usual way: its inbox ends, and its outbox is closed.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::{Graph, pipeline};
/// use kamea_components::chassis::time_to_live;
/// use kamea_components::stream::ticker;
///
/// let mut graph = Graph::new("egg timer");
/// let clock = time_to_live(Duration::from_millis(100), ticker(Duration::from_millis(1)));
/// let (_, ticks) = pipeline!(graph, clock);
/// let ticks = graph.take(ticks);
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// assert!(ticks.into_iter().count() <= 100);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn time_to_live<P: Gated, Kind>(limit: Duration, part: impl Part<P, Kind>) -> Composite<P> {
    gated(Limit::Age(limit), part)
}

#[cfg(test)]
mod tests {
    use kamea::testing::block_on;
    use kamea::{Graph, Sink, pipeline};

    use super::*;
    use crate::stream::{data_source, echo, ticker};

    const LIMIT: Duration = Duration::from_millis(50);

    #[test]
    fn activity_does_not_put_it_off_and_nobody_has_to_take_anything() {
        let begin = kamea::time::now();
        let mut graph = Graph::new("busy");
        let (_, numbers) = pipeline!(graph, data_source(0_u64..) => time_to_live(LIMIT, echo));
        let numbers = graph.take(numbers);
        let taker = std::thread::spawn(move || numbers.into_iter().count());
        block_on(graph.start().unwrap()).unwrap();
        assert!(taker.join().unwrap() > 0);
        assert!(kamea::time::now() - begin >= LIMIT);

        let mut graph = Graph::new("stuck");
        let (_, numbers) = pipeline!(graph, data_source(0_u64..) => time_to_live(LIMIT, echo));
        let _numbers = graph.take(numbers);
        block_on(graph.start().unwrap()).unwrap();
    }

    #[test]
    fn a_sink_hears_the_end_of_its_messages_and_a_source_that_nobody_takes_them() {
        let listen = async |io: &mut Sink<u64>| {
            while io.inbox.next().await.is_some() {}
            Ok(())
        };
        let mut graph = Graph::new("both");
        pipeline!(graph, ticker(Duration::from_millis(1)) => time_to_live(LIMIT, listen));
        block_on(graph.start().unwrap()).unwrap();
    }
}
