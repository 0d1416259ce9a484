//! What the chassis that run one part after another have in common: a part as a child, joined to the ports of its chassis.
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

/// The open inbox of what a chassis runs: an [`InboxHandle`], or `()` for what has none.
pub trait Head {
    /// What it takes.
    type Message: Message;
    /// The ports of a chassis that stands for such parts: a [`Pipe`] or a [`Source`].
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
    /// What comes in.
    type In: Message;
    /// What goes out.
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

/// How a child came to its end.
pub(super) struct Ended<R> {
    /// What it was replaced by, if it was.
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

    /// Runs it to its end, or until `replaced` tells by what it is replaced: then it is closed, and what it still gives is passed
    /// on until it has ended. It takes what others have `left`, and then what comes in; what it leaves is put back.
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
            // Its own sources end; what it is fed with goes on.
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
        // Now that it is gone, and while what was being sent to it is still there.
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
    /// It is to get no more.
    is_closing: Cell<bool>,
    /// There is no more.
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
    /// Is done beside other things, and never over.
    async fn run(&self, mut inbox: Option<&mut Inbox<A>>, to: Sender<A>) -> Infallible {
        while let Some(message) = self.next(inbox.as_deref_mut()).await {
            // If the child goes meanwhile, the message is among those that it has not read.
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
        // Whoever sets it polls this right after.
        let closing = poll_fn(|_| match self.is_closing.get() {
            true => Poll::Ready(None),
            false => Poll::Pending,
        });
        or(closing, next).await
    }
}

/// Something that is done beside something else, and never over.
async fn beside<T>(future: impl Future<Output = Infallible>) -> T {
    match future.await {}
}

/// Passes on what a child gives, until it gives no more; breaks off when nobody wants it.
async fn pass_on<B: Message>(mut from: Receiver<B>, outbox: &Outbox<B>) -> Result<(), End> {
    let pass = async {
        while let Some(message) = from.next().await {
            outbox.send(message).await?;
        }
        Ok(())
    };
    let unwanted = async {
        outbox.closed().await;
        Err(End::Closed)
    };
    or(pass, unwanted).await
}

impl<A, B> fmt::Debug for Child<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Child").field(&self.graph).finish()
    }
}
