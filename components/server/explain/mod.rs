//! Explains requests: where they go, what each component decides, and how long each takes.
//!
//! ```text
//! requests ─▶ ┌ explain_requests ──────────────────────────────────────────────────┐ ─▶ passed
//!             │ parser ─▶ (stamp) ─▶ connection's components ─▶ (stamp) ─▶ encoder │ ─▶ responses
//!             └──────────────╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌ hops ╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌▲────┘ ─▶ failures
//! ```
//!
//! A request that needs no explanation passes. A request to explain goes through a graph of its
//! own: the same components, with a stamp on every link. The stamps report to the end of the line
//! what has passed, and when.

mod explanation;
mod explanations;
mod stamp;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_lite::future::{or, try_zip};
use http::StatusCode;
use kamea::time::now;
use kamea::{Component, Done, Graph, Inbox, PerSeed, Ports, Sender, Source, Template, link};

pub use explanation::{ExplainedHop, Explanation};
pub(super) use explanations::Asked;
pub use explanations::{Explanations, Picked};

use super::connection::Opened;
use crate::web::{Exchange, Failure, FilterPorts, Remark, Request, Response, Route};
use explanation::Account;
use stamp::{Hop, Stamped, stamp};

/// The rules of the built-in routers, by the name of the router: each is a route, under the name of
/// the component that it leads to.
pub(super) type Rules = BTreeMap<String, Arc<[(String, Route)]>>;

/// A request to explain, on its path through the graph that is made for it.
#[derive(Debug)]
pub(super) struct ExplainJob {
    request: Option<Request>,
    account: Option<Account>,
    asked: Option<Asked>,
    told: Sender<Response>,
}

/// Passes requests on, except those to explain: these go through a graph of their own, made from
/// `explaining`.
pub(super) fn explain_requests(
    explanations: Explanations,
    explaining: Template<Opened>,
    opened: Opened,
) -> impl Component<FilterPorts> {
    async move |io: &mut FilterPorts| {
        while let Some(request) = io.requests.next().await {
            match explanations.wanted(&request) {
                None => io.passed.send(request).await?,
                Some(asked) => {
                    Box::pin(explain(io, &explaining, &opened, request, asked)).await?;
                }
            }
        }
        Ok(())
    }
}

async fn explain(
    io: &FilterPorts,
    explaining: &Template<Opened>,
    opened: &Opened,
    request: Request,
    asked: Asked,
) -> Done {
    let exchange = request.exchange;
    // The secret is removed here.
    let mut request = request;
    request.head.fields.remove("kamea-explain");
    let (told, mut responses) = link(1);
    let job = ExplainJob {
        account: Some(Account::of(&request, now())),
        request: Some(request),
        asked: Some(asked),
        told,
    };
    let flow = explaining.start(opened.on(job));
    let flow = async {
        flow.await
            .map_err(|fault| log::error!("{} | {fault}", exchange.peer))
    };
    let mut is_answered = false;
    let passed = async {
        while let Some(response) = responses.next().await {
            is_answered = true;
            io.responses.send(response).await.map_err(drop)?;
        }
        Ok(())
    };
    // The fault is in the log.
    let served = async { try_zip(flow, passed).await.is_ok() };
    io.responses.while_open(served).await?;
    if !is_answered {
        let explanation = "what serves this has failed";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let failure = Failure::new(exchange, status, explanation);
        io.failures.send(failure).await?;
    }
    Ok(())
}

/// The beginning of the line, which stands for the parser: it sends the request to explain.
pub(super) fn send_request(opened: &mut Opened) -> impl Component<Source<Request>> + use<> {
    let job = opened.job.as_mut();
    let mut request = job.and_then(|job| job.request.take());
    async move |io: &mut Source<Request>| {
        if let Some(request) = request.take() {
            io.outbox.send(request).await?;
        }
        Ok(())
    }
}

/// Adds a stamp to every link before the end of the line.
pub(super) fn add_stamps(graph: &mut Graph<PerSeed<Opened>>, to: kamea::InboxHandle<Hop>) {
    let mut hops = Vec::new();
    put_stamps::<Request>(graph, &mut hops);
    put_stamps::<Failure>(graph, &mut hops);
    put_stamps::<Response>(graph, &mut hops);
    put_stamps::<Remark>(graph, &mut hops);
    graph.merge(hops, to);
}

fn put_stamps<T: Stamped>(
    graph: &mut Graph<PerSeed<Opened>>,
    hops: &mut Vec<kamea::OutboxHandle<Hop>>,
) {
    graph.interpose(|graph, link| {
        let name = format!("{} ─ {}", link.from, link.to);
        let stamp = graph.add(&name, stamp::<T>(link));
        hops.push(stamp.hops);
        (stamp.messages, stamp.passed)
    });
}

/// The ports of [`tell`].
#[derive(Debug, Ports)]
pub(super) struct TellPorts {
    /// The result of the request.
    pub(super) responses: Inbox<Response>,
    /// The hops.
    pub(super) hops: Inbox<Hop>,
    /// What components say about the request. The stamps on their links report it.
    pub(super) remarks: Option<Inbox<Remark>>,
}

/// The end of the line, which stands for the encoder: returns the response, or the explanation
/// instead of it.
pub(super) fn tell(opened: &mut Opened, rules: Rules) -> impl Component<TellPorts> + use<> {
    let mut job = opened.job.take();
    async move |io: &mut TellPorts| {
        let Some(mut job) = job.take() else {
            return Ok(());
        };
        loop {
            let hop = async {
                match io.hops.next().await {
                    Some(hop) => Ok(hop),
                    None => std::future::pending().await,
                }
            };
            let remarked = async {
                if let Some(remarks) = &mut io.remarks {
                    while remarks.next().await.is_some() {}
                }
                std::future::pending().await
            };
            let response = async { Err(io.responses.next().await) };
            match or(hop, or(remarked, response)).await {
                Ok(hop) => {
                    if let Some(account) = &mut job.account {
                        account.note(hop);
                    }
                }
                Err(Some(response)) => {
                    if let (Some(account), Some(asked)) = (job.account.take(), job.asked.take()) {
                        let response = due(response, account.exchange());
                        let explanation = account.explain(&response, &rules);
                        let told = asked.tell(explanation, response);
                        job.told.send(told).await?;
                    }
                }
                Err(None) => return Ok(()),
            }
        }
    }
}

/// The response to this exchange: the component that answers faults does not know its number.
fn due(mut response: Response, exchange: Exchange) -> Response {
    if response.exchange.number == Exchange::DUE {
        response.exchange = exchange;
    }
    response
}

#[cfg(test)]
mod tests;
