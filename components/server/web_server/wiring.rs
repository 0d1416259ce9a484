//! The wiring of a connection's components.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use kamea::{Component, Fault, Graph, GraphError, InboxHandle, OutboxHandle, Policy};

use super::{ConnectionGraph, Filtered, Served, Slot, WebServer, add_spool, slot};
use crate::cgi::{candidates, serve_cgi};
use crate::documents::{Files, THUMBNAIL, delete_files, put_files, serve_thumbnails};
use crate::net::{read_bytes, write_bytes};
use crate::server::connection::Opened;
use crate::server::explain::{self, explain_requests};
use crate::server::until_gone::until_gone;
use crate::web::{
    Failure, HandlerPorts, Notice, Request, Response, ResponseFilterPortsHandles, Route, WINDOW,
    Written, add_fields, answer_errors, answer_faults, choose_errors, encode_responses,
    note_requests, parse_requests_until, record_exchanges, refuse_requests, route_requests,
};

/// How long a peer may take to read the refusal of its connection.
const REFUSAL_STALL: Duration = Duration::from_secs(1);

/// How many pieces may wait for the writer. A buffer has up to 64 KiB, so that a slow peer costs
/// little memory.
const PIECES: usize = 4;

/// The outboxes that lead to the error component and to the encoder, while they are collected.
#[derive(Default)]
struct Ends {
    failures: Vec<OutboxHandle<Failure>>,
    responses: Vec<OutboxHandle<Response>>,
    /// The second halves of the filters around the handlers, in the order of the first halves.
    halves: Vec<ResponseFilterPortsHandles>,
    /// Only to the writer.
    notices: Vec<OutboxHandle<Notice>>,
}

/// The ports of the CGI handler that are not linked yet.
struct Programmed {
    requests: InboxHandle<Request>,
    passed: OutboxHandle<Request>,
}

impl WebServer {
    /// The graph of one connection.
    pub(super) fn wire(&self) -> Result<ConnectionGraph, GraphError> {
        let site = &self.site;
        let (limits, patience, stall) = (site.limits, site.patience, site.write_stall);
        let mut graph = Graph::template("connection");
        let mut ends = Ends::default();
        let reader = graph.add_seeded("reader", |connection: &mut Opened| {
            read_bytes(
                connection.socket.clone(),
                std::mem::take(&mut connection.first),
            )
        });
        let parser = graph.add_seeded("parser", move |connection: &mut Opened| {
            let (socket, retiring) = (connection.socket.clone(), connection.retiring.clone());
            parse_requests_until(socket.peer(), limits, patience, retiring, move || {
                let socket = socket.clone();
                async move { socket.found_gone().await }
            })
        });
        graph.link(reader.outbox, parser.bytes).measure(Bytes::len);
        ends.failures.push(parser.failures);
        let encoder = wire_output(&mut graph, stall);
        ends.notices.push(parser.notices);
        let requests = self.wire_records(
            &mut graph,
            parser.requests,
            (encoder.written, parser.written),
        );
        let requests = self.wire_explain(&mut graph, requests, &mut ends)?;
        let requests = self.wire_filters(&mut graph, requests, &mut ends);
        self.wire_routes(&mut graph, requests, &mut ends);

        graph.merge(ends.notices, encoder.notices);
        self.wire_errors(&mut graph, ends.failures, &mut ends.responses);
        self.wire_responses(&mut graph, ends.responses, ends.halves, encoder.responses);
        Ok(graph)
    }

    /// Inserts the explainer before all components that it explains, if it is enabled.
    fn wire_explain(
        &self,
        graph: &mut ConnectionGraph,
        requests: OutboxHandle<Request>,
        ends: &mut Ends,
    ) -> Result<OutboxHandle<Request>, GraphError> {
        let Some(explanations) = self.explanations.clone() else {
            return Ok(requests);
        };
        let explaining = self.wire_explaining().into_template()?;
        let explain = graph.add_seeded("explain", move |connection: &mut Opened| {
            let (explanations, explaining) = (explanations.clone(), explaining.clone());
            explain_requests(explanations, explaining, connection.without_errand())
        });
        graph.link(requests, explain.requests);
        ends.failures.push(explain.failures);
        ends.responses.push(explain.responses);
        Ok(explain.passed)
    }

    /// The graph of one request to explain: the usual components, between a beginning and an end of
    /// its own.
    fn wire_explaining(&self) -> ConnectionGraph {
        let mut graph = Graph::template("explanation");
        let mut ends = Ends::default();
        let requests = explain::add_beginning(&mut graph);
        let requests = self.wire_filters(&mut graph, requests, &mut ends);
        self.wire_routes(&mut graph, requests, &mut ends);
        self.wire_errors(&mut graph, ends.failures, &mut ends.responses);
        let wire = |graph: &mut ConnectionGraph, encoder| {
            self.wire_responses(graph, ends.responses, ends.halves, encoder);
        };
        explain::add_end(&mut graph, wire, self.rules());
        graph
    }

    /// The routes of the router and their targets, in the order of the router, unless the router is
    /// the user's.
    fn rules(&self) -> Option<Arc<[(String, Route)]>> {
        let own = self.routes.iter();
        let own = own.map(|(route, name, _)| (name.clone(), route.clone()));
        let built_in = self.built_in_routes().into_iter();
        let built_in = built_in.map(|(route, name, _)| (name.to_owned(), route));
        let programs = self
            .cgi
            .is_some()
            .then(|| candidates(&self.site.files.programs));
        let programs = programs.flatten().map(|route| ("cgi".to_owned(), route));
        let files = Route::any_path().for_methods([Method::GET, Method::HEAD]);
        let files = ("files".to_owned(), files);
        let rules = own.chain(built_in).chain(programs).chain([files]);
        self.router.is_none().then(|| rules.collect())
    }

    /// The graph of a connection above the limit: it only sends a refusal.
    pub(super) fn wire_refusal(&self) -> ConnectionGraph {
        let mut graph = Graph::template("refusal");
        let refuser = graph.add_seeded("refuser", |connection: &mut Opened| {
            refuse_requests(connection.socket.peer())
        });
        let encoder = wire_output(&mut graph, REFUSAL_STALL);
        let mut responses = Vec::new();
        self.wire_errors(&mut graph, vec![refuser.failures], &mut responses);
        self.wire_responses(&mut graph, responses, Vec::new(), encoder.responses);
        graph.link(refuser.notices, encoder.notices);
        graph.feedback(encoder.written, refuser.written);
        graph
    }

    /// Inserts the tap of the access log after the parser, and the recorder between encoder and
    /// parser, if there is a log.
    fn wire_records(
        &self,
        graph: &mut ConnectionGraph,
        requests: OutboxHandle<Request>,
        (from_encoder, to_parser): (OutboxHandle<Written>, InboxHandle<Written>),
    ) -> OutboxHandle<Request> {
        let Some(log) = self.records.clone() else {
            graph
                .feedback(from_encoder, to_parser)
                .measure(content)
                .capacity(WINDOW as usize);
            return requests;
        };
        let notes = graph.add("notes", note_requests());
        let recorder = graph.add_seeded("recorder", move |connection: &mut Opened| {
            record_exchanges(connection.socket.peer(), log.clone())
        });
        graph.link(requests, notes.requests);
        graph
            .link(notes.notes, recorder.notes)
            .capacity(2 * WINDOW as usize);
        // Downstream of the encoder, so that it ends with the component that answers faults.
        graph
            .link(from_encoder, recorder.written)
            .measure(content)
            .capacity(WINDOW as usize);
        graph
            .feedback(recorder.passed, to_parser)
            .capacity(WINDOW as usize);
        notes.passed
    }

    fn wire_filters(
        &self,
        graph: &mut ConnectionGraph,
        mut requests: OutboxHandle<Request>,
        ends: &mut Ends,
    ) -> OutboxHandle<Request> {
        for (name, add) in &self.filters {
            let Filtered {
                requests: filter,
                responses,
            } = add(graph, name);
            graph.link(requests, filter.requests);
            ends.halves.extend(responses);
            ends.failures.push(filter.failures);
            ends.responses.push(filter.responses);
            requests = filter.passed;
        }
        requests
    }

    /// The router, the file handler, and the other handlers: first those of the user.
    fn wire_routes(
        &self,
        graph: &mut ConnectionGraph,
        requests: OutboxHandle<Request>,
        ends: &mut Ends,
    ) {
        let (cgi, cgi_route) = self.wire_cgi(graph, ends);
        let own = self.routes.iter();
        let own = own.map(|(route, name, add)| (route.clone(), name.as_str(), add));
        let built_in = self.built_in_routes();
        let built_in = built_in
            .iter()
            .map(|(route, name, add)| (route.clone(), *name, add));
        let (mut routes, mut handlers) = (Vec::new(), Vec::new());
        for (route, name, add) in own.chain(built_in) {
            routes.push(route);
            handlers.push(add(graph, name));
        }
        handlers.push((self.files)(graph, "files").into());

        // If any request may be for a program, programs come first. Otherwise the router sends them
        // their requests, and the requests that they redirect go through a second router.
        let mut ways = Vec::new();
        match (cgi, cgi_route) {
            (Some(cgi), None) => {
                graph.link(requests, cgi.requests);
                ways.push(self.wire_router(graph, "router", routes, cgi.passed, ends));
            }
            (Some(cgi), Some(route)) => {
                let with_programs = [&routes[..], &[route]].concat();
                let mut first = self.wire_router(graph, "router", with_programs, requests, ends);
                graph.link(first.remove(routes.len()), cgi.requests);
                ways.push(first);
                ways.push(self.wire_router(graph, "redirects", routes, cgi.passed, ends));
            }
            (None, _) => ways.push(self.wire_router(graph, "router", routes, requests, ends)),
        }
        let mut ways: Vec<_> = ways.into_iter().map(Vec::into_iter).collect();
        for handler in handlers {
            let outboxes: Vec<_> = ways.iter_mut().filter_map(Iterator::next).collect();
            graph.merge(outboxes, handler.requests);
            ends.failures.extend(handler.failures);
            ends.responses.push(handler.responses);
        }
    }

    /// Adds a router; returns its outboxes for each of `routes`, and then the one for files.
    fn wire_router(
        &self,
        graph: &mut ConnectionGraph,
        name: &str,
        routes: Vec<Route>,
        requests: OutboxHandle<Request>,
        ends: &mut Ends,
    ) -> Vec<OutboxHandle<Request>> {
        let count = routes.len();
        let mut router = match &self.router {
            Some(own) => own(graph, name),
            None => graph.add(name, route_requests(routes)),
        };
        graph.link(requests, router.requests);
        ends.failures.push(router.failures);
        ends.responses.push(router.responses);
        let mut outboxes: Vec<_> = (0..count).map(|_| router.routes.branch()).collect();
        outboxes.push(router.files);
        outboxes
    }

    /// The CGI handler, if it is enabled, and its requests, unless any request may be for it.
    fn wire_cgi(
        &self,
        graph: &mut ConnectionGraph,
        ends: &mut Ends,
    ) -> (Option<Programmed>, Option<Route>) {
        let Some(cgi) = self.cgi.clone() else {
            return (None, None);
        };
        let is_buffering = cgi.is_buffering();
        let handles = graph.add_seeded("cgi", move |connection: &mut Opened| {
            let files = connection.files[0].clone();
            serve_cgi(files, cgi.clone(), connection.socket.clone())
        });
        ends.failures.push(handles.failures);
        ends.responses.push(match is_buffering {
            true => {
                let spool = add_spool(graph, "cgi spool");
                graph.link(handles.responses, spool.responses);
                spool.passed
            }
            false => handles.responses,
        });
        ends.notices.push(handles.notices);
        let programmed = Programmed {
            requests: handles.requests,
            passed: handles.passed,
        };
        (Some(programmed), candidates(&self.site.files.programs))
    }

    /// The handlers that the options of the files require beside the file handler itself.
    fn built_in_routes(&self) -> Vec<(Route, &'static str, Slot<Served>)> {
        let files = &self.site.files;
        let to = Route::any_path;
        let mut routes: Vec<(_, _, Slot<_>)> = Vec::new();
        if files.thumbnails {
            let route = to()
                .for_methods([Method::GET, Method::HEAD])
                .query(THUMBNAIL);
            let add: Slot<_> = Box::new(|graph, name| {
                let make = |connection: &mut Opened| {
                    let thumbnails = serve_thumbnails(connection.files[0].clone());
                    until_gone(thumbnails, connection.found_gone())
                };
                graph.add_seeded(name, make).into()
            });
            routes.push((route, "thumbnails", add));
        }
        if files.writable {
            routes.push((to().for_methods([Method::PUT]), "put", per_files(put_files)));
            routes.push((
                to().for_methods([Method::DELETE]),
                "delete",
                per_files(delete_files),
            ));
        }
        routes
    }

    /// The error component, the user's or the built-in one, and the guard that turns faults into
    /// failures.
    fn wire_errors(
        &self,
        graph: &mut ConnectionGraph,
        mut failures: Vec<OutboxHandle<Failure>>,
        responses: &mut Vec<OutboxHandle<Response>>,
    ) {
        let guard = graph.add_seeded("faults", |connection: &mut Opened| {
            answer_faults(connection.socket.peer())
        });
        graph.link(graph.faults(), guard.faults);
        failures.push(guard.failures);
        let Some(own) = &self.errors else {
            let errors = graph.add("errors", answer_errors());
            graph.merge(failures, errors.failures);
            responses.push(errors.responses);
            graph.supervise(|fault| policy(fault, "errors"));
            return;
        };
        let choice = graph.add("choice", choose_errors());
        let (own, ours) = (own(graph, "errors"), graph.add("fallback", answer_errors()));
        graph.merge(failures, choice.failures);
        graph.link(choice.own, own.failures);
        graph.link(choice.fallback, ours.failures);
        responses.extend([own.responses, ours.responses]);
        graph.supervise(|fault| policy(fault, "fallback"));
    }

    /// The filters of responses, and the encoder after them.
    fn wire_responses(
        &self,
        graph: &mut ConnectionGraph,
        mut responses: Vec<OutboxHandle<Response>>,
        halves: Vec<ResponseFilterPortsHandles>,
        encoder: InboxHandle<Response>,
    ) {
        let fields = (!self.site.fields.is_empty()).then(|| {
            let add: Slot<_> = slot(add_fields(self.site.fields.clone()));
            ("fields".to_owned(), add)
        });
        for (name, add) in self.response_filters.iter().chain(&fields) {
            let filter = add(graph, name);
            graph.merge(responses, filter.responses);
            responses = vec![filter.passed];
        }
        // The first filter of requests is the last of responses.
        for half in halves.into_iter().rev() {
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

/// The encoder, and the writer after it. A component that changes the bytes, such as TLS, goes
/// between the two.
fn wire_output(graph: &mut ConnectionGraph, stall: Duration) -> Encoded {
    let encoder = graph.add_seeded("encoder", |connection: &mut Opened| {
        encode_responses(connection.socket.peer())
    });
    let writer = graph.add_seeded("writer", move |connection: &mut Opened| {
        write_bytes(connection.socket.clone(), stall)
    });
    graph.link(encoder.pieces, writer.pieces).capacity(PIECES);
    graph.feedback(writer.sent, encoder.sent);
    Encoded {
        responses: encoder.responses,
        notices: encoder.notices,
        written: encoder.written,
    }
}

/// The effect of a fault on its connection. Without some components no answer is possible, among
/// them the last resort for errors.
fn policy(fault: &Fault, last_resort: &str) -> Policy {
    match fault.component() {
        "reader" | "parser" | "choice" | "faults" | "encoder" | "writer" => Policy::Stop,
        name if name == last_resort => Policy::Stop,
        _ => Policy::CarryOn,
    }
}

/// Adds a component that needs the files.
fn per_files<C: Component<HandlerPorts>>(make: fn(Rc<Files>) -> C) -> Slot<Served> {
    Box::new(move |graph, name| {
        let handler = graph.add_seeded(name, move |connection: &mut Opened| {
            make(connection.files[0].clone())
        });
        handler.into()
    })
}

/// The length of the body of a response that was written.
fn content(written: &Written) -> usize {
    usize::try_from(written.content).unwrap_or(usize::MAX)
}
