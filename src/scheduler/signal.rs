//! Signals: ctrl-c and SIGTERM stop a scheduler gracefully.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::pin;
use std::process;
use std::task::Poll;
use std::time::Duration;

use tokio::runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::Scheduler;

impl Scheduler {
    /// Runs until SIGINT (ctrl-c) or SIGTERM comes, then stops gracefully, with `deadline` to drain. A second
    /// signal ends the process at once, with status 130.
    ///
    /// # Errors
    ///
    /// If the system does not let the signals be watched; nothing has been stopped.
    pub fn until_ctrl_c(self, deadline: Duration) -> io::Result<()> {
        self.until_ctrl_c_or(pending(), deadline)
    }

    /// Like [`until_ctrl_c`](Self::until_ctrl_c), but stops as well when `event` is there.
    ///
    /// # Errors
    ///
    /// Like [`until_ctrl_c`](Self::until_ctrl_c).
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
    ) -> io::Result<()> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            let mut next = async || {
                poll_fn(|cx| match interrupt.poll_recv(cx) {
                    Poll::Ready(_) => Poll::Ready(()),
                    Poll::Pending => terminate.poll_recv(cx).map(|_| ()),
                })
                .await;
            };
            let signalled = {
                let (mut signal, mut event) = (pin!(next()), pin!(event));
                poll_fn(|cx| match signal.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(true),
                    Poll::Pending => event.as_mut().poll(cx).map(|()| false),
                })
                .await
            };
            if signalled {
                log::info!(
                    "Stopping: up to {} s for what still runs",
                    deadline.as_secs_f32()
                );
            }
            self.begin_stop();
            let mut again = pin!(next());
            let mut drained = pin!(self.ended.recv_async());
            let mut late = pin!(tokio::time::sleep(deadline));
            poll_fn(|cx| {
                if again.as_mut().poll(cx).is_ready() {
                    process::exit(130);
                }
                if drained.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(());
                }
                late.as_mut().poll(cx)
            })
            .await;
            io::Result::Ok(())
        })?;
        self.end();
        Ok(())
    }
}
