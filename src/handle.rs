//! Lets code outside of graphs use a component.

use std::fmt;

use crate::graph::{Graph, GraphError, Part};
use crate::link::across::{Receiver, Sender};
use crate::port::{Closed, Message, TrySendError};
use crate::ports::Pipe;
use crate::scheduler::{Placement, RunError, Running, Workers};

/// A running component (or a pipeline, or a graph that serves as one) with both its ends. It is for
/// code outside of graphs, blocking or async.
///
/// # Examples
///
/// ```
/// use kamea::{Done, Handle, Pipe, Scheduler, map, pipeline};
///
/// async fn shout(io: &mut Pipe<String, String>) -> Done {
///     while let Some(line) = io.inbox.next().await {
///         io.outbox.send(line.to_uppercase()).await?;
///     }
///     Ok(())
/// }
///
/// let scheduler = Scheduler::with_workers(1);
/// let mut shouting = Handle::run(&scheduler, pipeline!(shout => map(|line| line + "!")))?;
/// shouting.send_blocking("hello".to_owned()).unwrap();
/// assert_eq!(shouting.next_blocking().as_deref(), Some("HELLO!"));
/// shouting.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The same from async code, also of another runtime:
///
/// ```
/// # use kamea::{Handle, Scheduler, map};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let scheduler = Scheduler::with_workers(1);
/// let mut doubling = Handle::run(&scheduler, map(|n: u32| 2 * n))?;
/// for number in [1, 2, 3] {
///     doubling.send(number).await.map_err(|_| "it has ended")?;
/// }
/// doubling.close(); // no more will come
/// let mut results = Vec::new();
/// while let Some(result) = doubling.next().await {
///     results.push(result);
/// }
/// assert_eq!(results, [2, 4, 6]);
/// doubling.finished().await?;
/// # Ok(())
/// # }
/// # kamea::testing::block_on(example()).unwrap();
/// ```
pub struct Handle<A: Message, B: Message> {
    /// `None` once it has been closed.
    inbox: Option<Sender<A>>,
    outbox: Receiver<B>,
    running: Running,
}

impl<A: Message, B: Message> Handle<A, B> {
    /// Runs a component on any worker of a [`Scheduler`](crate::Scheduler) or of [`Workers`].
    ///
    /// # Errors
    ///
    /// [`GraphError`] describes the mistake, if the component is a graph with a mistake. Nothing
    /// has run.
    pub fn run<Kind>(
        workers: &impl AsRef<Workers>,
        part: impl Part<Pipe<A, B>, Kind>,
    ) -> Result<Self, GraphError> {
        let mut graph = Graph::new("handle");
        let ports = graph.add("component", part);
        let inbox = Some(graph.feed(ports.inbox));
        let outbox = graph.take(ports.outbox);
        let running = workers.as_ref().run(Placement::Any, graph)?;
        Ok(Self {
            inbox,
            outbox,
            running,
        })
    }

    /// Sends a message to the component. Waits while there is no space.
    ///
    /// # Errors
    ///
    /// [`Closed`] with the message, if the component has ended or [`close`](Self::close) was
    /// called.
    pub async fn send(&self, message: A) -> Result<(), Closed<A>> {
        match &self.inbox {
            Some(inbox) => inbox.send(message).await,
            None => Err(Closed(message)),
        }
    }

    /// Sends a message to the component, and blocks this thread while there is no space. Panics on
    /// a worker, if it would have to wait.
    ///
    /// # Errors
    ///
    /// The same as those of [`send`](Self::send).
    pub fn send_blocking(&self, message: A) -> Result<(), Closed<A>> {
        match &self.inbox {
            Some(inbox) => inbox.send_blocking(message),
            None => Err(Closed(message)),
        }
    }

    /// Sends a message to the component, if there is space for it now.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the message.
    pub fn try_send(&self, message: A) -> Result<(), TrySendError<A>> {
        match &self.inbox {
            Some(inbox) => inbox.try_send(message),
            None => Err(TrySendError::Closed(message)),
        }
    }

    /// Waits for the component's next message. Returns `None` once the component has ended and
    /// nothing is left.
    pub async fn next(&mut self) -> Option<B> {
        self.outbox.next().await
    }

    /// Like [`next`](Self::next), but blocks this thread. Panics on a worker, if it would have to
    /// wait.
    pub fn next_blocking(&mut self) -> Option<B> {
        self.outbox.next_blocking()
    }

    /// Returns the component's next message, if there is one now.
    pub fn try_next(&mut self) -> Option<B> {
        self.outbox.try_next()
    }

    /// Ends the input: no more messages will be sent. The end travels through the component.
    pub fn close(&mut self) {
        self.inbox = None;
    }

    /// Closes the input, drops remaining output, and waits for the end of the component.
    ///
    /// # Errors
    ///
    /// [`RunError`]: a fault stopped the component, or it was dropped before its end, or it could
    /// not be started.
    pub async fn finished(mut self) -> Result<(), RunError> {
        self.close();
        while self.next().await.is_some() {}
        self.running.finished().await
    }

    /// Like [`finished`](Self::finished), but blocks this thread. Panics on a worker, if it would
    /// have to wait.
    ///
    /// # Errors
    ///
    /// The same as those of [`finished`](Self::finished).
    pub fn wait(mut self) -> Result<(), RunError> {
        self.close();
        while self.next_blocking().is_some() {}
        self.running.wait()
    }

    /// Splits the handle, for use by several threads: its sender (`None` if it was closed), its
    /// receiver, and its run.
    pub fn split(self) -> (Option<Sender<A>>, Receiver<B>, Running) {
        (self.inbox, self.outbox, self.running)
    }
}

impl<A: Message, B: Message> fmt::Debug for Handle<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("is_closed", &self.inbox.is_none())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Scheduler, link, map};

    /// Ample on a busy machine.
    const AGES: Duration = Duration::from_secs(20);

    #[test]
    fn nothing_that_was_sent_in_is_lost_by_waiting() {
        let (tell, told) = flume::unbounded();
        let tell = map(move |n: u32| tell.send(n).unwrap());
        let scheduler = Scheduler::with_workers(1);
        let handle = Handle::run(&scheduler, tell).unwrap();
        (0..10).for_each(|n| handle.send_blocking(n).unwrap());
        handle.wait().unwrap();
        assert!(told.into_iter().eq(0..10));
    }

    #[test]
    fn what_is_closed_takes_nothing() {
        let scheduler = Scheduler::with_workers(1);
        let mut handle = Handle::run(scheduler.workers(), map(|n: u32| n)).unwrap();
        handle.close();
        assert_eq!(handle.send_blocking(1), Err(Closed(1)));
        assert_eq!(handle.try_send(1), Err(TrySendError::Closed(1)));
        assert_eq!(handle.next_blocking(), None);
    }

    #[test]
    fn a_fault_is_what_comes_of_waiting() {
        let scheduler = Scheduler::with_workers(1);
        let mut handle = Handle::run(&scheduler, map(|n: u32| 1 / n)).unwrap();
        handle.send_blocking(0).unwrap();
        assert_eq!(handle.next_blocking(), None);
        assert_eq!(
            handle.wait().unwrap_err().to_string(),
            "component `component` of graph `handle` panicked: attempt to divide by zero"
        );
    }

    /// Returns the answer that an asker gets: `None` if its request was dropped.
    fn asker(mut answers: Receiver<u32>) -> flume::Receiver<Option<u32>> {
        let (tell, told) = flume::bounded(1);
        std::thread::spawn(move || tell.send(answers.next_blocking()));
        told
    }

    #[test]
    fn a_request_goes_with_the_component_that_has_not_read_it() {
        // The component ends, normally or with a fault, with this many requests unread.
        for (unread, fails) in [(1, false), (2, false), (2, true)] {
            let (go, gone) = link(1);
            let mut gone = Some(gone);
            let part = async move |io: &mut Pipe<Sender<u32>, u32>| {
                let first = io.inbox.next().await.expect("it is held open");
                first.send(1).await.expect("somebody asks");
                gone.take().expect("it runs once").next().await;
                if fails {
                    Err(crate::End::fault("no"))
                } else {
                    Ok(())
                }
            };
            let scheduler = Scheduler::with_workers(1);
            let handle = Handle::run(&scheduler, part).unwrap();
            let ask = || {
                let (request, answers) = link(1);
                handle.send_blocking(request).unwrap();
                asker(answers)
            };
            assert_eq!(ask().recv_timeout(AGES), Ok(Some(1)));
            let askers: Vec<_> = (0..unread).map(|_| ask()).collect();
            go.send_blocking(()).unwrap();
            for asker in askers {
                assert_eq!(asker.recv_timeout(AGES), Ok(None), "{unread}");
            }
            assert_eq!(handle.wait().is_err(), fails);
        }
    }

    #[test]
    fn a_request_that_has_come_out_goes_with_the_handle() {
        let scheduler = Scheduler::with_workers(1);
        let handle = Handle::run(&scheduler, map(|request: Sender<u32>| request)).unwrap();
        let askers = [(); 3].map(|()| {
            let (request, answers) = link(1);
            handle.send_blocking(request).unwrap();
            asker(answers)
        });
        // The inbox stays open, so the component does not end by itself.
        let (inbox, outbox, running) = handle.split();
        drop(outbox);
        for asker in askers {
            assert_eq!(asker.recv_timeout(AGES), Ok(None));
        }
        drop(inbox);
        running.wait().unwrap();
    }
}
