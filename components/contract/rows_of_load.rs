//! The rows of the components of the load generator.

use std::io;
use std::time::Duration;

use http::{Method, StatusCode, Version};
use kamea::time::now;

use super::bench::{Row, row};
use crate::http::{Fields, RequestHead};
use crate::load::{
    Answer, Awaited, Outcome, Pace, ResponseOptions, Returned, Target, Targets, Ticket,
    give_tickets, parse_messages, parse_responses, tally, write_messages, write_requests,
};
use crate::net::DialEvent;
use crate::websocket::Message;

fn ticket() -> Ticket {
    Ticket {
        planned: now(),
        late: Duration::ZERO,
    }
}

fn targets() -> Targets {
    let head = RequestHead {
        target: crate::http::Target::parse(&Method::GET, "/".into()).unwrap(),
        method: Method::GET,
        version: Version::HTTP_11,
        fields: Fields::new().with("Host", "a"),
    };
    Targets::new([Target::new(&head, b"", 1)])
}

fn outcome() -> Outcome {
    Outcome {
        ticket: ticket(),
        sent: Some(now()),
        ended: now(),
        bytes: 1,
        result: Ok(Answer {
            status: Some(StatusCode::OK),
            content: 1,
        }),
    }
}

pub(super) fn rows() -> Vec<Row> {
    vec![
        row("give_tickets", |bench| {
            let part = bench.add(give_tickets(Pace::one_by_one()));
            bench.feed(part.returned, || Returned::Used(now()));
            bench.take(part.tickets);
            bench.take(part.shortfalls);
        }),
        row("parse_messages", |bench| {
            let part = bench.add(parse_messages(Duration::from_secs(10), false));
            bench.feed(part.events, || DialEvent::Unreachable {
                requests: 1,
                error: io::ErrorKind::ConnectionRefused.into(),
                at: now(),
            });
            bench.feed(part.awaited, || Awaited {
                ticket: ticket(),
                method: Method::GET,
            });
            bench.take(part.outcomes);
            bench.take(part.returned);
            bench.take(part.hang_ups);
            bench.take(part.pongs);
        }),
        row("parse_responses", |bench| {
            let part = bench.add(parse_responses(ResponseOptions::default()));
            bench.feed(part.events, || DialEvent::Unreachable {
                requests: 1,
                error: io::ErrorKind::ConnectionRefused.into(),
                at: now(),
            });
            bench.feed(part.awaited, || Awaited {
                ticket: ticket(),
                method: Method::GET,
            });
            bench.take(part.outcomes);
            bench.take(part.returned);
            bench.take(part.hang_ups);
        }),
        row("tally", |bench| {
            let part = bench.add(tally());
            bench.feed(part.batches, || vec![outcome().into()]);
            bench.take(part.measured);
        })
        .absorbs("it adds up what comes, and tells the sum at the end"),
        row("write_messages", |bench| {
            let part = bench.add(write_messages(Message::text("hello"), false));
            bench.feed(part.tickets, ticket);
            bench.take(part.requests);
            bench.take(part.awaited);
        }),
        row("write_requests", |bench| {
            let part = bench.add(write_requests(targets()));
            bench.feed(part.tickets, ticket);
            bench.take(part.requests);
            bench.take(part.awaited);
        }),
    ]
}
