//! The ports of a component as a struct, and the handles that a graph uses to wire them.

mod common;
mod erased;
mod handles;
mod kinds;
mod wiring;

pub use common::{Pipe, PipeHandles, Sink, SinkHandles, Source, SourceHandles};
pub use erased::{AnyInbox, AnyOutbox, AnyOutboxes, AnyPort, MessageType, WrongMessage};
pub(crate) use handles::PortKey;
pub use handles::{ComponentId, InboxHandle, OutboxHandle, OutboxesHandle};
pub use kamea_derive::Ports;
pub use kinds::Outboxes;
pub use wiring::Wiring;
pub(crate) use wiring::{AnyLink, CloneMessage, Cloning, DetachedWiring, LettersLink, PortLink};

use crate::port::{Letter, Message};

/// The ports of a component: a struct whose fields are inboxes and outboxes.
///
/// Use the derive. It also makes a struct of the same name plus `Handles`, with the same fields,
/// which [`Graph::add`](crate::Graph::add) returns for wiring. A field is an
/// [`Inbox`](crate::Inbox), an [`Outbox`](crate::Outbox), an `Option` of either (it may stay
/// unlinked), or [`Outboxes`] (any number of links).
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

    /// The descriptions of the ports, in the order of their fields.
    const PORTS: &'static [PortInfo];

    #[doc(hidden)]
    fn handles(component: ComponentId) -> Self::Handles;

    /// The handles with erased message types, in the order of [`PORTS`](Self::PORTS).
    #[doc(hidden)]
    fn erase(handles: Self::Handles) -> Vec<AnyPort>;

    #[doc(hidden)]
    fn open(wiring: &mut Wiring<'_>) -> Self;

    /// The messages in hand, on their way to the dead letters after the component has failed.
    #[doc(hidden)]
    fn dead_letters(&self) -> Vec<Letter<'_>>;
}

/// One port of a component, as declared in its struct of ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PortInfo {
    /// The name of the field.
    pub name: &'static str,
    /// Which end of a link it is.
    pub direction: Direction,
    /// Whether the port may stay unlinked.
    pub optional: bool,
    /// Whether the port has any number of outboxes.
    pub many: bool,
    /// The type of its messages.
    pub message: MessageType,
    /// The doc comment of the field.
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
    /// The type of the port's messages.
    type Message: Message;
    /// The handle of the port while a graph is wired.
    type Handle;
    /// Which end of a link it is.
    const DIRECTION: Direction;
    /// Whether the port may stay unlinked.
    const OPTIONAL: bool;
    /// Whether the port has any number of ends.
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
