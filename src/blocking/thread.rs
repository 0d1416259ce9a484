//! A component that blocks, on a thread of its own.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

use crate::component::{Done, Started};
use crate::ports::{DetachedWiring, Ports};
use crate::simulation;

/// A component that blocks. Made by [`blocking`].
#[derive(Debug, Clone)]
pub struct Blocking<F>(F);

/// Makes a function that blocks a component. It runs on a thread of its own, with the same ports as any
/// component, and uses their blocking methods.
///
/// When its graph is dropped its links close, and it hears of that as at any other end; it is not killed.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Pipe, blocking};
///
/// let mut graph = Graph::new("hashing");
/// let length = graph.add("length", blocking(|io: &mut Pipe<String, usize>| {
///     while let Some(text) = io.inbox.next_blocking() {
///         io.outbox.send_blocking(text.len())?;
///     }
///     Ok(())
/// }));
/// let (texts, lengths) = (graph.feed(length.inbox), graph.take(length.outbox));
/// # let scheduler = kamea::Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// texts.send_blocking("Kamaelia".to_owned()).unwrap();
/// drop(texts);
/// assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [8]);
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn blocking<P, F>(function: F) -> Blocking<F>
where
    P: Ports,
    F: FnOnce(&mut P) -> Done + Send + 'static,
{
    Blocking(function)
}

impl<F> Blocking<F> {
    /// Starts the thread; what stands for it in the flow waits for its end.
    pub(crate) fn start<P>(self, name: String, wiring: DetachedWiring) -> Started
    where
        P: Ports,
        F: FnOnce(&mut P) -> Done + Send + 'static,
    {
        if simulation::is_on() {
            simulation::refuse_thread(&name);
            return Box::pin(std::future::pending());
        }
        let (ended, end) = flume::bounded(1);
        let body = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| (self.0)(&mut wiring.open())));
            // Nobody waits for the end of a thread whose graph has been dropped.
            let _ = ended.send(outcome);
        };
        let spawned = thread::Builder::new().name(name).spawn(body);
        Box::pin(async move {
            spawned?;
            match end.recv_async().await? {
                Ok(done) => done,
                Err(panic) => resume_unwind(panic),
            }
        })
    }
}
