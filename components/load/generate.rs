//! The wiring of a load generator.
//!
//! ```text
//!  numbers ──▶ connections ╌╌▶ a graph for each of them, on any worker ──batches──▶ tally ──▶ progress, measured
//! ```

use std::time::{Duration, Instant};

use kamea::time::now;
use kamea::{Component, Graph, InboxHandle, OutboxHandle, Receiver, Sender, link};

use super::{
    Awaited, Budget, Measured, Note, Pace, ResponseOptions, Returned, Schedule, Span, Targets,
    Ticket, TicketPortsHandles, give_tickets, parse_messages, parse_responses, tally,
    write_messages, write_requests,
};
use crate::chassis::run_each;
use crate::net::{DialEvent, DialPorts, HangUp, Outgoing};
use crate::stream::{batch, data_source};
use crate::websocket::Message;

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
    let options = load.response_options;
    generate_by(load, move |graph, number| {
        let Connection { targets, dial } = connection(number);
        let writer = graph.add("writer", write_requests(targets));
        let dial = graph.add("dial", dial);
        let parser = graph.add("parser", parse_responses(options));
        Parts {
            tickets: writer.tickets,
            requests: (writer.requests, dial.outgoing),
            awaited: (writer.awaited, parser.awaited),
            events: (dial.events, parser.events),
            hang_ups: (parser.hang_ups, dial.hang_ups),
            outcomes: parser.outcomes,
            returned: parser.returned,
            pongs: None,
        }
    })
}

/// The task of one WebSocket.
#[derive(Debug, Clone)]
pub struct MessageConnection<Dial> {
    /// The message that it sends again and again.
    pub message: Message,
    /// Whether the WebSocket is opened with permessage-deflate.
    pub deflate: bool,
    /// Its server. Connections must be open WebSockets: see
    /// [`open_websocket`](super::open_websocket).
    pub dial: Dial,
}

/// Makes a load generator whose connections are WebSockets. A request is a message, and the next
/// message of the server is its response. `connection` gives the task of each connection, by its
/// number. The options of responses have a time limit; the others do not apply.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea::Scheduler;
/// use kamea_components::http::{Fields, Url};
/// use kamea_components::load::{
///     Generator, Load, MessageConnection, generate_messages, open_websocket,
/// };
/// use kamea_components::net::{Socket, dial_any};
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::stream::echo;
/// use kamea_components::websocket::{HandshakeOptions, Message};
///
/// let scheduler = Scheduler::with_workers(2);
/// let server = WebServer::new(Site::new(".")).websocket("/echo", || echo);
/// let server = server.run(&scheduler, &["127.0.0.1:0".parse()?])?;
/// let address = server.addresses()[0];
///
/// let url = Url::websocket(&format!("ws://{address}/echo"))?;
/// let options = HandshakeOptions { deflate: None, ..HandshakeOptions::default() };
/// let load = generate_messages(Load::of(10), move |_| {
///     let (url, options) = (url.clone(), options.clone());
///     let connect = async move |address| {
///         let socket = Socket::connect(address).await?;
///         open_websocket(socket, &url, &options, &Fields::new()).await
///     };
///     MessageConnection {
///         message: Message::text("hello"),
///         deflate: false,
///         dial: dial_any([address], connect, Duration::from_secs(10)),
///     }
/// });
/// scheduler.run(load.graph)?;
/// let measured = load.measured.into_iter().next().ok_or("it was stopped")?;
/// assert_eq!((measured.requests, measured.content.total), (10, 50));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn generate_messages<Dial>(
    load: Load,
    mut connection: impl FnMut(usize) -> MessageConnection<Dial> + Send + 'static,
) -> Generator
where
    Dial: Component<DialPorts> + Send,
{
    let within = load.response_options.within;
    generate_by(load, move |graph, number| {
        let MessageConnection {
            message,
            deflate,
            dial,
        } = connection(number);
        let writer = graph.add("writer", write_messages(message, deflate));
        let dial = graph.add("dial", dial);
        let parser = graph.add("parser", parse_messages(within, deflate));
        Parts {
            tickets: writer.tickets,
            requests: (writer.requests, dial.outgoing),
            awaited: (writer.awaited, parser.awaited),
            events: (dial.events, parser.events),
            hang_ups: (parser.hang_ups, dial.hang_ups),
            outcomes: parser.outcomes,
            returned: parser.returned,
            pongs: Some(parser.pongs),
        }
    })
}

/// The ends of the components of one connection, in pairs that are linked.
struct Parts {
    tickets: InboxHandle<Ticket>,
    requests: (OutboxHandle<Outgoing>, InboxHandle<Outgoing>),
    awaited: (OutboxHandle<Awaited>, InboxHandle<Awaited>),
    events: (OutboxHandle<DialEvent>, InboxHandle<DialEvent>),
    hang_ups: (OutboxHandle<HangUp>, InboxHandle<HangUp>),
    outcomes: OutboxHandle<Note>,
    returned: OutboxHandle<Returned>,
    /// What goes over the connection beside requests.
    pongs: Option<OutboxHandle<Outgoing>>,
}

/// Makes a load generator. `add` adds the components of the connection with this number.
fn generate_by(
    load: Load,
    mut add: impl FnMut(&mut Graph, usize) -> Parts + Send + 'static,
) -> Generator {
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
        let mut graph = Graph::new("connection");
        let tickets = graph.add("tickets", give_tickets(pace));
        let parts = add(&mut graph, number);
        wire(graph, &load, tickets, parts, to_tally.clone())
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

/// Links the graph of one connection.
fn wire(
    mut graph: Graph,
    load: &Load,
    tickets: TicketPortsHandles,
    parts: Parts,
    to_tally: Sender<Vec<Note>>,
) -> Graph {
    let depth = load.depth;
    let connections = u32::try_from(load.connections).unwrap_or(u32::MAX);
    let wait = WAIT_BY_CONNECTION.saturating_mul(connections);
    let wait = wait.clamp(LEAST_WAIT, MOST_WAIT);
    let recorder = graph.add("recorder", batch(BATCH, wait));
    graph.link(tickets.tickets, parts.tickets).capacity(depth);
    graph.link(parts.awaited.0, parts.awaited.1).capacity(depth);
    let mut requests = graph.link(parts.requests.0, parts.requests.1);
    requests = requests.measure(|piece| piece.bytes.len());
    if let Some(pongs) = parts.pongs {
        requests.feedback(pongs);
    }
    graph
        .link(parts.events.0, parts.events.1)
        .measure(|event| event.received());
    graph.merge([parts.outcomes, tickets.shortfalls], recorder.inbox);
    graph
        .feedback(parts.returned, tickets.returned)
        .capacity(depth);
    graph.feedback(parts.hang_ups.0, parts.hang_ups.1);
    graph.take_into(recorder.outbox, to_tally);
    graph
}
