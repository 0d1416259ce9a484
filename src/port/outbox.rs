//! The outbox: the end of a link where messages go in.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::{Across, Closed, Permit, TrySendError};
use crate::flow::budget::{give_way, spend};
use crate::flow::{aside, go_on, is_stopping_source};
use crate::link::across::{Sender, WeakSender};
use crate::link::circle::{CircleLink, CircleOutbox};
use crate::link::line::Ticket;
use crate::link::within::{ClosedWait, Queue};

/// The end of a link into which a component sends its messages.
///
/// Dropping it, or returning from the component, ends the messages: the inbox at the other end
/// returns `None` once all outboxes that feed it are gone.
///
/// # Examples
///
/// ```
/// use kamea::{Done, Source, TrySendError};
///
/// /// Measures all the time, and drops each value that finds no space.
/// async fn measure(io: &mut Source<u32>) -> Done {
///     for reading in 0..100 {
///         match io.outbox.try_send(reading) {
///             Ok(()) | Err(TrySendError::Full(_)) => {}
///             Err(TrySendError::Closed(_)) => return Ok(()),
///         }
///     }
///     io.outbox.send(100).await?; // the last one waits for space
///     Ok(())
/// }
/// # let mut graph = kamea::Graph::new("test");
/// # let part = graph.add("measure", measure);
/// # let readings = graph.take(part.outbox);
/// # let sum = std::thread::spawn(move || readings.into_iter().last());
/// # kamea::testing::block_on(graph.start().unwrap()).unwrap();
/// # assert_eq!(sum.join().unwrap(), Some(100));
/// ```
pub struct Outbox<T>(Sending<T>);

enum Sending<T> {
    Within {
        queue: Rc<Queue<T>>,
        holds: bool,
        /// Its number among the outboxes that feed the link.
        feed: usize,
    },
    Across(Sender<T>),
    /// It does not hold the link open: a feedback link, or one that the flow holds for a thread.
    Weak(WeakSender<T>),
    /// Across threads, in a circle.
    Circle(Box<CircleOutbox<T>>),
}

impl<T> fmt::Debug for Outbox<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match &self.0 {
            Sending::Within { .. } => "Outbox(within a flow)",
            Sending::Across(_) => "Outbox(across threads)",
            Sending::Weak(_) => "Outbox(across threads, held elsewhere)",
            Sending::Circle(_) => "Outbox(across threads, in a circle)",
        })
    }
}

impl<T: 'static> Outbox<T> {
    pub(crate) fn within(queue: Rc<Queue<T>>, holds: bool, feed: usize) -> Self {
        Self(Sending::Within { queue, holds, feed })
    }

    pub(crate) fn across(sender: &Sender<T>, holds: bool, feed: usize) -> Self {
        let sender = sender.for_feed(feed);
        Self(if holds {
            Sending::Across(sender)
        } else {
            Sending::Weak(sender.downgrade())
        })
    }

    pub(crate) fn in_circle(outbox: Self, link: Arc<CircleLink>) -> Self {
        Self(Sending::Circle(Box::new(CircleOutbox { outbox, link })))
    }

    /// Returns the sender behind it, if the link is across threads and open.
    pub(crate) fn sender(&self) -> Option<Sender<T>> {
        match &self.0 {
            Sending::Within { .. } => None,
            Sending::Across(sender) => Some(sender.clone()),
            Sending::Weak(weak) => weak.upgrade(),
            Sending::Circle(circle) => circle.outbox.sender(),
        }
    }

    /// Sends a message. Waits while the inbox at the other end is full.
    ///
    /// # Errors
    ///
    /// [`Closed`] with the message, if the inbox at the other end is gone.
    #[inline]
    pub fn send(&self, message: T) -> SendMessage<'_, T> {
        SendMessage {
            outbox: &self.0,
            message: Some(message),
            ticket: None,
            across: None,
        }
    }

    /// Reserves space for one message. Waits while the inbox at the other end is full. The
    /// [`Permit`] then sends a message without a wait.
    ///
    /// Use it if a send competes with other events. When [`send`](Self::send) is cancelled, its
    /// message is lost. When this is cancelled, only the place in the line is lost, and you still
    /// have the message.
    ///
    /// # Errors
    ///
    /// [`Closed`], if the inbox at the other end is gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use std::pin::pin;
    /// use std::task::Poll;
    /// use kamea::{Done, Inbox, Outbox, Ports};
    ///
    /// #[derive(Ports)]
    /// struct LatestPorts {
    ///     readings: Inbox<u32>,
    ///     latest: Outbox<u32>,
    /// }
    ///
    /// /// Passes on the latest reading whenever there is space for one, and drops those before it.
    /// async fn latest(io: &mut LatestPorts) -> Done {
    ///     let mut reading = io.readings.next().await;
    ///     while let Some(current) = reading {
    ///         let permit = {
    ///             let mut space = pin!(io.latest.reserve());
    ///             let mut newer = pin!(io.readings.next());
    ///             poll_fn(|cx| match space.as_mut().poll(cx) {
    ///                 Poll::Ready(permit) => Poll::Ready(Ok(permit)),
    ///                 Poll::Pending => newer.as_mut().poll(cx).map(Err),
    ///             })
    ///             .await
    ///         };
    ///         reading = match permit {
    ///             Ok(permit) => {
    ///                 permit?.send(current)?;
    ///                 io.readings.next().await
    ///             }
    ///             Err(Some(newer)) => Some(newer),
    ///             Err(None) => return Ok(io.latest.send(current).await?),
    ///         };
    ///     }
    ///     Ok(())
    /// }
    /// # let mut graph = kamea::Graph::new("test");
    /// # let part = graph.add("latest", latest);
    /// # let readings = graph.feed(part.readings);
    /// # let latest = graph.take(part.latest);
    /// # (0..10).for_each(|n| readings.try_send(n).unwrap());
    /// # drop(readings);
    /// # kamea::testing::block_on(graph.start().unwrap()).unwrap();
    /// # assert_eq!(latest.into_iter().last(), Some(9));
    /// ```
    pub async fn reserve(&self) -> Result<Permit<'_, T>, Closed<()>> {
        match &self.0 {
            Sending::Within { queue, feed, .. } => queue.reserve(*feed).await.map(Permit::within),
            Sending::Across(sender) => Box::pin(sender.reserve()).await,
            Sending::Weak(weak) => match weak.upgrade() {
                Some(sender) => Box::pin(async move { sender.reserve_owned().await }).await,
                None => Err(Closed(())),
            },
            Sending::Circle(circle) => {
                let permit = Box::pin(circle.outbox.reserve()).await?;
                Ok(permit.in_circle(circle.link.clone()))
            }
        }
    }

    /// Sends a message if there is space for it now.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the message, if the link is full or the inbox at the other end is
    /// gone.
    pub fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.0.try_send(message)
    }

    /// Sends a message from a [`blocking`](crate::blocking) component: blocks its thread while the
    /// link is full.
    ///
    /// # Errors
    ///
    /// [`Closed`] with the message, if the inbox at the other end is gone.
    ///
    /// # Panics
    ///
    /// In a component that runs in a flow, which must not block: use [`send`](Self::send) there.
    pub fn send_blocking(&self, message: T) -> Result<(), Closed<T>> {
        match &self.0 {
            Sending::Within { .. } => {
                panic!("a component of a flow must not block: use `send(..).await`")
            }
            Sending::Across(sender) => sender.send_blocking(message),
            Sending::Weak(weak) => match weak.upgrade() {
                Some(sender) => sender.send_blocking(message),
                None => Err(Closed(message)),
            },
            Sending::Circle(circle) => circle.send_blocking(message),
        }
    }

    /// Waits until the inbox at the other end is gone. Use it in a component that waits for outside
    /// events instead of space, and would otherwise notice too late.
    pub fn closed(&self) -> impl Future<Output = ()> {
        match &self.0 {
            Sending::Within { queue, feed, .. } => UntilClosed::Within(queue.closed(*feed)),
            _ => UntilClosed::Elsewhere {
                outbox: self,
                wait: None,
            },
        }
    }

    /// Waits for a future, as long as the inbox at the other end is there. Use it for outside
    /// events: their messages are not wanted once nobody takes them.
    ///
    /// # Errors
    ///
    /// [`Closed`], if the inbox is gone. The future is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use kamea::{Done, Source, time};
    ///
    /// /// Reports every hour, and ends at once when nobody listens any more.
    /// async fn report(io: &mut Source<u32>) -> Done {
    ///     for hour in 0.. {
    ///         io.outbox.send(hour).await?;
    ///         io.outbox.while_open(time::sleep(Duration::from_secs(3600))).await?;
    ///     }
    ///     Ok(())
    /// }
    /// # let mut graph = kamea::Graph::new("test");
    /// # let part = graph.add("report", report);
    /// # let mut hours = graph.take(part.outbox);
    /// # let scheduler = kamea::Scheduler::with_workers(1);
    /// # let running = scheduler.run(graph)?;
    /// # assert_eq!(hours.next_blocking(), Some(0));
    /// # drop(hours);
    /// # running.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn while_open<F: Future>(
        &self,
        future: F,
    ) -> impl Future<Output = Result<F::Output, Closed<()>>> {
        unless(|| self.is_closed(), self.closed(), future)
    }

    /// Returns whether the inbox at the other end is gone.
    pub fn is_closed(&self) -> bool {
        match &self.0 {
            Sending::Within { queue, .. } => queue.is_closed(),
            Sending::Across(sender) => sender.is_closed(),
            Sending::Weak(weak) => weak.upgrade().is_none_or(|sender| sender.is_closed()),
            Sending::Circle(circle) => circle.outbox.is_closed(),
        }
    }
}

/// Waits for a future, as long as the end of the inbox has not come. A future that is ready costs
/// no wait for that end.
pub(crate) fn unless<F: Future>(
    is_closed: impl Fn() -> bool,
    closed: impl Future<Output = ()>,
    future: F,
) -> impl Future<Output = Result<F::Output, Closed<()>>> {
    Unless {
        is_closed,
        closed,
        future,
    }
}

pin_project! {
    /// The future of [`unless`]. An async function would keep its arguments twice, and copy them.
    struct Unless<I, C, F> {
        is_closed: I,
        #[pin]
        closed: C,
        #[pin]
        future: F,
    }
}

impl<I: Fn() -> bool, C: Future<Output = ()>, F: Future> Future for Unless<I, C, F> {
    type Output = Result<F::Output, Closed<()>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if (this.is_closed)() {
            return Poll::Ready(Err(Closed(())));
        }
        match this.future.poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => this.closed.poll(cx).map(|()| Err(Closed(()))),
        }
    }
}

/// The future of [`Outbox::closed`].
enum UntilClosed<'a, T> {
    Within(ClosedWait<'a, T>),
    Elsewhere {
        outbox: &'a Outbox<T>,
        /// The wait, once it has begun.
        wait: Option<Across<'a, ()>>,
    },
}

impl<T: 'static> Future for UntilClosed<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &mut *self {
            Self::Within(wait) => Pin::new(wait).poll(cx),
            Self::Elsewhere { outbox, wait } => {
                let outbox = *outbox;
                let wait = wait.get_or_insert_with(|| Box::pin(outbox.closed_elsewhere()));
                wait.as_mut().poll(cx)
            }
        }
    }
}

impl<T: 'static> Outbox<T> {
    /// Waits for the end of an inbox that is not within this flow.
    async fn closed_elsewhere(&self) {
        match &self.0 {
            Sending::Within { .. } => {}
            Sending::Across(sender) => beside(sender.closed()).await,
            Sending::Weak(weak) => beside(weak.closed()).await,
            Sending::Circle(circle) => circle.outbox.closed().await,
        }
    }
}

/// Waits for the end of an inbox. This wait does not keep a circle open.
async fn beside(closed: impl Future<Output = ()>) {
    let mut closed = pin!(closed);
    poll_fn(|cx| aside(cx, |cx| closed.as_mut().poll(cx))).await;
}

impl<T> From<Sender<T>> for Outbox<T> {
    fn from(sender: Sender<T>) -> Self {
        Self(Sending::Across(sender))
    }
}

impl<T> Drop for Outbox<T> {
    fn drop(&mut self) {
        if let Sending::Within {
            queue, holds: true, ..
        } = &self.0
        {
            queue.release();
        }
    }
}

impl<T: 'static> Sending<T> {
    fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        match self {
            Self::Within { queue, feed, .. } => queue.try_send(message, *feed),
            Self::Across(sender) => sender.try_send(message),
            Self::Weak(weak) => match weak.upgrade() {
                Some(sender) => sender.try_send(message),
                None => Err(TrySendError::Closed(message)),
            },
            Self::Circle(circle) => circle.try_send(message),
        }
    }

    /// Waits for space on the other side. It borrows nothing, because it may outlive its component.
    fn send_across(&self, message: T) -> Across<'static, Result<(), Closed<T>>> {
        let sender = match self {
            Self::Within { .. } => None,
            Self::Across(sender) => Some(sender.clone()),
            Self::Weak(weak) => weak.upgrade(),
            Self::Circle(circle) => return circle.send(message),
        };
        Box::pin(async move {
            match sender {
                Some(sender) => sender.send(message).await,
                None => Err(Closed(message)),
            }
        })
    }
}

/// The future of [`Outbox::send`].
#[must_use = "no message is sent unless it is awaited"]
pub struct SendMessage<'a, T: 'static> {
    outbox: &'a Sending<T>,
    /// `None` once it has been taken over.
    message: Option<T>,
    /// Its place among the sends that wait for space inside a flow.
    ticket: Option<Ticket>,
    /// The wait for another thread, once it has begun.
    across: Option<Across<'static, Result<(), Closed<T>>>>,
}

// Nothing here is pinned: the message is only moved.
impl<T> Unpin for SendMessage<'_, T> {}

impl<T: 'static> Future for SendMessage<'_, T> {
    type Output = Result<(), Closed<T>>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Sending::Within { queue, feed, .. } = self.outbox
            && self.ticket.is_none()
        {
            queue.offer(&mut self.message, *feed, true);
            if self.message.is_none() {
                return Poll::Ready(Ok(()));
            }
        }
        self.poll_waiting(cx)
    }
}

impl<T: 'static> SendMessage<'_, T> {
    #[inline(never)]
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed<T>>> {
        if let Sending::Within { queue, feed, .. } = self.outbox {
            return queue.poll_send(&mut self.message, *feed, &mut self.ticket, cx);
        }
        if self.message.is_some() && !spend(1) {
            give_way(cx);
            return Poll::Pending;
        }
        if let Some(message) = self.message.take() {
            match self.outbox.try_send(message) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(TrySendError::Closed(message)) => return Poll::Ready(Err(Closed(message))),
                Err(TrySendError::Full(message)) => {
                    self.across = Some(self.outbox.send_across(message));
                }
            }
        }
        let across = self.across.as_mut().expect("polled after it was ready");
        let sent = across.as_mut().poll(cx);
        if sent.is_ready() {
            self.across = None;
        }
        sent
    }

    #[cold]
    fn give_up(&mut self) {
        match (self.outbox, self.ticket, self.across.take()) {
            (Sending::Within { queue, .. }, Some(ticket), _) => {
                queue.leave(ticket, &mut self.message);
            }
            (_, _, Some(across)) if is_stopping_source() => go_on(Box::pin(async move {
                // The sending component has ended: nothing can react to a receiver that has gone.
                let _ = across.await;
            })),
            _ => {}
        }
    }
}

impl<T> Drop for SendMessage<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        if self.ticket.is_some() || self.across.is_some() {
            self.give_up();
        }
    }
}

impl<T> fmt::Debug for SendMessage<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendMessage").finish_non_exhaustive()
    }
}
