//! The ports of a component as a struct, and the handles by which a graph wires them.

use std::any::Any;
use std::marker::PhantomData;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

use crate::fuse::Fused;
use crate::graph::PlannedComponent;
use crate::link::Counted;
use crate::link::across::{AnyEnds, Ends};
use crate::link::within::{AnyQueue, Queue};
use crate::port::{Inbox, Kept, Letter, Message, Outbox};

mod erased;

pub use erased::{AnyInbox, AnyOutbox, AnyOutboxes, AnyPort, MessageType, WrongMessage};

pub use kamea_derive::Ports;

/// The ports of a component: a struct whose fields are inboxes and outboxes.
///
/// Derived. The derive also makes a struct of the same name followed by `Handles`, with the same fields, which
/// [`Graph::add`](crate::Graph::add) returns for wiring. A field is an [`Inbox`], an [`Outbox`], an `Option` of either (it
/// may be left unlinked), or [`Outboxes`] (as many as are linked).
///
/// # Examples
///
/// ```
/// use kamea::{Done, Graph, Inbox, Outbox, Ports};
///
/// /// The ports of [`halve`].
/// #[derive(Ports)]
/// struct HalvePorts {
///     /// Whole numbers.
///     numbers: Inbox<u32>,
///     /// Half of each even number.
///     halves: Outbox<u32>,
///     /// The odd numbers, if anybody wants them.
///     odd: Option<Outbox<u32>>,
/// }
///
/// async fn halve(io: &mut HalvePorts) -> Done {
///     while let Some(number) = io.numbers.next().await {
///         match &io.odd {
///             Some(odd) if number % 2 == 1 => odd.send(number).await?,
///             _ => io.halves.send(number / 2).await?,
///         }
///     }
///     Ok(())
/// }
///
/// let mut graph = Graph::new("halving");
/// let halve = graph.add("halve", halve);
/// let (numbers, halves) = (graph.feed(halve.numbers), graph.take(halve.halves));
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// let running = scheduler.run(graph)?;
/// numbers.send_blocking(10).unwrap();
/// drop(numbers);
/// assert_eq!(halves.into_iter().collect::<Vec<_>>(), [5]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a struct of ports",
    label = "not a struct of ports",
    note = "put `#[derive(Ports)]` on a struct whose fields are inboxes and outboxes, and let the component take `&mut` of it"
)]
pub trait Ports: Sized + 'static {
    /// The same ports as handles, for wiring.
    type Handles;

    /// What the ports are, in the order of their fields.
    const PORTS: &'static [PortInfo];

    #[doc(hidden)]
    fn handles(component: ComponentId) -> Self::Handles;

    /// The handles, their message types erased, in the order of [`PORTS`](Self::PORTS).
    #[doc(hidden)]
    fn erase(handles: Self::Handles) -> Vec<AnyPort>;

    #[doc(hidden)]
    fn open(wiring: &mut Wiring<'_>) -> Self;

    /// The messages in hand, on their way to where the graph wants them when the component has failed.
    #[doc(hidden)]
    fn dead_letters(&self) -> Vec<Letter<'_>>;
}

/// One port of a component, as its struct of ports declares it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortInfo {
    /// The name of the field.
    pub name: &'static str,
    /// Which end of a link it is.
    pub direction: Direction,
    /// Whether the graph may leave it unlinked.
    pub optional: bool,
    /// Whether it is as many outboxes as the graph wants.
    pub many: bool,
    /// What travels through it.
    pub message: MessageType,
    /// What the comment on the field says.
    pub doc: &'static str,
}

impl PortInfo {
    #[doc(hidden)]
    pub const fn of<P: Port>(name: &'static str, doc: &'static str) -> Self {
        Self {
            name,
            direction: P::DIRECTION,
            optional: P::OPTIONAL,
            many: P::MANY,
            message: MessageType::of::<P::Message>(),
            doc,
        }
    }
}

/// Which end of a link a port is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Messages come in.
    Inbox,
    /// Messages go out.
    Outbox,
}

impl std::fmt::Display for Direction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Inbox => "inbox",
            Self::Outbox => "outbox",
        })
    }
}

/// A type that a field of a [`Ports`] struct may have.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a port",
    label = "not a port",
    note = "a port is an `Inbox<T>`, an `Outbox<T>`, an `Option` of either, or `Outboxes<T>`"
)]
pub trait Port: Sized + 'static {
    /// What travels through the port.
    type Message: Message;
    /// What stands for the port while a graph is wired.
    type Handle;
    /// Which end of a link it is.
    const DIRECTION: Direction;
    /// Whether the graph may leave it unlinked.
    const OPTIONAL: bool;
    /// Whether it is as many ends as the graph wants.
    const MANY: bool = false;

    #[doc(hidden)]
    fn handle(component: ComponentId, port: usize) -> Self::Handle;

    #[doc(hidden)]
    fn erase(handle: Self::Handle) -> AnyPort;

    #[doc(hidden)]
    fn open(wiring: &mut Wiring<'_>) -> Self;

    #[doc(hidden)]
    fn dead_letter(&self) -> Option<Letter<'_>> {
        None
    }
}

/// Names a component of a graph that is being wired; unique in the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ComponentId(pub(crate) u64);

/// Names a port of a component; `branch` counts the outboxes of an [`Outboxes`] port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PortKey {
    pub(crate) component: ComponentId,
    pub(crate) port: usize,
    pub(crate) branch: usize,
}

/// Stands for an [`Inbox`] while a graph is wired. Linking consumes it: a port is linked once.
#[derive(Debug)]
#[must_use = "an inbox that is not linked is an error of the graph"]
pub struct InboxHandle<T> {
    pub(crate) key: PortKey,
    message: PhantomData<fn(T)>,
}

/// Stands for an [`Outbox`] while a graph is wired. Linking consumes it: a port is linked once.
#[derive(Debug)]
#[must_use = "an outbox that is not linked is an error of the graph"]
pub struct OutboxHandle<T> {
    pub(crate) key: PortKey,
    message: PhantomData<fn() -> T>,
}

impl<T> InboxHandle<T> {
    pub(crate) fn new(key: PortKey) -> Self {
        Self {
            key,
            message: PhantomData,
        }
    }
}

impl<T> OutboxHandle<T> {
    pub(crate) fn new(key: PortKey) -> Self {
        Self {
            key,
            message: PhantomData,
        }
    }
}

/// Stands for an [`Outboxes`] port while a graph is wired; gives a handle for each outbox that is wanted.
#[derive(Debug)]
pub struct OutboxesHandle<T> {
    pub(crate) next: PortKey,
    message: PhantomData<fn() -> T>,
}

impl<T> OutboxesHandle<T> {
    /// One more outbox. The component finds them in the order in which they were asked for.
    pub fn branch(&mut self) -> OutboxHandle<T> {
        let key = self.next;
        self.next.branch += 1;
        OutboxHandle::new(key)
    }
}

impl<T: Message> Port for Inbox<T> {
    type Message = T;
    type Handle = InboxHandle<T>;
    const DIRECTION: Direction = Direction::Inbox;
    const OPTIONAL: bool = false;

    fn handle(component: ComponentId, port: usize) -> Self::Handle {
        InboxHandle::new(PortKey {
            component,
            port,
            branch: 0,
        })
    }

    fn erase(handle: Self::Handle) -> AnyPort {
        AnyPort::Inbox(handle.into())
    }

    fn open(wiring: &mut Wiring<'_>) -> Self {
        let link = wiring
            .next_port()
            .first()
            .expect("the graph was checked: an inbox is linked");
        wiring.inbox(*link)
    }

    fn dead_letter(&self) -> Option<Letter<'_>> {
        self.dead_letter()
    }
}

impl<T: Message> Port for Outbox<T> {
    type Message = T;
    type Handle = OutboxHandle<T>;
    const DIRECTION: Direction = Direction::Outbox;
    const OPTIONAL: bool = false;

    fn handle(component: ComponentId, port: usize) -> Self::Handle {
        OutboxHandle::new(PortKey {
            component,
            port,
            branch: 0,
        })
    }

    fn erase(handle: Self::Handle) -> AnyPort {
        AnyPort::Outbox(handle.into())
    }

    fn open(wiring: &mut Wiring<'_>) -> Self {
        let link = wiring
            .next_port()
            .first()
            .expect("the graph was checked: an outbox is linked");
        wiring.outbox(*link)
    }
}

impl<T: Message> Port for Option<Inbox<T>> {
    type Message = T;
    type Handle = InboxHandle<T>;
    const DIRECTION: Direction = Direction::Inbox;
    const OPTIONAL: bool = true;

    fn handle(component: ComponentId, port: usize) -> Self::Handle {
        Inbox::<T>::handle(component, port)
    }

    fn erase(handle: Self::Handle) -> AnyPort {
        AnyPort::Inbox(handle.into())
    }

    fn open(wiring: &mut Wiring<'_>) -> Self {
        wiring.next_port().first().map(|link| wiring.inbox(*link))
    }

    fn dead_letter(&self) -> Option<Letter<'_>> {
        self.as_ref()?.dead_letter()
    }
}

impl<T: Message> Port for Option<Outbox<T>> {
    type Message = T;
    type Handle = OutboxHandle<T>;
    const DIRECTION: Direction = Direction::Outbox;
    const OPTIONAL: bool = true;

    fn handle(component: ComponentId, port: usize) -> Self::Handle {
        Outbox::<T>::handle(component, port)
    }

    fn erase(handle: Self::Handle) -> AnyPort {
        AnyPort::Outbox(handle.into())
    }

    fn open(wiring: &mut Wiring<'_>) -> Self {
        wiring.next_port().first().map(|link| wiring.outbox(*link))
    }
}

/// A port of as many outboxes as the graph links, possibly none: what a router chooses among.
///
/// It is a slice of [`Outbox`]es, in the order in which the graph asked for them with [`OutboxesHandle::branch`].
#[derive(Debug)]
pub struct Outboxes<T>(Box<[Outbox<T>]>);

impl<T> std::ops::Deref for Outboxes<T> {
    type Target = [Outbox<T>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<T: Message> Port for Outboxes<T> {
    type Message = T;
    type Handle = OutboxesHandle<T>;
    const DIRECTION: Direction = Direction::Outbox;
    const OPTIONAL: bool = true;
    const MANY: bool = true;

    fn handle(component: ComponentId, port: usize) -> Self::Handle {
        OutboxesHandle {
            next: PortKey {
                component,
                port,
                branch: 0,
            },
            message: PhantomData,
        }
    }

    fn erase(handle: Self::Handle) -> AnyPort {
        AnyPort::Outboxes(handle.into())
    }

    fn open(wiring: &mut Wiring<'_>) -> Self {
        Self(
            wiring
                .next_port()
                .iter()
                .map(|link| wiring.outbox(*link))
                .collect(),
        )
    }
}

/// One link of a graph that is being started, its message type erased.
pub(crate) enum AnyLink {
    /// A [`Queue`] of the link's message type.
    Within(Rc<dyn AnyQueue>),
    /// The [`Ends`] of the link's message type.
    Across(Box<dyn AnyEnds>),
    /// An inbox behind a function, an `Option<Inbox>` of the link's message type, once the function has been fused.
    Fused(Box<dyn Any>),
    /// The counters of one whose ends have all been taken.
    Taken(Arc<dyn Counted>),
}

impl AnyLink {
    /// Lets go of the ends, once all ports are open.
    pub(crate) fn let_go(&mut self) {
        if let Self::Across(ends) = self {
            *self = Self::Taken(ends.counted());
        }
    }

    /// Its counters, unless a function stands in its place.
    pub(crate) fn counted(&self) -> Option<&dyn Counted> {
        match self {
            Self::Within(queue) => Some(&**queue),
            Self::Taken(counted) => Some(&**counted),
            Self::Across(_) | Self::Fused(_) => None,
        }
    }
}

/// Where the ports of one component find their links while the graph starts.
#[doc(hidden)]
pub struct Wiring<'a> {
    links: &'a mut [AnyLink],
    ports: slice::Iter<'a, Box<[PortLink]>>,
    /// The name of a function that is to be fused into the inbox that it feeds.
    fuses: Option<&'a Arc<str>>,
    /// How many ports have been opened.
    opened: usize,
    letters: &'a [LettersLink],
}

impl std::fmt::Debug for Wiring<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Wiring({} ports)", self.ports.len())
    }
}

/// The link of a port (or of one branch of it), by its number in the graph.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PortLink {
    pub(crate) link: usize,
    /// Whether the link stays open for this outbox's sake (false at a feedback link).
    pub(crate) holds: bool,
    /// The number of this outbox among those that feed the link.
    pub(crate) feed: usize,
}

/// Where the messages in hand of an inbox go if its component fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LettersLink {
    /// The number of the inbox among the ports of its component.
    pub(crate) port: usize,
    pub(crate) at: PortLink,
    pub(crate) clone: CloneMessage,
}

/// A `fn(&T) -> T` for the message type `T` of an inbox.
pub(crate) type CloneMessage = &'static (dyn Any + Send + Sync);

/// How messages of type `T` are cloned, once the type is erased.
pub(crate) struct Cloning<T>(PhantomData<T>);

impl<T: Message + Clone> Cloning<T> {
    pub(crate) const FUNCTION: CloneMessage = &(T::clone as fn(&T) -> T);
}

impl<'a> Wiring<'a> {
    pub(crate) fn new(
        links: &'a mut [AnyLink],
        ports: &'a [Box<[PortLink]>],
        letters: &'a [LettersLink],
    ) -> Self {
        Self {
            links,
            ports: ports.iter(),
            fuses: None,
            opened: 0,
            letters,
        }
    }

    /// The wiring of a function that is to be fused.
    pub(crate) fn fusing(links: &'a mut [AnyLink], function: &'a PlannedComponent) -> Self {
        Self {
            fuses: Some(&function.name),
            ..Self::new(links, &function.ports, &[])
        }
    }

    pub(crate) fn fuses(&self) -> Option<Arc<str>> {
        self.fuses.cloned()
    }

    pub(crate) fn open<P: Ports>(&mut self) -> P {
        P::open(self)
    }

    /// Puts a function, whose ports are those of a [`Pipe`], into the place of the link that it feeds.
    pub(crate) fn fuse<A: Message, B: Message, F: Fused<B> + 'static>(
        &mut self,
        function: impl FnOnce(Inbox<A>) -> F,
    ) {
        let upstream = Inbox::<A>::open(self);
        let behind = Inbox::<B>::fused(Box::new(function(upstream)));
        if let Some(at) = self.next_port().first() {
            self.links[at.link] = AnyLink::Fused(Box::new(Some(behind)));
        }
    }

    /// The ends that this component needs, to be opened on another thread.
    pub(crate) fn detach(&mut self, ports: &[PortInfo]) -> DetachedWiring {
        let mut detached = DetachedWiring::default();
        for info in ports {
            let here = self.next_port().iter();
            let there = here.map(|at| self.detach_link(*at, info.direction, &mut detached));
            let there = there.collect();
            detached.ports.push(there);
        }
        for letters in self.letters {
            let at = self.detach_link(letters.at, Direction::Outbox, &mut detached);
            detached.letters.push(LettersLink { at, ..*letters });
        }
        detached
    }

    fn detach_link(
        &mut self,
        at: PortLink,
        direction: Direction,
        detached: &mut DetachedWiring,
    ) -> PortLink {
        let AnyLink::Across(ends) = &mut self.links[at.link] else {
            unreachable!("the plan gives a component on a thread of its own links across threads");
        };
        if at.holds && direction == Direction::Outbox {
            detached.held.push(ends.split_off(direction));
        }
        detached.links.push(ends.split_off(direction));
        PortLink {
            link: detached.links.len() - 1,
            holds: false,
            ..at
        }
    }

    /// The links of the port whose turn it is: ports open in the order of their fields.
    fn next_port(&mut self) -> &'a [PortLink] {
        self.opened += 1;
        self.ports
            .next()
            .expect("a component has the ports that its struct declares")
    }

    /// The inbox at the end of a link, for the port whose turn it was.
    fn inbox<T: Message>(&mut self, at: PortLink) -> Inbox<T> {
        let port = self.opened - 1;
        match self.letters.iter().find(|letters| letters.port == port) {
            None => self.bare_inbox(at),
            Some(letters) => {
                let inbox = self.bare_inbox(at);
                let clone = letters.clone.downcast_ref().expect(TYPED);
                let letters = self.outbox(letters.at);
                Inbox::fused(Box::new(Kept::new(inbox, *clone, letters)))
            }
        }
    }

    fn bare_inbox<T: Message>(&mut self, at: PortLink) -> Inbox<T> {
        match &mut self.links[at.link] {
            AnyLink::Within(queue) => Inbox::within(downcast(queue)),
            AnyLink::Across(ends) => {
                let receiver = ends_of::<T>(&mut **ends).take_receiver();
                Inbox::from(receiver.expect("the graph was checked: a link leads to one inbox"))
            }
            AnyLink::Fused(behind) => {
                let inbox = behind.downcast_mut::<Option<Inbox<T>>>();
                let inbox = inbox.and_then(Option::take);
                inbox.expect("a function starts before the component that it is fused with")
            }
            AnyLink::Taken(_) => unreachable!("{OPENED}"),
        }
    }

    pub(crate) fn outbox<T: Message>(&mut self, at: PortLink) -> Outbox<T> {
        match &mut self.links[at.link] {
            AnyLink::Within(queue) => Outbox::within(downcast(queue), at.holds, at.feed),
            AnyLink::Across(ends) => {
                let sender = ends_of::<T>(&mut **ends).sender();
                Outbox::across(
                    sender.expect("an outbox opens where its link has its sender"),
                    at.holds,
                    at.feed,
                )
            }
            AnyLink::Fused(_) => {
                unreachable!("only a function feeds the inbox that it is fused into")
            }
            AnyLink::Taken(_) => unreachable!("{OPENED}"),
        }
    }
}

/// The wiring of a component that opens its ports on a thread of its own.
#[derive(Default)]
pub(crate) struct DetachedWiring {
    links: Vec<Box<dyn AnyEnds>>,
    ports: Vec<Box<[PortLink]>>,
    letters: Vec<LettersLink>,
    /// What holds the links open for its outboxes. It stays with the flow: a thread cannot be ended from outside, but its links can.
    pub(crate) held: Vec<Box<dyn AnyEnds>>,
}

impl DetachedWiring {
    pub(crate) fn open<P: Ports>(self) -> P {
        let mut links: Vec<_> = self.links.into_iter().map(AnyLink::Across).collect();
        P::open(&mut Wiring::new(&mut links, &self.ports, &self.letters))
    }
}

const OPENED: &str = "all ports are open before the links are let go";
const TYPED: &str = "a link was made for the message type of the handles that it joins";

fn downcast<T: Message>(queue: &Rc<dyn AnyQueue>) -> Rc<Queue<T>> {
    let queue: Rc<dyn Any> = queue.clone();
    queue.downcast().expect(TYPED)
}

fn ends_of<T: Message>(ends: &mut dyn AnyEnds) -> &mut Ends<T> {
    ends.as_any().downcast_mut().expect(TYPED)
}

/// The ports of a component that takes messages and gives messages: a stage in the middle of a pipeline.
#[derive(Debug, Ports)]
pub struct Pipe<A: Message, B: Message> {
    /// What comes in.
    pub inbox: Inbox<A>,
    /// What goes out.
    pub outbox: Outbox<B>,
}

/// The ports of a component that only gives messages: the start of a pipeline.
#[derive(Debug, Ports)]
pub struct Source<T: Message> {
    /// What goes out.
    pub outbox: Outbox<T>,
}

/// The ports of a component that only takes messages: the end of a pipeline.
#[derive(Debug, Ports)]
pub struct Sink<T: Message> {
    /// What comes in.
    pub inbox: Inbox<T>,
}
