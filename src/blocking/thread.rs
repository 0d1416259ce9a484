//! A component that blocks, on a thread of its own.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use crate::component::{Done, Started};
use crate::link::across::AnyEnds;
use crate::ports::{DetachedWiring, Ports};
use crate::simulation;
use crate::supervision::{Cause, Ended, Failed, caught};

/// A component that blocks. Made by [`blocking`].
#[derive(Debug, Clone)]
pub struct Blocking<F>(F);

/// Turns a blocking function into a component. It runs on a thread of its own, with the same ports
/// as any other component, and uses their blocking methods.
///
/// When its graph is dropped its links close, and the function sees that like any other end of a
/// link. The thread is not killed.
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
    F: FnMut(&mut P) -> Done + Send + 'static,
{
    Blocking(function)
}

impl<F> Blocking<F> {
    /// Starts the thread. A future in the flow represents it, and waits for its end.
    pub(crate) fn start<P>(self, name: String, mut wiring: DetachedWiring) -> Started
    where
        P: Ports,
        F: FnMut(&mut P) -> Done + Send + 'static,
    {
        if simulation::is_on() {
            simulation::refuse_thread(&name);
            return Box::pin(std::future::pending());
        }
        let (held, busy) = (std::mem::take(&mut wiring.held), wiring.busy.take());
        let (ended, end) = flume::bounded(1);
        let (again, started_again) = flume::bounded::<()>(1);
        let body = move || {
            let (mut function, mut ports) = (self.0, wiring.open());
            loop {
                let outcome = catch_unwind(AssertUnwindSafe(|| function(&mut ports)));
                let Some(cause) = Cause::of(outcome) else {
                    break;
                };
                ports.dead_letters().into_iter().for_each(block_on);
                // The ports stay open until the policy has been applied. A flow that has been
                // dropped restarts nothing.
                if ended.send(cause).is_err() || started_again.recv().is_err() {
                    break;
                }
            }
            if let Err(cause) = caught(|| drop((function, ports))) {
                // Nobody waits for the end of a thread whose graph has been dropped.
                let _ = ended.send(cause);
            }
            drop(busy);
        };
        let spawned = thread::Builder::new().name(name).spawn(body);
        let thread = Thread {
            end,
            again,
            _held: held,
        };
        Box::pin(async move {
            match spawned {
                Ok(_) => thread.ended().await,
                Err(error) => Err(Box::new(Failed::for_good(Cause::Error(error.into())))),
            }
        })
    }
}

/// A thread, as its flow sees it. Dropping it closes the thread's outboxes.
struct Thread {
    /// Carries the thread's fault. Closed once the thread has ended.
    end: flume::Receiver<Cause>,
    again: flume::Sender<()>,
    /// Keeps its outboxes open.
    _held: Vec<Box<dyn AnyEnds>>,
}

impl Thread {
    async fn ended(self) -> Ended {
        let Ok(cause) = self.end.recv_async().await else {
            return Ok(());
        };
        Err(Box::new(Failed::new(cause, move || {
            // If the thread no longer listens it has ended. Its end is handled in its turn.
            let _ = self.again.send(());
            Box::pin(self.ended())
        })))
    }
}

/// Waits for a future on the current thread.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}
