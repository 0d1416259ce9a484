//! The explanation of a request, built from the hops of its messages.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::{Value, json};

use super::Rules;
use super::stamp::{Hop, What};
use crate::http::RequestHead;
use crate::tls::Facts;
use crate::web::{Body, Exchange, Piece, Request, Response, Route};

/// The path of one request through the components of its connection.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Explanation {
    /// The request, until its response began.
    pub request: Box<RequestHead>,
    /// The exchange, which names the peer.
    pub exchange: Exchange,
    /// What both ends of the connection have agreed on, if it is over TLS.
    pub tls: Option<Arc<Facts>>,
    /// The hops, in order.
    pub hops: Vec<ExplainedHop>,
    /// The status of the response.
    pub status: StatusCode,
    /// The length of the response's body in bytes, if it is known.
    pub length: Option<u64>,
    /// The time from the parser to the encoder.
    pub took: Duration,
}

/// The action of one component on a request, or on its result.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExplainedHop {
    /// The component.
    pub component: String,
    /// Its outbox, as `component.port`.
    pub from: String,
    /// The inbox that received the message.
    pub to: String,
    /// The action, in words.
    pub verdict: String,
    /// What it considered, with the results: for the router, the rules that it tried.
    pub rules: Vec<(String, String)>,
    /// How long the component had the message, including the time in its inbox.
    pub took: Duration,
}

impl Explanation {
    /// As JSON, with times in seconds: `{"request": {"method", "target", "peer"}, "hops":
    /// [{"component", "from", "to", "verdict", "rules", "seconds"}], "response": {"status",
    /// "reason", "length"}, "seconds"}`; over TLS also `"tls": {"session", "certificate": {"names",
    /// "issuer", "serial", "fingerprint", "days_left"}}`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut json = self.to_json_without_tls();
        if let Some(facts) = &self.tls {
            json["tls"] = json!({
                "session": facts.to_string(),
                "certificate": facts.certificate.as_ref().map(|certificate| json!({
                    "names": certificate.names(),
                    "issuer": certificate.issuer(),
                    "serial": certificate.serial(),
                    "fingerprint": certificate.fingerprint(),
                    "days_left": certificate.days_left(),
                })),
            });
        }
        json
    }

    fn to_json_without_tls(&self) -> Value {
        let rule = |(rule, verdict): &(String, String)| json!({"rule": rule, "verdict": verdict});
        let hop = |hop: &ExplainedHop| {
            json!({
                "component": hop.component,
                "from": hop.from,
                "to": hop.to,
                "verdict": hop.verdict,
                "rules": hop.rules.iter().map(rule).collect::<Vec<_>>(),
                "seconds": hop.took.as_secs_f64(),
            })
        };
        json!({
            "request": {
                "method": self.request.method.as_str(),
                "target": self.request.target.to_string(),
                "peer": self.exchange.peer.to_string(),
            },
            "hops": self.hops.iter().map(hop).collect::<Vec<_>>(),
            "response": {
                "status": self.status.as_u16(),
                "reason": self.status.canonical_reason().unwrap_or_default(),
                "length": self.length,
            },
            "seconds": self.took.as_secs_f64(),
        })
    }
}

/// What is known so far about a request to explain.
#[derive(Debug)]
pub(super) struct Account {
    request: Box<RequestHead>,
    exchange: Exchange,
    tls: Option<Arc<Facts>>,
    began: Instant,
    hops: Vec<Hop>,
}

impl Account {
    pub(super) fn of(request: &Request, began: Instant) -> Self {
        Self {
            request: request.head.clone(),
            exchange: request.exchange,
            tls: request.extensions.get().cloned(),
            began,
            hops: Vec::new(),
        }
    }

    pub(super) fn exchange(&self) -> Exchange {
        self.exchange
    }

    pub(super) fn note(&mut self, hop: Hop) {
        self.hops.push(hop);
    }

    /// `rules` are those of the routers.
    pub(super) fn explain(mut self, response: &Response, rules: &Rules) -> Explanation {
        self.hops.sort_by_key(|hop| hop.at);
        let (mut hops, mut before, mut has_answer, mut has_failed) =
            (Vec::new(), self.began, false, false);
        for Hop { link, what, at } in self.hops {
            let component = component_of(&link.from).to_owned();
            let next = component_of(&link.to);
            let verdict = match &what {
                What::Request => format!("passes it on to {next}"),
                What::Failure(status, why) if !has_failed => format!("refuses it: {status}, {why}"),
                What::Failure(..) => format!("passes the failure on to {next}"),
                What::Response(status) if !has_answer => format!("answers {status}"),
                What::Response(status) => format!("passes the answer on, {status}"),
                What::Remark(remark) => remark.verdict.clone(),
            };
            has_failed |= matches!(what, What::Failure(..));
            has_answer |= matches!(what, What::Response(_));
            let considered = match (what, rules.get(&component)) {
                (What::Remark(remark), _) => remark.rules,
                (_, Some(routes)) => tried(routes, &self.request),
                (_, None) => Vec::new(),
            };
            hops.push(ExplainedHop {
                rules: considered,
                took: at.saturating_duration_since(before),
                component,
                from: link.from,
                to: link.to,
                verdict,
            });
            before = at;
        }
        Explanation {
            request: self.request,
            exchange: self.exchange,
            tls: self.tls,
            hops,
            status: response.head.status,
            length: length_of(&response.body),
            took: before.saturating_duration_since(self.began),
        }
    }
}

/// The routes up to the matching one, each with the reason why it did not match.
fn tried(routes: &[(String, Route)], request: &RequestHead) -> Vec<(String, String)> {
    let mut tried = Vec::new();
    for (name, route) in routes {
        let rule = format!("{name}: {route}");
        let Some(mismatch) = route.mismatch(request) else {
            tried.push((rule, "matches".to_owned()));
            return tried;
        };
        tried.push((rule, format!("no: {mismatch}")));
    }
    tried
}

fn component_of(end: &str) -> &str {
    end.rsplit_once('.').map_or(end, |(component, _)| component)
}

fn length_of(body: &Body) -> Option<u64> {
    match body {
        Body::Empty | Body::Upgrade(_) => Some(0),
        Body::Bytes(bytes) => Some(bytes.len() as u64),
        Body::File(slice) => Some(slice.length),
        Body::Pieces(pieces) => Some(pieces.iter().map(Piece::length).sum()),
        Body::Stream { length, .. } => *length,
        Body::Verbatim(_) => None,
    }
}
