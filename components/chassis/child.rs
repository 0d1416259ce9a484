//! What the chassis that run one part after another share: a part as a child, joined to the ports
//! of its chassis.
//!
//! ```text
//!  inbox ──▶ ┌ chassis ────────────┐ ──▶ outbox
//!            │   ──▶ the child ──▶ │
//!            └─────────────────────┘
//! ```

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;

use futures_lite::future::or;
use kamea::{
    Children, DEFAULT_CAPACITY, End, Fault, Graph, Inbox, InboxHandle, Leftovers, Message, Outbox,
    Part, Pipe, PipelineStart, Placement, Ports, Receiver, Sender, Source, link, stopping,
};

/// The open inbox of a part that a chassis runs: an [`InboxHandle`], or `()` for a part without an
/// inbox.
pub trait Head {
    /// The type of its messages.
    type Message: Message;
    /// The ports of a chassis over such parts: a [`Pipe`] or a [`Source`].
    type Ports<B: Message>: LinePorts<In = Self::Message, Out = B>;

    #[doc(hidden)]
    fn feed_from(self, graph: &mut Graph, messages: Receiver<Self::Message>);
}

impl Head for () {
    type Message = Infallible;
    type Ports<B: Message> = Source<B>;

    fn feed_from(self, _: &mut Graph, _: Receiver<Infallible>) {}
}

impl<T: Message> Head for InboxHandle<T> {
    type Message = T;
    type Ports<B: Message> = Pipe<T, B>;

    fn feed_from(self, graph: &mut Graph, messages: Receiver<T>) {
        graph.feed_from(messages, self);
    }
}

/// The ports of a line: those of a [`Pipe`] or a [`Source`].
pub trait LinePorts: Ports {
    /// The type of the input.
    type In: Message;
    /// The type of the output.
    type Out: Message;

    #[doc(hidden)]
    fn ends(&mut self) -> (Option<&mut Inbox<Self::In>>, &Outbox<Self::Out>);
}

impl<B: Message> LinePorts for Source<B> {
    type In = Infallible;
    type Out = B;

    fn ends(&mut self) -> (Option<&mut Inbox<Infallible>>, &Outbox<B>) {
        (None, &self.outbox)
    }
}

impl<A: Message, B: Message> LinePorts for Pipe<A, B> {
    type In = A;
    type Out = B;

    fn ends(&mut self) -> (Option<&mut Inbox<A>>, &Outbox<B>) {
        (Some(&mut self.inbox), &self.outbox)
    }
}

/// A part that a chassis is about to run.
pub(super) struct Child<A, B> {
    graph: Graph,
    to: Sender<A>,
    from: Receiver<B>,
    unread: Leftovers<A>,
}

/// How a child ended.
pub(super) struct Ended<R> {
    /// Its replacement, if it was replaced.
    pub(super) replacement: Option<R>,
    pub(super) outcome: Result<(), Fault>,
    /// Whether the inbox of the chassis has ended, and nothing is left for another child.
    pub(super) was_fed: bool,
}

impl<A: Message, B: Message> Child<A, B> {
    #[track_caller]
    pub(super) fn new<P, Kind>(part: impl Part<P, Kind>) -> Self
    where
        P: PipelineStart<Out = B>,
        P::Head: Head<Message = A>,
    {
        let mut graph = Graph::new("child");
        let (head, tail) = P::ends(graph.add("part", part));
        let (to, messages) = link(DEFAULT_CAPACITY);
        let unread = messages.leftovers();
        head.feed_from(&mut graph, messages);
        let from = graph.take(tail);
        Self {
            graph,
            to,
            from,
            unread,
        }
    }

    /// Runs it to its end, or until `replaced` returns its replacement. In that case the child is
    /// closed, and its output is passed on until it has ended. It takes the messages that others
    /// have `left`, and then the input; messages that it leaves unread are put back.
    pub(super) async fn run<R>(
        self,
        inbox: Option<&mut Inbox<A>>,
        outbox: &Outbox<B>,
        left: &mut VecDeque<A>,
        replaced: impl Future<Output = R>,
    ) -> Result<Ended<R>, End> {
        let mut children = Children::new();
        children.start(Placement::Here, self.graph)?;
        let feed = Feed {
            left: RefCell::new(std::mem::take(left)),
            ..Feed::default()
        };
        let mut feeding = pin!(feed.run(inbox, self.to));
        let mut passing = pin!(pass_on(self.from, outbox));

        let replacement = {
            let over = async { passing.as_mut().await.map(|()| None) };
            let replaced = async { Ok(Some(replaced.await)) };
            // Its own sources end; its input continues.
            let stopped = async {
                stopping().await;
                children.stop();
                pending().await
            };
            or(or(over, replaced), or(beside(feeding.as_mut()), stopped)).await?
        };
        if replacement.is_some() {
            feed.is_closing.set(true);
            children.stop();
            or(passing, beside(feeding.as_mut())).await?;
        }
        let outcome = or(children.next_end(), beside(feeding.as_mut())).await;
        // The child is gone now, but the message that was being sent to it still exists.
        let unread: Vec<_> = self.unread.take().collect();
        *left = unread.into_iter().chain(feed.left.take()).collect();
        Ok(Ended {
            replacement,
            outcome: outcome.unwrap_or(Ok(())),
            was_fed: feed.has_ended.get() && left.is_empty(),
        })
    }
}

/// Feeds a child.
struct Feed<A> {
    left: RefCell<VecDeque<A>>,
    /// It receives no more messages.
    is_closing: Cell<bool>,
    /// There are no more messages.
    has_ended: Cell<bool>,
}

impl<A> Default for Feed<A> {
    fn default() -> Self {
        Self {
            left: RefCell::default(),
            is_closing: Cell::new(false),
            has_ended: Cell::new(false),
        }
    }
}

impl<A: Message> Feed<A> {
    /// Runs beside other futures, and never ends.
    async fn run(&self, mut inbox: Option<&mut Inbox<A>>, to: Sender<A>) -> Infallible {
        while let Some(message) = self.next(inbox.as_deref_mut()).await {
            // If the child ends meanwhile, the message is among those that it has not read.
            let _ = to.send(message).await;
        }
        drop(to);
        pending().await
    }

    async fn next(&self, inbox: Option<&mut Inbox<A>>) -> Option<A> {
        if self.is_closing.get() {
            return None;
        }
        let left = self.left.borrow_mut().pop_front();
        if left.is_some() {
            return left;
        }
        let inbox = inbox?;
        let next = async {
            let next = inbox.next().await;
            self.has_ended.set(next.is_none());
            next
        };
        // The code that sets it polls this right after.
        let closing = poll_fn(|_| match self.is_closing.get() {
            true => Poll::Ready(None),
            false => Poll::Pending,
        });
        or(closing, next).await
    }
}

/// A future that runs beside another one, and never ends.
async fn beside<T>(future: impl Future<Output = Infallible>) -> T {
    match future.await {}
}

/// Passes on the output of a child until it ends; stops when nobody receives it.
async fn pass_on<B: Message>(mut from: Receiver<B>, outbox: &Outbox<B>) -> Result<(), End> {
    let pass = async {
        while let Some(message) = from.next().await {
            outbox.send(message).await?;
        }
        Ok(())
    };
    outbox.while_open(pass).await?
}

impl<A, B> fmt::Debug for Child<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Child").field(&self.graph).finish()
    }
}
