//! A value that a component owns, and functions that it runs on it.
//!
//! ```text
//!  handlers ──functions──▶ ┌───────────┐
//!           ◀──results──── │ the value │   one function after another, and no lock
//!                          └───────────┘
//! ```

use std::any::Any;
use std::fmt;

use kamea::{AskError, Asker, Call as Question, Graph, Sink, blocking};

/// A value that a component owns. Handlers send it functions, and each gets the result of its own.
///
/// The functions wait in the one bounded queue of the component, so nothing is locked, and none
/// sees a half of another one's change. The live view shows the component and its queue. Where
/// questions are a type of their own, or a question has to wait for something, write the component
/// and use [`Graph::ask`].
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_app::{App, Call, Owned, Problem, State};
///
/// async fn add(call: Call<u64, (), State<Owned<u64>>>) -> Result<String, Problem> {
///     let number = call.params;
///     let total = call.with.with(move |total| {
///         *total += number;
///         *total
///     });
///     Ok(format!("{}\n", total.await?))
/// }
///
/// let mut graph = Graph::new("counter");
/// let total = Owned::add(&mut graph, "total", 0);
/// let app = App::with_state(total).post("/count/{number}", add).beside(graph);
/// # app.check().unwrap();
/// ```
pub struct Owned<T>(Asker<Job<T>, Finished>);

impl<T: Send + 'static> Owned<T> {
    /// Adds a component that owns this value to a graph. Its functions must not block.
    #[track_caller]
    pub fn add(graph: &mut Graph, name: &str, mut value: T) -> Self {
        let own = async move |io: &mut Sink<Question<Job<T>, Finished>>| {
            while let Some(Question { request, reply }) = io.inbox.next().await {
                reply.send((request.0)(&mut value));
            }
            Ok(())
        };
        Self(graph.ask(name, own))
    }

    /// The same, on a thread of its own: for functions that block, such as those of a database or
    /// of files.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// use kamea::{Graph, Scheduler};
    /// use kamea_app::Owned;
    ///
    /// let mut graph = Graph::new("notes");
    /// let notes = Owned::add_blocking(&mut graph, "file", tempfile::tempfile()?);
    /// let scheduler = Scheduler::with_workers(1);
    /// scheduler.run(graph)?;
    /// kamea::testing::block_on(notes.with(|file| file.write_all(b"hello\n")))??;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[track_caller]
    pub fn add_blocking(graph: &mut Graph, name: &str, mut value: T) -> Self {
        let own = move |io: &mut Sink<Question<Job<T>, Finished>>| {
            while let Some(Question { request, reply }) = io.inbox.next_blocking() {
                reply.send((request.0)(&mut value));
            }
            Ok(())
        };
        Self(graph.ask(name, blocking(own)))
    }

    /// Runs a function on the value, after those that wait already. If the wait is cancelled, a
    /// function in the queue still runs; one that waits for space there does not.
    ///
    /// # Errors
    ///
    /// [`AskError`], if the component has ended, or this function has panicked. A handler answers
    /// it with 503 by `?`.
    pub async fn with<R: Send + 'static>(
        &self,
        function: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Result<R, AskError> {
        let job = Job(Box::new(|value| Finished(Box::new(function(value)))));
        let result = self.0.ask(job).await?.0.downcast();
        // The job returns an `R`.
        result
            .map(|result| *result)
            .map_err(|_| AskError::Unanswered)
    }
}

impl<T> Clone for Owned<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Owned<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Owned").finish_non_exhaustive()
    }
}

/// A function that runs on the value.
struct Job<T>(Box<dyn FnOnce(&mut T) -> Finished + Send>);

impl<T> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a function")
    }
}

/// The result of a function.
#[derive(Debug)]
struct Finished(Box<dyn Any + Send>);

#[cfg(test)]
mod tests {
    use std::thread;

    use kamea::testing::block_on;
    use kamea::{Policy, Restart, Scheduler, Simulation};

    use super::*;

    #[test]
    fn functions_run_one_after_another_and_return_what_they_like() {
        for is_blocking in [false, true] {
            let mut graph = Graph::new("words");
            let words = match is_blocking {
                false => Owned::add(&mut graph, "words", Vec::new()),
                true => Owned::add_blocking(&mut graph, "words", Vec::new()),
            };
            let scheduler = Scheduler::with_workers(2);
            scheduler.run(graph).unwrap();
            thread::scope(|scope| {
                for _ in 0..4 {
                    let words = words.clone();
                    scope.spawn(move || {
                        for number in 0..100 {
                            let added = words.with(move |words| {
                                words.push(number);
                                words.len()
                            });
                            assert!(block_on(added).unwrap() > 0);
                        }
                    });
                }
            });
            let sorted = words.with(|words| {
                words.sort_unstable();
                words.clone()
            });
            let expected: Vec<i32> = (0..400).map(|number| number / 4).collect();
            assert_eq!(block_on(sorted).unwrap(), expected);
            let text = block_on(words.with(|words| words.first().map(i32::to_string)));
            assert_eq!(text.unwrap().as_deref(), Some("0"));
        }
    }

    #[test]
    fn a_function_that_panics_costs_its_own_result_only() {
        let mut graph = Graph::new("counter");
        let count = Owned::add(&mut graph, "count", 1);
        graph.supervise(|_| Policy::Restart(Restart::default()));
        let scheduler = Scheduler::with_workers(1);
        scheduler.run(graph).unwrap();
        let failed = block_on(count.with(|count: &mut i32| -> i32 { panic!("{count}") }));
        assert_eq!(failed, Err(AskError::Unanswered));
        assert_eq!(
            block_on(count.with(|count| *count)),
            Ok(1),
            "the value is still there"
        );
        drop(scheduler);
        let ended = block_on(count.with(|count| *count));
        assert_eq!(ended, Err(AskError::Ended));
    }

    #[test]
    fn in_a_simulation_no_update_is_lost_whatever_the_order() {
        for seed in 0..100 {
            let mut graph = Graph::new("counter");
            let count = Owned::add(&mut graph, "count", 0);
            let mut simulation = Simulation::seed(seed);
            for client in 0..3 {
                let count = count.clone();
                simulation = simulation.beside(&format!("client {client}"), async move || {
                    for _ in 0..3 {
                        count.with(|count| *count += 1).await.unwrap();
                    }
                });
            }
            let last = std::sync::Arc::new(std::sync::Mutex::new(0));
            let seen = last.clone();
            simulation = simulation.beside("reader", async move || {
                while count.with(|count| *count).await.unwrap() < 9 {
                    kamea::time::sleep(std::time::Duration::from_millis(1)).await;
                }
                *seen.lock().unwrap() = count.with(|count| *count).await.unwrap();
            });
            simulation.run(graph).unwrap();
            assert_eq!(*last.lock().unwrap(), 9, "seed {seed}");
        }
    }
}
