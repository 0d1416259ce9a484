//! The wiring of a load generator.
//!
//! ```text
//!  numbers ──▶ connections ╌╌▶ a graph for each of them, on any worker ──batches──▶ tally ──▶ progress, measured
//! ```

use std::time::{Duration, Instant};

use kamea::time::now;
use kamea::{Component, Graph, Receiver, Sender, link};

use super::{
    Budget, Measured, Note, Pace, ResponseOptions, Schedule, Span, Targets, give_tickets,
    parse_responses, tally, write_requests,
};
use crate::chassis::run_each;
use crate::net::DialPorts;
use crate::stream::{batch, data_source};

/// Batches of outcomes that may wait for the tally.
const BATCHES: usize = 64;

/// Outcomes in a batch, at most.
const BATCH: usize = 1024;

/// How long an outcome waits in its batch; longer with more connections.
const LEAST_WAIT: Duration = Duration::from_millis(100);
const WAIT_BY_CONNECTION: Duration = Duration::from_micros(100);
const MOST_WAIT: Duration = Duration::from_secs(1);

/// Time to start a connection, at most.
const PREPARATION: Duration = Duration::from_micros(20);

/// What load to make.
#[derive(Debug, Clone)]
pub struct Load {
    /// Open connections.
    pub connections: usize,
    /// Requests in flight on a connection; more than one is pipelining.
    pub depth: usize,
    /// Requests per second of all connections together. Without it, a connection sends its next
    /// request as soon as it has room.
    pub rate: Option<f64>,
    /// Warm-up before the measurement.
    pub warm_up: Duration,
    /// How long to send requests after the warm-up.
    pub lasts: Option<Duration>,
    /// Total number of requests.
    pub requests: Option<u64>,
    /// What to expect of responses.
    pub response_options: ResponseOptions,
}

impl Load {
    /// A fixed number of requests, one after another on one connection.
    #[must_use]
    pub fn of(requests: u64) -> Self {
        Self {
            connections: 1,
            depth: 1,
            rate: None,
            warm_up: Duration::ZERO,
            lasts: None,
            requests: Some(requests),
            response_options: ResponseOptions::default(),
        }
    }

    /// Time to start all connections; a later start would miss its schedule.
    fn preparation(&self) -> Duration {
        let connections = u32::try_from(self.connections).unwrap_or(u32::MAX);
        match self.rate {
            Some(_) => PREPARATION.saturating_mul(connections),
            None => Duration::ZERO,
        }
    }

    /// The measured time, if requests start at this moment.
    fn span(&self, begin: Instant) -> Span {
        let from = begin + self.warm_up;
        Span {
            from,
            until: self.lasts.and_then(|lasts| from.checked_add(lasts)),
        }
    }

    /// The pace of a connection, by its number.
    fn pace(&self, connection: usize, begin: Instant, budget: Option<Budget>) -> Pace {
        let schedule = self.rate.map(|rate| {
            let schedule = Schedule::new(begin, rate, connection, self.connections);
            match self.requests {
                Some(requests) => schedule.of(requests),
                None => schedule,
            }
        });
        Pace {
            depth: self.depth,
            schedule,
            until: self.span(begin).until,
            budget,
        }
    }
}

/// The task of one connection.
#[derive(Debug, Clone)]
pub struct Connection<Dial> {
    /// Its requests.
    pub targets: Targets,
    /// Its server, as the component [`dial`](crate::net::dial) takes it.
    pub dial: Dial,
}

/// A load generator, ready to run. When stopped it ends within a second and still reports its
/// figures.
#[derive(Debug)]
pub struct Generator {
    /// Its graph.
    pub graph: Graph,
    /// Interim figures, a few times per second. A slow receiver misses some.
    pub progress: Receiver<Box<Measured>>,
    /// The final figures.
    pub measured: Receiver<Box<Measured>>,
}

/// Makes a load generator. `connection` gives the task of each connection, by its number.
///
/// # Examples
///
/// ```
/// use http::{Method, Version};
/// use kamea::Scheduler;
/// use kamea_components::http::{Fields, RequestHead};
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::load::{Connection, Generator, Load, Target, Targets, generate};
/// use kamea_components::net::dial;
///
/// let scheduler = Scheduler::with_workers(2);
/// let server = WebServer::new(Site::new(".")).run(&scheduler, &["127.0.0.1:0".parse()?])?;
/// let address = server.addresses()[0];
///
/// let head = RequestHead {
///     target: kamea_components::http::Target::parse(&Method::OPTIONS, "*".into())?,
///     method: Method::OPTIONS,
///     version: Version::HTTP_11,
///     fields: Fields::new().with("Host", "a"),
/// };
/// let targets = Targets::new([Target::new(&head, b"", 1)]);
/// let Generator { graph, measured, .. } = generate(Load::of(10), move |_| Connection {
///     targets: targets.clone(),
///     dial: dial([address], std::time::Duration::from_secs(10)),
/// });
/// scheduler.run(graph)?;
/// let measured = measured.into_iter().next().ok_or("it was stopped")?;
/// assert_eq!((measured.requests, measured.errors.total()), (10, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn generate<Dial>(
    load: Load,
    mut connection: impl FnMut(usize) -> Connection<Dial> + Send + 'static,
) -> Generator
where
    Dial: Component<DialPorts> + Send,
{
    let mut graph = Graph::new("load");
    let (to_tally, batches) = link(BATCHES);
    let tally = graph.add("tally", tally());
    graph.feed_from(batches, tally.batches);
    let (progress, measured) = (graph.take(tally.progress), graph.take(tally.measured));

    let numbers = graph.add("numbers", data_source(0..load.connections));
    let (at_once, budget) = (load.connections, load.requests.map(Budget::new));
    let mut begin = None;
    let run = move |number| {
        let begin = *begin.get_or_insert_with(|| {
            let begin = now() + load.preparation();
            // The first request can be sent at once.
            let _ = to_tally.try_send(vec![load.span(begin).into()]);
            begin
        });
        let pace = load.pace(number, begin, budget.clone());
        wire(&load, pace, connection(number), to_tally.clone())
    };
    let run = run_each(run).at_most(at_once).spread();
    let connections = graph.add("connections", run);
    graph.link(numbers.outbox, connections.inbox);
    Generator {
        graph,
        progress,
        measured,
    }
}

/// The graph of one connection.
fn wire<Dial: Component<DialPorts> + Send>(
    load: &Load,
    pace: Pace,
    Connection { targets, dial }: Connection<Dial>,
    to_tally: Sender<Vec<Note>>,
) -> Graph {
    let depth = pace.depth;
    let connections = u32::try_from(load.connections).unwrap_or(u32::MAX);
    let wait = WAIT_BY_CONNECTION.saturating_mul(connections);
    let wait = wait.clamp(LEAST_WAIT, MOST_WAIT);
    let mut graph = Graph::new("connection");
    let tickets = graph.add("tickets", give_tickets(pace));
    let writer = graph.add("writer", write_requests(targets));
    let dial = graph.add("dial", dial);
    let parser = graph.add("parser", parse_responses(load.response_options));
    let recorder = graph.add("recorder", batch(BATCH, wait));
    graph.link(tickets.tickets, writer.tickets).capacity(depth);
    graph.link(writer.awaited, parser.awaited).capacity(depth);
    graph
        .link(writer.requests, dial.outgoing)
        .measure(|piece| piece.bytes.len());
    graph
        .link(dial.events, parser.events)
        .measure(|event| event.received());
    graph.merge([parser.outcomes, tickets.shortfalls], recorder.inbox);
    graph
        .feedback(parser.returned, tickets.returned)
        .capacity(depth);
    graph.feedback(parser.hang_ups, dial.hang_ups);
    graph.take_into(recorder.outbox, to_tally);
    graph
}
