//! A stage that uses several cores.
//!
//! ```text
//!            ┌ parallel ────────────────────────┐
//!            │        ┌▶ copy 0, on a worker ─┐  │
//!  inbox ──▶ │ deal ──┼▶ copy 1, on another  ─┼▶ │ ──▶ outbox
//!            │        └▶ ...                 ─┘  │
//!            └──────────────────────────────────┘
//! ```

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::pending;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use futures_lite::FutureExt;
use futures_lite::future::{or, yield_now};
use kamea::{
    Children, Component, Done, End, Graph, Message, Pipe, Placement, Receiver, Sender, Started,
    link,
};

/// How many messages a copy holds at once: one in work and some in its queue, so that it never
/// waits for input.
const DEPTH: usize = 3;

/// Applies a CPU-bound function to each message, in several copies that are spread over the
/// workers. Results are passed on as soon as they are ready, or in the order of the messages if it
/// is [`ordered`](Parallel::ordered).
///
/// The messages should be large: each goes to another thread and back, which takes microseconds.
/// Each copy has its own clone of `function`, which may keep state between messages. While a copy
/// works on a message, all other components on its worker wait, so one message should not take
/// longer than some milliseconds. As many copies as workers keep all workers busy.
///
/// At most three messages for each copy are under way, including results that wait for their turn
/// in the order.
///
/// # Faults
///
/// If the function panics, or a message cannot be copied for the [dead letters]. Then no more
/// messages are taken. All other messages under way are finished and their results are sent first.
/// Only the messages that failed are dead letters.
///
/// [dead letters]: kamea::Graph::dead_letters
///
/// # Panics
///
/// If `copies` is 0.
///
/// # Examples
///
/// ```
/// use kamea::testing::collect;
/// use kamea_components::chassis::parallel;
///
/// fn count_words(text: &str) -> usize {
///     text.split_whitespace().count()
/// }
///
/// let counts = parallel(2, count_words).ordered();
/// assert_eq!(collect(counts, ["one", "two words", ""]), [1, 2, 0]);
/// ```
pub fn parallel<A, B, F>(copies: usize, function: F) -> Parallel<A, B, F>
where
    F: FnMut(A) -> B + Clone,
{
    assert!(copies > 0, "there is at least one copy");
    Parallel {
        function,
        copies,
        ordered: false,
        messages: PhantomData,
    }
}

/// A stage that uses several cores. Made by [`parallel`].
pub struct Parallel<A, B, F> {
    function: F,
    copies: usize,
    ordered: bool,
    messages: PhantomData<fn(A) -> B>,
}

impl<A, B, F> Parallel<A, B, F> {
    /// Keeps the order: a result is passed on after the results of all earlier messages.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }
}

impl<A, B, F: Clone> Clone for Parallel<A, B, F> {
    fn clone(&self) -> Self {
        Self {
            function: self.function.clone(),
            ..*self
        }
    }
}

impl<A, B, F> fmt::Debug for Parallel<A, B, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parallel")
            .field("copies", &self.copies)
            .field("ordered", &self.ordered)
            .finish_non_exhaustive()
    }
}

impl<A, B, F> Component<Pipe<A, B>> for Parallel<A, B, F>
where
    A: Message,
    B: Message,
    F: FnMut(A) -> B + Clone + Send + 'static,
{
    fn start(self, io: Pipe<A, B>) -> Started {
        let run = async move |io: &mut Pipe<A, B>| {
            let copies = Copies::start(self.copies, &self.function)?;
            copies.run(io, self.ordered).await
        };
        run.start(io)
    }
}

/// A message on its way to a copy.
#[derive(Debug)]
struct Job<A> {
    number: u64,
    message: A,
}

/// The result of a copy.
#[derive(Debug)]
struct Finished<B> {
    copy: usize,
    number: u64,
    /// `None` if the function panicked.
    result: Option<B>,
}

struct Copies<A, B> {
    children: Children,
    to: Vec<Sender<Job<A>>>,
    /// How many messages each of them has.
    busy: Vec<usize>,
    finished: Receiver<Finished<B>>,
    /// Copies of the messages under way, by number, if there are dead letters.
    kept: BTreeMap<u64, A>,
}

impl<A: Message, B: Message> Copies<A, B> {
    fn start<F>(count: usize, function: &F) -> Result<Self, End>
    where
        F: FnMut(A) -> B + Clone + Send + 'static,
    {
        let mut children = Children::new();
        let (results, finished) = link(count * DEPTH);
        let mut to = Vec::with_capacity(count);
        for copy in 0..count {
            let mut graph = Graph::new("parallel");
            let ports = graph.add(&format!("copy {copy}"), work(copy, function.clone()));
            let (jobs, messages) = link(DEPTH);
            graph.feed_from(messages, ports.inbox);
            graph.take_into(ports.outbox, results.clone());
            children.start(Placement::Any, graph)?;
            to.push(jobs);
        }
        Ok(Self {
            children,
            to,
            busy: vec![0; count],
            finished,
            kept: BTreeMap::new(),
        })
    }

    async fn run(mut self, io: &mut Pipe<A, B>, ordered: bool) -> Done {
        let mut results = Results::new(ordered);
        let mut end = Taking::GoesOn;
        while matches!(end, Taking::GoesOn) || results.under_way() > 0 {
            let has_place = results.under_way() < self.to.len() * DEPTH;
            let takes = matches!(end, Taking::GoesOn) && has_place;
            let next = self.next(io, takes).await;
            if next.is_err() {
                // The messages under way are lost with the copies.
                let kept = std::mem::take(&mut self.kept).into_values();
                kept.for_each(|kept| io.inbox.put_back(kept));
            }
            match next? {
                Happened::Message(None) => end = Taking::Over,
                Happened::Message(Some(message)) => {
                    let number = results.begin();
                    self.kept
                        .extend(io.inbox.take_copy().map(|copy| (number, copy)));
                    self.deal(Job { number, message });
                }
                // The inbox keeps this message as a dead letter, as long as no more are taken.
                Happened::NoMessage(panic) => end = Taking::Panicked(panic),
                Happened::Finished(finished) => {
                    let kept = self.kept.remove(&finished.number);
                    if finished.result.is_none() {
                        kept.into_iter().for_each(|kept| io.inbox.put_back(kept));
                        end.fail();
                    }
                    self.busy[finished.copy] -= 1;
                    results.finish(finished.number, finished.result);
                    while let Some(result) = results.next() {
                        io.outbox.send(result).await?;
                    }
                }
            }
        }
        self.end(end).await
    }

    /// Ends the component once no message is under way any more.
    async fn end(mut self, end: Taking) -> Done {
        match end {
            Taking::GoesOn | Taking::Over => return Ok(()),
            Taking::Panicked(panic) => resume_unwind(panic),
            Taking::Failed => self.to.clear(),
        }
        // A copy that has failed returns its fault when it ends.
        while let Some(end) = self.children.next_end().await {
            end?;
        }
        Err(End::Closed)
    }

    async fn next(&mut self, io: &mut Pipe<A, B>, has_place: bool) -> Result<Happened<A, B>, End> {
        let message = async {
            match has_place {
                true => Ok(AssertUnwindSafe(io.inbox.next())
                    .catch_unwind()
                    .await
                    .map_or_else(Happened::NoMessage, Happened::Message)),
                false => pending().await,
            }
        };
        let finished = async {
            match self.finished.next().await {
                Some(finished) => Ok(Happened::Finished(finished)),
                None => pending().await,
            }
        };
        let broken = async {
            match self.children.next_end().await {
                Some(Err(fault)) => Err(fault.into()),
                // The workers are being stopped.
                Some(Ok(())) | None => Err(End::Closed),
            }
        };
        let happened = or(or(message, finished), broken);
        io.outbox.while_open(happened).await?
    }

    /// Sends to the copy that has the least to do. It has space, because the messages under way are
    /// limited to the space of all copies.
    fn deal(&mut self, job: Job<A>) {
        let idlest = (0..self.to.len()).min_by_key(|copy| self.busy[*copy]);
        if let Some(copy) = idlest {
            self.busy[copy] += 1;
            // A copy that has failed takes nothing, and its fault is on its way.
            let _ = self.to[copy].try_send(job);
        }
    }
}

/// The payload of a panic.
type Panic = Box<dyn Any + Send>;

/// Whether more messages are taken, and if not, why.
enum Taking {
    GoesOn,
    Over,
    /// Taking a message panicked: it could not be copied.
    Panicked(Panic),
    /// A copy has failed.
    Failed,
}

impl Taking {
    fn fail(&mut self) {
        if !matches!(self, Self::Panicked(_)) {
            *self = Self::Failed;
        }
    }
}

/// The next step.
enum Happened<A, B> {
    Message(Option<A>),
    /// Taking a message panicked: it could not be copied.
    NoMessage(Panic),
    Finished(Finished<B>),
}

fn work<A, B, F>(copy: usize, mut function: F) -> impl Component<Pipe<Job<A>, Finished<B>>> + Send
where
    A: Message,
    B: Message,
    F: FnMut(A) -> B + Clone + Send + 'static,
{
    async move |io: &mut Pipe<Job<A>, Finished<B>>| {
        let (fresh, mut first_panic) = (function.clone(), None);
        while let Some(Job { number, message }) = io.inbox.next().await {
            let result = match catch_unwind(AssertUnwindSafe(|| function(message))) {
                Ok(result) => Some(result),
                Err(panic) => {
                    first_panic.get_or_insert(panic);
                    // The state of the function may be inconsistent after a panic.
                    function = fresh.clone();
                    None
                }
            };
            let finished = Finished {
                copy,
                number,
                result,
            };
            io.outbox.send(finished).await?;
            // Others on this worker have waited long enough, among them the component that
            // distributes the messages.
            yield_now().await;
        }
        first_panic.map_or(Ok(()), |panic| resume_unwind(panic))
    }
}

/// The results that can be passed on, and those that wait for their turn.
struct Results<B> {
    ordered: bool,
    /// The results from the first one that has not been passed on; `None` for a message still in
    /// work, `Some(None)` for one that failed.
    pending: VecDeque<Option<Option<B>>>,
    /// The number of the first of them, if the order matters.
    first: u64,
    /// The number of the next message.
    begun: u64,
    /// How many messages are under way.
    count: usize,
}

impl<B> Results<B> {
    fn new(ordered: bool) -> Self {
        Self {
            ordered,
            pending: VecDeque::new(),
            first: 0,
            begun: 0,
            count: 0,
        }
    }

    fn under_way(&self) -> usize {
        self.count
    }

    /// Returns the number of a message that is sent to a copy.
    fn begin(&mut self) -> u64 {
        self.count += 1;
        self.begun += 1;
        if self.ordered {
            self.pending.push_back(None);
        }
        self.begun - 1
    }

    fn finish(&mut self, number: u64, result: Option<B>) {
        if !self.ordered {
            self.pending.push_back(Some(result));
        } else if let Some(pending) = self.pending.get_mut((number - self.first) as usize) {
            *pending = Some(result);
        }
    }

    /// Returns the next result that can be passed on.
    fn next(&mut self) -> Option<B> {
        while let Some(finished) = self.pending.pop_front_if(|next| next.is_some()) {
            self.first += 1;
            self.count -= 1;
            if let Some(Some(result)) = finished {
                return Some(result);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
