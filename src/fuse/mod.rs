//! Pure functions between components: without a queue and without polls of their own.
//!
//! ```text
//!   numbers ──▶ queue ──▶ [plus one] [even] doubler      the doubler's inbox applies both functions
//!                                                        while it takes from the queue before them
//! ```
//!
//! A graph fuses a function into the inbox that it feeds, if nothing else feeds that inbox and the
//! inbox belongs to a component of the same flow. Otherwise (its outbox leaves the graph, is merged
//! with others, or feeds a thread) the function runs as a component. The only observable difference
//! is speed.

use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::component::{Component, Started};
use crate::port::{Across, Inbox, Letter, Message};
use crate::ports::{Pipe, Wiring};

/// Passes on the result of `function` for each message.
///
/// At the beginning of a pipeline, or if the function calls a method of its message, the parameter
/// needs a type (`map(|n: u32| n + 1)`).
///
/// The function must not block. It has no queue of its own: the next component applies it when it
/// takes a message. A panic in it is a fault with the function's name, and ends the next component.
///
/// # Examples
///
/// ```
/// use kamea::{Done, Graph, Pipe, map, pipeline};
///
/// async fn double(io: &mut Pipe<u32, u32>) -> Done {
///     while let Some(number) = io.inbox.next().await {
///         io.outbox.send(2 * number).await?;
///     }
///     Ok(())
/// }
///
/// let mut graph = Graph::new("odd");
/// let (numbers, odd) = pipeline!(graph, map(|n: u32| n + 1) => double => map(|n| n - 1));
/// let (numbers, odd) = (graph.feed(numbers), graph.take(odd));
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// (1..=3).for_each(|n| numbers.send_blocking(n).unwrap());
/// drop(numbers);
/// assert_eq!(odd.into_iter().collect::<Vec<_>>(), [3, 5, 7]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn map<A, B, F: FnMut(A) -> B>(function: F) -> Function<A, B, Map<F>> {
    Function::new(Map(function))
}

/// Passes on the messages for which `condition` holds. Like [`map`], it is fused into the next
/// inbox.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, filter, pipeline};
///
/// let mut graph = Graph::new("no comments");
/// let (lines, others) = pipeline!(graph, filter(|line: &String| !line.starts_with('#')));
/// let (lines, others) = (graph.feed(lines), graph.take(others));
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// for line in ["# title", "text"] {
///     lines.send_blocking(line.to_owned()).unwrap();
/// }
/// drop(lines);
/// assert_eq!(others.into_iter().collect::<Vec<_>>(), ["text"]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn filter<A, F: FnMut(&A) -> bool>(condition: F) -> Function<A, A, Filter<F>> {
    Function::new(Filter(condition))
}

/// Passes on the result of `function` for each message, if it is `Some`. Like [`map`], it is fused
/// into the next inbox.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, filter_map, pipeline};
///
/// let mut graph = Graph::new("numbers only");
/// let (words, numbers) = pipeline!(graph, filter_map(|word: &str| word.parse::<u32>().ok()));
/// let (words, numbers) = (graph.feed(words), graph.take(numbers));
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// for word in ["1", "two", "3"] {
///     words.send_blocking(word).unwrap();
/// }
/// drop(words);
/// assert_eq!(numbers.into_iter().collect::<Vec<_>>(), [1, 3]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn filter_map<A, B, F>(function: F) -> Function<A, B, FilterMap<F>>
where
    F: FnMut(A) -> Option<B>,
{
    Function::new(FilterMap(function))
}

/// Passes on the result of `function` for each message. The function may also change a state. Like
/// [`map`], it is fused into the next inbox.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, pipeline, scan};
///
/// let mut graph = Graph::new("sums");
/// let (numbers, sums) = pipeline!(graph, scan(0, |sum, n: u32| { *sum += n; *sum }));
/// let (numbers, sums) = (graph.feed(numbers), graph.take(sums));
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// (1..=4).for_each(|n| numbers.send_blocking(n).unwrap());
/// drop(numbers);
/// assert_eq!(sums.into_iter().collect::<Vec<_>>(), [1, 3, 6, 10]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn scan<S, A, B, F>(state: S, function: F) -> Function<A, B, Scan<S, F>>
where
    F: FnMut(&mut S, A) -> B,
{
    Function::new(Scan(state, function))
}

/// Shows each message to `look`, and passes it on. Like [`map`], it is fused into the next inbox.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, inspect, pipeline};
///
/// let mut graph = Graph::new("watched");
/// let (numbers, same) = pipeline!(graph, inspect(|n: &u32| log::debug!("{n} comes by")));
/// let (numbers, same) = (graph.feed(numbers), graph.take(same));
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// numbers.send_blocking(7).unwrap();
/// drop(numbers);
/// assert_eq!(same.into_iter().collect::<Vec<_>>(), [7]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn inspect<A, F: FnMut(&A)>(look: F) -> Function<A, A, Inspect<F>> {
    Function::new(Inspect(look))
}

/// A function of each message, as a component. Made by [`map`], [`filter`], [`filter_map`],
/// [`scan`] and [`inspect`].
pub struct Function<A, B, S> {
    step: S,
    messages: PhantomData<fn(A) -> B>,
}

impl<A, B, S> Function<A, B, S> {
    fn new(step: S) -> Self {
        Self {
            step,
            messages: PhantomData,
        }
    }
}

impl<A, B, S: Clone> Clone for Function<A, B, S> {
    fn clone(&self) -> Self {
        Self::new(self.step.clone())
    }
}

impl<A, B, S> fmt::Debug for Function<A, B, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<S>())
    }
}

/// What happens to a message on its way. `None` drops the message.
#[doc(hidden)]
pub trait Step<A, B>: 'static {
    fn apply(&mut self, message: A) -> Option<B>;
}

/// See [`map`].
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Map<F>(F);

/// See [`filter`].
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Filter<F>(F);

/// See [`filter_map`].
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct FilterMap<F>(F);

/// See [`scan`].
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Scan<S, F>(S, F);

/// See [`inspect`].
#[doc(hidden)]
#[derive(Debug, Clone)]
pub struct Inspect<F>(F);

impl<A, B, F: FnMut(A) -> B + 'static> Step<A, B> for Map<F> {
    #[inline]
    fn apply(&mut self, message: A) -> Option<B> {
        Some((self.0)(message))
    }
}

impl<A, F: FnMut(&A) -> bool + 'static> Step<A, A> for Filter<F> {
    #[inline]
    fn apply(&mut self, message: A) -> Option<A> {
        (self.0)(&message).then_some(message)
    }
}

impl<A, B, F: FnMut(A) -> Option<B> + 'static> Step<A, B> for FilterMap<F> {
    #[inline]
    fn apply(&mut self, message: A) -> Option<B> {
        (self.0)(message)
    }
}

impl<S: 'static, A, B, F: FnMut(&mut S, A) -> B + 'static> Step<A, B> for Scan<S, F> {
    #[inline]
    fn apply(&mut self, message: A) -> Option<B> {
        Some((self.1)(&mut self.0, message))
    }
}

impl<A, F: FnMut(&A) + 'static> Step<A, A> for Inspect<F> {
    #[inline]
    fn apply(&mut self, message: A) -> Option<A> {
        (self.0)(&message);
        Some(message)
    }
}

impl<A: Message, B: Message, S: Step<A, B>> Component<Pipe<A, B>> for Function<A, B, S> {
    const IS_FUNCTION: bool = true;

    /// Where it cannot be fused.
    fn start(mut self, ports: Pipe<A, B>) -> Started {
        let run = async move |io: &mut Pipe<A, B>| {
            loop {
                let next = match io.inbox.try_next() {
                    // Its source may be quiet for long.
                    None => io.outbox.while_open(io.inbox.next()).await?,
                    message => message,
                };
                let Some(message) = next else {
                    return Ok(());
                };
                if let Some(message) = self.step.apply(message) {
                    io.outbox.send(message).await?;
                }
            }
        };
        run.start(ports)
    }

    fn start_in(self, wiring: &mut Wiring<'_>) -> Started {
        let Some(name) = wiring.fuses() else {
            let ports = wiring.open();
            return self.start(ports);
        };
        wiring.fuse(|upstream| Applied {
            upstream: Rc::new(upstream),
            waiting: RefCell::default(),
            step: RefCell::new(self.step),
            name,
        });
        // After fusion, there is nothing left to poll.
        Box::pin(std::future::poll_fn(|_| Poll::Ready(Ok(()))))
    }
}

/// An inbox in front of which other inboxes, and functions, can stand.
pub(crate) trait Fused<T> {
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<T>>;
    fn try_next(&self) -> Option<T>;
    fn next_blocking(&self) -> Option<T>;
    /// How many messages wait before the function.
    fn len(&self) -> usize;

    /// The message in hand, if it is kept.
    fn dead_letter(&self) -> Option<Letter<'_>> {
        None
    }

    /// Takes the copy of the message in hand, if there is one.
    fn take_copy(&self) -> Option<T> {
        None
    }

    /// Makes a message a dead letter if the component fails.
    fn put_back(&self, _: T) {}
}

/// A function that has been fused into the inbox behind it.
struct Applied<A, S> {
    upstream: Rc<Inbox<A>>,
    /// A wait for another thread, once it has begun.
    waiting: RefCell<Option<Across<'static, Option<A>>>>,
    step: RefCell<S>,
    name: Arc<str>,
}

impl<A, S> Applied<A, S> {
    fn apply<B>(&self, message: A) -> Option<B>
    where
        S: Step<A, B>,
    {
        let culprit = Culprit(&self.name);
        let message = self.step.borrow_mut().apply(message);
        std::mem::forget(culprit);
        message
    }
}

impl<A: Message, B, S: Step<A, B>> Fused<B> for Applied<A, S> {
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<B>> {
        loop {
            let Some(message) = ready!(self.upstream.poll_fused(cx, &self.waiting)) else {
                return Poll::Ready(None);
            };
            if let Some(message) = self.apply(message) {
                return Poll::Ready(Some(message));
            }
        }
    }

    fn try_next(&self) -> Option<B> {
        std::iter::from_fn(|| self.upstream.try_take()).find_map(|message| self.apply(message))
    }

    fn next_blocking(&self) -> Option<B> {
        std::iter::from_fn(|| self.upstream.take_blocking()).find_map(|message| self.apply(message))
    }

    fn len(&self) -> usize {
        self.upstream.len()
    }
}

thread_local! {
    static CULPRIT: RefCell<Option<Arc<str>>> = const { RefCell::new(None) };
}

/// Only a panic in a function drops this value. It records the name of that function.
struct Culprit<'a>(&'a Arc<str>);

impl Drop for Culprit<'_> {
    fn drop(&mut self) {
        CULPRIT.replace(Some(self.0.clone()));
    }
}

/// The name of the function in which the panic that was just caught began, if it began in a
/// function.
pub(crate) fn culprit() -> Option<Arc<str>> {
    CULPRIT.take()
}

#[cfg(test)]
mod tests;
