//! The figures of a proxy in the text format of Prometheus.

use std::fmt::Write as _;

use crate::backends::BackendStatus;
use crate::proxy::RouteStatus;

/// A figure of each backend: its name, kind, and meaning.
type OfBackend = (
    &'static str,
    &'static str,
    &'static str,
    fn(&BackendStatus) -> f64,
);

/// The same of a route.
type OfRoute = (
    &'static str,
    &'static str,
    &'static str,
    fn(&RouteStatus) -> u64,
);

const OF_ROUTES: [OfRoute; 5] = [
    ("requests_total", "counter", "Requests", |r| r.requests),
    ("retries_total", "counter", "Further attempts", |r| {
        r.retries
    }),
    ("waiting", "gauge", "Requests in the queue", |r| {
        r.waiting as u64
    }),
    (
        "circuit_state",
        "gauge",
        "The circuit breaker: 0 if closed or none, 1 if half open, 2 if open",
        |r| match r.circuit.as_ref().map(|circuit| circuit.state) {
            Some("open") => 2,
            Some("half-open") => 1,
            _ => 0,
        },
    ),
    (
        "circuit_opened_total",
        "counter",
        "How often the circuit breaker has opened",
        |r| r.circuit.as_ref().map_or(0, |circuit| circuit.opened),
    ),
];

const OF_BACKENDS: [OfBackend; 11] = [
    ("up", "gauge", "Whether it gets requests", |b| {
        f64::from(b.health == "up")
    }),
    ("weight", "gauge", "Its share", |b| f64::from(b.weight)),
    ("requests_in_flight", "gauge", "Requests in flight", |b| {
        f64::from(b.open)
    }),
    ("connections_idle", "gauge", "Idle connections", |b| {
        f64::from(b.idle)
    }),
    ("requests_total", "counter", "Requests", |b| {
        b.requests as f64
    }),
    ("failures_total", "counter", "Failed attempts", |b| {
        b.failures as f64
    }),
    (
        "server_errors_total",
        "counter",
        "Responses with a status of 500 or more",
        |b| b.server_errors as f64,
    ),
    (
        "connections_opened_total",
        "counter",
        "Connections opened",
        |b| b.connects as f64,
    ),
    (
        "connections_reused_total",
        "counter",
        "Requests over an open connection",
        |b| b.reused as f64,
    ),
    (
        "received_bytes_total",
        "counter",
        "Bytes of response bodies",
        |b| b.received as f64,
    ),
    (
        "first_byte_seconds_total",
        "counter",
        "Time until responses began",
        |b| b.waited as f64 / 1e6,
    ),
];

/// Writes the figures of all routes and backends.
pub(crate) fn metrics(routes: &[RouteStatus]) -> String {
    let mut text = String::new();
    for (name, kind, help, figure) in OF_ROUTES {
        begin(&mut text, &format!("kamea_proxy_route_{name}"), kind, help);
        for route in routes {
            let (label, value) = (escaped(&route.route), figure(route));
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "kamea_proxy_route_{name}{{route=\"{label}\"}} {value}"
            );
        }
    }
    for (name, kind, help, figure) in OF_BACKENDS {
        begin(
            &mut text,
            &format!("kamea_proxy_backend_{name}"),
            kind,
            help,
        );
        for route in routes {
            let route_label = escaped(&route.route);
            let backends = route.backends.iter().map(|backend| (backend, ""));
            // A label of its own: it may have the address of a backend, and gets other requests.
            let auth = route.auth.iter().map(|auth| (auth, ",role=\"auth\""));
            for (backend, role) in backends.chain(auth) {
                let (backend_label, value) = (escaped(&backend.address), figure(backend));
                let _ = writeln!(
                    text,
                    "kamea_proxy_backend_{name}{{route=\"{route_label}\",\
                     backend=\"{backend_label}\"{role}}} {value}"
                );
            }
        }
    }
    text
}

fn begin(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

/// A value of a label.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
