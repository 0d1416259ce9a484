//! The items of an iterator as messages.

use kamea::{Component, Message, Source};

/// Sends each item of `items` as fast as downstream takes them; the iterator may be endless.
///
/// After a restart it continues behind the last item that it sent or tried to send. In a template
/// every instance needs its own items: `add_seeded("numbers", |_| data_source(1..=3))`. For an
/// iterator that blocks, use [`kamea::blocking`].
///
/// # Examples
///
/// ```
/// use kamea::{Graph, pipeline};
/// use kamea_components::stream::{data_source, first_only};
///
/// let mut graph = Graph::new("squares");
/// let (_, squares) = pipeline!(graph, data_source((1_u64..).map(|n| n * n)) => first_only(3));
/// let squares = graph.take(squares);
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// assert_eq!(squares.into_iter().collect::<Vec<_>>(), [1, 4, 9]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn data_source<Items>(items: Items) -> impl Component<Source<Items::Item>> + Send
where
    Items: IntoIterator<Item: Message, IntoIter: Send + 'static>,
{
    let mut items = items.into_iter();
    async move |io: &mut Source<Items::Item>| {
        for item in items.by_ref() {
            io.outbox.send(item).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kamea::Graph;
    use kamea::testing::block_on;

    use super::*;

    #[test]
    fn no_more_is_taken_of_the_iterator_than_there_is_space_for() {
        let (sender, asked) = std::sync::mpsc::channel();
        let items = (0_u32..).inspect(move |item| sender.send(*item).unwrap());
        let mut graph = Graph::new("alone");
        let part = graph.add("source", data_source(items));
        let mut taken = graph.take(part.outbox);
        block_on(async {
            let mut flow = graph.start().unwrap();
            assert!(futures_lite::future::poll_once(&mut flow).await.is_none());
            let in_advance = asked.try_iter().count();
            assert_eq!(in_advance, kamea::DEFAULT_CAPACITY + 1);
            assert_eq!(taken.try_next(), Some(0));
            drop(taken);
            flow.await.unwrap();
        });
        let in_the_end = asked.try_iter().count();
        assert!(in_the_end <= 1, "the one for which a message was taken");
    }
}
