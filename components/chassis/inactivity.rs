//! Ends a part that is idle.

use std::time::Duration;

use kamea::{Composite, Part};

use super::gate::{Gated, Limit, gated};

/// Ends `part` when it has neither received nor sent a message for `limit` (idle timeout).
///
/// `part` may be a component, a line of components, or a component that blocks. It ends in the
/// usual way: its inbox ends, and its outbox is closed. A message that nobody takes within this
/// time is dropped.
///
/// # Examples
///
/// An echo server that closes a connection after one silent minute:
///
/// ```
/// use std::time::Duration;
/// use kamea_components::chassis::inactivity_timeout;
/// use kamea_components::net::tcp_server;
/// use kamea_components::stream::echo;
///
/// let server = tcp_server("127.0.0.1:7", || inactivity_timeout(Duration::from_secs(60), echo));
/// # let _ = server;
/// ```
pub fn inactivity_timeout<P: Gated, Kind>(
    limit: Duration,
    part: impl Part<P, Kind>,
) -> Composite<P> {
    gated(Limit::Silence(limit), part)
}

#[cfg(test)]
mod tests {
    use futures_lite::future::zip;
    use kamea::testing::block_on;
    use kamea::time::sleep;
    use kamea::{Graph, Pipe, pipeline};

    use super::*;
    use crate::stream::{data_source, echo, null_sink};

    const LIMIT: Duration = Duration::from_millis(100);
    const LONG: Duration = Duration::from_secs(3600);

    #[test]
    fn it_ends_though_upstream_and_downstream_are_there() {
        let mut graph = Graph::new("silent");
        let part = graph.add("part", inactivity_timeout(LIMIT, echo::<u32>));
        let (inbox, mut outbox) = (graph.feed(part.inbox), graph.take(part.outbox));
        block_on(async {
            let begin = kamea::time::now();
            let script = async {
                inbox.send(1).await.unwrap();
                assert_eq!(outbox.next().await, Some(1));
                assert_eq!(outbox.next().await, None);
            };
            zip(graph.start().unwrap(), script).await.0.unwrap();
            assert!(kamea::time::now() - begin >= LIMIT);
            assert!(inbox.try_send(2).is_err());
        });
    }

    #[test]
    fn what_goes_in_counts_and_what_comes_out_counts() {
        async fn swallow(io: &mut Pipe<u32, u32>) -> kamea::Done {
            while io.inbox.next().await.is_some() {}
            Ok(io.outbox.send(7).await?)
        }
        async fn talk(io: &mut Pipe<u32, u32>) -> kamea::Done {
            for number in 0..10 {
                sleep(LIMIT / 10).await;
                io.outbox.send(number).await?;
            }
            Ok(())
        }
        let mut graph = Graph::new("busy");
        let swallow = graph.add("swallow", inactivity_timeout(5 * LIMIT, swallow));
        let talk = graph.add("talk", inactivity_timeout(5 * LIMIT, talk));
        let (to_swallow, mut swallowed) = (graph.feed(swallow.inbox), graph.take(swallow.outbox));
        let (_to_talk, talked) = (graph.feed(talk.inbox), graph.take(talk.outbox));
        let scheduler = kamea::Scheduler::with_workers(1);
        let running = scheduler.run(graph).unwrap();
        for number in 0..100 {
            to_swallow.send_blocking(number).unwrap();
            std::thread::sleep(LIMIT / 10);
        }
        drop(to_swallow);
        assert_eq!(swallowed.next_blocking(), Some(7));
        assert_eq!(talked.into_iter().count(), 10);
        running.wait().unwrap();
    }

    #[test]
    fn a_message_that_nobody_takes_is_no_activity() {
        let mut graph = Graph::new("stuck");
        let (_, numbers) = pipeline!(graph, inactivity_timeout(LIMIT, data_source(0_u32..)));
        let numbers = graph.take(numbers);
        block_on(graph.start().unwrap()).unwrap();
        assert_eq!(numbers.into_iter().count(), kamea::DEFAULT_CAPACITY);
    }

    #[test]
    fn a_part_without_anything_to_do_ends_in_its_own_time() {
        for limit in [LONG, Duration::MAX] {
            let mut graph = Graph::new("short");
            pipeline!(graph, inactivity_timeout(limit, data_source(0..3)) => inactivity_timeout(limit, echo) => inactivity_timeout(limit, null_sink));
            block_on(graph.start().unwrap()).unwrap();
        }
    }
}
