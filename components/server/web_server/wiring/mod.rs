//! The wiring of a connection's components.

mod outline;
mod routes;
mod tls;

use std::time::Duration;

use bytes::Bytes;
use kamea::{GraphError, InboxHandle, OutboxHandle, Policy};

use super::WebServer;
use super::slots::{ConnectionGraph, Filtered, Slot, slot};
use crate::net::{WritePace, read_bytes, write_bytes};
use crate::server::Tls;
use crate::server::connection::Opened;
use crate::server::explain::{self, explain_requests};
use crate::web::{
    Notice, Request, Response, WINDOW, Written, add_fields, answer_errors, answer_faults,
    choose_errors, encode_responses, note_requests, parse_requests_of, record_exchanges,
    refuse_requests,
};
use outline::Outline;

/// How long a peer may take to read the refusal of its connection.
const REFUSAL_PACE: WritePace = WritePace {
    stall: Duration::from_secs(1),
    rate: 0,
};

/// How many pieces may wait for the writer. A buffer has up to 64 KiB, so that a slow peer costs
/// little memory.
const PIECES: usize = 4;

impl WebServer {
    /// The graph of one connection, over TLS or not.
    pub(super) fn wire(&self, tls: Option<&Tls>) -> Result<ConnectionGraph, GraphError> {
        let site = &self.site;
        let (limits, patience) = (site.limits, site.patience);
        let pace = WritePace {
            stall: site.write_stall,
            rate: patience.rate,
        };
        let mut outline = Outline::new("connection");
        outline.tls = tls.cloned();
        let reader = outline.add("reader", Policy::Stop, |connection: &mut Opened| {
            read_bytes(
                connection.socket.clone(),
                std::mem::take(&mut connection.first),
            )
        });
        let parser = outline.add("parser", Policy::Stop, move |connection: &mut Opened| {
            let (socket, retiring) = (connection.socket.clone(), connection.retiring.clone());
            parse_requests_of(socket, limits, patience, retiring)
        });
        outline.failures.push(parser.failures);
        let encoder = match tls {
            Some(_) => tls::wire_socket(&mut outline, pace, reader.outbox, parser.bytes),
            None => {
                let to_parser = outline.graph.link(reader.outbox, parser.bytes);
                to_parser.measure(Bytes::len);
                wire_output(&mut outline, pace)
            }
        };
        outline.notices.push(parser.notices);
        let written = (encoder.written, parser.written);
        let requests = self.wire_records(&mut outline, parser.requests, written);
        let requests = wire_filters(&self.early_filters, &mut outline, requests);
        let requests = self.wire_tls(&mut outline, requests);
        let requests = self.wire_explain(&mut outline, requests)?;
        let requests = wire_filters(&self.filters, &mut outline, requests);
        self.wire_routes(&mut outline, requests);

        let notices = std::mem::take(&mut outline.notices);
        outline.graph.merge(notices, encoder.notices);
        let forwarded = std::mem::take(&mut outline.forwarded);
        if let Some(recorder) = outline.recorder.take()
            && !forwarded.is_empty()
        {
            outline.graph.merge(forwarded, recorder);
        }
        self.wire_errors(&mut outline);
        self.wire_responses(&mut outline, encoder.responses);
        Ok(outline.into_graph())
    }

    /// Inserts the explainer before all components that it explains, if it is enabled.
    fn wire_explain(
        &self,
        outline: &mut Outline,
        requests: OutboxHandle<Request>,
    ) -> Result<OutboxHandle<Request>, GraphError> {
        let Some(explanations) = self.explanations.clone() else {
            return Ok(requests);
        };
        let explaining = self.wire_explaining().into_template()?;
        let make = move |connection: &mut Opened| {
            let (explanations, explaining) = (explanations.clone(), explaining.clone());
            explain_requests(explanations, explaining, connection.without_job())
        };
        let explain = outline.add("explain", Policy::CarryOn, make);
        outline.graph.link(requests, explain.requests);
        outline.failures.push(explain.failures);
        outline.responses.push(explain.responses);
        Ok(explain.passed)
    }

    /// The graph of one request to explain: the usual components, between a beginning and an end of
    /// its own.
    fn wire_explaining(&self) -> ConnectionGraph {
        let mut outline = Outline::new("explanation");
        let parser = outline.add("parser", Policy::Stop, explain::send_request);
        let requests = wire_filters(&self.filters, &mut outline, parser.outbox);
        self.wire_routes(&mut outline, requests);
        self.wire_errors(&mut outline);
        let rules = outline.rules.clone();
        let encoder = outline.add("encoder", Policy::Stop, move |connection: &mut Opened| {
            explain::tell(connection, rules.clone())
        });
        self.wire_responses(&mut outline, encoder.responses);
        let remarks = std::mem::take(&mut outline.remarks);
        if !remarks.is_empty() {
            outline.graph.merge(remarks, encoder.remarks);
        }
        explain::add_stamps(&mut outline.graph, encoder.hops);
        outline.into_graph()
    }

    /// The graph of a connection above the limit: it only sends a refusal.
    pub(super) fn wire_refusal(&self) -> ConnectionGraph {
        let mut outline = Outline::new("refusal");
        let make = |connection: &mut Opened| refuse_requests(connection.socket.peer());
        let refuser = outline.add("refuser", Policy::CarryOn, make);
        let encoder = wire_output(&mut outline, REFUSAL_PACE);
        outline.failures.push(refuser.failures);
        self.wire_errors(&mut outline);
        self.wire_responses(&mut outline, encoder.responses);
        outline.graph.link(refuser.notices, encoder.notices);
        outline.graph.feedback(encoder.written, refuser.written);
        outline.into_graph()
    }

    /// Inserts the tap of the access log after the parser, and the recorder between encoder and
    /// parser, if there is a log.
    fn wire_records(
        &self,
        outline: &mut Outline,
        requests: OutboxHandle<Request>,
        (from_encoder, to_parser): (OutboxHandle<Written>, InboxHandle<Written>),
    ) -> OutboxHandle<Request> {
        let Some(log) = self.records.clone() else {
            let written = outline.graph.feedback(from_encoder, to_parser);
            written.measure(content).capacity(WINDOW as usize);
            return requests;
        };
        let notes = outline.add("notes", Policy::CarryOn, |_| note_requests());
        let make =
            move |connection: &mut Opened| record_exchanges(connection.socket.peer(), log.clone());
        let recorder = outline.add("recorder", Policy::CarryOn, make);
        outline.recorder = Some(recorder.forwarded);
        let graph = &mut outline.graph;
        graph.link(requests, notes.requests);
        let noted = graph.link(notes.notes, recorder.notes);
        noted.capacity(2 * WINDOW as usize);
        // Downstream of the encoder, so that it ends with the component that answers faults.
        let written = graph.link(from_encoder, recorder.written);
        written.measure(content).capacity(WINDOW as usize);
        let passed = graph.feedback(recorder.passed, to_parser);
        passed.capacity(WINDOW as usize);
        notes.passed
    }

    /// The error component, the user's or the built-in one, and the guard that turns faults into
    /// failures. Without the last resort for errors no answer is possible.
    fn wire_errors(&self, outline: &mut Outline) {
        let guard = outline.add("faults", Policy::Stop, |connection: &mut Opened| {
            answer_faults(connection.socket.peer())
        });
        outline.graph.link(outline.graph.faults(), guard.faults);
        outline.failures.push(guard.failures);
        let failures = std::mem::take(&mut outline.failures);
        let Some(own) = &self.errors else {
            let errors = outline.add("errors", Policy::Stop, |_| answer_errors());
            outline.graph.merge(failures, errors.failures);
            outline.responses.push(errors.responses);
            return;
        };
        let choice = outline.add("choice", Policy::Stop, |_| choose_errors());
        let own = own(&mut outline.graph, "errors");
        let ours = outline.add("fallback", Policy::Stop, |_| answer_errors());
        outline.graph.merge(failures, choice.failures);
        outline.graph.link(choice.own, own.failures);
        outline.graph.link(choice.fallback, ours.failures);
        outline.responses.extend([own.responses, ours.responses]);
    }

    /// The filters of responses, and the encoder after them.
    fn wire_responses(&self, outline: &mut Outline, encoder: InboxHandle<Response>) {
        let fields = self.fields(outline.tls.as_ref());
        let fields = (!fields.is_empty()).then(|| {
            let add: Slot<_> = slot(add_fields(fields));
            ("fields".to_owned(), add)
        });
        let graph = &mut outline.graph;
        let mut responses = std::mem::take(&mut outline.responses);
        for (name, add) in self.response_filters.iter().chain(&fields) {
            let filter = add(graph, name);
            graph.merge(responses, filter.responses);
            responses = vec![filter.passed];
        }
        // The first filter of requests is the last of responses.
        for half in std::mem::take(&mut outline.halves).into_iter().rev() {
            graph.merge(responses, half.responses);
            responses = vec![half.passed];
        }
        graph.merge(responses, encoder);
    }
}

/// The ports of the encoder that are not linked yet.
struct Encoded {
    responses: InboxHandle<Response>,
    notices: InboxHandle<Notice>,
    written: OutboxHandle<Written>,
}

/// Lets the requests pass through filters.
fn wire_filters(
    filters: &[(String, Slot<Filtered>)],
    outline: &mut Outline,
    mut requests: OutboxHandle<Request>,
) -> OutboxHandle<Request> {
    for (name, add) in filters {
        let Filtered {
            requests: filter,
            responses,
        } = add(&mut outline.graph, name);
        outline.graph.link(requests, filter.requests);
        outline.halves.extend(responses);
        outline.failures.push(filter.failures);
        outline.responses.push(filter.responses);
        requests = filter.passed;
    }
    requests
}

/// The encoder, and the writer after it. A component that changes the bytes, such as TLS, goes
/// between the two.
fn wire_output(outline: &mut Outline, pace: WritePace) -> Encoded {
    let encoder = outline.add("encoder", Policy::Stop, |connection: &mut Opened| {
        encode_responses(connection.socket.peer())
    });
    let writer = outline.add("writer", Policy::Stop, move |connection: &mut Opened| {
        write_bytes(connection.socket.clone(), pace)
    });
    let pieces = outline.graph.link(encoder.pieces, writer.pieces);
    pieces.capacity(PIECES);
    outline.graph.feedback(writer.sent, encoder.sent);
    Encoded {
        responses: encoder.responses,
        notices: encoder.notices,
        written: encoder.written,
    }
}

/// The length of the body of a response that was written.
fn content(written: &Written) -> usize {
    usize::try_from(written.content).unwrap_or(usize::MAX)
}
