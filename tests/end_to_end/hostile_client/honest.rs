//! The honest client: one request after another, each over its own connection.

use std::time::{Duration, Instant};

use crate::end_to_end::server::Server;

/// What it asks for.
pub(super) struct Kind {
    pub(super) path: &'static str,
    /// How many requests each round has at least.
    count: usize,
}

pub(super) const KINDS: [Kind; 3] = [
    Kind {
        path: "/hello.txt",
        count: 200,
    },
    Kind {
        path: "/cgi-bin/hello",
        count: 60,
    },
    Kind {
        path: "/app/hello",
        count: 100,
    },
];

/// The response times of each kind.
#[derive(Default)]
pub(super) struct Latencies([Vec<Duration>; KINDS.len()]);

impl Latencies {
    /// The time within which 99 % of the requests of a kind were answered.
    pub(super) fn percentile(&self, kind: usize) -> Duration {
        let mut sorted = self.0[kind].clone();
        sorted.sort();
        sorted[sorted.len() * 99 / 100 - 1]
    }

    pub(super) fn count(&self, kind: usize) -> usize {
        self.0[kind].len()
    }
}

/// Asks for everything as often as each kind says, and for at least this long. Every request is
/// answered as it must be.
pub(super) fn ask_often(server: &Server, least: Duration) -> Latencies {
    let mut latencies = Latencies::default();
    let begun = Instant::now();
    while begun.elapsed() < least || latencies.0[0].len() < KINDS[0].count {
        for (kind, times) in KINDS.iter().zip(&mut latencies.0) {
            // As often as its share of the requests for files.
            for _ in 0..kind.count / 20 {
                times.push(ask(server, kind.path));
            }
        }
    }
    latencies
}

fn ask(server: &Server, path: &str) -> Duration {
    let begun = Instant::now();
    let fields = "Connection: close\r\n";
    let response = server.ask_with("GET", path, fields);
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "hello\n"),
        "{path}"
    );
    begun.elapsed()
}
