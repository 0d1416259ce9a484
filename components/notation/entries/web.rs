//! The parts of a web server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kamea::Source;

use super::{Entry, component};
use crate::http::{Chunk, Limits};
use crate::notation::value::Size;
use crate::web::{
    BufferPorts, ChoicePorts, EncodePorts, ErrorPorts, FaultPorts, FilterPorts, HandlerPorts,
    Patience, RecordPorts, RefusePorts, ResponseFilterPorts, RoutePorts, note_requests,
    parse_requests,
};

pub(super) fn entries() -> Vec<Entry> {
    [input(), filters(), answers(), output()]
        .into_iter()
        .flatten()
        .collect()
}

/// What reads requests.
fn input() -> Vec<Entry> {
    vec![
        component! {
            "web.parse" = parse_requests in "web/parse.rs" {
                /// The limit for the request line, in bytes.
                line: Size = "8KiB",
                /// How long the head of a request may be.
                limit: Size = "32KiB",
                /// How many fields it may have.
                fields: usize = "100",
                /// The limit for the body, in bytes.
                content: Size = "1MiB",
                /// How long the head may take to arrive.
                patience: Duration = "20s",
                => {
                    let limits = Limits {
                        request_line: line.0,
                        head_bytes: limit.0,
                        fields,
                        body: content.0 as u64,
                        ..Limits::default()
                    };
                    let patience = Patience { head: patience, ..Patience::default() };
                    // Here the sender of the bytes has no address.
                    let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
                    parse_requests(nobody, limits, patience, Arc::default())
                }
            }
        },
        component! { "web.note" = note_requests in "web/note.rs" { => note_requests() } },
        component! {
            "web.buffer_bodies" = buffer_bodies in "web/buffer.rs" over BufferPorts,
            needs "what answers requests behind it"
        },
    ]
}

/// Filters.
fn filters() -> Vec<Entry> {
    vec![
        component! {
            "web.add_fields" = add_fields in "web/filter/mod.rs" over ResponseFilterPorts,
            needs "fields"
        },
        component! {
            "web.ask_for_password" = ask_for_password in "web/access/passwords.rs" over FilterPorts,
            needs "the users of a site"
        },
        component! {
            "web.require_loopback_name" = require_loopback_name in "web/access/loopback.rs" over FilterPorts,
            needs "a router behind it"
        },
        component! {
            "web.trust_proxies" = trust_proxies in "web/access/proxies.rs" over FilterPorts,
            needs "the networks of proxies"
        },
        component! {
            "web.spool_responses" = spool_responses in "web/spool.rs" over ResponseFilterPorts,
            needs "the writer of a connection behind it"
        },
    ]
}

/// What routes and answers requests.
fn answers() -> Vec<Entry> {
    vec![
        component! {
            "web.route" = route_requests in "web/route.rs" over RoutePorts,
            needs "routes"
        },
        component! {
            "web.answer_trace" = answer_trace in "web/trace.rs" over HandlerPorts,
            needs "the writer of a connection behind it"
        },
        component! {
            "web.answer_errors" = answer_errors in "web/errors.rs" over ErrorPorts,
            needs "the writer of a connection behind it"
        },
        component! {
            "web.answer_errors_with" = answer_errors_with in "web/error_pages.rs" over ErrorPorts,
            needs "pages"
        },
        component! {
            "web.answer_faults" = answer_faults in "web/faults.rs" over FaultPorts,
            needs "the peer of a connection"
        },
        component! {
            "web.choose_errors" = choose_errors in "web/choose.rs" over ChoicePorts,
            needs "two components that answer failures"
        },
        component! {
            "web.refuse" = refuse_requests in "web/refuse.rs" over RefusePorts,
            needs "the peer of a connection"
        },
    ]
}

/// What writes responses.
fn output() -> Vec<Entry> {
    vec![
        component! {
            "web.encode" = encode_responses in "web/encode.rs" over EncodePorts,
            needs "the writer of a connection behind it"
        },
        component! {
            "web.read_slice" = read_slice in "web/read_slice.rs" over Source<Chunk>,
            needs "a file that is open"
        },
        component! {
            "web.record" = record_exchanges in "web/record.rs" over RecordPorts,
            needs "the peer of a connection"
        },
    ]
}
