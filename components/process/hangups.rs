//! SIGHUP as messages: it tells a server that its configuration or its log files have changed.

use std::io;

use futures_lite::future::or;
use kamea::{Component, Source, stopping};
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGHUP has arrived, once or several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hangup;

/// Sends a message for each SIGHUP. From this call on, SIGHUP no longer ends the process.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_components::process::{Hangup, hangups};
///
/// let mut graph = Graph::new("hangups alone");
/// let source = graph.add("hangups", hangups());
/// let hangups = graph.take(source.outbox);
/// let scheduler = Scheduler::with_workers(1);
/// let running = scheduler.run(graph)?;
/// running.stop(); // the source ends
/// assert_eq!(hangups.into_iter().collect::<Vec<Hangup>>(), []);
/// # Ok::<(), kamea::GraphError>(())
/// ```
pub fn hangups() -> impl Component<Source<Hangup>> + Send {
    // Now, and not when the component starts: a SIGHUP in between would end the process.
    let mut watched = Some(watch());
    async move |io: &mut Source<Hangup>| {
        let mut signals = match watched.take() {
            Some(signals) => signals?,
            None => signal(SignalKind::hangup())?,
        };
        loop {
            let next = async { signals.recv().await.is_some() };
            let stopped = async {
                stopping().await;
                false
            };
            if !or(next, stopped).await {
                return Ok(());
            }
            io.outbox.send(Hangup).await?;
        }
    }
}

/// Watches SIGHUP from now on. The runtime is for the registration only: the workers have their
/// own, and each of them notices signals for all.
fn watch() -> io::Result<Signal> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let watched = {
        let _entered = runtime.enter();
        signal(SignalKind::hangup())
    };
    runtime.shutdown_background();
    watched
}
