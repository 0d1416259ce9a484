//! What the access log learns about requests that are forwarded.

use std::io::Write as _;

use kamea::{Receiver, link, testing::block_on};
use kamea_components::server::LogEntry;
use kamea_components::web::{Forwarded, Record};

use super::backend::{Scripted, Step::*};
use super::*;

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct Logged {
    running: Running,
    entries: Receiver<LogEntry>,
}

/// A proxy with a log.
fn logged(plan: Plan) -> Logged {
    let (records, entries) = link(64);
    let running = run_with(plan, |server| server.records(records));
    Logged { running, entries }
}

impl Logged {
    fn next(&mut self) -> Record {
        match block_on(self.entries.next()) {
            Some(LogEntry::Record(record)) => record,
            other => unreachable!("a record, not {other:?}"),
        }
    }

    /// Sends a request, and returns what was recorded.
    fn get(&mut self) -> Record {
        self.running.get();
        self.next()
    }
}

/// Each attempt: its backend, and its error or status.
fn attempts(forwarded: &Forwarded) -> Vec<(String, String)> {
    let result = |attempt: &kamea_components::web::Attempted| {
        let status = attempt.status.map(|status| status.as_u16().to_string());
        let failed = attempt.failed.map(str::to_owned);
        let result = failed.or(status).unwrap_or_else(|| "-".to_owned());
        assert_eq!(attempt.first_byte.is_some(), attempt.status.is_some());
        (attempt.upstream.to_string(), result)
    };
    forwarded.attempts.iter().map(result).collect()
}

fn at(address: SocketAddr, result: &str) -> (String, String) {
    (format!("http://{address}"), result.to_owned())
}

#[test]
fn each_attempt_is_recorded_with_its_backend_and_its_time() {
    let broken = Scripted::new(vec![vec![Read, Reset]]);
    let fine = Scripted::new(vec![vec![Read, Trickle(FINE), Hang]]);
    let mut logged = logged(plan(route(&[broken.address, fine.address])));
    let record = logged.get();
    let forwarded = record.forwarded.unwrap();
    let expected = [
        at(broken.address, "connection_terminated"),
        at(fine.address, "200"),
    ];
    assert_eq!(attempts(&forwarded), expected);
    assert_eq!(&*forwarded.route, "default /");
    assert_eq!((record.status.unwrap().as_u16(), record.content), (200, 2));
    let first_byte = forwarded.attempts[1].first_byte.unwrap();
    assert!(forwarded.attempts[1].connect.is_some());
    assert!(first_byte >= Duration::from_millis(30), "{first_byte:?}");
    assert!(record.took >= first_byte, "{:?}", record.took);
}

#[test]
fn a_request_over_an_idle_connection_says_so() {
    let backend = Scripted::always(FINE);
    let mut logged = logged(plan(route(&[backend.address])));
    let is_new: Vec<_> = (0..3)
        .map(|_| {
            logged.get().forwarded.unwrap().attempts[0]
                .connect
                .is_some()
        })
        .collect();
    assert_eq!(is_new, [true, false, false]);
}

#[test]
fn requests_that_get_no_response_are_recorded_too() {
    let broken = Scripted::new(vec![vec![Read, Finish]]);
    let mut logged_broken = logged(plan(route(&[broken.address])));
    let record = logged_broken.get();
    let lost = || at(broken.address, "connection_terminated");
    assert_eq!(
        attempts(&record.forwarded.unwrap()),
        [lost(), lost(), lost()]
    );
    assert_eq!(record.status.unwrap().as_u16(), 502);

    // No backend was asked.
    let mut route = route(&[broken.address]);
    route.backends[0].weight = 0;
    let mut logged_none = logged(plan(route));
    let record = logged_none.get();
    assert_eq!(attempts(&record.forwarded.unwrap()), []);
    assert_eq!(record.status.unwrap().as_u16(), 503);

    // No host was found.
    let mut logged_unknown = logged(Plan::new([]));
    let record = logged_unknown.get();
    assert!(record.forwarded.is_none());
    assert_eq!(record.status.unwrap().as_u16(), 404);
}

/// The log says for which backend the client did not want to wait.
#[test]
fn a_client_that_goes_before_the_response_is_recorded() {
    let stalled = Scripted::new(vec![vec![Read, Hang]]);
    let mut logged = logged(plan(route(&[stalled.address])));
    let mut client = logged.running.connect();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        .unwrap();
    wait_until("the backend has the request", || {
        stalled.requests().len() == 1
    });
    drop(client);
    let record = logged.next();
    assert_eq!(record.status, None);
    assert_eq!(
        attempts(&record.forwarded.unwrap()),
        [at(stalled.address, "-")]
    );
}

#[test]
fn the_client_is_the_one_that_trusted_proxies_name() {
    let backend = Scripted::always(FINE);
    let ask =
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n";
    for (trusted, expected) in [("127.0.0.1", "192.0.2.7"), ("192.0.2.1", "127.0.0.1")] {
        let mut plan = plan(route(&[backend.address]));
        plan.trusted = vec![trusted.parse().unwrap()];
        let mut logged = logged(plan);
        logged.running.ask(ask);
        let client = logged.next().forwarded.unwrap().client;
        assert_eq!(client.to_string(), expected);
    }
}

/// Each response on a connection has the attempts of its own request.
#[test]
fn pipelined_requests_are_recorded_each() {
    let backend = Scripted::always(FINE);
    let mut logged = logged(plan(route(&[backend.address])));
    let request = |number| format!("GET /{number} HTTP/1.1\r\nHost: a\r\n\r\n");
    let all: String = (0..20).map(request).collect();
    let last = "GET /20 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    logged.running.ask(&(all + last));
    for number in 0..=20 {
        let record = logged.next();
        assert_eq!(record.head.unwrap().target.path(), format!("/{number}"));
        let forwarded = record.forwarded.unwrap();
        assert_eq!(forwarded.number, number);
        assert_eq!(attempts(&forwarded), [at(backend.address, "200")]);
    }
}
