//! The test bench for a component: feeds it, takes its output, and runs it on a worker.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use kamea::time::{now, sleep};
use kamea::{
    Component, Done, Fault, Flow, Graph, InboxHandle, Message, OutboxHandle, Part, Pipe, Policy,
    Ports, Receiver, Restart, Scheduler, Sender, Sink, Source, Started, TrySendError, inspect,
};

/// Long enough for anything that happens at all.
pub(super) const AGES: Duration = Duration::from_secs(30);

/// How a component is tested, and the clauses from which it is exempt, with reasons.
pub(super) struct Row {
    pub(super) name: &'static str,
    build: Arc<dyn Fn(&mut Bench) + Send + Sync>,
    pub(super) is_source: bool,
    /// Why it accepts messages while its output is blocked.
    pub(super) absorbs: Option<&'static str>,
    /// Why it cannot run a second time.
    pub(super) runs_once: Option<&'static str>,
    is_on_thread: bool,
}

/// A row for any component: `build` adds it to a bench, feeds its inboxes and drains its outboxes.
pub(super) fn row(name: &'static str, build: impl Fn(&mut Bench) + Send + Sync + 'static) -> Row {
    Row {
        name,
        build: Arc::new(build),
        is_source: false,
        absorbs: None,
        runs_once: None,
        is_on_thread: false,
    }
}

/// A row for a component with the ports of a [`Pipe`], fed with this message.
pub(super) fn pipe<A: Message, B: Message, P: Part<Pipe<A, B>, Kind>, Kind>(
    name: &'static str,
    make: impl Fn() -> P + Send + Sync + 'static,
    message: impl Fn() -> A + Clone + Send + Sync + 'static,
) -> Row {
    row(name, move |bench| {
        let part = bench.add(make());
        bench.feed(part.inbox, message.clone());
        bench.take(part.outbox);
    })
}

/// A row for a component with the ports of a [`Sink`].
pub(super) fn sink<A: Message, P: Part<Sink<A>, Kind>, Kind>(
    name: &'static str,
    make: impl Fn() -> P + Send + Sync + 'static,
    message: impl Fn() -> A + Clone + Send + Sync + 'static,
) -> Row {
    let row = row(name, move |bench| {
        let part = bench.add(make());
        bench.feed(part.inbox, message.clone());
    });
    row.absorbs("it has no outbox")
}

/// A row for a component with the ports of a [`Source`].
pub(super) fn source<A: Message, P: Part<Source<A>, Kind>, Kind>(
    name: &'static str,
    make: impl Fn() -> P + Send + Sync + 'static,
) -> Row {
    let mut row = row(name, move |bench| {
        let part = bench.add(make());
        bench.take(part.outbox);
    });
    row.is_source = true;
    row
}

impl Row {
    /// Blocked outboxes do not stop it; the text says why.
    pub(super) fn absorbs(mut self, reason: &'static str) -> Self {
        self.absorbs = Some(reason);
        self
    }

    /// It cannot run a second time; the text says why.
    pub(super) fn runs_once(mut self, reason: &'static str) -> Self {
        self.runs_once = Some(reason);
        self
    }

    /// It has its own thread, which learns of the end of its graph only through its ports.
    pub(super) fn on_a_thread(mut self) -> Self {
        self.is_on_thread = true;
        self
    }

    /// It has no inbox that is fed.
    pub(super) fn fed_by_nothing(mut self) -> Self {
        self.is_source = true;
        self
    }

    /// Tests it against a clause, on a worker.
    pub(super) fn hold(self, panicking: bool, clause: impl AsyncFn(Bench) + Send + 'static) {
        #[derive(Ports)]
        struct NoPorts {}
        let name = self.name;
        let mut graph = Graph::new(name);
        graph.add("clause", async move |_: &mut NoPorts| -> Done {
            let mut bench = Bench::new(&self, panicking);
            (self.build)(&mut bench);
            clause(bench).await;
            Ok(())
        });
        let scheduler = Scheduler::with_workers(1);
        let running = scheduler.run(graph).unwrap();
        match running.wait_until(Instant::now() + 10 * AGES) {
            Some(Ok(())) => {}
            Some(Err(fault)) => panic!("{fault}"),
            None => panic!("{name} stands still"),
        }
    }
}

/// A component in its graph, which does not run yet.
pub(super) struct Bench {
    pub(super) name: &'static str,
    pub(super) is_on_thread: bool,
    pub(super) graph: Graph,
    pub(super) feeds: Vec<Box<dyn Feed>>,
    pub(super) takes: Vec<Box<dyn Take>>,
    panicking: bool,
    pub(super) faults: Arc<AtomicUsize>,
}

impl Bench {
    fn new(row: &Row, panicking: bool) -> Self {
        let mut graph = Graph::new(row.name);
        let faults = Arc::new(AtomicUsize::new(0));
        if panicking {
            let faults = faults.clone();
            graph.supervise(move |_| {
                faults.fetch_add(1, Ordering::SeqCst);
                let at_once = Restart::new(3, AGES).pause(Duration::ZERO, Duration::ZERO);
                Policy::Restart(at_once)
            });
        }
        Self {
            name: row.name,
            is_on_thread: row.is_on_thread,
            graph,
            feeds: Vec::new(),
            takes: Vec::new(),
            panicking,
            faults,
        }
    }

    /// Adds the component.
    pub(super) fn add<P: Ports, Kind>(&mut self, part: impl Part<P, Kind>) -> P::Handles {
        self.graph.add("part", part)
    }

    /// Adds a component that cannot be sent to another thread; it is created where it runs.
    pub(super) fn add_here<P: Ports, C: Component<P>>(
        &mut self,
        make: impl FnOnce() -> C + Send + 'static,
    ) -> P::Handles {
        self.graph.add("part", Here(make))
    }

    /// Feeds an inbox. If the component is to fail, a stage before it panics once.
    pub(super) fn feed<T: Message>(
        &mut self,
        mut inbox: InboxHandle<T>,
        message: impl Fn() -> T + 'static,
    ) {
        if self.panicking {
            let name = format!("panicking {}", self.feeds.len());
            let mut count = 0;
            let panics = self.graph.add(
                &name,
                inspect(move |_: &T| {
                    count += 1;
                    assert!(count != 2, "on purpose");
                }),
            );
            self.graph.link(panics.outbox, inbox);
            inbox = panics.inbox;
        }
        let sender = Some(self.graph.feed(inbox));
        self.feeds.push(Box::new(FeedOf {
            sender,
            message,
            sent: 0,
        }));
    }

    /// Drains an outbox.
    pub(super) fn take<T: Message>(&mut self, outbox: OutboxHandle<T>) {
        let receiver = self.graph.take(outbox);
        self.takes.push(Box::new(receiver));
    }

    pub(super) fn start(self) -> Run {
        Run {
            name: self.name,
            is_on_thread: self.is_on_thread,
            flow: self.graph.start().unwrap(),
            feeds: self.feeds,
            takes: self.takes,
            taken: 0,
            faults: self.faults,
        }
    }
}

struct Here<Make>(Make);

impl<P: Ports, C: Component<P>, Make: FnOnce() -> C + 'static> Component<P> for Here<Make> {
    fn start(self, ports: P) -> Started {
        (self.0)().start(ports)
    }
}

/// Feeds an inbox.
pub(super) trait Feed {
    /// Sends while there is space, up to this many messages in total; then it is dropped.
    fn feed(&mut self, limit: usize);
    fn sent(&self) -> usize;
    fn end(&mut self);
    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()>;
}

struct FeedOf<T, M> {
    sender: Option<Sender<T>>,
    message: M,
    sent: usize,
}

impl<T: Message, M: Fn() -> T> Feed for FeedOf<T, M> {
    fn feed(&mut self, limit: usize) {
        while let Some(sender) = &self.sender {
            if self.sent == limit {
                return self.end();
            }
            match sender.try_send((self.message)()) {
                Ok(()) => self.sent += 1,
                Err(TrySendError::Full(_)) => return,
                Err(TrySendError::Closed(_)) => self.end(),
            }
        }
    }

    fn sent(&self) -> usize {
        self.sent
    }

    fn end(&mut self) {
        self.sender = None;
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        match &self.sender {
            Some(sender) => pin!(sender.closed()).poll(cx),
            None => Poll::Ready(()),
        }
    }
}

/// Drains an outbox.
pub(super) trait Take {
    /// Returns the next message, if there is one; the inner `None` means the end.
    fn poll_take(&mut self) -> Poll<Option<()>>;
}

impl<T: Message> Take for Receiver<T> {
    fn poll_take(&mut self) -> Poll<Option<()>> {
        let mut cx = Context::from_waker(Waker::noop());
        pin!(self.next())
            .poll(&mut cx)
            .map(|message| message.map(drop))
    }
}

/// A running component.
pub(super) struct Run {
    pub(super) name: &'static str,
    pub(super) is_on_thread: bool,
    pub(super) flow: Flow,
    pub(super) feeds: Vec<Box<dyn Feed>>,
    pub(super) takes: Vec<Box<dyn Take>>,
    /// How many messages have come out.
    pub(super) taken: usize,
    pub(super) faults: Arc<AtomicUsize>,
}

impl Run {
    pub(super) fn feed(&mut self, limit: usize) {
        self.feeds.iter_mut().for_each(|feed| feed.feed(limit));
    }

    pub(super) fn drain(&mut self) {
        for take in &mut self.takes {
            while let Poll::Ready(Some(())) = take.poll_take() {
                self.taken += 1;
            }
        }
    }

    /// Polls the component once, and lets other tasks run.
    pub(super) async fn poll(&mut self) -> Option<Result<(), Fault>> {
        let polled = poll_fn(|cx| {
            Poll::Ready(match Pin::new(&mut self.flow).poll(cx) {
                Poll::Ready(outcome) => Some(outcome),
                Poll::Pending => None,
            })
        });
        let outcome = polled.await;
        if outcome.is_none() {
            sleep(Duration::from_millis(1)).await;
        }
        outcome
    }

    /// Performs a step and polls the component, until it has ended.
    pub(super) async fn until_ended(&mut self, mut step: impl FnMut(&mut Self)) {
        let deadline = now() + AGES;
        loop {
            step(self);
            match self.poll().await {
                Some(Ok(())) => return,
                Some(Err(fault)) => panic!("{}: {fault}", self.name),
                None => assert!(now() < deadline, "{} does not end", self.name),
            }
        }
    }
}
