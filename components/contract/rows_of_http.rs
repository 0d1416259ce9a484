//! The rows of the components of the server: they receive requests, responses and failures.

use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

use http::StatusCode;
use kamea::Component;

use super::bench::{Bench, Row, row};
use crate::documents::{
    Docroot, FileOptions, Files, Thumbnails, change_files, delete_files, put_files, serve_files,
    serve_thumbnails,
};
use crate::gateway::{
    BoxError, Environ, Mount, RequestPorts, ResponsePart, StartResponse, serve_application,
    serve_graphs, serve_handler,
};
use crate::http::{Event, Fields, Limits, RequestDecoder, ResponseHead};
use crate::inspect::{Access, guard_inspector};
use crate::web::{
    ErrorPages, Exchange, Failure, HandlerPorts, HandlerPortsHandles, Note, Record, Request,
    Response, Written, add_fields, answer_errors, answer_errors_with, answer_trace,
    ask_for_password, buffer_bodies, choose_errors, note_requests, record_exchanges,
    refuse_requests, require_loopback_name, route_requests, spool_responses, trust_proxies,
};

fn peer() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9))
}

fn request() -> Request {
    let mut decoder = RequestDecoder::new(Limits::default());
    decoder.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n".into());
    let Some(Event::Head(head, _)) = decoder.next().unwrap() else {
        panic!("a head is there");
    };
    Request::new(Exchange::new(0, peer()), Box::new(head), None)
}

fn failure() -> Failure {
    request().refuse(StatusCode::NOT_FOUND, "for a test")
}

fn response() -> Response {
    Response::new(StatusCode::OK).to(Exchange::new(0, peer()))
}

fn written() -> Written {
    Written {
        number: 0,
        status: StatusCode::OK,
        content: 0,
    }
}

fn files() -> Rc<Files> {
    let docroot = Docroot::open(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap();
    Rc::new(Files::new(
        docroot,
        &FileOptions::default(),
        Thumbnails::default(),
    ))
}

/// A row for a component that answers requests.
fn handler<C: Component<HandlerPorts>>(
    name: &'static str,
    make: impl Fn() -> C + Clone + Send + Sync + 'static,
) -> Row {
    row(name, move |bench| {
        let part = bench.add_here(make.clone());
        wire(bench, part);
    })
}

fn wire(bench: &mut Bench, part: HandlerPortsHandles) {
    bench.feed(part.requests, request);
    bench.take(part.responses);
    bench.take(part.failures);
}

async fn hello(_: Request) -> &'static str {
    "hello"
}

async fn application(_: Environ, start_response: StartResponse) -> Result<String, BoxError> {
    start_response.ok([("Content-Type", "text/plain")])?;
    Ok("hello".to_owned())
}

async fn respond(io: &mut RequestPorts) -> kamea::Done {
    io.response
        .send(ResponsePart::Head(ResponseHead::new(StatusCode::OK)))
        .await?;
    Ok(())
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        handler("answer_trace", answer_trace),
        handler("change_files", || change_files(files())),
        handler("delete_files", || delete_files(files())),
        handler("put_files", || put_files(files())),
        handler("serve_application", || {
            serve_application(application, Mount::new(peer()))
        }),
        handler("serve_files", || serve_files(files())),
        handler("serve_graphs", || serve_graphs(|_| respond)),
        handler("serve_handler", || serve_handler("hello", hello)),
        handler("serve_thumbnails", || serve_thumbnails(files())),
    ];
    rows.extend(others());
    rows
}

fn others() -> Vec<Row> {
    vec![
        row("add_fields", |bench| {
            let part = bench.add(add_fields(Fields::new().with("A", "b")));
            bench.feed(part.responses, response);
            bench.take(part.passed);
        }),
        row("answer_errors", |bench| {
            let part = bench.add_here(answer_errors);
            bench.feed(part.failures, failure);
            bench.take(part.responses);
        }),
        row("answer_errors_with", |bench| {
            let part = bench.add(answer_errors_with(ErrorPages::default()));
            bench.feed(part.failures, failure);
            bench.take(part.responses);
        }),
        row("buffer_bodies", |bench| {
            let part = bench.add(buffer_bodies());
            bench.feed(part.requests, request);
            bench.take(part.passed);
            bench.take(part.failures);
        }),
        row("spool_responses", |bench| {
            let part = bench.add(spool_responses());
            bench.feed(part.responses, response);
            bench.take(part.passed);
        }),
        row("choose_errors", |bench| {
            let part = bench.add(choose_errors());
            bench.feed(part.failures, failure);
            bench.take(part.own);
            bench.take(part.fallback);
        }),
        row("guard_inspector", |bench| {
            let access = Access::new(peer(), None).unwrap();
            let part = bench.add(guard_inspector(access));
            bench.feed(part.requests, request);
            bench.take(part.passed);
            bench.take(part.responses);
            bench.take(part.failures);
        }),
        row("ask_for_password", |bench| {
            let part = bench.add(ask_for_password(Vec::new()));
            bench.feed(part.requests, request);
            bench.take(part.passed);
            bench.take(part.responses);
            bench.take(part.failures);
        }),
        row("require_loopback_name", |bench| {
            let part = bench.add(require_loopback_name([]));
            bench.feed(part.requests, request);
            bench.take(part.passed);
            bench.take(part.responses);
            bench.take(part.failures);
        }),
        row("trust_proxies", |bench| {
            let part = bench.add(trust_proxies([]));
            bench.feed(part.requests, request);
            bench.take(part.passed);
            bench.take(part.responses);
            bench.take(part.failures);
        }),
        row("note_requests", |bench| {
            let part = bench.add(note_requests());
            bench.feed(part.requests, request);
            bench.take(part.passed);
            bench.take(part.notes);
        }),
        row("record_exchanges", |bench| {
            let (records, _) = kamea::link::<Record>(1);
            let part = bench.add_here(move || record_exchanges(peer(), records));
            bench.feed(part.notes, || Note {
                number: 0,
                at: std::time::SystemTime::UNIX_EPOCH,
                head: request().head,
            });
            bench.feed(part.written, written);
            bench.take(part.passed);
        }),
        row("refuse_requests", |bench| {
            let part = bench.add_here(|| refuse_requests(peer()));
            bench.feed(part.written, written);
            bench.take(part.failures);
            bench.take(part.notices);
        })
        .runs_once("it waits for one message, and ends"),
        row("route_requests", |bench| {
            let part = bench.add_here(|| route_requests(Vec::new()));
            bench.feed(part.requests, request);
            bench.take(part.files);
            bench.take(part.responses);
            bench.take(part.failures);
        }),
    ]
}
