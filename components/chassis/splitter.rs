//! Copies its input to several outboxes.
//!
//! ```text
//!            ┌──────────┐ ──▶ outboxes[0]
//!  inbox ──▶ │ splitter │ ──▶ outboxes[1]
//!            └──────────┘ ──▶ ...
//! ```

use kamea::{Component, Inbox, Message, Outboxes, Ports};

/// The ports of [`splitter`].
#[derive(Debug, Ports)]
pub struct SplitPorts<T: Message> {
    /// The messages to copy.
    pub inbox: Inbox<T>,
    /// Each outbox receives a copy of every message.
    pub outboxes: Outboxes<T>,
}

/// Copies each message to all outboxes, in their order; a slow one slows the others (backpressure).
/// A closed outbox is skipped; when all are closed, the component ends.
///
/// Other graphs can be linked to it while it runs ([`Graph::open_outboxes`]). As long as that is
/// possible, it does not end; a message that nobody takes is dropped. Use the
/// [`Backplane`](super::Backplane) if there are many publishers, or topics.
///
/// [`Graph::open_outboxes`]: kamea::Graph::open_outboxes
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_components::chassis::splitter;
///
/// let mut graph = Graph::new("copies");
/// let mut splitter = graph.add("splitter", splitter());
/// let (a, b) = (splitter.outboxes.branch(), splitter.outboxes.branch());
/// let numbers = graph.feed(splitter.inbox);
/// let (a, b) = (graph.take(a), graph.take(b));
/// # let scheduler = Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// numbers.send_blocking(7).unwrap();
/// drop(numbers);
/// assert_eq!(a.into_iter().chain(b).collect::<Vec<_>>(), [7, 7]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn splitter<T: Message + Clone>() -> impl Component<SplitPorts<T>> + Clone + Send + Sync {
    async |io: &mut SplitPorts<T>| {
        while let Some(message) = io.inbox.next().await {
            let more_may_come = io.outboxes.renew();
            let mut open = io.outboxes.iter().filter(|outbox| !outbox.is_closed());
            let Some(mut outbox) = open.next() else {
                if more_may_come {
                    continue;
                }
                break;
            };
            for next in open {
                // An outbox that closes meanwhile is skipped from now on.
                let _ = outbox.send(message.clone()).await;
                outbox = next;
            }
            let _ = outbox.send(message).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use kamea::{Graph, Receiver, Sender, TrySendError, testing::block_on};

    use super::*;

    fn split<const COUNT: usize>(graph: &mut Graph) -> (Sender<u32>, [Receiver<u32>; COUNT]) {
        let mut splitter = graph.add("splitter", splitter());
        let copies = [(); COUNT].map(|()| graph.take(splitter.outboxes.branch()));
        (graph.feed(splitter.inbox), copies)
    }

    #[test]
    fn who_is_gone_is_left_out_and_when_all_are_it_ends() {
        let mut graph = Graph::new("g");
        let (numbers, [a, mut b]) = split(&mut graph);
        drop(a);
        numbers.try_send(1).unwrap();
        block_on(async {
            let check = async {
                assert_eq!(b.next().await, Some(1));
                drop(b);
                while numbers.send(2).await.is_ok() {}
                Ok(())
            };
            let flow = graph.start().unwrap();
            futures_lite::future::try_zip(flow, check).await.unwrap();
        });
    }

    #[test]
    fn a_slow_one_holds_up_what_comes_in() {
        let mut graph = Graph::new("g");
        let (numbers, [_slow, mut quick]) = split(&mut graph);
        let mut flow = graph.start().unwrap();
        block_on(async {
            let (mut sent, mut taken) = (0, 0);
            // It waits for the slow one: only as much moves as fits into the links between.
            for () in [(); 100] {
                futures_lite::future::poll_once(&mut flow).await;
                match numbers.try_send(sent) {
                    Err(TrySendError::Full(_)) => {}
                    sending => {
                        sending.unwrap();
                        sent += 1;
                    }
                }
                taken += usize::from(quick.try_next().is_some());
            }
            assert_eq!(sent as usize, 2 * kamea::DEFAULT_CAPACITY + 1);
            assert_eq!(taken, kamea::DEFAULT_CAPACITY);
        });
    }
}
