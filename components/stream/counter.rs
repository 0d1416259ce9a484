//! Counts messages.

use kamea::{Done, Message, Pipe};

/// Counts messages, and sends their number when upstream ends.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, pipeline};
/// use kamea_components::stream::{counter, data_source};
///
/// let mut graph = Graph::new("counting");
/// let (_, count) = pipeline!(graph, data_source(["a", "b", "c"]) => counter);
/// let mut count = graph.take(count);
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// assert_eq!(count.next_blocking(), Some(3));
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn counter<T: Message>(io: &mut Pipe<T, u64>) -> Done {
    let mut count = 0;
    while io.inbox.next().await.is_some() {
        count += 1;
    }
    Ok(io.outbox.send(count).await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::testing::run;

    #[test]
    fn none_is_a_number_too() {
        for count in [0, 1, 1000] {
            let (counted, outcome) = run(counter, 0..count);
            outcome.unwrap();
            assert_eq!(counted, [count]);
        }
    }
}
