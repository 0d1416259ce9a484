//! Pipelines: graphs that form a line.

use std::collections::HashSet;
use std::convert::Infallible;

use super::{Composite, Graph, Part};
use crate::port::Message;
use crate::ports::{
    InboxHandle, OutboxHandle, Pipe, PipeHandles, Ports, Sink, SinkHandles, Source, SourceHandles,
};

/// Builds a line of components inside a graph. Each is linked to the one before it.
///
/// `Head` is the open inbox of the line, if it has one; `Tail` is its open outbox. The macro
/// [`pipeline!`](crate::pipeline) does the same, written as a line.
///
/// # Examples
///
/// ```
/// use kamea::{Done, Graph, Pipe, Pipeline, Sink, Source};
///
/// async fn greet(io: &mut Source<String>) -> Done {
///     Ok(io.outbox.send("hello".to_owned()).await?)
/// }
///
/// async fn shout(io: &mut Pipe<String, String>) -> Done {
///     while let Some(line) = io.inbox.next().await {
///         io.outbox.send(line.to_uppercase()).await?;
///     }
///     Ok(())
/// }
///
/// let mut graph = Graph::new("greeting");
/// let line = Pipeline::start(&mut graph, "greet", greet).then("shout", shout).capacity(1);
/// let (_, outbox) = line.ends();
/// let shouted = graph.take(outbox);
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// assert_eq!(shouted.into_iter().collect::<Vec<_>>(), ["HELLO"]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pipeline<'g, Head, Tail> {
    graph: &'g mut Graph,
    head: Head,
    tail: Tail,
    /// The number of components in the line.
    length: usize,
}

impl<'g> Pipeline<'g, (), ()> {
    /// Begins a line with a component that has an outbox: a [`Source`], or a [`Pipe`] whose inbox
    /// stays open.
    #[track_caller]
    pub fn start<First: Begins<P, Kind>, P, Kind>(
        graph: &'g mut Graph,
        name: &str,
        part: First,
    ) -> Pipeline<'g, First::Head, OutboxHandle<First::Out>> {
        let (head, tail) = part.begin(graph, name);
        Pipeline {
            graph,
            head,
            tail,
            length: 1,
        }
    }
}

impl<'g, Head, Tail: OpenTail> Pipeline<'g, Head, Tail> {
    /// Adds the next component of the line: a [`Pipe`], or the [`Sink`] that ends it.
    #[track_caller]
    pub fn then<Next: Follows<Tail::Message, P, Kind>, P, Kind>(
        self,
        name: &str,
        part: Next,
    ) -> Pipeline<'g, Head, Next::Tail> {
        let (inbox, tail) = part.follow(self.graph, name);
        self.graph.link(self.tail.outbox(), inbox);
        Pipeline {
            graph: self.graph,
            head: self.head,
            tail,
            length: self.length + 1,
        }
    }
}

impl<Head, Tail> Pipeline<'_, Head, Tail> {
    /// Sets the capacity of the last link, in messages.
    ///
    /// # Panics
    ///
    /// If `messages` is 0, or if the line has no link yet.
    pub fn capacity(self, messages: usize) -> Self {
        assert!(messages > 0, "a link holds at least one message");
        assert!(self.length > 1, "the line has no link yet");
        self.graph
            .links
            .last_mut()
            .expect("the line has a link")
            .capacity = messages;
        self
    }

    /// Returns the open ends of the line, for links to other components of the graph; `()` where it
    /// has no open end.
    pub fn ends(self) -> (Head, Tail) {
        (self.head, self.tail)
    }

    #[doc(hidden)]
    pub fn free_name(&self, name: &str) -> String {
        self.graph.free_name(name)
    }
}

impl Graph {
    /// Lets `pipeline!` accept both a graph and a reference to one.
    #[doc(hidden)]
    pub fn itself(&mut self) -> &mut Self {
        self
    }

    /// Returns this name, followed by a number if a component or part of the graph already has it.
    #[doc(hidden)]
    pub fn free_name(&self, name: &str) -> String {
        let mut taken = HashSet::new();
        for node in &self.nodes {
            let part = node.name.strip_prefix(name);
            let part = part.and_then(|rest| rest.split('/').next());
            taken.extend(part);
        }
        if !taken.contains("") {
            return name.to_owned();
        }
        (2..)
            .map(|number| format!(" {number}"))
            .find(|number| !taken.contains(number.as_str()))
            .map(|number| format!("{name}{number}"))
            .expect("a graph has fewer components than there are numbers")
    }
}

/// Ports with which a pipeline may begin: those of a [`Source`] or a [`Pipe`].
#[diagnostic::on_unimplemented(
    message = "a pipeline cannot begin with a component over the ports `{Self}`",
    note = "it begins with a `Source<T>`, or with a `Pipe<A, B>` whose inbox is linked elsewhere"
)]
pub trait PipelineStart: Ports {
    /// The open inbox of the line, if it has one.
    type Head;
    /// The type of the messages that the line passes on.
    type Out: Message;

    #[doc(hidden)]
    fn ends(handles: Self::Handles) -> (Self::Head, OutboxHandle<Self::Out>);
}

impl<T: Message> PipelineStart for Source<T> {
    type Head = ();
    type Out = T;

    fn ends(SourceHandles { outbox }: SourceHandles<T>) -> ((), OutboxHandle<T>) {
        ((), outbox)
    }
}

impl<A: Message, B: Message> PipelineStart for Pipe<A, B> {
    type Head = InboxHandle<A>;
    type Out = B;

    fn ends(PipeHandles { inbox, outbox }: PipeHandles<A, B>) -> (InboxHandle<A>, OutboxHandle<B>) {
        (inbox, outbox)
    }
}

/// Stands for an outbox that sends only its end. A line may end with it or continue.
///
/// It is the [`Stage::Tail`] of a component that ends a line, but whose end another component may
/// follow.
#[derive(Debug)]
pub struct EndHandle(pub OutboxHandle<Infallible>);

/// Ports with which a pipeline may continue after messages of type `T`: those of a [`Pipe`] or a
/// [`Sink`].
#[diagnostic::on_unimplemented(
    message = "a component over the ports `{Self}` cannot follow messages of type `{T}` in a pipeline",
    note = "it takes a `Pipe<{T}, _>`, or a `Sink<{T}>` to end the line"
)]
pub trait Stage<T: Message>: Ports {
    /// The open outbox of the line, if it still has one.
    type Tail;

    #[doc(hidden)]
    fn ends(handles: Self::Handles) -> (InboxHandle<T>, Self::Tail);
}

impl<A: Message, B: Message> Stage<A> for Pipe<A, B> {
    type Tail = OutboxHandle<B>;

    fn ends(PipeHandles { inbox, outbox }: PipeHandles<A, B>) -> (InboxHandle<A>, OutboxHandle<B>) {
        (inbox, outbox)
    }
}

impl<T: Message> Stage<T> for Sink<T> {
    type Tail = ();

    fn ends(SinkHandles { inbox }: SinkHandles<T>) -> (InboxHandle<T>, ()) {
        (inbox, ())
    }
}

/// The open end of a line that a further component may follow.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "nothing can follow a component without an outbox in a pipeline",
    note = "a `Sink` ends the line"
)]
pub trait OpenTail {
    type Message: Message;

    fn outbox(self) -> OutboxHandle<Self::Message>;
}

impl<T: Message> OpenTail for OutboxHandle<T> {
    type Message = T;

    fn outbox(self) -> Self {
        self
    }
}

impl OpenTail for EndHandle {
    type Message = Infallible;

    fn outbox(self) -> OutboxHandle<Infallible> {
        self.0
    }
}

/// A component with which a pipeline may begin: one over ports that are a [`PipelineStart`].
///
/// The bound is on the component and not on its ports, so that the compiler marks the component.
#[doc(hidden)]
pub trait Begins<P, Kind> {
    type Head;
    type Out: Message;

    #[track_caller]
    fn begin(self, graph: &mut Graph, name: &str) -> (Self::Head, OutboxHandle<Self::Out>);
}

impl<P: PipelineStart, Kind, C: Part<P, Kind>> Begins<P, Kind> for C {
    type Head = P::Head;
    type Out = P::Out;

    #[track_caller]
    fn begin(self, graph: &mut Graph, name: &str) -> (Self::Head, OutboxHandle<Self::Out>) {
        P::ends(graph.add(name, self))
    }
}

/// A component that may follow messages of type `T` in a pipeline: one over ports that are a
/// [`Stage`].
#[doc(hidden)]
pub trait Follows<T: Message, P, Kind> {
    type Tail;

    #[track_caller]
    fn follow(self, graph: &mut Graph, name: &str) -> (InboxHandle<T>, Self::Tail);
}

impl<T: Message, P: Stage<T>, Kind, C: Part<P, Kind>> Follows<T, P, Kind> for C {
    type Tail = P::Tail;

    #[track_caller]
    fn follow(self, graph: &mut Graph, name: &str) -> (InboxHandle<T>, P::Tail) {
        P::ends(graph.add(name, self))
    }
}

/// The open ends of a line of components, and the kind of component that a graph with only this
/// line may serve as.
#[doc(hidden)]
pub trait OpenEnds {
    type Part;

    fn of(self, graph: Graph) -> Self::Part;
}

impl OpenEnds for ((), ()) {
    type Part = Graph;

    fn of(self, graph: Graph) -> Graph {
        graph
    }
}

impl OpenEnds for ((), EndHandle) {
    type Part = Graph;

    fn of(self, graph: Graph) -> Graph {
        graph
    }
}

impl<T: Message> OpenEnds for (InboxHandle<T>, EndHandle) {
    type Part = Composite<Sink<T>>;

    fn of(self, graph: Graph) -> Self::Part {
        graph.expose(SinkHandles { inbox: self.0 })
    }
}

impl<T: Message> OpenEnds for ((), OutboxHandle<T>) {
    type Part = Composite<Source<T>>;

    fn of(self, graph: Graph) -> Self::Part {
        graph.expose(SourceHandles { outbox: self.1 })
    }
}

impl<T: Message> OpenEnds for (InboxHandle<T>, ()) {
    type Part = Composite<Sink<T>>;

    fn of(self, graph: Graph) -> Self::Part {
        graph.expose(SinkHandles { inbox: self.0 })
    }
}

impl<A: Message, B: Message> OpenEnds for (InboxHandle<A>, OutboxHandle<B>) {
    type Part = Composite<Pipe<A, B>>;

    fn of(self, graph: Graph) -> Self::Part {
        let (inbox, outbox) = self;
        graph.expose(PipeHandles { inbox, outbox })
    }
}

/// Adds a line of components to a graph: `pipeline!(graph, first => second => third)`. Returns its
/// open ends.
///
/// Without a graph, `pipeline!(first => second => third)` makes one. If the line has no open ends,
/// it is a whole [`Graph`](crate::Graph). Otherwise it is a [`Composite`](crate::Composite), which
/// serves as a component over the open ports: those of a [`Source`], a [`Sink`] or a [`Pipe`].
///
/// Each component is named after the expression that makes it, without arguments. If the graph
/// already has that name, a number follows.
///
/// # Examples
///
/// ```
/// use kamea::{Done, Graph, Pipe, Sink, Source, pipeline};
///
/// async fn count(io: &mut Source<u32>) -> Done {
///     for number in 1..=3 {
///         io.outbox.send(number).await?;
///     }
///     Ok(())
/// }
///
/// async fn double(io: &mut Pipe<u32, u32>) -> Done {
///     while let Some(number) = io.inbox.next().await {
///         io.outbox.send(2 * number).await?;
///     }
///     Ok(())
/// }
///
/// let mut graph = Graph::new("eightfold");
/// let (_, eightfold) = pipeline!(graph, count => double => double => double);
/// let results = graph.take(eightfold);
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// assert_eq!(results.into_iter().collect::<Vec<_>>(), [8, 16, 24]);
/// # running.wait()?;
///
/// let fourfold = pipeline!(double => double); // a component over a `Pipe<u32, u32>`
/// let check = async |io: &mut Sink<u32>| {
///     assert_eq!(io.inbox.next().await, Some(4));
///     Ok(())
/// };
/// scheduler.run(pipeline!(count => fourfold => check))?.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[macro_export]
macro_rules! pipeline {
    ($first:expr $(=> $next:expr)* $(,)?) => {{
        let mut graph = $crate::Graph::new("pipeline");
        let ends = $crate::pipeline!(graph, $first $(=> $next)*);
        $crate::OpenEnds::of(ends, graph)
    }};
    ($graph:expr, $first:expr $(=> $next:expr)* $(,)?) => {{
        let name = $graph.free_name($crate::component_name(stringify!($first)));
        let line = $crate::Pipeline::start($graph.itself(), &name, $first);
        $(
            let name = line.free_name($crate::component_name(stringify!($next)));
            let line = line.then(&name, $next);
        )*
        line.ends()
    }};
}

/// The name of a component in a [`pipeline!`](crate::pipeline): the last path segment of its
/// expression, without arguments.
#[doc(hidden)]
pub fn component_name(expression: &'static str) -> &'static str {
    let path = expression
        .split(['(', '|', '{'])
        .next()
        .unwrap_or(expression);
    let path = path.split("::<").next().unwrap_or(path);
    let name = path.rsplit("::").next().unwrap_or(path).trim();
    match name {
        "" | "async" | "move" | "async move" => "closure",
        name => name,
    }
}
