//! Components: async functions over their ports.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;

use crate::port::Closed;
use crate::ports::{Ports, Wiring};
use crate::supervision::{Ended, attempt};

/// How a component ends: `Ok(())` when its work is done, [`End`] when it cannot continue.
pub type Done = Result<(), End>;

/// The reason why a component cannot continue. `?` makes it from [`Closed`] and from any error.
///
/// # Examples
///
/// ```
/// use kamea::{Done, Pipe};
///
/// async fn parse(io: &mut Pipe<String, u32>) -> Done {
///     while let Some(line) = io.inbox.next().await {
///         let number = line.parse()?;        // not a number: a fault
///         io.outbox.send(number).await?;     // downstream has ended: a quiet end
///     }
///     Ok(())
/// }
/// ```
#[derive(Debug)]
pub enum End {
    /// The downstream component has ended: a quiet end, not a fault.
    Closed,
    /// An error: it becomes a [`Fault`](crate::Fault).
    Error(Box<dyn Error + Send + Sync>),
}

impl<T> From<Closed<T>> for End {
    fn from(_: Closed<T>) -> Self {
        Self::Closed
    }
}

// `Closed` and `End` do not implement `Error`, which keeps these two conversions apart.
impl<E: Error + Send + Sync + 'static> From<E> for End {
    fn from(error: E) -> Self {
        Self::Error(Box::new(error))
    }
}

impl End {
    /// Makes a fault with the given text.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Done, End, Sink};
    ///
    /// async fn expect_silence(io: &mut Sink<String>) -> Done {
    ///     match io.inbox.next().await {
    ///         Some(line) => Err(End::fault(format!("somebody said {line:?}"))),
    ///         None => Ok(()),
    ///     }
    /// }
    /// ```
    pub fn fault(text: impl Into<String>) -> Self {
        Self::Error(text.into().into())
    }
}

/// A component that has been started. It runs when it is polled.
pub type Started = Pin<Box<dyn Future<Output = Ended>>>;

/// The building block of a graph. It runs over a struct of ports `P`, and does not know the other
/// ends of its links.
///
/// Every async function and async closure that takes `&mut P` and returns [`Done`] implements it.
/// You rarely implement it yourself.
///
/// # Examples
///
/// ```
/// use kamea::{Component, Done, Pipe};
///
/// /// Upper-cases every line.
/// async fn shout(io: &mut Pipe<String, String>) -> Done {
///     while let Some(line) = io.inbox.next().await {
///         io.outbox.send(line.to_uppercase()).await?;
///     }
///     Ok(())
/// }
///
/// /// Lets the first `count` messages through.
/// fn take<T: kamea::Message>(count: usize) -> impl Component<Pipe<T, T>> + Clone {
///     async move |io: &mut Pipe<T, T>| {
///         for _ in 0..count {
///             let Some(message) = io.inbox.next().await else { break };
///             io.outbox.send(message).await?;
///         }
///         Ok(())
///     }
/// }
///
/// fn is_a_component<P: kamea::Ports>(_: impl Component<P>) {}
/// is_a_component(shout);
/// is_a_component(take::<u32>(3));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a component over the ports `{P}`",
    label = "not a component",
    note = "a component is an async function or async closure that takes `&mut {P}` and returns `kamea::Done`"
)]
pub trait Component<P: Ports>: 'static {
    /// Whether it is a function of each message. A graph may fuse such a function into the inbox
    /// that it feeds.
    #[doc(hidden)]
    const IS_FUNCTION: bool = false;

    /// Whether it ends by itself when its graph is stopped, although it may have no inbox.
    #[doc(hidden)]
    const HEEDS_STOP: bool = false;

    /// Whether it does nothing before its first message, so that a template may make it when that
    /// message comes.
    #[doc(hidden)]
    const NEEDS_MESSAGE: bool = false;

    /// Starts the component over ports that are linked.
    #[doc(hidden)]
    fn start(self, ports: P) -> Started;

    /// Opens its ports, and starts it over them.
    #[doc(hidden)]
    fn start_in(self, wiring: &mut Wiring<'_>) -> Started
    where
        Self: Sized,
    {
        self.start(wiring.open())
    }
}

impl<P, F> Component<P> for F
where
    P: Ports,
    F: AsyncFnMut(&mut P) -> Done + 'static,
{
    fn start(self, ports: P) -> Started {
        Box::pin(attempt(self, ports))
    }
}

/// Marks a component without inboxes as one that ends by itself: a graceful stop of its graph does
/// not drop it. It must end once [`stopping`](crate::stopping) returns true, after it has passed on
/// everything that was accepted for it elsewhere.
///
/// # Examples
///
/// ```
/// use kamea::{Component, Done, Source, heeds_stop, stopping};
///
/// /// Sends the last number when its graph is stopped.
/// async fn last_words(io: &mut Source<u32>) -> Done {
///     stopping().await;
///     Ok(io.outbox.send(42).await?)
/// }
///
/// # let mut graph = kamea::Graph::new("test");
/// let part = graph.add("last words", heeds_stop(last_words));
/// # let mut words = graph.take(part.outbox);
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// # running.stop();
/// # assert_eq!(words.next_blocking(), Some(42));
/// # Ok::<(), kamea::GraphError>(())
/// ```
pub fn heeds_stop<C>(component: C) -> HeedsStop<C> {
    HeedsStop(component)
}

/// A component that ends by itself when its graph is stopped. Made by [`heeds_stop`].
#[derive(Debug, Clone)]
pub struct HeedsStop<C>(C);

impl<P: Ports, C: Component<P>> Component<P> for HeedsStop<C> {
    const HEEDS_STOP: bool = true;

    fn start(self, ports: P) -> Started {
        self.0.start(ports)
    }
}

/// Marks a component that does nothing before its first message, and nothing at all without one. An
/// instance of a [`Template`](crate::Template) makes it when that message comes, so an instance in
/// which it gets none costs nothing for it. In any other graph it starts with the others.
///
/// # Examples
///
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
/// use kamea::{Graph, Pipe, Sink, Source, at_first_message};
///
/// let mut graph = Graph::template("mostly quiet");
/// let source = graph.add_seeded("source", |(_, last): &mut (Rc<Cell<u32>>, u32)| {
///     let last = *last;
///     async move |io: &mut Source<u32>| {
///         for number in 0..last {
///             io.outbox.send(number).await?;
///         }
///         Ok(())
///     }
/// });
/// let sink = graph.add_seeded("sink", |(made, _): &mut (Rc<Cell<u32>>, u32)| {
///     made.set(made.get() + 1);
///     at_first_message(async |io: &mut Sink<u32>| {
///         while io.inbox.next().await.is_some() {}
///         Ok(())
///     })
/// });
/// graph.link(source.outbox, sink.inbox);
/// let template = graph.into_template()?;
///
/// let made = Rc::new(Cell::new(0));
/// for last in [0, 3, 0] {
///     kamea::testing::block_on(template.start((made.clone(), last))).unwrap();
/// }
/// assert_eq!(made.get(), 1);
/// # Ok::<(), kamea::GraphError>(())
/// ```
pub fn at_first_message<C>(component: C) -> AtFirstMessage<C> {
    AtFirstMessage(component)
}

/// A component that does nothing before its first message. Made by [`at_first_message`].
#[derive(Debug, Clone)]
pub struct AtFirstMessage<C>(C);

impl<P: Ports, C: Component<P>> Component<P> for AtFirstMessage<C> {
    const NEEDS_MESSAGE: bool = true;

    fn start(self, ports: P) -> Started {
        self.0.start(ports)
    }
}

/// A component whose type is erased: for a slot that takes any component with these ports.
///
/// # Examples
///
/// ```
/// use kamea::{BoxComponent, Done, Graph, Pipe, Source};
///
/// async fn copy(io: &mut Pipe<u8, u8>) -> Done {
///     while let Some(byte) = io.inbox.next().await {
///         io.outbox.send(byte).await?;
///     }
///     Ok(())
/// }
///
/// let slot: BoxComponent<Pipe<u8, u8>> = BoxComponent::new(copy);
/// let mut graph = Graph::new("any");
/// let stage = graph.add("stage", slot);
/// # let _ = (stage.inbox, stage.outbox);
/// ```
pub struct BoxComponent<P: Ports>(Box<dyn FnOnce(P) -> Started + Send>);

impl<P: Ports> BoxComponent<P> {
    /// Erases the type of a component.
    pub fn new(component: impl Component<P> + Send) -> Self {
        Self(Box::new(|ports| component.start(ports)))
    }
}

impl<P: Ports> std::fmt::Debug for BoxComponent<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BoxComponent<{}>", std::any::type_name::<P>())
    }
}

impl<P: Ports> Component<P> for BoxComponent<P> {
    fn start(self, ports: P) -> Started {
        (self.0)(ports)
    }
}
