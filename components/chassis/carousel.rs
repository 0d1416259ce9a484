//! Runs one part at a time. Each configuration makes a new part.
//!
//! ```text
//!     next ──▶ ┌──────────────────────────┐ ──▶ outbox
//!    inbox ──▶ │ carousel: one part of     │ ──▶ requests    "next", when the part has ended
//!              │ the last configuration    │ ──▶ faults
//!              └──────────────────────────┘
//! ```

use std::collections::VecDeque;
use std::fmt;
use std::future::pending;
use std::marker::PhantomData;

use futures_lite::future::or;
use kamea::{
    Component, Done, End, Fault, Inbox, InboxHandle, Message, Outbox, OutboxHandle, Part,
    PipelineStart, Ports, Stage, Started, is_stopping, note_dropped, stopping,
};

use super::child::{Child, Head};
use super::chooser::Choice;

/// The ports of [`carousel`]. In a pipeline, `next` and `outbox` are the ends that are linked.
#[derive(Debug, Ports)]
pub struct CarouselPorts<C: Message, A: Message, B: Message> {
    /// The configurations: each replaces the running part.
    pub next: Inbox<C>,
    /// The input of the running part.
    pub inbox: Option<Inbox<A>>,
    /// The output of the running part.
    pub outbox: Outbox<B>,
    /// Asks for the next configuration, for a [`chooser`](super::chooser) by a feedback link.
    pub requests: Option<Outbox<Choice>>,
    /// The faults of parts. If it is not linked, they are faults of the carousel.
    pub faults: Option<Outbox<Fault>>,
}

/// Runs one part at a time: a component, pipeline or graph that `make` creates from a
/// configuration.
///
/// A new configuration replaces the running part. The old part is closed (its inbox and its sources
/// end), its remaining output is passed on, and when it has ended the next part starts. If a part
/// ends by itself, the carousel asks for another: it sends [`Choice::Next`] to `requests`. The next
/// part takes the messages that the old one left unread.
///
/// A graceful stop ends parts without an inbox. Other parts receive their input to its end; if one
/// ends earlier, it is replaced.
///
/// The carousel ends when the running part has ended and no configuration can arrive any more. With
/// parts that have an inbox, it also ends when its own input has ended.
///
/// # Faults
///
/// The faults of its parts, if `faults` is not linked.
///
/// # Examples
///
/// One file after another:
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_components::chassis::{carousel, forward_chooser};
/// use kamea_components::file::read_file;
///
/// let mut graph = Graph::new("player");
/// let files = graph.add("files", forward_chooser(["/etc/hostname", "/etc/hosts"]));
/// let player = graph.add("player", carousel(|path| read_file(path)));
/// graph.link(files.outbox, player.next);
/// graph.feedback(player.requests, files.inbox);
/// let bytes = graph.take(player.outbox);
/// let scheduler = Scheduler::with_workers(1);
/// let running = scheduler.run(graph)?;
/// let played = bytes.into_iter().collect::<Vec<_>>().concat();
/// assert_eq!(played, [std::fs::read("/etc/hostname")?, std::fs::read("/etc/hosts")?].concat());
/// running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn carousel<C, M, P, Kind, Make>(make: Make) -> Carousel<C, P, Kind, Make>
where
    Make: FnMut(C) -> M,
    M: Part<P, Kind>,
    P: PipelineStart,
{
    Carousel {
        make,
        requests_first: false,
        types: PhantomData,
    }
}

/// A component that runs one part at a time. Made by [`carousel`].
pub struct Carousel<C, P, Kind, Make> {
    make: Make,
    requests_first: bool,
    types: PhantomData<fn(C, Kind) -> P>,
}

impl<C, P, Kind, Make> Carousel<C, P, Kind, Make> {
    /// Also asks for a configuration at the start: for a chooser that does not send its first
    /// choice by itself.
    #[must_use]
    pub fn request_first(mut self) -> Self {
        self.requests_first = true;
        self
    }
}

impl<C, P, Kind, Make: Clone> Clone for Carousel<C, P, Kind, Make> {
    fn clone(&self) -> Self {
        Self {
            make: self.make.clone(),
            ..*self
        }
    }
}

impl<C, P, Kind, Make> fmt::Debug for Carousel<C, P, Kind, Make> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carousel")
            .field("requests_first", &self.requests_first)
            .finish_non_exhaustive()
    }
}

impl<C, M, P, Kind, Make> Component<CarouselPorts<C, <P::Head as Head>::Message, P::Out>>
    for Carousel<C, P, Kind, Make>
where
    C: Message,
    Make: FnMut(C) -> M + 'static,
    M: Part<P, Kind>,
    P: PipelineStart<Head: Head>,
    Kind: 'static,
{
    fn start(mut self, io: CarouselPorts<C, <P::Head as Head>::Message, P::Out>) -> Started {
        let mut left = VecDeque::new();
        let run = async move |io: &mut CarouselPorts<_, _, _>| {
            let first = std::mem::take(&mut self.requests_first);
            run_parts(
                io,
                |config| Child::new((self.make)(config)),
                first,
                &mut left,
            )
            .await
        };
        run.start(io)
    }
}

async fn run_parts<C: Message, A: Message, B: Message>(
    io: &mut CarouselPorts<C, A, B>,
    mut make: impl FnMut(C) -> Child<A, B>,
    requests_first: bool,
    left: &mut VecDeque<A>,
) -> Done {
    if requests_first {
        request(io).await;
    }
    // A part with an inbox receives its input to the end, even during a stop.
    let is_source = io.inbox.is_none();
    let mut next = io.next(left).await?;
    while let Some(config) = next {
        let replaced = async {
            let next = async {
                match io.next.next().await {
                    None => pending().await,
                    config => config,
                }
            };
            or(next, stopped_if(is_source)).await
        };
        let child = make(config);
        let ended = child
            .run(io.inbox.as_mut(), &io.outbox, left, replaced)
            .await?;
        if let Err(fault) = ended.outcome {
            match &io.faults {
                Some(faults) => faults.send(fault).await?,
                None => return Err(fault.into()),
            }
        }
        next = match ended.replacement {
            Some(next) => next,
            None if ended.was_fed => None,
            None => {
                request(io).await;
                io.next(left).await?
            }
        };
    }
    io.note_unread(left);
    Ok(())
}

impl<C: Message, A: Message, B: Message> CarouselPorts<C, A, B> {
    /// Waits for the next configuration. During a stop, it waits only while there is input for a
    /// part.
    async fn next(&mut self, left: &mut VecDeque<A>) -> Result<Option<C>, End> {
        let inbox = self.inbox.as_mut();
        let fed_up = async {
            stopping().await;
            if let Some(inbox) = inbox
                && (!left.is_empty() || {
                    left.extend(inbox.next().await);
                    !left.is_empty()
                })
            {
                pending::<()>().await;
            }
            None
        };
        let next = or(self.next.next(), fed_up);
        Ok(self.outbox.while_open(next).await?)
    }

    /// Messages that arrived when there was no part for them are dropped.
    fn note_unread(&mut self, left: &VecDeque<A>) {
        if let (Some(inbox), true) = (&mut self.inbox, is_stopping()) {
            let unread = std::iter::from_fn(|| inbox.try_next()).count();
            note_dropped((left.len() + unread) as u64);
        }
    }
}

/// Asks for a configuration. If nobody receives the request, that is not a reason to end.
async fn request<C: Message, A: Message, B: Message>(io: &CarouselPorts<C, A, B>) {
    if let Some(requests) = &io.requests {
        let _ = requests.send(Choice::Next).await;
    }
}

/// Nothing more may start: a carousel and its chooser keep each other running, and neither is a
/// source.
async fn stopped_if<T>(is_source: bool) -> Option<T> {
    if !is_source {
        return pending().await;
    }
    stopping().await;
    None
}

impl<C: Message, A: Message, B: Message> Stage<C> for CarouselPorts<C, A, B> {
    type Tail = OutboxHandle<B>;

    fn ends(handles: CarouselPortsHandles<C, A, B>) -> (InboxHandle<C>, OutboxHandle<B>) {
        (handles.next, handles.outbox)
    }
}

impl<C: Message, A: Message, B: Message> PipelineStart for CarouselPorts<C, A, B> {
    type Head = InboxHandle<C>;
    type Out = B;

    fn ends(handles: CarouselPortsHandles<C, A, B>) -> (InboxHandle<C>, OutboxHandle<B>) {
        (handles.next, handles.outbox)
    }
}

#[cfg(test)]
mod tests;
