//! Questions to a component, and its answers. Components of any graph may ask, and so may code
//! outside of graphs.
//!
//! ```text
//!   asker ──┐  calls          ┌───────┐
//!   asker ──┴──────▶ queue ──▶│ store │     each call carries the sender for its answer
//!                             └───────┘
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::graph::{Graph, Part};
use crate::link::DEFAULT_CAPACITY;
use crate::link::across::{Receiver, Sender, link};
use crate::port::Message;
use crate::ports::{InboxHandle, Sink};

/// A question to a component, as the component receives it.
///
/// # Examples
///
/// ```
/// use kamea::{Call, Done, Sink};
///
/// /// Answers how long each text is.
/// async fn measure(io: &mut Sink<Call<String, usize>>) -> Done {
///     while let Some(Call { request, reply }) = io.inbox.next().await {
///         reply.send(request.len());
///     }
///     Ok(())
/// }
/// # let _ = kamea::Graph::new("test").ask("measure", measure);
/// ```
#[derive(Debug)]
pub struct Call<Q, A> {
    /// The question.
    pub request: Q,
    /// The sender of the answer.
    pub reply: Reply<A>,
}

impl<Q, A: Message> Call<Q, A> {
    /// Answers the question. Returns whether the asker still waits for the answer.
    pub fn answer(self, answer: A) -> bool {
        self.reply.send(answer)
    }
}

/// The sender of the answer to a [`Call`]. If it is dropped, the asker gets
/// [`AskError::Unanswered`].
#[derive(Debug)]
#[must_use = "whoever has asked waits for an answer"]
pub struct Reply<A>(Sender<A>);

impl<A: Message> Reply<A> {
    /// Sends the answer. Returns whether the asker still waits for it.
    pub fn send(self, answer: A) -> bool {
        self.0.try_send(answer).is_ok()
    }
}

/// The reason why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The component has ended, or its graph has never run.
    #[error("the component that was asked has ended")]
    Ended,
    /// The component took the question and dropped it: it has failed, or it does not answer such
    /// questions.
    #[error(
        "the component that was asked has not answered: it has failed, or dropped the question"
    )]
    Unanswered,
}

/// Asks a component. Made by [`Graph::ask`]. A clone asks the same component, from any thread or
/// graph.
///
/// The component ends when all askers have been dropped. When its graph or its scheduler is
/// stopped, the component ends once no running component could still ask it, and all waiting
/// questions have been answered.
pub struct Asker<Q, A>(Arc<Calls<Call<Q, A>>>);

impl<Q: Message, A: Message> Asker<Q, A> {
    /// Asks, and waits for the answer. The question first waits for space in the queue, then for
    /// its turn.
    ///
    /// If the wait is cancelled, a queued question is still asked, and its answer is dropped.
    ///
    /// # Errors
    ///
    /// [`AskError`]: the component has ended, or has failed before it answered.
    pub async fn ask(&self, request: Q) -> Result<A, AskError> {
        let (call, mut answer) = Self::call(request);
        let sender = self.0.sender().clone().ok_or(AskError::Ended)?;
        sender.send(call).await.map_err(|_| AskError::Ended)?;
        // A question that waits for its answer keeps the component open only until its turn.
        drop(sender);
        answer.next().await.ok_or(AskError::Unanswered)
    }

    /// Like [`ask`](Self::ask), for code that blocks: a [`blocking`](crate::blocking) component, or
    /// a thread of your own.
    ///
    /// # Errors
    ///
    /// The same as those of [`ask`](Self::ask).
    ///
    /// # Panics
    ///
    /// If it is called on a worker, because it would block the worker.
    pub fn ask_blocking(&self, request: Q) -> Result<A, AskError> {
        let (call, mut answer) = Self::call(request);
        let sender = self.0.sender().clone().ok_or(AskError::Ended)?;
        sender.send_blocking(call).map_err(|_| AskError::Ended)?;
        drop(sender);
        answer.next_blocking().ok_or(AskError::Unanswered)
    }

    fn call(request: Q) -> (Call<Q, A>, Receiver<A>) {
        let (reply, answer) = link(1);
        let reply = Reply(reply);
        (Call { request, reply }, answer)
    }
}

impl<Q, A> Clone for Asker<Q, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Q, A> fmt::Debug for Asker<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asker").finish_non_exhaustive()
    }
}

/// The end of the link that all askers share. `None` once the component must end.
struct Calls<M>(Mutex<Option<Sender<M>>>);

impl<M> Calls<M> {
    fn sender(&self) -> MutexGuard<'_, Option<Sender<M>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a graph handles the askers of its components.
pub(crate) trait Release: Send + Sync {
    /// Stops all askers: further questions are refused.
    fn release(&self);
}

impl<M: Send> Release for Calls<M> {
    fn release(&self) {
        let sender = self.sender().take();
        drop(sender);
    }
}

impl Graph {
    /// Adds a component that answers questions, and returns its [`Asker`]. Questions queue in
    /// order; while the queue is full, askers wait. If the component fails and is
    /// [restarted](crate::Policy::Restart), the new instance answers the questions in the queue.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use kamea::{Call, Done, Graph, Scheduler, Sink};
    ///
    /// #[derive(Debug)]
    /// enum Question {
    ///     Set(String, String),
    ///     Get(String),
    /// }
    ///
    /// async fn store(io: &mut Sink<Call<Question, Option<String>>>) -> Done {
    ///     let mut values = HashMap::new();
    ///     while let Some(Call { request, reply }) = io.inbox.next().await {
    ///         reply.send(match request {
    ///             Question::Set(key, value) => values.insert(key, value),
    ///             Question::Get(key) => values.get(&key).cloned(),
    ///         });
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let mut graph = Graph::new("values");
    /// let values = graph.ask("store", store);
    /// let scheduler = Scheduler::with_workers(1);
    /// scheduler.run(graph)?;
    /// values.ask_blocking(Question::Set("sky".into(), "blue".into()))?;
    /// let sky = values.clone().ask_blocking(Question::Get("sky".into()))?;
    /// assert_eq!(sky.as_deref(), Some("blue"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn ask<Q: Message, A: Message, Kind>(
        &mut self,
        name: &str,
        component: impl Part<Sink<Call<Q, A>>, Kind>,
    ) -> Asker<Q, A> {
        let ports = self.add(name, component);
        self.asker(ports.inbox)
    }

    /// Returns an asker for a component that is already in the graph. `inbox` is its inbox of
    /// calls.
    pub fn asker<Q: Message, A: Message>(&mut self, calls: InboxHandle<Call<Q, A>>) -> Asker<Q, A> {
        let (sender, receiver) = link(DEFAULT_CAPACITY);
        self.feed_from(receiver, calls);
        let calls = Arc::new(Calls(Mutex::new(Some(sender))));
        let weak = Arc::downgrade(&calls);
        self.mark_asked(weak);
        Asker(calls)
    }
}

#[cfg(test)]
mod tests;
