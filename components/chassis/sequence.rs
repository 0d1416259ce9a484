//! Runs several parts, one after another, at one position in a graph.

use std::collections::VecDeque;

use kamea::{Component, Done, Part, PipelineStart, Started};

use super::child::{Child, Head, LinePorts};

/// Starts a sequence of parts that run one after another, at the same position in a graph: when the
/// first has ended, the second starts. All parts have an outbox; either all of them have an inbox,
/// or none does. The next part takes the messages that one leaves unread.
///
/// All parts exist from the start, and each runs once. To create parts on demand, use a
/// [`carousel`](super::carousel) or [`each`](super::each).
///
/// # Faults
///
/// The faults of its parts.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, Source, map, pipeline};
/// use kamea_components::chassis::sequence;
/// use kamea_components::file::read_file;
///
/// let title = async |io: &mut Source<bytes::Bytes>| Ok(io.outbox.send("the hosts\n".into()).await?);
/// let both = sequence(title).then(read_file("/etc/hosts"));
///
/// let mut graph = Graph::new("titled");
/// let (_, bytes) = pipeline!(graph, both => map(|bytes: bytes::Bytes| bytes.to_vec()));
/// let bytes = graph.take(bytes);
/// # let scheduler = Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// assert!(bytes.into_iter().collect::<Vec<_>>().concat().starts_with(b"the hosts\n"));
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn sequence<P, Kind>(first: impl Part<P, Kind>) -> Sequence<<P::Head as Head>::Ports<P::Out>>
where
    P: PipelineStart<Head: Head>,
{
    let parts = VecDeque::new();
    Sequence { parts }.then(first)
}

/// Parts that run one after another, as a component over a [`Source`](kamea::Source) or a
/// [`Pipe`](kamea::Pipe). Made by [`sequence`].
#[derive(Debug)]
pub struct Sequence<P: LinePorts> {
    parts: VecDeque<Child<P::In, P::Out>>,
}

impl<P: LinePorts> Sequence<P> {
    /// Adds a part that starts when those before it have ended.
    #[must_use]
    #[track_caller]
    pub fn then<Q, Kind>(mut self, part: impl Part<Q, Kind>) -> Self
    where
        Q: PipelineStart<Out = P::Out, Head: Head<Message = P::In>>,
    {
        self.parts.push_back(Child::new(part));
        self
    }
}

impl<P: LinePorts> Component<P> for Sequence<P> {
    fn start(mut self, io: P) -> Started {
        let mut left = VecDeque::new();
        let run = async move |io: &mut P| -> Done {
            let (mut inbox, outbox) = io.ends();
            while let Some(part) = self.parts.pop_front() {
                let replaced = std::future::pending::<()>();
                let inbox = inbox.as_deref_mut();
                let ended = part.run(inbox, outbox, &mut left, replaced).await?;
                ended.outcome?;
            }
            Ok(())
        };
        run.start(io)
    }
}

#[cfg(test)]
mod tests {
    use kamea::testing::block_on;
    use kamea::{End, Graph, Pipe, Source, pipeline};

    use super::*;

    /// Passes on this many messages, marked.
    fn pass(count: usize, mark: u32) -> impl Component<Pipe<u32, u32>> + Send {
        async move |io: &mut Pipe<u32, u32>| {
            for _ in 0..count {
                let Some(number) = io.inbox.next().await else {
                    break;
                };
                io.outbox.send(mark + number).await?;
            }
            Ok(())
        }
    }

    #[test]
    fn what_one_leaves_goes_to_the_next() {
        let mut graph = Graph::new("g");
        let parts = sequence(pass(3, 100))
            .then(pass(0, 0))
            .then(pass(90, 200))
            .then(pass(99, 300));
        let (numbers, marked) = pipeline!(graph, parts);
        let (numbers, mut marked) = (graph.feed(numbers), graph.take(marked));
        block_on(async {
            let feed = async {
                for number in 0..100 {
                    numbers.send(number).await.unwrap();
                }
                drop(numbers);
                Ok(())
            };
            let check = async {
                for number in 0..100 {
                    let mark =
                        [100, 200, 300][usize::from(number >= 3) + usize::from(number >= 93)];
                    assert_eq!(marked.next().await, Some(mark + number));
                }
                assert_eq!(marked.next().await, None);
                Ok(())
            };
            let both = futures_lite::future::try_zip(feed, check);
            let flow = graph.start().unwrap();
            futures_lite::future::try_zip(flow, both).await.unwrap();
        });
    }

    fn say(number: u32) -> impl Component<Source<u32>> + Send {
        async move |io: &mut Source<u32>| Ok(io.outbox.send(number).await?)
    }

    #[test]
    fn a_fault_ends_it_and_the_rest_does_not_run() {
        let mut graph = Graph::new("g");
        let fail = async |_: &mut Source<u32>| Err(End::fault("no"));
        let (_, numbers) = pipeline!(graph, sequence(say(1)).then(fail).then(say(2)));
        let numbers = graph.take(numbers);
        let fault = block_on(graph.start().unwrap()).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "component `sequence` of graph `g` failed: component `part` of graph `child` failed: no"
        );
        assert_eq!(numbers.into_iter().collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn when_nobody_listens_the_part_that_runs_is_dropped() {
        let mut graph = Graph::new("g");
        let wait = async |_: &mut Source<u32>| std::future::pending().await;
        let (_, numbers) = pipeline!(graph, sequence(say(1)).then(wait));
        let mut numbers = graph.take(numbers);
        block_on(async {
            let leave = async {
                assert_eq!(numbers.next().await, Some(1));
                drop(numbers);
                Ok(())
            };
            let flow = graph.start().unwrap();
            futures_lite::future::try_zip(flow, leave).await.unwrap();
        });
    }
}
