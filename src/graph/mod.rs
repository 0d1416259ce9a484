//! Graphs: components and links, under a name.

mod checks;
mod drawing;
mod error;
mod interpose;
mod link;
mod names;
mod order;
mod part;
mod pipeline;
mod plan;
mod template;
#[cfg(test)]
mod tests;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use error::GraphError;
pub use interpose::LinkEnds;
pub use link::{FaultsHandle, LinkOptions, LinksTo};
pub use part::{Composite, Part};
pub use pipeline::{EndHandle, OpenEnds, Pipeline, PipelineStart, Stage, component_name};
pub(crate) use plan::{Plan, PlannedComponent, PlannedLink, PlannedPort};
pub use template::{PerSeed, Template};

use link::{Feed, Link, Origin};

use crate::component::Started;
use crate::flow::Flow;
use crate::link::across::{self, AnyEnds, Ends, Receiver, Sender};
use crate::link::{DEFAULT_CAPACITY, LinkKind};
use crate::port::Message;
use crate::ports::{
    CloneMessage, Cloning, ComponentId, InboxHandle, OutboxHandle, PortInfo, PortKey, Ports, Wiring,
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
        let (sender, receiver) = across::link(DEFAULT_CAPACITY);
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
        let (sender, receiver) = across::link(DEFAULT_CAPACITY);
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
