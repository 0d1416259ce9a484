//! Questions to a component, and its answers, from components of any graph and from code that is none.
//!
//! ```text
//!   asker ──┐  calls          ┌───────┐
//!   asker ──┴──────▶ queue ──▶│ store │     each call brings the way back for its answer
//!                             └───────┘
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::graph::{Graph, Part};
use crate::link::DEFAULT_CAPACITY;
use crate::link::across::{Receiver, Sender, link};
use crate::port::Message;
use crate::ports::{InboxHandle, Sink};

/// A question to a component, as the component gets it.
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
    /// What is asked.
    pub request: Q,
    /// The way back.
    pub reply: Reply<A>,
}

impl<Q, A: Message> Call<Q, A> {
    /// Answers it. Gives whether somebody still waits for the answer.
    pub fn answer(self, answer: A) -> bool {
        self.reply.send(answer)
    }
}

/// The way back for the answer to a [`Call`]. If it is dropped, whoever has asked hears [`AskError::Unanswered`].
#[derive(Debug)]
#[must_use = "whoever has asked waits for an answer"]
pub struct Reply<A>(Sender<A>);

impl<A: Message> Reply<A> {
    /// Answers. Gives whether somebody still waits for the answer.
    pub fn send(self, answer: A) -> bool {
        self.0.try_send(answer).is_ok()
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The component has ended, or its graph has never run.
    #[error("the component that was asked has ended")]
    Ended,
    /// The component took the question and dropped it: it has failed, or does not answer such questions.
    #[error(
        "the component that was asked has not answered: it has failed, or dropped the question"
    )]
    Unanswered,
}

/// Asks a component. Made by [`Graph::ask`]; a clone asks the same component, from anywhere.
///
/// The component ends when no asker is left. When its graph or its scheduler is stopped, it ends once nothing else runs that
/// could ask it, and what waits has been answered.
pub struct Asker<Q, A>(Arc<Calls<Call<Q, A>>>);

impl<Q: Message, A: Message> Asker<Q, A> {
    /// Asks, and waits for the answer: for space among the questions that wait, and for its turn.
    ///
    /// If the wait is given up, a question that waits is still asked, and its answer dropped.
    ///
    /// # Errors
    ///
    /// [`AskError`]: the component has ended, or has failed before it answered.
    pub async fn ask(&self, request: Q) -> Result<A, AskError> {
        let (call, mut answer) = Self::call(request);
        let sender = self.0.sender().clone().ok_or(AskError::Ended)?;
        sender.send(call).await.map_err(|_| AskError::Ended)?;
        // A question that waits for its answer keeps the component no longer than its turn.
        drop(sender);
        answer.next().await.ok_or(AskError::Unanswered)
    }

    /// Like [`ask`](Self::ask), for code that blocks: a [`blocking`](crate::blocking) component, or a thread of your own.
    ///
    /// # Errors
    ///
    /// Like [`ask`](Self::ask).
    ///
    /// # Panics
    ///
    /// On a worker, which it would block.
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

/// The end of the link that all askers share; `None` once the component is to end.
struct Calls<M>(Mutex<Option<Sender<M>>>);

impl<M> Calls<M> {
    fn sender(&self) -> MutexGuard<'_, Option<Sender<M>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a graph does with the askers of its components.
pub(crate) trait Release: Send + Sync {
    /// Lets nobody ask any more.
    fn release(&self);
}

impl<M: Send> Release for Calls<M> {
    fn release(&self) {
        let sender = self.sender().take();
        drop(sender);
    }
}

impl Graph {
    /// Adds a component that answers questions, and gives what asks it. Questions queue in order; a full queue holds up those that ask.
    /// If the component fails and is [restarted](crate::Policy::Restart), the questions that wait are answered by the new one.
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

    /// Gives what asks a component that has been added already, at an inbox of its calls.
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
