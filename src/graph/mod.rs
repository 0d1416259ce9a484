//! Graphs: components and links, under a name.

mod checks;
mod circles;
mod drawing;
mod error;
mod faults;
mod interpose;
#[cfg(test)]
mod large_tests;
mod late;
mod link;
mod names;
mod open_ports;
#[cfg(test)]
mod open_ports_tests;
mod order;
mod outside;
mod part;
mod pipeline;
mod plan;
mod template;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

pub(crate) use circles::PlannedCircle;
pub use error::GraphError;
pub use interpose::LinkEnds;
pub use link::{FaultsHandle, LinkOptions, LinksTo};
pub use open_ports::{OpenInbox, OpenOutboxes};
pub use part::{Composite, Part};
pub use pipeline::{
    Begins, EndHandle, Follows, OpenEnds, OpenTail, Pipeline, PipelineStart, Stage, component_name,
};
pub(crate) use plan::{Plan, PlannedComponent, PlannedLink, PlannedPort};
pub use template::{PerSeed, Template};

use link::{Feed, Link, Origin};

use crate::ask::Release;
use crate::component::{Component, Started};
use crate::flow::Flow;
use crate::link::LinkKind;
use crate::link::across::AnyEnds;
use crate::link::joined::Join;
use crate::port::Message;
use crate::ports::{
    AnyInbox, AnyOutbox, CloneMessage, ComponentId, InboxHandle, OutboxHandle, PortInfo, PortKey,
    Ports, Wiring, WrongMessage,
};
use crate::supervision::{Supervise, Supervisor};

/// Components and the links between them, under a name.
///
/// A [`Scheduler`](crate::Scheduler) runs a complete graph. Inside a component, a complete graph is
/// started as a [`Flow`] and awaited. A graph that lacks some links becomes a component itself once
/// [`expose`](Graph::expose) declares its ports.
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
    /// The inboxes whose messages in hand are kept for the case that their component fails, and how
    /// to clone these messages. As an outbox they have the inbox's own key.
    dead_letters: HashMap<PortKey, CloneMessage>,
    supervise: Option<Supervise>,
}

/// How a component of a [`Graph`] is made: once, from itself.
pub type Once = Box<dyn FnOnce(&mut Wiring<'_>) -> Started + Send>;

/// A component of a graph that does not run yet.
struct Node<Make> {
    id: ComponentId,
    name: String,
    /// The path of its function.
    kind: &'static str,
    /// Where it was added.
    location: &'static Location<'static>,
    ports: &'static [PortInfo],
    /// Whether it runs on a thread of its own.
    own_thread: bool,
    /// Whether it is a function of each message, which may be fused into the inbox that it feeds.
    is_function: bool,
    /// Whether it ends by itself when the graph is stopped.
    heeds_stop: bool,
    /// Whether it does nothing before its first message.
    needs_message: bool,
    /// The policy for its faults, if the graph that it came with has one.
    supervisor: Option<Supervisor>,
    make: Make,
}

impl Graph {
    /// Makes an empty graph.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self::empty(name.into())
    }

    /// Adds a component under a name that is unique in the graph. Returns its ports for wiring.
    ///
    /// `part` is an async function over a struct of ports, a [`blocking`](crate::blocking)
    /// component, or a graph with [exposed](Graph::expose) ports.
    #[track_caller]
    pub fn add<P: Ports, Kind>(&mut self, name: &str, part: impl Part<P, Kind>) -> P::Handles {
        part.join(self, name)
    }

    /// Turns a graph that lacks some links into a component. `ports` maps its open ports to those
    /// of `P`.
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

    /// Checks the graph and starts it on this thread, as a future. Use it inside a component.
    /// Outside of components, a [`Scheduler`](crate::Scheduler) runs graphs.
    ///
    /// # Errors
    ///
    /// [`GraphError`] describes the mistake. Nothing has run.
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
        let mut joins: Vec<_> = self
            .links
            .iter_mut()
            .filter_map(|link| link.join.take())
            .collect();
        joins.iter_mut().for_each(|join| join.join());
        let asked = self
            .links
            .iter_mut()
            .filter_map(|link| link.asked.take())
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
            asked,
            joins,
        })
    }

    #[track_caller]
    fn insert<P: Ports, C>(&mut self, name: &str, own_thread: bool, make: Once) -> P::Handles {
        let id = self.push::<C>(name, P::PORTS, own_thread, make);
        P::handles(id)
    }
}

/// A graph without mistakes, on its way to the place where it will run.
pub(crate) struct Checked {
    plan: Arc<Plan>,
    makes: Vec<Once>,
    premade: Vec<Option<Box<dyn AnyEnds>>>,
    /// The askers of its components.
    asked: Vec<Weak<dyn Release>>,
    /// Its links from open ports of other graphs.
    joins: Vec<Box<dyn Join>>,
}

impl Checked {
    pub(crate) fn name(&self) -> Arc<str> {
        self.plan.graph.clone()
    }

    pub(crate) fn start(self) -> Flow {
        let mut makes: Vec<_> = self.makes.into_iter().map(Some).collect();
        let flow = Flow::start(self.plan, self.premade, move |node, wiring| {
            let make = makes[node].take();
            make.expect("each component is made once")(wiring)
        });
        flow.attached(self.asked, self.joins)
    }
}

impl<Make> Graph<Make> {
    fn empty(name: Arc<str>) -> Self {
        Self {
            name,
            nodes: Vec::new(),
            links: Vec::new(),
            dead_letters: HashMap::new(),
            supervise: None,
        }
    }

    /// Names a port, for observers of other graphs.
    fn name_of(&self, port: PortKey) -> Arc<str> {
        let mut nodes = self.nodes.iter();
        let node = nodes.find(|node| node.id == port.component);
        let port = node.map_or_else(String::new, |node| {
            format!("{}.{}", node.name, node.ports[port.port].name)
        });
        format!("{}: {port}", self.name).into()
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
            heeds_stop: false,
            needs_message: false,
            supervisor: None,
            make,
        });
        id
    }

    /// Records what the type of the last added component declares.
    fn mark<P: Ports, C: Component<P>>(&mut self) {
        if let Some(node) = self.nodes.last_mut() {
            node.is_function = C::IS_FUNCTION;
            node.heeds_stop = C::HEEDS_STOP;
            node.needs_message = C::NEEDS_MESSAGE;
        }
    }

    /// Returns the graph's name.
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

    /// Links several outboxes to one inbox. The inbox stays open until all of them are gone.
    pub fn merge<T: Message>(
        &mut self,
        outboxes: impl IntoIterator<Item = OutboxHandle<T>>,
        inbox: InboxHandle<T>,
    ) -> LinkOptions<'_, T> {
        let mut link = Link::new(LinkKind::of::<T>(), Some(inbox.key));
        link.from.extend(outboxes.into_iter().map(Feed::port));
        self.push_link(link)
    }

    /// Links an outbox to an inbox upstream of it. Such a link closes a circle.
    ///
    /// It is like any other link, but does not keep the inbox open: see [`LinkOptions::feedback`].
    pub fn feedback<T: Message>(
        &mut self,
        outbox: OutboxHandle<T>,
        inbox: InboxHandle<T>,
    ) -> LinkOptions<'_, T> {
        let link = Link::new(LinkKind::of::<T>(), Some(inbox.key));
        self.push_link(link).feedback(outbox)
    }

    /// Links outboxes to an inbox, if their message types are only known at run time.
    ///
    /// # Errors
    ///
    /// [`WrongMessage`] if an outbox and the inbox have different message types. Then nothing is
    /// linked.
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
