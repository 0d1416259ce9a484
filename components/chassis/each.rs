//! A graph for each message.
//!
//! ```text
//!            ┌ each ───────────────────────────┐
//!  inbox ──▶ │   (a message) ──▶ its part ──▶   │ ──▶ outbox
//!            │   (a message) ──▶ its part ──▶   │ ──▶ faults
//!            └─────────────────────────────────┘
//! ```

use std::convert::Infallible;
use std::fmt;
use std::future::pending;
use std::marker::PhantomData;

use futures_lite::future::or;
use kamea::{
    Children, Component, DEFAULT_CAPACITY, Done, End, Fault, Graph, Inbox, InboxHandle, Message,
    Outbox, OutboxHandle, Part, PipelineStart, Placement, Ports, Sender, Sink, Stage, Started,
    link,
};

/// The default number of parts that run at once.
const AT_MOST: usize = 256;

/// The ports of [`each`]. In a pipeline, `inbox` and `outbox` are the ends that are linked.
#[derive(Debug, Ports)]
pub struct EachPorts<A: Message, B: Message> {
    /// The messages. Each one makes a part.
    pub inbox: Inbox<A>,
    /// The output of the parts, in the order in which it arrives.
    pub outbox: Outbox<B>,
    /// The faults of parts. If it is not linked, they are faults of this component: it ends, and so
    /// do all parts.
    pub faults: Option<Outbox<Fault>>,
}

/// Runs a part for each message: a component, pipeline or graph that `make` creates from it. Each
/// is over a [`Source`](kamea::Source), and their outputs are merged.
///
/// By default, at most 256 parts run at once, on this worker; see [`at_most`](Each::at_most) and
/// [`spread`](Each::spread). When the limit is reached, the next message waits in its link.
/// `at_most(1)` runs one part after another, in the order of the messages.
///
/// It ends when the input has ended and all parts have ended. When it is dropped, the parts are
/// dropped too.
///
/// # Faults
///
/// The faults of its parts, if `faults` is not linked.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, Source, pipeline};
/// use kamea_components::chassis::each;
///
/// fn count_to(last: u32) -> impl kamea::Component<Source<u32>> + Send {
///     async move |io: &mut Source<u32>| {
///         for number in 1..=last {
///             io.outbox.send(number).await?;
///         }
///         Ok(())
///     }
/// }
///
/// let mut graph = Graph::new("counting");
/// let (lasts, numbers) = pipeline!(graph, each(count_to).at_most(2).spread());
/// let (lasts, numbers) = (graph.feed(lasts), graph.take(numbers));
/// let scheduler = Scheduler::with_workers(2);
/// let running = scheduler.run(graph)?;
/// for last in [3, 2, 1] {
///     lasts.send_blocking(last).unwrap();
/// }
/// drop(lasts);
/// assert_eq!(numbers.into_iter().sum::<u32>(), 6 + 3 + 1);
/// running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[expect(
    clippy::type_complexity,
    reason = "a type that is not named has no alias"
)]
pub fn each<A, M, P, Kind, Make>(
    mut make: Make,
) -> Each<EachPorts<A, P::Out>, impl FnMut(A, &Sender<P::Out>) -> Graph>
where
    A: Message,
    Make: FnMut(A) -> M,
    M: Part<P, Kind>,
    P: PipelineStart<Head = ()>,
{
    Each::new(move |message, results: &Sender<P::Out>| {
        let mut graph = Graph::new("each");
        let ((), outbox) = P::ends(graph.add("part", make(message)));
        graph.take_into(outbox, results.clone());
        graph
    })
}

/// Runs a whole graph for each message. Like [`each`], but the graphs have no output.
///
/// # Faults
///
/// The faults of its graphs.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, pipeline};
/// use kamea_components::chassis::run_each;
/// use kamea_components::console::console_echoer;
/// use kamea_components::file::read_file;
///
/// let mut graph = Graph::new("cat");
/// let cat = run_each(|path: &str| pipeline!(read_file(path) => console_echoer())).at_most(1);
/// let cat = graph.add("cat", cat);
/// let paths = graph.feed(cat.inbox);
/// # let scheduler = Scheduler::with_workers(2);
/// # let running = scheduler.run(graph)?;
/// paths.send_blocking("/etc/hosts").unwrap();
/// # drop(paths);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn run_each<A, Make>(
    mut make: Make,
) -> Each<Sink<A>, impl FnMut(A, &Sender<Infallible>) -> Graph>
where
    A: Message,
    Make: FnMut(A) -> Graph,
{
    Each::new(move |message, _: &Sender<Infallible>| make(message))
}

/// A component that runs a part for each message. Made by [`each`] and [`run_each`].
pub struct Each<P, Make> {
    make: Make,
    at_most: usize,
    placement: Placement,
    ports: PhantomData<fn() -> P>,
}

impl<P, Make> Each<P, Make> {
    fn new(make: Make) -> Self {
        Self {
            make,
            at_most: AT_MOST,
            placement: Placement::Here,
            ports: PhantomData,
        }
    }

    /// Sets how many parts run at once at most.
    ///
    /// # Panics
    ///
    /// If `count` is 0.
    #[must_use]
    pub fn at_most(mut self, count: usize) -> Self {
        assert!(count > 0, "at least one runs at once");
        self.at_most = count;
        self
    }

    /// Spreads the parts over the workers, instead of running all on the worker of this component.
    #[must_use]
    pub fn spread(mut self) -> Self {
        self.placement = Placement::Any;
        self
    }
}

impl<P, Make> fmt::Debug for Each<P, Make> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Each")
            .field("at_most", &self.at_most)
            .field("placement", &self.placement)
            .finish_non_exhaustive()
    }
}

/// The ports of [`each`] or [`run_each`].
#[doc(hidden)]
pub trait PortsOfEach: Ports {
    type In: Message;
    type Out: Message;

    fn split(&mut self) -> Split<'_, Self::In, Self::Out>;
}

/// Ports that can be used separately.
#[doc(hidden)]
#[derive(Debug)]
pub struct Split<'a, A, B> {
    inbox: &'a mut Inbox<A>,
    outbox: Option<&'a Outbox<B>>,
    faults: Option<&'a Outbox<Fault>>,
}

impl<A: Message, B: Message> PortsOfEach for EachPorts<A, B> {
    type In = A;
    type Out = B;

    fn split(&mut self) -> Split<'_, A, B> {
        Split {
            inbox: &mut self.inbox,
            outbox: Some(&self.outbox),
            faults: self.faults.as_ref(),
        }
    }
}

impl<A: Message> PortsOfEach for Sink<A> {
    type In = A;
    type Out = Infallible;

    fn split(&mut self) -> Split<'_, A, Infallible> {
        Split {
            inbox: &mut self.inbox,
            outbox: None,
            faults: None,
        }
    }
}

impl<P, Make> Component<P> for Each<P, Make>
where
    P: PortsOfEach,
    Make: FnMut(P::In, &Sender<P::Out>) -> Graph + 'static,
{
    fn start(mut self, io: P) -> Started {
        let run = async move |io: &mut P| self.run(io.split()).await;
        run.start(io)
    }
}

impl<P, Make> Each<P, Make> {
    async fn run<A: Message, B: Message>(&mut self, io: Split<'_, A, B>) -> Done
    where
        Make: FnMut(A, &Sender<B>) -> Graph,
    {
        let (results, mut given) = link(DEFAULT_CAPACITY);
        let mut children = Children::new();
        let mut has_ended = false;
        while !has_ended || children.count() > 0 {
            let has_place = !has_ended && children.count() < self.at_most;
            // The bounded work comes first, so that parts with much output do not keep others from
            // starting or ending.
            let happened = {
                let message = async {
                    match has_place {
                        true => Happened::Message(io.inbox.next().await),
                        false => pending().await,
                    }
                };
                let ended = async {
                    match children.next_end().await {
                        Some(outcome) => Happened::Ended(outcome),
                        None => pending().await,
                    }
                };
                let given = async {
                    match given.next().await {
                        Some(given) => Happened::Given(given),
                        None => pending().await,
                    }
                };
                or(or(message, ended), or(given, unwanted(io.outbox))).await
            };
            match happened {
                Happened::Message(None) => has_ended = true,
                Happened::Message(Some(message)) => {
                    children.start(self.placement, (self.make)(message, &results))?;
                }
                Happened::Ended(Ok(())) => {}
                Happened::Ended(Err(fault)) => match io.faults {
                    Some(faults) => faults.send(fault).await?,
                    None => return Err(fault.into()),
                },
                Happened::Given(result) => pass_on(io.outbox, result).await?,
                Happened::Unwanted => return Err(End::Closed),
            }
        }
        while let Some(result) = given.try_next() {
            pass_on(io.outbox, result).await?;
        }
        Ok(())
    }
}

/// What a chassis of this kind can wait for.
enum Happened<A, B> {
    Message(Option<A>),
    Ended(Result<(), Fault>),
    Given(B),
    /// The outbox is closed downstream.
    Unwanted,
}

async fn unwanted<A, B: Message>(outbox: Option<&Outbox<B>>) -> Happened<A, B> {
    match outbox {
        Some(outbox) => outbox.closed().await,
        None => pending().await,
    }
    Happened::Unwanted
}

async fn pass_on<B: Message>(outbox: Option<&Outbox<B>>, result: B) -> Done {
    if let Some(outbox) = outbox {
        outbox.send(result).await?;
    }
    Ok(())
}

impl<A: Message, B: Message> Stage<A> for EachPorts<A, B> {
    type Tail = OutboxHandle<B>;

    fn ends(handles: EachPortsHandles<A, B>) -> (InboxHandle<A>, OutboxHandle<B>) {
        (handles.inbox, handles.outbox)
    }
}

impl<A: Message, B: Message> PipelineStart for EachPorts<A, B> {
    type Head = InboxHandle<A>;
    type Out = B;

    fn ends(handles: EachPortsHandles<A, B>) -> (InboxHandle<A>, OutboxHandle<B>) {
        (handles.inbox, handles.outbox)
    }
}

#[cfg(test)]
mod tests;
