//! The requests of one process: a graph for each.
//!
//! ```text
//! ask ──▶ connection ──▶ receive ──▶ console
//!                           └───verdicts──▶ judge ──▶ outcome
//!                             (faults of all) ─▲
//! ```

use std::io;
use std::process;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Version};
use kamea::time::now;
use kamea::{
    Cause, Done, Fault, Graph, GraphError, Inbox, Outbox, Policy, Ports, Receiver, Scheduler,
    Source, inspect, pipeline,
};
use kamea_components::console::console_echoer;
use kamea_components::http::{BodyKind, Fields, Url, encode_request};
use kamea_components::net::tcp_client;
use kamea_components::tls::{ClientTls, TlsError, tls_client};

use super::Failed;
use super::receive::{Broken, receive_response};
use crate::options::Options;
use crate::values::Target;

/// The names of components whose faults are distinguished.
const CONNECTION: &str = "connection";
const TLS: &str = "tls";
const CONNECTION_BELOW_TLS: &str = "tls/connection";
const CONSOLE: &str = "console";

/// Makes requests one after another, until one fails.
pub(super) fn make_requests(options: &Options, tls: Option<&ClientTls>) -> Result<(), Failed> {
    let scheduler = Scheduler::with_workers(1);
    let (process, count) = (process::id(), options.requests.get());
    let target = options
        .target()
        .map_err(|wrong| Failed::Request(wrong.to_owned()))?;
    let mut total = Duration::ZERO;
    for _ in 0..count {
        announce(target);
        let began = now();
        make_request(&scheduler, &target.url, tls, options).map_err(Failed::Request)?;
        let elapsed = now() - began;
        log::debug!("Finish");
        let seconds = elapsed.as_secs_f64();
        log::debug!("{process} | Elapsed time: {seconds:.2} seconds");
        total += elapsed;
    }
    let average = total.as_secs_f64() / f64::from(count);
    log::debug!("{process} | Average elapsed time: {average:.2} seconds");
    Ok(())
}

fn announce(Target { text, url, .. }: &Target) {
    log::debug!("URL: {text}");
    log::debug!("HOST: {}", url.host());
    log::debug!("PORT: {}", url.port());
    log::debug!("PATH: {}", url.target());
}

fn make_request(
    scheduler: &Scheduler,
    url: &Url,
    tls: Option<&ClientTls>,
    options: &Options,
) -> Result<(), String> {
    let (graph, mut outcomes) =
        request_graph(url, tls, options).map_err(|error| error.to_string())?;
    let running = scheduler
        .run(graph)
        .map_err(|error: GraphError| error.to_string())?;
    let ended = running.wait().map_err(|fault| fault.to_string());
    ended.and(outcomes.next_blocking().unwrap_or(Ok(())))
}

/// The graph of a request, and its outcome.
type Asking = (Graph, Receiver<Result<(), String>>);

fn request_graph(
    url: &Url,
    tls: Option<&ClientTls>,
    options: &Options,
) -> Result<Asking, TlsError> {
    let (timeout, strict) = (options.timeout.0, options.strict);
    let mut graph = Graph::new("request");
    let connection = match tls {
        None => graph.add(CONNECTION, tcp_client(url.server(), timeout)),
        Some(tls) => graph.add(TLS, tls_client(tls, &url.server(), timeout)?),
    };
    let receive = graph.add("receive", receive_response(Method::GET, timeout, strict));
    let judge = graph.add("judge", judge);
    // A connection reads the request when it has been made.
    let sending = inspect(|_: &Bytes| {
        log::debug!("Handle");
        log::debug!("Sending request...");
    });
    let (_, request) = pipeline!(graph, ask(request(url)) => sending);
    graph.link(request, connection.inbox);
    graph.link(connection.outbox, receive.bytes);
    let console = graph.add(CONSOLE, console_echoer());
    graph.link(receive.passed, console.inbox);
    graph.link(receive.verdicts, judge.verdicts);
    graph.link(graph.faults(), judge.faults);
    graph.supervise(|_| Policy::CarryOn);
    let outcomes = graph.take(judge.outcomes);
    Ok((graph, outcomes))
}

/// A request of HTTP/1.0, so that the server sends the body without chunks, and closes the
/// connection after it.
fn request(url: &Url) -> Bytes {
    let agent = concat!("thor/", env!("CARGO_PKG_VERSION"));
    let fields = Fields::new()
        .with("User-Agent", agent)
        .with("Accept", "*/*");
    let head = url.request(Method::GET, Version::HTTP_10, fields);
    let mut request = Vec::new();
    encode_request(&mut request, &head, BodyKind::None);
    request.into()
}

/// Sends a request. It ends when nothing waits for the response any more: servers treat a client
/// that has finished sending as gone.
fn ask(request: Bytes) -> impl kamea::Component<Source<Bytes>> + Send {
    async move |io: &mut Source<Bytes>| {
        io.outbox.send(request.clone()).await?;
        io.outbox.closed().await;
        Ok(())
    }
}

#[derive(Debug, Ports)]
struct JudgePorts {
    /// The verdict on the response.
    verdicts: Inbox<Result<(), Broken>>,
    /// Other failures.
    faults: Inbox<Fault>,
    /// The one outcome.
    outcomes: Outbox<Result<(), String>>,
}

/// Returns the result of a request. If several things failed, it is the first failure.
async fn judge(io: &mut JudgePorts) -> Done {
    let verdict = io.verdicts.next().await.unwrap_or(Ok(()));
    let mut outcome = verdict.as_ref().map_err(Broken::to_string).copied();
    let mut has_failed = false;
    while let Some(fault) = io.faults.next().await {
        // A connection may be cut after all bytes have arrived.
        let is_below = [CONNECTION, CONNECTION_BELOW_TLS].contains(&fault.component());
        let matters = verdict.is_err() || !is_below;
        if matters && !has_failed {
            has_failed = true;
            if is_reader_gone(&fault) {
                outcome = Ok(());
                continue;
            }
            outcome = Err(match (fault.cause(), fault.component()) {
                (Cause::Error(error), CONSOLE) => {
                    format!("cannot write to the standard output: {error}")
                }
                (Cause::Error(error), _) if error.is::<TlsError>() => format!("TLS: {error}"),
                (Cause::Error(error), _) => error.to_string(),
                _ => fault.to_string(),
            });
        }
    }
    Ok(io.outcomes.send(outcome).await?)
}

/// Whether the reader of the output is gone, as with `thor URL | head -1`. That is not a failure.
fn is_reader_gone(fault: &Fault) -> bool {
    let Cause::Error(error) = fault.cause() else {
        return false;
    };
    let error = error.downcast_ref::<io::Error>();
    fault.component() == CONSOLE
        && error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
