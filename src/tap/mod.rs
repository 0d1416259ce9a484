//! Taps show samples of the messages on a link of a running graph.
//!
//! A tap is identified by graph and link. It is installed in all running instances, and in those
//! that start later. A link without a tap has no cost. The tap counts all messages. It turns
//! samples into text on the sending thread, up to a length limit.

mod point;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

pub(crate) use point::{TapPoint, TapRequest, bounded};

use crate::Workers;

/// The limits of a [`Tap`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapOptions {
    /// The limit of samples per second, on all workers together.
    pub per_second: u32,
    /// The length limit of a sample's text, in bytes.
    pub length: usize,
}

impl Default for TapOptions {
    /// 20 samples a second, of 1 KiB.
    fn default() -> Self {
        Self {
            per_second: 20,
            length: 1024,
        }
    }
}

/// One message that travelled over a tapped link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sample {
    /// The number of the message at this tap, from 1. Messages between two samples were not
    /// sampled.
    pub number: u64,
    /// The worker that sent it. `None` if another thread sent it.
    pub worker: Option<usize>,
    /// The time since the tap was installed.
    pub after: Duration,
    /// The message, as its `Debug` shows it.
    pub text: String,
    /// Whether the text was cut.
    pub is_cut: bool,
}

/// Shows the messages on a link. Made by [`Workers::tap`]; dropping it removes the tap.
#[derive(Debug)]
pub struct Tap {
    samples: flume::Receiver<Sample>,
    seen: Arc<AtomicU64>,
    point: Weak<TapPoint>,
    workers: Workers,
}

impl Tap {
    /// Waits for the next sample. Returns `None` once the scheduler is gone.
    pub async fn next(&mut self) -> Option<Sample> {
        self.samples.recv_async().await.ok()
    }

    /// Returns the next sample, if there is one now.
    pub fn try_next(&mut self) -> Option<Sample> {
        self.samples.try_recv().ok()
    }

    /// Returns the next sample, and blocks this thread until there is one. Not for code that runs
    /// on a worker.
    pub fn next_blocking(&mut self) -> Option<Sample> {
        self.samples.recv().ok()
    }

    /// Returns how many messages have passed, sampled or not.
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        let Some(point) = self.point.upgrade() else {
            return;
        };
        self.workers.look(move |_, registry| registry.untap(&point));
    }
}

impl Workers {
    /// Taps a link. `from` and `to` are its ends in the graphs of that name, as `component.port`,
    /// as a graph's [`Display`](crate::Graph) and the census show them: `(outside)` for an end that
    /// is not in the graph, `(faults)` for its faults.
    ///
    /// Each worker installs it at its next opportunity. The link need not exist yet.
    ///
    /// A sample shows the message's `Debug`. A type with secrets must leave them out there.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::{Graph, Scheduler, Sink, Source, TapOptions};
    ///
    /// let mut graph = Graph::new("counting");
    /// let count = graph.add("count", async |io: &mut Source<u64>| {
    ///     for number in 0.. {
    ///         io.outbox.send(number).await?;
    ///     }
    ///     Ok(())
    /// });
    /// let discard = graph.add("discard", async |io: &mut Sink<u64>| {
    ///     while io.inbox.next().await.is_some() {}
    ///     Ok(())
    /// });
    /// graph.link(count.outbox, discard.inbox);
    /// let scheduler = Scheduler::with_workers(1);
    /// scheduler.run(graph)?;
    ///
    /// let mut tap = scheduler.workers().tap("counting", "count.outbox", "discard.inbox", TapOptions::default());
    /// let sample = tap.next_blocking().ok_or("no sample")?;
    /// assert!(sample.text.parse::<u64>().is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn tap(&self, graph: &str, from: &str, to: &str, options: TapOptions) -> Tap {
        let (point, samples) = TapPoint::new(options);
        let point = Arc::new(point);
        let request = TapRequest {
            graph: graph.into(),
            from: from.into(),
            to: to.into(),
            point: point.clone(),
        };
        self.look(move |_, registry| registry.tap(request.clone()));
        Tap {
            samples,
            seen: point.seen.clone(),
            point: Arc::downgrade(&point),
            workers: self.clone(),
        }
    }
}
