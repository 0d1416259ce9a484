//! HTTP, and the parts of the web server.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::{Entry, component};
use crate::http::{
    ChoicePorts, ErrorPorts, FaultPorts, HandlerPorts, Limits, NoPorts, Patience, RecordPorts,
    RefusePorts, ResponseFilterPorts, RoutePorts, WritePorts, note_requests, parse_requests,
};
use crate::notation::value::Size;

pub(super) fn entries() -> Vec<Entry> {
    vec![
        component! {
            "http.parse" = parse_requests in "http/parse.rs" {
                /// How long the line of a request may be.
                line: Size = "8KiB",
                /// How long the head of a request may be.
                limit: Size = "32KiB",
                /// How many fields it may have.
                fields: usize = "100",
                /// How long its content may be.
                content: Size = "1MiB",
                /// How long the head may take to come in.
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
                    // Whoever sends the bytes has no address here.
                    let nobody = SocketAddr::from(([0, 0, 0, 0], 0));
                    parse_requests(nobody, limits, patience, Arc::default())
                }
            }
        },
        component! { "http.note" = note_requests in "http/note.rs" { => note_requests() } },
        component! {
            "http.add_fields" = add_fields in "http/filter.rs" over ResponseFilterPorts,
            needs "fields"
        },
        component! {
            "http.answer_errors" = answer_errors in "http/errors.rs" over ErrorPorts,
            needs "the writer of a connection behind it"
        },
        component! {
            "http.answer_errors_with" = answer_errors_with in "http/error_pages.rs" over ErrorPorts,
            needs "pages"
        },
        component! {
            "http.answer_faults" = answer_faults in "http/faults.rs" over FaultPorts,
            needs "the peer of a connection"
        },
        component! {
            "http.answer_trace" = answer_trace in "http/trace.rs" over HandlerPorts,
            needs "the writer of a connection behind it"
        },
        component! {
            "http.choose_errors" = choose_errors in "http/choose.rs" over ChoicePorts,
            needs "two components that answer failures"
        },
        component! {
            "http.hand_over" = hand_over_connection in "http/hand_over.rs" over NoPorts,
            needs "the socket of a connection"
        },
        component! {
            "http.hold" = hold_connection in "http/connection.rs" over NoPorts,
            needs "the socket of a connection"
        },
        component! {
            "http.record" = record_exchanges in "http/record.rs" over RecordPorts,
            needs "the peer of a connection"
        },
        component! {
            "http.refuse_connection" = refuse_connection in "http/connection.rs" over NoPorts,
            needs "the socket of a connection"
        },
        component! {
            "http.refuse" = refuse_requests in "http/refuse.rs" over RefusePorts,
            needs "the peer of a connection"
        },
        component! {
            "http.route" = route_requests in "http/route.rs" over RoutePorts,
            needs "routes"
        },
        component! {
            "http.write" = write_responses in "http/write.rs" over WritePorts,
            needs "the socket of a connection"
        },
    ]
}
