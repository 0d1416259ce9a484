//! What is recorded of each request: a line in the log, and its time in the histogram of its route.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use log::Level;

/// The upper bounds of the histogram, in microseconds.
const BOUNDS: [u64; 13] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    10_000_000,
];

/// The histogram of each route, and of the requests without a route.
#[derive(Debug)]
pub(crate) struct Latencies {
    patterns: Vec<Arc<str>>,
    routes: Vec<Latency>,
}

/// The times of the requests of one route.
#[derive(Debug, Default)]
struct Latency {
    /// How many requests were at most as slow as each bound, and those beyond.
    counts: [AtomicU64; BOUNDS.len() + 1],
    /// In microseconds.
    sum: AtomicU64,
}

/// What is known of an answered request.
pub(crate) struct Answered<'a> {
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) route: Option<usize>,
    pub(crate) status: StatusCode,
    pub(crate) bytes: u64,
    pub(crate) elapsed: Duration,
    /// Its id, if it has one.
    pub(crate) id: Option<&'a str>,
}

impl Latencies {
    pub(crate) fn new(patterns: impl IntoIterator<Item = Arc<str>>) -> Self {
        let mut patterns: Vec<_> = patterns.into_iter().collect();
        patterns.push("".into());
        let routes = patterns.iter().map(|_| Latency::default()).collect();
        Self { patterns, routes }
    }

    /// Records a request: a line with the level of its status, and its time.
    pub(crate) fn record(&self, answered: &Answered<'_>) {
        let index = answered.route.unwrap_or(self.routes.len() - 1);
        if let Some(latency) = self.routes.get(index) {
            let micros = u64::try_from(answered.elapsed.as_micros()).unwrap_or(u64::MAX);
            let place = BOUNDS.partition_point(|bound| *bound < micros);
            latency.counts[place].fetch_add(1, Ordering::Relaxed);
            latency.sum.fetch_add(micros, Ordering::Relaxed);
        }
        let level = match answered.status.as_u16() {
            500.. => Level::Error,
            400.. => Level::Warn,
            _ => Level::Info,
        };
        if !log::log_enabled!(level) {
            return;
        }
        // Without a route, the path; what a peer could use to forge a line is escaped there.
        let shown = match answered.route.and_then(|route| self.patterns.get(route)) {
            Some(pattern) => pattern,
            None => answered.path,
        };
        log::log!(
            level,
            "{} {shown} {} {} bytes {:.3} ms{}{}",
            answered.method,
            answered.status.as_u16(),
            answered.bytes,
            answered.elapsed.as_secs_f64() * 1000.0,
            if answered.id.is_some() { " " } else { "" },
            answered.id.unwrap_or_default(),
        );
    }

    /// The histograms in the text format of Prometheus.
    pub(crate) fn to_prometheus(&self) -> String {
        const NAME: &str = "kamea_app_request_seconds";
        let mut text = format!(
            "# HELP {NAME} Time from a request to its reply, by route.\n# TYPE {NAME} histogram\n"
        );
        for (pattern, latency) in self.patterns.iter().zip(&self.routes) {
            let route = pattern.replace('\\', "\\\\").replace('"', "\\\"");
            let mut count = 0;
            for (place, slot) in latency.counts.iter().enumerate() {
                count += slot.load(Ordering::Relaxed);
                let bound = BOUNDS.get(place).map(|micros| *micros as f64 / 1e6);
                let bound = bound.map_or("+Inf".to_owned(), |seconds| seconds.to_string());
                let labels = format!("route=\"{route}\",le=\"{bound}\"");
                // Writing into a string cannot fail.
                let _ = writeln!(text, "{NAME}_bucket{{{labels}}} {count}");
            }
            let sum = latency.sum.load(Ordering::Relaxed) as f64 / 1e6;
            let _ = writeln!(text, "{NAME}_sum{{route=\"{route}\"}} {sum}");
            let _ = writeln!(text, "{NAME}_count{{route=\"{route}\"}} {count}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_counted_by_route() {
        let latencies = Latencies::new(["/a".into(), "/\"b".into()]);
        let record = |route, micros| {
            latencies.record(&Answered {
                method: &Method::GET,
                path: "/a",
                route,
                status: StatusCode::OK,
                bytes: 1,
                elapsed: Duration::from_micros(micros),
                id: None,
            });
        };
        record(Some(0), 100);
        record(Some(0), 101);
        record(Some(0), 60_000_000);
        record(None, 1);
        let text = latencies.to_prometheus();
        for line in [
            "kamea_app_request_seconds_bucket{route=\"/a\",le=\"0.0001\"} 1",
            "kamea_app_request_seconds_bucket{route=\"/a\",le=\"0.00025\"} 2",
            "kamea_app_request_seconds_bucket{route=\"/a\",le=\"10\"} 2",
            "kamea_app_request_seconds_bucket{route=\"/a\",le=\"+Inf\"} 3",
            "kamea_app_request_seconds_sum{route=\"/a\"} 60.000201",
            "kamea_app_request_seconds_count{route=\"/a\"} 3",
            "kamea_app_request_seconds_count{route=\"/\\\"b\"} 0",
            "kamea_app_request_seconds_count{route=\"\"} 1",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in {text}");
        }
    }
}
