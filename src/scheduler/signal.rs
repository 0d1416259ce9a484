//! Signals: ctrl-c and SIGTERM stop a scheduler gracefully.
//!
//! A thread of its own waits for them, with an event queue of its own. So a second signal ends the
//! process, whatever the workers and the waiting thread do. When nothing waits for signals any
//! more, they have their default effect again.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_default;
use tokio::runtime::{self, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::exit_at_once;
use super::{Scheduler, StopError, deadline_after, refuse_to_block};
use crate::blocking::block_on;

impl Scheduler {
    /// Runs until SIGINT (ctrl-c) or SIGTERM arrives, then stops gracefully, with `deadline` to
    /// drain. A second signal ends the process at once, with status 130, whatever its components
    /// do.
    ///
    /// After this has returned, the signals have their default effect again: they end the process.
    ///
    /// # Errors
    ///
    /// [`StopError`]: the system refuses to watch the signals, and nothing has been stopped; or the
    /// deadline has passed, and what was left has been dropped. A `main` that returns it exits with
    /// status 1.
    ///
    /// # Panics
    ///
    /// On a worker, which it would block. It may be called on a thread of another tokio runtime,
    /// and blocks that thread: use `spawn_blocking` if other tasks must run there.
    pub fn until_ctrl_c(self, deadline: Duration) -> Result<(), StopError> {
        self.until_ctrl_c_or(pending(), deadline)
    }

    /// Like [`until_ctrl_c`](Self::until_ctrl_c), but also stops when `event` is ready.
    ///
    /// # Errors
    ///
    /// The same as those of [`until_ctrl_c`](Self::until_ctrl_c).
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use kamea::{Graph, Scheduler, Source};
    ///
    /// let mut graph = Graph::new("greeting");
    /// let greet = graph.add("greet", async |io: &mut Source<&'static str>| Ok(io.outbox.send("hello").await?));
    /// let mut greetings = graph.take(greet.outbox);
    /// let scheduler = Scheduler::with_workers(1);
    /// scheduler.run(graph)?;
    /// let greeted = async move { assert_eq!(greetings.next().await, Some("hello")) };
    /// scheduler.until_ctrl_c_or(greeted, Duration::from_secs(5))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn until_ctrl_c_or(
        mut self,
        event: impl Future<Output = ()>,
        deadline: Duration,
    ) -> Result<(), StopError> {
        refuse_to_block("until_ctrl_c", "a thread of its own");
        let signals = Signals::watch()?;
        if signals.came_before(event) {
            log::info!(
                "Stopping: up to {} s for what still runs",
                deadline.as_secs_f32()
            );
        }
        self.begin_stop();
        Ok(self.end_by(deadline_after(deadline))?)
    }
}

/// The signals, while a call waits for them.
struct Signals {
    /// Whether the next one ends the process.
    is_stopping: Arc<AtomicBool>,
    /// Receives the first one.
    first: flume::Receiver<()>,
    /// Ends the thread when it is dropped.
    leash: Option<flume::Sender<()>>,
    /// The runtime for the timers of an event.
    runtime: runtime::Handle,
    thread: Option<JoinHandle<()>>,
}

impl Signals {
    fn watch() -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let handle = runtime.handle().clone();
        let signals = {
            let _entered = runtime.enter();
            [SignalKind::interrupt(), SignalKind::terminate()].map(signal)
        };
        let [interrupt, terminate] = signals;
        let signals = [interrupt?, terminate?];
        Watched::begin()?;
        let is_stopping = Arc::new(AtomicBool::new(false));
        let (tell, first) = flume::bounded(1);
        let (leash, end) = flume::bounded(1);
        let watch = {
            let is_stopping = is_stopping.clone();
            move || wait_for_signals(&runtime, signals, &is_stopping, &tell, &end)
        };
        let thread = thread::Builder::new()
            .name("signals".to_owned())
            .spawn(watch)
            .inspect_err(|_| Watched::end())?;
        Ok(Self {
            is_stopping,
            first,
            leash: Some(leash),
            runtime: handle,
            thread: Some(thread),
        })
    }

    /// Waits for a signal or an event. Returns whether it is the signal. From then on a signal ends
    /// the process.
    fn came_before(&self, event: impl Future<Output = ()>) -> bool {
        let _entered = self.runtime.enter();
        let (mut signal, mut event) = (pin!(self.first.recv_async()), pin!(event));
        let is_signal = block_on(poll_fn(|cx| match signal.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending => event.as_mut().poll(cx).map(|()| false),
        }));
        self.is_stopping.store(true, SeqCst);
        is_signal
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        Watched::end();
        self.leash = None;
        if let Some(thread) = self.thread.take() {
            // It only waits, and does not panic.
            let _ = thread.join();
        }
    }
}

fn wait_for_signals(
    runtime: &Runtime,
    mut signals: [Signal; 2],
    is_stopping: &AtomicBool,
    tell: &flume::Sender<()>,
    end: &flume::Receiver<()>,
) {
    let mut end = pin!(end.recv_async());
    runtime.block_on(poll_fn(|cx| {
        for signal in &mut signals {
            while signal.poll_recv(cx).is_ready() {
                if is_stopping.swap(true, SeqCst) {
                    exit_at_once();
                }
                // The waiting call takes one.
                let _ = tell.try_send(());
            }
        }
        end.as_mut().poll(cx).map(|_| ())
    }));
}

/// Counts the calls that wait for signals. tokio's handlers stay installed for ever. If no call
/// waits, our handler does what the system would do by default.
#[derive(Default)]
struct Watched {
    count: Mutex<usize>,
    is_default: Arc<AtomicBool>,
}

static WATCHED: LazyLock<Watched> = LazyLock::new(Watched::default);

impl Watched {
    fn begin() -> io::Result<()> {
        static REGISTERED: AtomicBool = AtomicBool::new(false);
        let mut count = WATCHED.count();
        if !REGISTERED.swap(true, SeqCst) {
            for signal in [SIGINT, SIGTERM] {
                register_conditional_default(signal, WATCHED.is_default.clone())?;
            }
        }
        *count += 1;
        WATCHED.is_default.store(false, SeqCst);
        Ok(())
    }

    fn end() {
        let mut count = WATCHED.count();
        *count -= 1;
        WATCHED.is_default.store(*count == 0, SeqCst);
    }

    fn count(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
