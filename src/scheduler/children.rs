//! Graphs that a component runs, on any worker, and that end with it.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use super::driven::Driven;
use super::stop::{self, Stop};
use super::{Placement, worker};
use crate::graph::{Graph, GraphError};
use crate::supervision::Fault;

/// Graphs that a component runs beside itself, on its own worker or on others. A chassis uses them.
///
/// Dropping it drops the graphs. Inside them, [`stopping`](crate::stopping) reports the stop of the
/// component.
///
/// # Examples
///
/// ```
/// use kamea::{Children, Done, Graph, Placement, Sink, Source, pipeline};
///
/// /// Runs a graph for each number, spread over the workers, and ends when all of them have.
/// async fn run_each(io: &mut Sink<u32>) -> Done {
///     let mut children = Children::new();
///     while let Some(number) = io.inbox.next().await {
///         let source = async move |io: &mut Source<u32>| Ok(io.outbox.send(number).await?);
///         let sink = async |io: &mut Sink<u32>| { io.inbox.next().await; Ok(()) };
///         children.start(Placement::Any, pipeline!(source => sink))?;
///     }
///     while let Some(outcome) = children.next_end().await {
///         outcome?;
///     }
///     Ok(())
/// }
/// # let scheduler = kamea::Scheduler::with_workers(2);
/// # let mut graph = Graph::new("test");
/// # let each = graph.add("each", run_each);
/// # let numbers = graph.feed(each.inbox);
/// # let running = scheduler.run(graph)?;
/// # for n in 0..100 { numbers.send_blocking(n).unwrap(); }
/// # drop(numbers);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Children {
    requests: Arc<EndRequests>,
    report: flume::Sender<Outcome>,
    reports: flume::Receiver<Outcome>,
    /// How many have not reported their end.
    count: usize,
}

type Outcome = Result<(), Fault>;

/// What the component requests to its children.
#[derive(Debug, Default)]
struct EndRequests {
    /// They must end.
    stop: Stop,
    /// They must be dropped.
    cut: Stop,
}

impl Default for Children {
    fn default() -> Self {
        Self::new()
    }
}

impl Children {
    /// No signal yet.
    pub fn new() -> Self {
        // At most one report for each child: the component limits the number of children.
        let (report, reports) = flume::unbounded();
        Self {
            requests: Arc::default(),
            report,
            reports,
            count: 0,
        }
    }

    /// Runs a graph. Outside of a scheduler it runs on this thread, beside the component.
    ///
    /// # Errors
    ///
    /// [`GraphError`] describes the mistake in the graph. Nothing has run.
    pub fn start(&mut self, placement: Placement, graph: Graph) -> Result<(), GraphError> {
        let checked = graph.check()?;
        let report = Report(Some(self.report.clone()));
        let (requests, stop) = (self.requests.clone(), stop::current());
        self.count += 1;
        worker::submit(placement, move || {
            let child = Driven::new(checked.start(), stop);
            worker::spawn_child(async move { report.send(run(child, &requests).await) });
        });
        Ok(())
    }

    /// Returns how many have not ended, or have ended but were not returned by
    /// [`next_end`](Self::next_end).
    pub fn count(&self) -> usize {
        self.count
    }

    /// Waits until one of them has ended. Returns `None` if there are no children. A cancelled wait
    /// loses nothing.
    pub async fn next_end(&mut self) -> Option<Result<(), Fault>> {
        if self.count == 0 {
            return None;
        }
        let outcome = self.reports.recv_async().await.unwrap_or(Ok(()));
        self.count -= 1;
        Some(outcome)
    }

    /// Begins a graceful stop: the sources of all of them end, so that they drain.
    pub fn stop(&self) {
        self.requests.stop.set();
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.requests.cut.set();
    }
}

/// Runs a child to its end, or until it must be dropped.
async fn run(mut child: Driven, requests: &EndRequests) -> Outcome {
    let (mut stop, mut cut) = (pin!(requests.stop.wait()), pin!(requests.cut.wait()));
    // The waker for the requests. To wait for them takes locks that all children share; to check
    // them does not.
    let mut waker: Option<Waker> = None;
    poll_fn(|cx| {
        if !waker
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            waker = Some(cx.waker().clone());
            let _ = requests.stop.is_set() || stop.as_mut().poll(cx).is_ready();
            let _ = requests.cut.is_set() || cut.as_mut().poll(cx).is_ready();
        }
        if requests.cut.is_set() {
            return Poll::Ready(Ok(()));
        }
        if !child.is_stopping() && requests.stop.is_set() {
            child.begin_stop(true);
        }
        child.poll(cx, |_| true)
    })
    .await
}

/// Reports the end of a child, also if it is dropped with its worker.
struct Report(Option<flume::Sender<Outcome>>);

impl Report {
    fn send(mut self, outcome: Outcome) {
        if let Some(report) = self.0.take() {
            // Its component may be gone already.
            let _ = report.send(outcome);
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        if let Some(report) = self.0.take() {
            let _ = report.send(Ok(()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::block_on;
    use crate::{End, Scheduler, Sink, Source, is_stopping, pipeline, stopping};

    /// Sends `true` when it begins, `false` when it is dropped.
    struct Guard(flume::Sender<bool>);

    impl Drop for Guard {
        fn drop(&mut self) {
            let _ = self.0.send(false);
        }
    }

    /// A graph that never ends by itself.
    fn endless(tell: &flume::Sender<bool>) -> Graph {
        let tell = tell.clone();
        let mut graph = Graph::new("endless");
        let source = graph.add("source", async move |_: &mut Source<u32>| {
            let _guard = Guard(tell.clone());
            let _ = tell.send(true);
            std::future::pending().await
        });
        let sink = graph.add("sink", async |io: &mut Sink<u32>| {
            while io.inbox.next().await.is_some() {}
            Ok(())
        });
        graph.link(source.outbox, sink.inbox);
        graph
    }

    /// Runs `parent` as a component of a scheduler.
    fn run_on_worker<F: AsyncFnMut() -> crate::Done + Send + 'static>(mut parent: F) {
        #[derive(crate::Ports)]
        struct NoPorts {}
        let mut graph = Graph::new("parent");
        graph.add("parent", async move |_: &mut NoPorts| parent().await);
        Scheduler::with_workers(2)
            .run(graph)
            .unwrap()
            .wait()
            .unwrap();
    }

    #[test]
    fn children_are_dropped_with_their_component_wherever_they_run() {
        for placement in [Placement::Here, Placement::Worker(0), Placement::Worker(1)] {
            let (tell, told) = flume::unbounded();
            run_on_worker(async move || {
                let mut children = Children::new();
                children.start(placement, endless(&tell))?;
                assert!(told.recv_async().await?, "it has begun");
                drop(children);
                assert!(!told.recv_async().await?, "it has been dropped");
                Ok(())
            });
        }
    }

    #[test]
    fn a_stop_ends_the_sources_and_every_end_is_reported() {
        let (tell, told) = flume::unbounded();
        run_on_worker(async move || {
            let mut children = Children::new();
            for () in [(); 3] {
                children.start(Placement::Any, endless(&tell))?;
                assert!(told.recv_async().await?);
            }
            assert_eq!(children.count(), 3);
            children.stop();
            for () in [(); 3] {
                assert!(
                    children
                        .next_end()
                        .await
                        .is_some_and(|outcome| outcome.is_ok())
                );
            }
            assert!(children.next_end().await.is_none());
            Ok(())
        });
    }

    #[test]
    fn a_fault_of_a_child_is_reported_and_harms_nobody_else() {
        run_on_worker(async || {
            let mut children = Children::new();
            let fail = async |_: &mut Source<u32>| Err(End::fault("no"));
            let panic = async |io: &mut Sink<u32>| {
                io.inbox.next().await;
                Ok(())
            };
            children.start(Placement::Any, pipeline!(fail => panic))?;
            let fault = children.next_end().await.and_then(Result::err);
            let fault = fault.map(|fault| fault.to_string());
            let expected = "component `fail` of graph `pipeline` failed: no";
            assert_eq!(fault.as_deref(), Some(expected));
            Ok(())
        });
    }

    #[test]
    fn children_hear_of_the_wish_that_concerns_their_component() {
        let (tell, told) = flume::unbounded();
        let mut graph = Graph::new("parent");
        let parent = graph.add("parent", async move |io: &mut Sink<u32>| {
            let mut children = Children::new();
            let tell = tell.clone();
            let wait = async move |_: &mut Source<u32>| {
                let _ = tell.send(());
                stopping().await;
                Ok(())
            };
            let sink = async |io: &mut Sink<u32>| {
                assert!(io.inbox.next().await.is_none() && is_stopping());
                Ok(())
            };
            children.start(Placement::Any, pipeline!(wait => sink))?;
            assert!(io.inbox.next().await.is_none());
            children.next_end().await;
            Ok(())
        });
        let _open = graph.feed(parent.inbox);
        let scheduler = Scheduler::with_workers(2);
        let running = scheduler.run(graph).unwrap();
        told.recv().unwrap();
        running.stop();
        drop(_open);
        running.wait().unwrap();
    }

    #[test]
    fn without_workers_they_run_on_this_thread() {
        block_on(async {
            let mut children = Children::new();
            let one = async |io: &mut Source<u32>| Ok(io.outbox.send(1).await?);
            let check = async |io: &mut Sink<u32>| {
                assert_eq!(io.inbox.next().await, Some(1));
                Ok(())
            };
            children
                .start(Placement::Any, pipeline!(one => check))
                .unwrap();
            children.next_end().await.unwrap().unwrap();
        });
    }

    #[test]
    fn a_request_goes_with_the_child_that_has_not_read_it() {
        for placement in [Placement::Here, Placement::Worker(0), Placement::Worker(1)] {
            run_on_worker(async move || {
                let (requests, unread) = crate::link(4);
                let mut graph = Graph::new("child");
                let (tell, told) = flume::unbounded();
                let busy = async move |io: &mut Sink<crate::Sender<u32>>| {
                    let first = io.inbox.next().await.expect("it is held open");
                    let _ = tell.send(first);
                    std::future::pending().await
                };
                let ports = graph.add("busy", busy);
                graph.feed_from(unread, ports.inbox);
                let mut children = Children::new();
                children.start(placement, graph)?;
                let (request, _answers) = crate::link(1);
                requests.send(request).await?;
                let first = told.recv_async().await?;
                // Nobody reads these.
                let mut askers = Vec::new();
                for _ in 0..3 {
                    let (request, answers) = crate::link(1);
                    requests.send(request).await?;
                    askers.push(answers);
                }
                drop(children);
                for mut asker in askers {
                    assert_eq!(asker.next().await, None);
                }
                assert!(requests.send(first).await.is_err());
                Ok(())
            });
        }
    }
}
