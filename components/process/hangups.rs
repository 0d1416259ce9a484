//! SIGHUP as messages: it tells a server that its configuration or its log files have changed.

use futures_lite::future::or;
use kamea::{Component, Source, stopping};
use tokio::signal::unix::{SignalKind, signal};

/// SIGHUP has arrived, once or several times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hangup;

/// Sends a message for each SIGHUP, which then no longer ends the process.
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
pub fn hangups() -> impl Component<Source<Hangup>> + Clone + Send {
    async |io: &mut Source<Hangup>| {
        let mut signals = signal(SignalKind::hangup())?;
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
