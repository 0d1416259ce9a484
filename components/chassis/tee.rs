//! Passes on its input, and sends a copy to a second component.

use kamea::{Composite, Graph, Message, Part, Pipe, PipeHandles, Sink};

use super::splitter;

/// Passes on its input, and copies it to `part`, a component (or pipeline) with an inbox and no
/// outbox, like the program `tee`. Each slows the other (backpressure); if one ends, the other
/// continues.
///
/// # Examples
///
/// ```
/// use kamea::Sink;
/// use kamea::testing::collect;
/// use kamea_components::chassis::tee;
///
/// let log = async |io: &mut Sink<String>| {
///     while let Some(line) = io.inbox.next().await {
///         log::info!("{line}");
///     }
///     Ok(())
/// };
/// assert_eq!(collect(tee(log), ["hello".to_owned()]), ["hello"]);
/// ```
#[track_caller]
pub fn tee<T: Message + Clone, Kind>(part: impl Part<Sink<T>, Kind>) -> Composite<Pipe<T, T>> {
    let mut graph = Graph::new("tee");
    let mut splitter = graph.add("splitter", splitter());
    let beside = graph.add("beside", part);
    let (copies, outbox) = (splitter.outboxes.branch(), splitter.outboxes.branch());
    graph.link(copies, beside.inbox);
    graph.expose(PipeHandles {
        inbox: splitter.inbox,
        outbox,
    })
}

#[cfg(test)]
mod tests {
    use kamea::{Receiver, Sender, testing::block_on};

    use super::*;

    fn line(
        beside: impl kamea::Component<Sink<u32>> + Send,
    ) -> (Graph, Sender<u32>, Receiver<u32>) {
        let mut graph = Graph::new("g");
        let tee = graph.add("tee", tee(beside));
        let (numbers, same) = (graph.feed(tee.inbox), graph.take(tee.outbox));
        (graph, numbers, same)
    }

    #[test]
    fn a_part_that_ends_is_left_out() {
        let (graph, numbers, same) = line(async |io: &mut Sink<u32>| {
            assert_eq!(io.inbox.next().await, Some(0));
            Ok(())
        });
        (0..10).for_each(|number| numbers.try_send(number).unwrap());
        drop(numbers);
        block_on(graph.start().unwrap()).unwrap();
        assert!(same.into_iter().eq(0..10));
    }

    #[test]
    fn the_part_goes_on_alone_if_nobody_takes_what_is_passed_on() {
        let (graph, numbers, same) = line(async |io: &mut Sink<u32>| {
            for number in 0..10 {
                assert_eq!(io.inbox.next().await, Some(number));
            }
            assert_eq!(io.inbox.next().await, None);
            Ok(())
        });
        drop(same);
        (0..10).for_each(|number| numbers.try_send(number).unwrap());
        drop(numbers);
        block_on(graph.start().unwrap()).unwrap();
    }
}
