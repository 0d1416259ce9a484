//! Taps: what travels over a link of a running graph, sampled and shown.
//!
//! A tap is looked for by graph and link and put into all instances that run, and into those that start later. It costs nothing where
//! there is none. What it sees is counted; what it samples is turned into text where it travels, up to a bound.

mod point;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

pub(crate) use point::{TapPoint, TapRequest, bounded};

use crate::Workers;

/// How much a [`Tap`] shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TapOptions {
    /// How many messages are sampled in a second at the most, on all workers together.
    pub per_second: u32,
    /// How many bytes the text of a sample has at the most.
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
    /// The how-manieth message it was at this tap, from 1. Those between two samples were not sampled.
    pub number: u64,
    /// The worker that sent it; `None` if that was another thread.
    pub worker: Option<usize>,
    /// How long after the tap was put in.
    pub after: Duration,
    /// The message, as its `Debug` shows it.
    pub text: String,
    /// Whether the text was longer.
    pub is_cut: bool,
}

/// Shows what travels over a link. Made by [`Workers::tap`]; taken out when it is dropped.
#[derive(Debug)]
pub struct Tap {
    samples: flume::Receiver<Sample>,
    seen: Arc<AtomicU64>,
    point: Weak<TapPoint>,
    workers: Workers,
}

impl Tap {
    /// The next sample; `None` once the scheduler is gone.
    pub async fn next(&mut self) -> Option<Sample> {
        self.samples.recv_async().await.ok()
    }

    /// The next sample, if there is one now.
    pub fn try_next(&mut self) -> Option<Sample> {
        self.samples.try_recv().ok()
    }

    /// The next sample; blocks this thread until it is there. Not for code that runs on a worker.
    pub fn next_blocking(&mut self) -> Option<Sample> {
        self.samples.recv().ok()
    }

    /// How many messages have passed, sampled or not.
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
    /// Taps a link: `from` and `to` are its ends in the graphs of that name, as `component.port`, in the words of a graph's
    /// [`Display`](crate::Graph) and of the census; `(outside)` for an end that is not in the graph, `(faults)` for its faults.
    ///
    /// It is put in by each worker when it comes to it. A link that is nowhere yet may come to be.
    ///
    /// A sample is what the message's `Debug` shows: a type that holds secrets keeps them out of that.
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
