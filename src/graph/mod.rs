//! Graphs: components and links, under a name.

mod drawing;
mod error;
mod interpose;
mod names;
mod pipeline;
mod plan;
mod template;
#[cfg(test)]
mod tests;

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use error::GraphError;
pub use interpose::LinkEnds;
pub use pipeline::{EndHandle, OpenEnds, Pipeline, PipelineStart, Stage, component_name};
pub(crate) use plan::{Plan, PlannedComponent, PlannedLink, PlannedPort};
pub use template::{PerSeed, Template};

use crate::blocking::Blocking;
use crate::component::{Component, Done, Started};
use crate::flow::Flow;
use crate::link::across::{AnyEnds, Ends, Receiver, Sender, link};
use crate::link::{AnyMeasure, DEFAULT_CAPACITY, LinkKind, Measure};
use crate::port::Message;
use crate::ports::{
    AnyInbox, AnyOutbox, CloneMessage, Cloning, ComponentId, InboxHandle, OutboxHandle, PortInfo,
    PortKey, Ports, Wiring, WrongMessage,
};
use crate::supervision::{Fault, Policy, Supervise, Supervisor};

/// Components and the links between them, under a name.
///
/// A graph that is complete is run by a [`Scheduler`](crate::Scheduler), or started as a [`Flow`] and awaited inside
/// a component. One that lacks some links is itself a component once it says what its ports are, with
/// [`expose`](Graph::expose).
///
/// # Examples
///
/// ```
/// use kamea::{Done, Graph, Pipe, Sink, Source};
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
/// let mut graph = Graph::new("doubling");
/// let count = graph.add("count", count);
/// let double = graph.add("double", double);
/// graph.link(count.outbox, double.inbox).capacity(2);
/// let doubled = graph.take(double.outbox);
/// assert_eq!(
///     graph.to_string(),
///     "doubling\n  count.outbox  ──▶ double.inbox\n  double.outbox ──▶ (outside)\n",
/// );
///
/// let scheduler = kamea::Scheduler::with_workers(1);
/// let running = scheduler.run(graph)?;
/// assert_eq!(doubled.into_iter().collect::<Vec<_>>(), [2, 4, 6]);
/// running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Graph<Make = Once> {
    name: Arc<str>,
    nodes: Vec<Node<Make>>,
    links: Vec<Link>,
    dead_letters: Vec<DeadLetters>,
    supervise: Option<Supervise>,
}

/// How a component of a [`Graph`] is made: once, from itself.
pub type Once = Box<dyn FnOnce(&mut Wiring<'_>) -> Started + Send>;

/// A component of a graph that does not run yet.
struct Node<Make> {
    id: ComponentId,
    name: String,
    /// The function that it is.
    kind: &'static str,
    /// Where it was added.
    location: &'static Location<'static>,
    ports: &'static [PortInfo],
    /// Whether it runs on a thread of its own.
    own_thread: bool,
    /// Whether it is a function of each message, which may be fused into the inbox that it feeds.
    is_function: bool,
    /// Who decides about its faults, if the graph that it came with has a policy.
    supervisor: Option<Supervisor>,
    make: Make,
}

/// An inbox whose messages in hand are wanted when its component fails. As an outbox they have the inbox's own key.
struct DeadLetters {
    inbox: PortKey,
    clone: CloneMessage,
}

/// A link of a graph that does not run yet.
struct Link {
    kind: LinkKind,
    capacity: usize,
    measure: Option<AnyMeasure>,
    from: Vec<Feed>,
    to: Option<PortKey>,
    /// The ends of a link that leads out of the graph.
    premade: Option<Box<dyn AnyEnds>>,
}

/// What feeds a link.
#[derive(Clone, Copy)]
struct Feed {
    outbox: Origin,
    feedback: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Origin {
    Port(PortKey),
    /// The graph itself, which reports its faults.
    Faults,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self::empty(name.into())
    }

    /// Adds a component under a name that is unique in the graph; gives its ports for wiring.
    ///
    /// `part` is an async function over a struct of ports, a [`blocking`](crate::blocking) component, or a graph with
    /// [exposed](Graph::expose) ports.
    #[track_caller]
    pub fn add<P: Ports, Kind>(&mut self, name: &str, part: impl Part<P, Kind>) -> P::Handles {
        part.join(self, name)
    }

    /// Makes a graph that lacks some links a component: `ports` says which of its open ports stand for which of `P`.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Composite, Done, Graph, Pipe, PipeHandles};
    ///
    /// async fn increment(io: &mut Pipe<u32, u32>) -> Done {
    ///     while let Some(number) = io.inbox.next().await {
    ///         io.outbox.send(number + 1).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// fn add_two() -> Composite<Pipe<u32, u32>> {
    ///     let mut graph = Graph::new("add two");
    ///     let first = graph.add("first", increment);
    ///     let second = graph.add("second", increment);
    ///     graph.link(first.outbox, second.inbox);
    ///     graph.expose(PipeHandles { inbox: first.inbox, outbox: second.outbox })
    /// }
    ///
    /// let mut graph = Graph::new("add four");
    /// let (a, b) = (graph.add("a", add_two()), graph.add("b", add_two()));
    /// graph.link(a.outbox, b.inbox);
    /// let (numbers, sums) = (graph.feed(a.inbox), graph.take(b.outbox));
    /// # let scheduler = kamea::Scheduler::with_workers(1);
    /// # let running = scheduler.run(graph)?;
    /// numbers.send_blocking(38).unwrap();
    /// drop(numbers);
    /// assert_eq!(sums.into_iter().collect::<Vec<_>>(), [42]);
    /// # running.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn expose<P: Ports>(self, ports: P::Handles) -> Composite<P> {
        Composite { graph: self, ports }
    }

    /// Links an inbox to code that is no component: gives the end to send into.
    pub fn feed<T: Message>(&mut self, inbox: InboxHandle<T>) -> Sender<T> {
        let (sender, receiver) = link(DEFAULT_CAPACITY);
        self.feed_from(receiver, inbox);
        sender
    }

    /// Feeds an inbox from a link that has been made before, by [`link`](crate::link).
    pub fn feed_from<T: Message>(&mut self, receiver: Receiver<T>, inbox: InboxHandle<T>) {
        let mut outer = Link::new(LinkKind::of::<T>(), Some(inbox.key));
        outer.premade = Some(Box::new(Ends::receiving(receiver)));
        self.links.push(outer);
    }

    /// Links an outbox to code that is no component: gives the end to receive from.
    pub fn take<T: Message>(&mut self, outbox: OutboxHandle<T>) -> Receiver<T> {
        let (sender, receiver) = link(DEFAULT_CAPACITY);
        self.take_into(outbox, sender);
        receiver
    }

    /// Links an outbox to a link that has been made before, by [`link`](crate::link): several graphs may share it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Scheduler, Source, link};
    ///
    /// let scheduler = Scheduler::with_workers(2);
    /// let (sender, numbers) = link(4);
    /// for number in [1, 2, 3] {
    ///     let mut graph = Graph::new("one of three");
    ///     let one = graph.add("one", async move |io: &mut Source<u32>| Ok(io.outbox.send(number).await?));
    ///     graph.take_into(one.outbox, sender.clone());
    ///     scheduler.run(graph)?;
    /// }
    /// drop(sender);
    /// assert_eq!(numbers.into_iter().sum::<u32>(), 6);
    /// # Ok::<(), kamea::GraphError>(())
    /// ```
    pub fn take_into<T: Message>(&mut self, outbox: OutboxHandle<T>, sender: Sender<T>) {
        let mut outer = Link::new(LinkKind::of::<T>(), None);
        outer.from.push(Feed::port(outbox));
        outer.premade = Some(Box::new(Ends::sending(sender)));
        self.links.push(outer);
    }

    /// Checks the graph and starts it on this thread, as a future. For use inside a component; from
    /// outside, a [`Scheduler`](crate::Scheduler) runs graphs.
    ///
    /// # Errors
    ///
    /// [`GraphError`] names the mistake; nothing has run.
    pub fn start(self) -> Result<Flow, GraphError> {
        Ok(self.check()?.start())
    }

    pub(crate) fn check(mut self) -> Result<Checked, GraphError> {
        let (plan, order) = Plan::new(&self)?;
        let premade = self
            .links
            .iter_mut()
            .map(|link| link.premade.take())
            .collect();
        let mut nodes: Vec<_> = self.nodes.into_iter().map(|node| Some(node.make)).collect();
        let makes = order
            .into_iter()
            .filter_map(|index| nodes[index].take())
            .collect();
        Ok(Checked {
            plan: Arc::new(plan),
            makes,
            premade,
        })
    }

    #[track_caller]
    fn insert<P: Ports, C>(&mut self, name: &str, own_thread: bool, make: Once) -> P::Handles {
        let id = self.push::<C>(name, P::PORTS, own_thread, make);
        P::handles(id)
    }
}

/// A graph without mistakes, on its way to where it will run.
pub(crate) struct Checked {
    plan: Arc<Plan>,
    makes: Vec<Once>,
    premade: Vec<Option<Box<dyn AnyEnds>>>,
}

impl Checked {
    pub(crate) fn start(self) -> Flow {
        let mut makes = self.makes.into_iter();
        Flow::start(self.plan, self.premade, |wiring| {
            let make = makes
                .next()
                .expect("there is a component for every node of the plan");
            make(wiring)
        })
    }
}

/// What [`Graph::add`] takes: a component, or a graph that serves as one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be added to a graph as a component over the ports `{P}`",
    label = "not a component",
    note = "a component is an async function or async closure that takes `&mut` of a struct of ports and returns `kamea::Done`"
)]
pub trait Part<P: Ports, Kind> {
    #[doc(hidden)]
    #[track_caller]
    fn join(self, graph: &mut Graph, name: &str) -> P::Handles;
}

/// The ways in which something can be a [`Part`]; inferred, and never written.
#[doc(hidden)]
pub(crate) mod kind {
    /// It is polled in the flow.
    #[derive(Debug)]
    pub struct Async;
    /// It has a thread of its own.
    #[derive(Debug)]
    pub struct Thread;
    /// It is a graph.
    #[derive(Debug)]
    pub struct Inner;
}

impl<P: Ports, C: Component<P> + Send> Part<P, kind::Async> for C {
    #[track_caller]
    fn join(self, graph: &mut Graph, name: &str) -> P::Handles {
        let handles = graph.insert::<P, C>(name, false, Box::new(|wiring| self.start_in(wiring)));
        graph.mark_function(C::IS_FUNCTION);
        handles
    }
}

impl<P: Ports, F> Part<P, kind::Thread> for Blocking<F>
where
    F: FnMut(&mut P) -> Done + Send + 'static,
{
    #[track_caller]
    fn join(self, graph: &mut Graph, name: &str) -> P::Handles {
        let thread = format!("{}/{name}", graph.name);
        let make = |wiring: &mut Wiring<'_>| self.start::<P>(thread, wiring.detach(P::PORTS));
        graph.insert::<P, F>(name, true, Box::new(make))
    }
}

/// A graph whose open ports stand for the ports `P`, so that it serves as a component. Made by [`Graph::expose`].
pub struct Composite<P: Ports> {
    graph: Graph,
    ports: P::Handles,
}

impl<P: Ports> fmt::Debug for Composite<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.graph.fmt(f)
    }
}

impl<P: Ports> Part<P, kind::Inner> for Composite<P> {
    /// The components of the inner graph become components of the outer one, `outer name/inner name`. The policy of the inner graph, if
    /// it has one, still decides about them.
    fn join(self, graph: &mut Graph, name: &str) -> P::Handles {
        let prefix = name.len() + 1;
        let inner = self.graph.nodes.into_iter();
        graph.nodes.extend(inner.map(|node| {
            let supervisor = node
                .supervisor
                .map_or_else(|| Supervisor::of(self.graph.supervise.as_ref()), Some);
            Node {
                name: format!("{name}/{}", node.name),
                supervisor: supervisor.map(|supervisor| supervisor.within(prefix)),
                ..node
            }
        }));
        graph.links.extend(self.graph.links);
        graph.dead_letters.extend(self.graph.dead_letters);
        self.ports
    }
}

impl<Make> Graph<Make> {
    fn empty(name: Arc<str>) -> Self {
        Self {
            name,
            nodes: Vec::new(),
            links: Vec::new(),
            dead_letters: Vec::new(),
            supervise: None,
        }
    }

    #[track_caller]
    fn push<C>(
        &mut self,
        name: &str,
        ports: &'static [PortInfo],
        own_thread: bool,
        make: Make,
    ) -> ComponentId {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = ComponentId(NEXT.fetch_add(1, Ordering::Relaxed));
        self.nodes.push(Node {
            id,
            name: name.to_owned(),
            kind: function_name::<C>(),
            location: Location::caller(),
            ports,
            own_thread,
            is_function: false,
            supervisor: None,
            make,
        });
        id
    }

    /// Says of the component added last whether it is a function.
    fn mark_function(&mut self, is_function: bool) {
        if let Some(node) = self.nodes.last_mut() {
            node.is_function = is_function;
        }
    }

    /// The graph's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Links an outbox to an inbox of the same message type.
    pub fn link<O, I>(&mut self, outbox: O, inbox: I) -> LinkOptions<'_, O::Message>
    where
        O: LinksTo<I>,
    {
        let link = outbox.into_link(inbox).0;
        self.push_link(link)
    }

    /// Links several outboxes to one inbox, which stays open until all of them are gone.
    pub fn merge<T: Message>(
        &mut self,
        outboxes: impl IntoIterator<Item = OutboxHandle<T>>,
        inbox: InboxHandle<T>,
    ) -> LinkOptions<'_, T> {
        let mut link = Link::new(LinkKind::of::<T>(), Some(inbox.key));
        link.from.extend(outboxes.into_iter().map(Feed::port));
        self.push_link(link)
    }

    /// Links an outbox to an inbox upstream of it: the link that closes a circle.
    ///
    /// Like any link, but no promise that more will come: see [`LinkOptions::feedback`].
    pub fn feedback<T: Message>(
        &mut self,
        outbox: OutboxHandle<T>,
        inbox: InboxHandle<T>,
    ) -> LinkOptions<'_, T> {
        let link = Link::new(LinkKind::of::<T>(), Some(inbox.key));
        self.push_link(link).feedback(outbox)
    }

    /// Links outboxes to an inbox, all of whose message types are only known now.
    ///
    /// # Errors
    ///
    /// [`WrongMessage`] if an outbox gives something else than the inbox takes; nothing is linked then.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{AnyPort, Done, Graph, Pipe, PipeHandles, Ports};
    ///
    /// async fn length(io: &mut Pipe<String, usize>) -> Done {
    ///     while let Some(text) = io.inbox.next().await {
    ///         io.outbox.send(text.len()).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// /// The ports of a component, as a program that reads its graph from a file would keep them.
    /// fn ports(handles: PipeHandles<String, usize>) -> [AnyPort; 2] {
    ///     Pipe::erase(handles).try_into().unwrap()
    /// }
    ///
    /// let mut graph = Graph::new("wrong");
    /// let [_, AnyPort::Outbox(lengths)] = ports(graph.add("first", length)) else { panic!() };
    /// let [AnyPort::Inbox(texts), _] = ports(graph.add("second", length)) else { panic!() };
    /// let wrong = graph.link_any([lengths], texts).unwrap_err();
    /// assert_eq!(wrong.to_string(), "an outbox gives `usize`, the inbox that it is linked to takes `alloc::string::String`");
    /// ```
    pub fn link_any(
        &mut self,
        outboxes: impl IntoIterator<Item = AnyOutbox>,
        inbox: AnyInbox,
    ) -> Result<LinkOptions<'_, AnyInbox>, WrongMessage> {
        let mut link = Link::new(inbox.kind, Some(inbox.key));
        for outbox in outboxes {
            inbox.message.expect(outbox.message)?;
            link.from.push(Feed {
                outbox: Origin::Port(outbox.key),
                feedback: outbox.feedback,
            });
        }
        Ok(self.push_link(link))
    }

    fn push_link<T>(&mut self, link: Link) -> LinkOptions<'_, T> {
        self.links.push(link);
        let link = self.links.last_mut().expect("just pushed");
        LinkOptions {
            link,
            message: PhantomData,
        }
    }

    /// The faults of this graph's components, as messages, for a component that wants to know of them. They come when the policy
    /// is to [carry on](Policy::CarryOn) or to [restart](Policy::Restart), and end when only those are left that take them, or are
    /// downstream of one that does.
    pub fn faults(&self) -> FaultsHandle {
        FaultsHandle(())
    }

    /// The messages that the component of this inbox has in hand when it fails: the last that it has taken, unless it has asked for the
    /// next since. To be linked to whoever sees to them; that one has to have space for such a message before the fault goes on.
    ///
    /// Only an inbox that is asked for them copies its messages.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Pipe, Policy};
    ///
    /// let mut graph = Graph::new("numbers");
    /// let parse = graph.add("parse", async |io: &mut Pipe<String, u32>| {
    ///     while let Some(text) = io.inbox.next().await {
    ///         io.outbox.send(text.parse()?).await?;
    ///     }
    ///     Ok(())
    /// });
    /// graph.supervise(|_| Policy::CarryOn);
    /// let letters = graph.dead_letters(&parse.inbox);
    /// let (texts, letters, numbers) = (graph.feed(parse.inbox), graph.take(letters), graph.take(parse.outbox));
    /// for text in ["1", "two", "3"] {
    ///     texts.try_send(text.to_owned()).unwrap();
    /// }
    /// kamea::testing::block_on(graph.start()?)?;
    /// assert_eq!(numbers.into_iter().collect::<Vec<_>>(), [1]);
    /// assert_eq!(letters.into_iter().collect::<Vec<_>>(), ["two"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn dead_letters<T: Message + Clone>(&mut self, inbox: &InboxHandle<T>) -> OutboxHandle<T> {
        self.dead_letters.push(DeadLetters {
            inbox: inbox.key,
            clone: Cloning::<T>::FUNCTION,
        });
        OutboxHandle::new(inbox.key)
    }

    /// Decides, by the fault, what becomes of the component and of the graph. Without it a graph [stops](Policy::Stop) at its
    /// first fault. If the function panics, the graph stops.
    ///
    /// A graph that is a component of another one keeps its policy, which may still stop them both; if it has none, that of the
    /// outer graph decides.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Policy};
    ///
    /// let mut graph = Graph::new("tolerant");
    /// graph.supervise(|fault| match fault.component() {
    ///     "writer" => Policy::Stop,
    ///     _ => Policy::CarryOn,
    /// });
    /// ```
    pub fn supervise(&mut self, policy: impl Fn(&Fault) -> Policy + Send + Sync + 'static) {
        self.supervise = Some(Arc::new(policy));
    }
}

/// The path of the function that a component is, or in which it is a closure.
fn function_name<C>() -> &'static str {
    let mut name = std::any::type_name::<C>();
    while let Some(outer) = name.strip_suffix("::{{closure}}") {
        name = outer;
    }
    name
}

impl<Make> fmt::Debug for Graph<Make> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let components: Vec<_> = self.nodes.iter().map(|node| &node.name).collect();
        f.debug_struct("Graph")
            .field("name", &self.name)
            .field("components", &components)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("kind", &self.kind)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

impl Link {
    fn new(kind: LinkKind, to: Option<PortKey>) -> Self {
        Self {
            kind,
            capacity: DEFAULT_CAPACITY,
            measure: None,
            from: Vec::new(),
            to,
            premade: None,
        }
    }
}

impl Feed {
    fn port<T>(outbox: OutboxHandle<T>) -> Self {
        Self {
            outbox: Origin::Port(outbox.key),
            feedback: false,
        }
    }
}

/// What else may be said of a link that has just been made.
#[derive(Debug)]
pub struct LinkOptions<'a, T> {
    link: &'a mut Link,
    message: PhantomData<fn(T)>,
}

impl<T> LinkOptions<'_, T> {
    /// How many messages the link holds before its senders wait; [`DEFAULT_CAPACITY`](crate::DEFAULT_CAPACITY) otherwise.
    ///
    /// # Panics
    ///
    /// If `messages` is 0: a link holds at least one message.
    pub fn capacity(self, messages: usize) -> Self {
        assert!(messages > 0, "a link holds at least one message");
        self.link.capacity = messages;
        self
    }
}

impl<T: Message> LinkOptions<'_, T> {
    /// Has the [census](crate::Census) count the bytes of the link's messages, each as long as `measure` says.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Sink, Source};
    ///
    /// let mut graph = Graph::new("measured");
    /// let greet = graph.add("greet", async |io: &mut Source<&'static str>| Ok(io.outbox.send("kia ora").await?));
    /// let listen = graph.add("listen", async |io: &mut Sink<&'static str>| {
    ///     io.inbox.next().await;
    ///     Ok(())
    /// });
    /// graph.link(greet.outbox, listen.inbox).measure(|text| text.len());
    ///
    /// let scheduler = kamea::Scheduler::with_workers(1);
    /// scheduler.run(graph)?.wait()?;
    /// assert_eq!(scheduler.census().graphs[0].links[0].bytes, Some(7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn measure(self, measure: fn(&T) -> usize) -> Self {
        self.link.measure = Some(Arc::new(measure as Measure<T>));
        self
    }

    /// Feeds the inbox from a further outbox, one that lies downstream of the inbox or cannot tell when it is done.
    ///
    /// Its messages are delivered like all others, but it does not keep the inbox open: the inbox closes when the
    /// outboxes linked otherwise are gone. So a circle of components drains like a line does.
    pub fn feedback(self, outbox: OutboxHandle<T>) -> Self {
        self.link.from.push(Feed {
            feedback: true,
            ..Feed::port(outbox)
        });
        self
    }
}

/// Stands for the faults of a graph while it is wired; made by [`Graph::faults`].
#[derive(Debug)]
pub struct FaultsHandle(());

/// What may be linked to what: an outbox to an inbox of the same message type.
#[diagnostic::on_unimplemented(
    message = "cannot link `{Self}` to `{I}`",
    label = "these two ends do not fit",
    note = "a link leads from an outbox to an inbox of the same message type, in this order: `graph.link(outbox, inbox)`"
)]
pub trait LinksTo<I> {
    /// What travels over the link.
    type Message: Message;

    #[doc(hidden)]
    fn into_link(self, inbox: I) -> NewLink;
}

/// A link that is about to enter its graph.
#[doc(hidden)]
#[derive(Debug)]
pub struct NewLink(Link);

impl<T: Message> LinksTo<InboxHandle<T>> for OutboxHandle<T> {
    type Message = T;

    fn into_link(self, inbox: InboxHandle<T>) -> NewLink {
        let mut link = Link::new(LinkKind::of::<T>(), Some(inbox.key));
        link.from.push(Feed::port(self));
        NewLink(link)
    }
}

impl LinksTo<InboxHandle<Fault>> for FaultsHandle {
    type Message = Fault;

    fn into_link(self, inbox: InboxHandle<Fault>) -> NewLink {
        let mut link = Link::new(LinkKind::of::<Fault>(), Some(inbox.key));
        link.from.push(Feed {
            outbox: Origin::Faults,
            feedback: false,
        });
        NewLink(link)
    }
}
