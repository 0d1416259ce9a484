//! How the ports of a component find their links while its graph starts.

use std::any::Any;
use std::marker::PhantomData;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

use super::{Direction, Port, PortInfo, Ports};
use crate::fuse::Fused;
use crate::graph::PlannedComponent;
use crate::link::Counted;
use crate::link::across::{AnyEnds, Ends};
use crate::link::circle::Busy;
use crate::link::joined::Joined;
use crate::link::within::{AnyQueue, Queue};
use crate::port::{CopyingInbox, Inbox, Message, Outbox};

/// One link of a graph that is being started, with its message type erased.
pub(crate) enum AnyLink {
    /// A [`Queue`] of the link's message type.
    Within(Rc<dyn AnyQueue>),
    /// The [`Ends`] of the link's message type.
    Across(Box<dyn AnyEnds>),
    /// An inbox behind a function, an `Option<Inbox>` of the link's message type, once the function
    /// has been fused.
    Fused(Box<dyn Any>),
    /// The counters of a link whose ends have all been taken.
    Taken(Arc<dyn Counted>),
}

impl AnyLink {
    /// Drops the ends, once all ports are open.
    pub(crate) fn let_go(&mut self) {
        if let Self::Across(ends) = self {
            *self = Self::Taken(ends.counted());
        }
    }

    /// Its counters, unless a fused function replaces it.
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
    links: Links<'a>,
    ports: slice::Iter<'a, Box<[PortLink]>>,
    /// The name of a function that will be fused into the inbox that it feeds.
    fuses: Option<&'a Arc<str>>,
    /// How many ports have been opened.
    opened: usize,
    letters: &'a [LettersLink],
}

/// The links of a graph.
enum Links<'a> {
    /// While it starts.
    Starting(&'a mut [AnyLink]),
    /// While it runs: there are queues inside of the flow, and nothing else can be opened.
    Running(&'a [AnyLink]),
}

impl Links<'_> {
    fn get(&self, link: usize) -> &AnyLink {
        match self {
            Self::Starting(links) => &links[link],
            Self::Running(links) => &links[link],
        }
    }

    fn get_mut(&mut self, link: usize) -> &mut AnyLink {
        match self {
            Self::Starting(links) => &mut links[link],
            Self::Running(_) => unreachable!("{OPENED}"),
        }
    }
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
    /// Whether this outbox keeps the link open (false for a feedback link).
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
        Self::over(Links::Starting(links), ports, letters)
    }

    /// The wiring of a component that is made while its flow runs: see
    /// [`Plan::find_late`](crate::graph::Plan::find_late).
    pub(crate) fn late(links: &'a [AnyLink], ports: &'a [Box<[PortLink]>]) -> Self {
        Self::over(Links::Running(links), ports, &[])
    }

    fn over(links: Links<'a>, ports: &'a [Box<[PortLink]>], letters: &'a [LettersLink]) -> Self {
        Self {
            links,
            ports: ports.iter(),
            fuses: None,
            opened: 0,
            letters,
        }
    }

    /// The wiring of a function that will be fused.
    pub(crate) fn fusing(links: &'a mut [AnyLink], function: &'a PlannedComponent) -> Self {
        Self {
            fuses: Some(&function.name),
            ..Self::new(links, &function.ports, &[])
        }
    }

    pub(crate) fn fuses(&self) -> Option<Arc<str>> {
        self.fuses.cloned()
    }

    /// Whether its ports have been opened.
    pub(crate) fn has_opened(&self) -> bool {
        self.opened > 0
    }

    pub(crate) fn open<P: Ports>(&mut self) -> P {
        P::open(self)
    }

    /// Replaces the link that a function feeds by the function, whose ports are those of a
    /// [`Pipe`].
    pub(crate) fn fuse<A: Message, B: Message, F: Fused<B> + 'static>(
        &mut self,
        function: impl FnOnce(Inbox<A>) -> F,
    ) {
        let upstream = Inbox::<A>::open(self);
        let behind = Inbox::<B>::fused(Box::new(function(upstream)));
        if let Some(at) = self.next_port().first() {
            *self.links.get_mut(at.link) = AnyLink::Fused(Box::new(Some(behind)));
        }
    }

    /// The ends that this component needs, which are opened on another thread.
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
        let AnyLink::Across(ends) = self.links.get_mut(at.link) else {
            unreachable!("the plan gives a component on a thread of its own links across threads");
        };
        if direction == Direction::Inbox
            && detached.busy.is_none()
            && let Some(link) = ends.circle()
        {
            detached.busy = Some(Busy::begin(link.under_way().clone()));
        }
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

    /// The links of the next port: ports open in the order of their fields.
    pub(super) fn next_port(&mut self) -> &'a [PortLink] {
        self.opened += 1;
        self.ports
            .next()
            .expect("a component has the ports that its struct declares")
    }

    /// The inbox at the end of a link, for the port that was just opened.
    pub(super) fn inbox<T: Message>(&mut self, at: PortLink) -> Inbox<T> {
        let port = self.opened - 1;
        match self.letters.iter().find(|letters| letters.port == port) {
            None => self.bare_inbox(at),
            Some(letters) => {
                let inbox = self.bare_inbox(at);
                let clone = letters.clone.downcast_ref().expect(TYPED);
                let letters = self.outbox(letters.at);
                Inbox::fused(Box::new(CopyingInbox::new(inbox, *clone, letters)))
            }
        }
    }

    fn bare_inbox<T: Message>(&mut self, at: PortLink) -> Inbox<T> {
        if let AnyLink::Within(queue) = self.links.get(at.link) {
            return Inbox::within(downcast(queue));
        }
        match self.links.get_mut(at.link) {
            AnyLink::Across(ends) => {
                let inbox = ends_of::<T>(&mut **ends).inbox();
                inbox.expect("the graph was checked: a link leads to one inbox")
            }
            AnyLink::Fused(behind) => {
                let inbox = behind.downcast_mut::<Option<Inbox<T>>>();
                let inbox = inbox.and_then(Option::take);
                inbox.expect("a function starts before the component that it is fused with")
            }
            AnyLink::Within(_) | AnyLink::Taken(_) => unreachable!("{OPENED}"),
        }
    }

    /// The links of an open port, if this link stands for them.
    pub(super) fn open_port<T: Message>(&mut self, at: PortLink) -> Option<Arc<Joined<T>>> {
        match &mut self.links {
            Links::Starting(links) => match &mut links[at.link] {
                AnyLink::Across(ends) => ends_of::<T>(&mut **ends).open_port().cloned(),
                _ => None,
            },
            Links::Running(_) => None,
        }
    }

    pub(crate) fn outbox<T: Message>(&mut self, at: PortLink) -> Outbox<T> {
        if let AnyLink::Within(queue) = self.links.get(at.link) {
            return Outbox::within(downcast(queue), at.holds, at.feed);
        }
        match self.links.get_mut(at.link) {
            AnyLink::Across(ends) => {
                let outbox = ends_of::<T>(&mut **ends).outbox(at.holds, at.feed);
                outbox.expect("an outbox opens where its link has its sender")
            }
            AnyLink::Fused(_) => {
                unreachable!("only a function feeds the inbox that it is fused into")
            }
            AnyLink::Within(_) | AnyLink::Taken(_) => unreachable!("{OPENED}"),
        }
    }
}

/// The wiring of a component that opens its ports on a thread of its own.
#[derive(Default)]
pub(crate) struct DetachedWiring {
    links: Vec<Box<dyn AnyEnds>>,
    ports: Vec<Box<[PortLink]>>,
    letters: Vec<LettersLink>,
    /// Holds the links open for its outboxes. It stays with the flow: a thread cannot be ended from
    /// outside, but its links can be closed.
    pub(crate) held: Vec<Box<dyn AnyEnds>>,
    /// Marks the thread as having work, if it is in a circle.
    pub(crate) busy: Option<Busy>,
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
