//! A group of flows that a component has spawned.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use super::worker;
use crate::flow::Flow;

/// Flows spawned on this worker by one component. The component can wait until all of them have
/// ended.
///
/// Dropping the group does not end its flows.
///
/// # Examples
///
/// ```
/// use kamea::{Done, Flows, Graph, Sink};
///
/// /// Runs a graph for every message, and ends when all of them have.
/// async fn each(io: &mut Sink<u32>) -> Done {
///     let flows = Flows::new();
///     while let Some(number) = io.inbox.next().await {
///         let mut graph = Graph::new("one of each");
///         let source = graph.add("source", async move |io: &mut kamea::Source<u32>| Ok(io.outbox.send(number).await?));
///         let sink = graph.add("sink", async |io: &mut Sink<u32>| { io.inbox.next().await; Ok(()) });
///         graph.link(source.outbox, sink.inbox);
///         flows.spawn(graph.start()?);
///     }
///     flows.finished().await;
///     Ok(())
/// }
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let mut graph = Graph::new("test");
/// # let each = graph.add("each", each);
/// # let numbers = graph.feed(each.inbox);
/// # let running = scheduler.run(graph)?;
/// # for n in 0..100 { numbers.send_blocking(n).unwrap(); }
/// # drop(numbers);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Flows(Rc<Group>);

#[derive(Debug, Default)]
struct Group {
    count: Cell<usize>,
    waiting: RefCell<Option<Waker>>,
}

impl Flows {
    /// Makes an empty group.
    pub fn new() -> Self {
        Self::default()
    }

    /// Spawns a flow on this worker. A fault that stops it is logged.
    ///
    /// # Panics
    ///
    /// Outside of a worker.
    pub fn spawn(&self, flow: Flow) {
        worker::spawn_counted(flow, self.enter());
    }

    /// Returns how many of the flows run.
    pub fn count(&self) -> usize {
        self.0.count.get()
    }

    /// Waits until all of them have ended.
    pub async fn finished(&self) {
        poll_fn(|cx| {
            if self.count() == 0 {
                return Poll::Ready(());
            }
            self.0.waiting.replace(Some(cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    pub(super) fn enter(&self) -> Counted {
        self.0.count.set(self.count() + 1);
        Counted(self.0.clone())
    }
}

/// Counts as one of the group for as long as it lives.
#[derive(Debug)]
pub(super) struct Counted(Rc<Group>);

impl Drop for Counted {
    fn drop(&mut self) {
        let left = self.0.count.get() - 1;
        self.0.count.set(left);
        if left == 0
            && let Some(waker) = self.0.waiting.take()
        {
            waker.wake();
        }
    }
}
