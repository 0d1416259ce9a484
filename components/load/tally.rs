//! The tally of a run: adds up the outcomes of all connections.
//!
//! ```text
//!              ┌───────┐ ──▶ progress    so far, a few times a second
//!  batches ──▶ │ tally │
//!              └───────┘ ──▶ measured    at the end
//! ```

use std::time::{Duration, Instant};

use futures_lite::future::or;
use kamea::time::{Timer, now};
use kamea::{Component, Inbox, Outbox, Ports, is_stopping};

use super::seconds::Seconds;
use super::{Measured, Note, Span};

/// The ports of [`tally`].
#[derive(Debug, Ports)]
pub struct TallyPorts {
    /// The outcomes from the connections.
    pub batches: Inbox<Vec<Note>>,
    /// Interim figures. A slow receiver misses some.
    pub progress: Option<Outbox<Box<Measured>>>,
    /// The final figures.
    pub measured: Outbox<Box<Measured>>,
}

/// How often interim figures are sent.
const PERIOD: Duration = Duration::from_millis(250);

/// Adds up the outcomes of a run. The measurement starts with the [`Span`] that it receives, or
/// else with itself.
///
/// It ends when the outcomes end.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea::{Graph, time::now};
/// use kamea_components::load::{Answer, Outcome, Span, Ticket, tally};
///
/// let mut graph = Graph::new("tally alone");
/// let tally = graph.add("tally", tally());
/// let (batches, mut measured) = (graph.feed(tally.batches), graph.take(tally.measured));
/// let outcome = Outcome {
///     ticket: Ticket { planned: now(), late: Default::default() },
///     sent: Some(now()),
///     ended: now(),
///     bytes: 100,
///     result: Ok(Answer { status: Some(StatusCode::OK), content: 42 }),
/// };
/// let span = Span { from: outcome.ticket.planned, until: None };
/// batches.try_send(vec![span.into(), outcome.into()]).unwrap();
/// drop(batches);
/// kamea::testing::block_on(graph.start()?)?;
/// let measured = measured.try_next().unwrap();
/// assert_eq!((measured.requests, measured.bytes, measured.content.longest), (1, 100, 42));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn tally() -> impl Component<TallyPorts> + Clone + Send + Sync {
    async move |io: &mut TallyPorts| {
        let from = now();
        let mut sum = Sum {
            span: Span { from, until: None },
            measured: Measured::new(),
            seconds: Seconds::default(),
            last: from,
        };
        let mut news = Timer::new();
        news.set(now() + PERIOD);
        loop {
            let batch = async { Ok(io.batches.next().await) };
            let due = async {
                news.expired().await;
                Err(())
            };
            match or(batch, due).await {
                Ok(Some(batch)) => batch.into_iter().for_each(|note| sum.add(note)),
                Ok(None) => break,
                Err(()) => {
                    news.set(now() + PERIOD);
                    if let Some(progress) = &io.progress {
                        // A slow receiver misses it.
                        let _ = progress.try_send(sum.so_far());
                    }
                }
            }
        }
        Ok(io.measured.send(sum.at_end()).await?)
    }
}

struct Sum {
    span: Span,
    measured: Measured,
    seconds: Seconds,
    /// When the last request ended.
    last: Instant,
}

impl Sum {
    fn add(&mut self, note: Note) {
        match note {
            Note::Span(span) => (self.span, self.last) = (span, span.from),
            Note::Outcome(outcome) if outcome.ticket.planned < self.span.from => {}
            Note::Outcome(outcome) => {
                self.last = self.last.max(outcome.ended);
                self.seconds.add(self.span.from, &outcome);
                self.measured.add(outcome);
            }
            Note::Shortfall(shortfall) => self.measured.add_shortfall(shortfall),
        }
    }

    fn so_far(&mut self) -> Box<Measured> {
        self.measured.duration = now().saturating_duration_since(self.span.from);
        self.with_seconds()
    }

    /// The run lasts until everything planned is over, longer if responses came later, or until it
    /// is stopped.
    fn at_end(mut self) -> Box<Measured> {
        let over = match self.span.until {
            Some(until) if is_stopping() => until.min(now()),
            Some(until) => until,
            None => self.last,
        };
        let end = over.max(self.last);
        self.measured.duration = end.saturating_duration_since(self.span.from);
        self.with_seconds()
    }

    fn with_seconds(&self) -> Box<Measured> {
        let mut measured = Box::new(self.measured.clone());
        measured.series = self.seconds.series();
        measured
    }
}
