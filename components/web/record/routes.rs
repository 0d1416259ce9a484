//! How the routes of an application are used: how often, and how long their requests take.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use kamea::time::now;
use serde_json::{Value, json};

use crate::http::Target;

/// How many upper bounds there are: ten for each power of ten. A type is as long as this, not as
/// `BOUNDS.len()`: rustc with optimisation takes that for a cycle (E0391).
const BOUND_COUNT: usize = 70;

/// The upper bounds of the times that are counted, in microseconds, from 10 us to 80 s.
const BOUNDS: [u64; BOUND_COUNT] = bounds();

/// The bounds that Prometheus gets.
const SHOWN_BOUNDS: [u64; 13] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000,
    10_000_000,
];

/// How many bytes of the path of the slowest request are shown.
const MOST_PATH: usize = 200;

const fn bounds() -> [u64; BOUND_COUNT] {
    const STEPS: [u64; 10] = [10, 12, 15, 20, 25, 30, 40, 50, 65, 80];
    let (mut all, mut place, mut power) = ([0; BOUND_COUNT], 0, 1);
    while place < BOUND_COUNT {
        all[place] = STEPS[place % 10] * power;
        place += 1;
        if place.is_multiple_of(10) {
            power *= 10;
        }
    }
    all
}

/// How the routes of an application are used: it counts, and the inspector shows. A clone is the
/// same census.
///
/// # Examples
///
/// ```
/// use http::{Method, StatusCode};
/// use kamea_components::http::Target;
/// use kamea_components::web::{CountedRoute, RouteCensus};
///
/// let census = RouteCensus::default();
/// let routes = census.count([CountedRoute::new("GET", "/users/{id}", "show_user")]);
/// let target = Target::parse(&Method::GET, "/users/7".into())?;
/// let running = routes[0].begin(target, kamea::time::now());
/// assert_eq!(census.used()[0].running, 1);
/// running.end(StatusCode::OK);
/// assert_eq!(census.used()[0].answered, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct RouteCensus(Arc<Mutex<Arc<[CountedRoute]>>>);

impl RouteCensus {
    /// Counts these routes from now on, instead of those of before.
    pub fn count(&self, routes: impl IntoIterator<Item = CountedRoute>) -> Arc<[CountedRoute]> {
        let routes: Arc<[CountedRoute]> = routes.into_iter().collect();
        *self.routes() = routes.clone();
        routes
    }

    fn routes(&self) -> MutexGuard<'_, Arc<[CountedRoute]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How each route was used until now.
    #[must_use]
    pub fn used(&self) -> Vec<UsedRoute> {
        let routes = self.routes().clone();
        routes.iter().map(CountedRoute::used).collect()
    }

    /// The times as histograms in the text format of Prometheus; empty without routes.
    #[must_use]
    pub fn to_prometheus(&self) -> String {
        const NAME: &str = "kamea_app_request_seconds";
        let routes = self.routes().clone();
        if routes.is_empty() {
            return String::new();
        }
        let mut text = format!(
            "# HELP {NAME} Time from a request to its reply, by route.\n# TYPE {NAME} histogram\n"
        );
        for route in routes.iter() {
            // Writing into a string cannot fail.
            let _ = route.put_histogram(NAME, &mut text);
        }
        text
    }
}

/// A route, and what is counted of it, by all workers.
#[derive(Debug)]
pub struct CountedRoute {
    method: String,
    pattern: String,
    handler: String,
    /// How many requests took at most as long as each bound, and those beyond.
    counts: [AtomicU64; BOUND_COUNT + 1],
    /// In microseconds.
    sum: AtomicU64,
    running: AtomicU64,
    failed: AtomicU64,
    unanswered: AtomicU64,
    /// The longest time, in microseconds.
    longest: AtomicU64,
    slowest: Mutex<Option<(String, Instant)>>,
}

impl CountedRoute {
    /// A route without requests: its method, its pattern, and the name of its handler, each empty
    /// if it has none.
    #[must_use]
    pub fn new(
        method: impl Into<String>,
        pattern: impl Into<String>,
        handler: impl Into<String>,
    ) -> Self {
        Self {
            method: method.into(),
            pattern: pattern.into(),
            handler: handler.into(),
            counts: [const { AtomicU64::new(0) }; BOUNDS.len() + 1],
            sum: AtomicU64::new(0),
            running: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            unanswered: AtomicU64::new(0),
            longest: AtomicU64::new(0),
            slowest: Mutex::new(None),
        }
    }

    /// The pattern of its paths.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Counts a request that runs, since a moment of the past.
    pub fn begin(&self, target: Target, since: Instant) -> RunningRequest<'_> {
        self.running.fetch_add(1, Ordering::Relaxed);
        RunningRequest {
            route: self,
            target,
            since,
            is_answered: false,
        }
    }

    /// Counts an answer. The path is that of its request.
    pub fn record(&self, status: StatusCode, path: &str, took: Duration) {
        let micros = micros(took);
        let place = BOUNDS.partition_point(|bound| *bound < micros);
        self.counts[place].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(micros, Ordering::Relaxed);
        if status.is_server_error() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        self.note_slowest(micros, path);
    }

    fn note_slowest(&self, micros: u64, path: &str) {
        if micros > self.longest.load(Ordering::Relaxed) {
            self.replace_slowest(micros, path);
        }
    }

    #[cold]
    fn replace_slowest(&self, micros: u64, path: &str) {
        let mut slowest = self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        if micros > self.longest.fetch_max(micros, Ordering::Relaxed) {
            let end = path.floor_char_boundary(MOST_PATH);
            let cut = if end < path.len() { "..." } else { "" };
            *slowest = Some((format!("{}{cut}", &path[..end]), now()));
        }
    }

    fn used(&self) -> UsedRoute {
        let counts: Vec<_> = self
            .counts
            .iter()
            .map(|count| count.load(Ordering::Relaxed))
            .collect();
        let answered = counts.iter().sum();
        let longest = self.longest.load(Ordering::Relaxed);
        let slowest = self.slowest.lock().unwrap_or_else(PoisonError::into_inner);
        let slowest = slowest.as_ref().map(|(path, at)| SlowestRequest {
            path: path.clone(),
            took: Duration::from_micros(longest),
            ago: now().saturating_duration_since(*at),
        });
        UsedRoute {
            method: self.method.clone(),
            pattern: self.pattern.clone(),
            handler: self.handler.clone(),
            running: self.running.load(Ordering::Relaxed),
            answered,
            failed: self.failed.load(Ordering::Relaxed),
            unanswered: self.unanswered.load(Ordering::Relaxed),
            median: quantile(&counts, answered, longest, 50),
            ninety_ninth: quantile(&counts, answered, longest, 99),
            slowest,
        }
    }

    fn put_histogram(&self, name: &str, text: &mut String) -> std::fmt::Result {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let (route, method) = (escaped(&self.pattern), escaped(&self.method));
        let labels = format!("route=\"{route}\",method=\"{method}\"");
        let (mut count, mut place) = (0, 0);
        let mut up_to = |end: usize| {
            count += self.counts[place..end]
                .iter()
                .map(|own| own.load(Ordering::Relaxed))
                .sum::<u64>();
            place = end;
            count
        };
        for bound in SHOWN_BOUNDS {
            let count = up_to(BOUNDS.partition_point(|own| *own <= bound));
            let bound = bound as f64 / 1e6;
            writeln!(text, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}")?;
        }
        let count = up_to(self.counts.len());
        writeln!(text, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}")?;
        let sum = self.sum.load(Ordering::Relaxed) as f64 / 1e6;
        writeln!(text, "{name}_sum{{{labels}}} {sum}")?;
        writeln!(text, "{name}_count{{{labels}}} {count}")
    }
}

/// The time within which so many of a hundred requests were answered. Between two bounds, times are
/// taken to be spread evenly, so it is off by a third at most.
fn quantile(counts: &[u64], all: u64, longest: u64, of_hundred: u64) -> Duration {
    let wanted = (all * of_hundred).div_ceil(100);
    let mut before = 0;
    for (place, &count) in counts.iter().enumerate() {
        if before + count >= wanted && count > 0 {
            let least = place.checked_sub(1).map_or(0, |below| BOUNDS[below]);
            let most = BOUNDS
                .get(place)
                .copied()
                .unwrap_or(longest)
                .min(longest)
                .max(least);
            let share = (wanted - before) as f64 / count as f64;
            let micros = least as f64 + share * (most - least) as f64;
            return Duration::from_secs_f64(micros / 1e6);
        }
        before += count;
    }
    Duration::ZERO
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

/// A request that runs. If it is dropped without its [`end`](Self::end), it counts as one without
/// an answer: its client has gone, a time limit has passed, or its handler has failed.
#[derive(Debug)]
#[must_use = "it counts as running until it is dropped"]
pub struct RunningRequest<'r> {
    route: &'r CountedRoute,
    target: Target,
    since: Instant,
    is_answered: bool,
}

impl RunningRequest<'_> {
    fn took(&self) -> Duration {
        now().saturating_duration_since(self.since)
    }

    /// Counts its answer.
    pub fn end(mut self, status: StatusCode) {
        self.is_answered = true;
        self.route.record(status, self.target.path(), self.took());
    }
}

impl Drop for RunningRequest<'_> {
    fn drop(&mut self) {
        self.route.running.fetch_sub(1, Ordering::Relaxed);
        if !self.is_answered {
            self.route.unanswered.fetch_add(1, Ordering::Relaxed);
            self.route
                .note_slowest(micros(self.took()), self.target.path());
        }
    }
}

/// How a route was used until now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UsedRoute {
    /// Its method; empty for requests that no handler answers.
    pub method: String,
    /// The pattern of its paths, after its host if it has one; empty for requests without a route.
    pub pattern: String,
    /// The name of its handler.
    pub handler: String,
    /// How many requests run.
    pub running: u64,
    /// How many were answered.
    pub answered: u64,
    /// How many were answered with a status of 500 or above.
    pub failed: u64,
    /// How many ended without an answer of their handler: the client had gone, a time limit had
    /// passed, or the handler failed.
    pub unanswered: u64,
    /// The time of the middle one of all answers.
    pub median: Duration,
    /// The time within which 99 of 100 were answered.
    pub ninety_ninth: Duration,
    /// The slowest one, answered or not.
    pub slowest: Option<SlowestRequest>,
}

/// The slowest request of a route.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SlowestRequest {
    /// Its path, without the query.
    pub path: String,
    /// How long it took.
    pub took: Duration,
    /// How long ago it ended.
    pub ago: Duration,
}

impl UsedRoute {
    /// As JSON, with times in seconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let slowest = self.slowest.as_ref().map(|slowest| {
            json!({
                "path": slowest.path,
                "seconds": slowest.took.as_secs_f64(),
                "ago_seconds": slowest.ago.as_secs_f64(),
            })
        });
        json!({
            "method": self.method,
            "pattern": self.pattern,
            "handler": self.handler,
            "running": self.running,
            "answered": self.answered,
            "failed": self.failed,
            "unanswered": self.unanswered,
            "median_seconds": self.median.as_secs_f64(),
            "ninety_ninth_seconds": self.ninety_ninth.as_secs_f64(),
            "slowest": slowest,
        })
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn counted(micros: impl IntoIterator<Item = u64>) -> (RouteCensus, UsedRoute) {
        let census = RouteCensus::default();
        let routes = census.count([CountedRoute::new("GET", "/a", "a")]);
        for micros in micros {
            routes[0].record(StatusCode::OK, "/a", Duration::from_micros(micros));
        }
        let used = census.used().remove(0);
        (census, used)
    }

    #[test]
    fn bounds_grow_and_contain_those_of_prometheus() {
        assert!(BOUNDS.is_sorted_by(|a, b| a < b));
        assert_eq!((BOUNDS[0], BOUNDS[69]), (10, 80_000_000));
        assert!(SHOWN_BOUNDS.iter().all(|bound| BOUNDS.contains(bound)));
    }

    #[test]
    fn quantiles_are_near_those_of_the_times() {
        let is_within = |shown: Duration, exact: f64, part: f64| {
            let shown = shown.as_secs_f64() * 1e6;
            (shown - exact).abs() <= exact * part
        };
        let near = |shown, exact| is_within(shown, exact, 0.05);
        let (_, used) = counted(1..=10_000);
        assert!(near(used.median, 5_000.0), "{used:?}");
        assert!(near(used.ninety_ninth, 9_900.0), "{used:?}");
        let (_, used) = counted((1..=990).map(|_| 70).chain([200_000_000; 10]));
        // All of them are between 65 and 80.
        assert!(is_within(used.median, 70.0, 0.2), "{used:?}");
        assert!(is_within(used.ninety_ninth, 70.0, 0.2), "{used:?}");
        let (_, used) = counted([1]);
        assert!(used.ninety_ninth <= Duration::from_micros(1), "{used:?}");
        // All beyond the last bound.
        let (_, used) = counted([90_000_000, 100_000_000]);
        assert_eq!(used.ninety_ninth, Duration::from_secs(100), "{used:?}");
        let (_, used) = counted([]);
        assert_eq!((used.answered, used.median), (0, Duration::ZERO));
    }

    #[test]
    fn the_slowest_request_and_those_that_run_are_known() {
        let census = RouteCensus::default();
        let routes = census.count([CountedRoute::new("GET", "/a/{id}", "a")]);
        let begin = |path: &'static str, seconds| {
            let target = Target::parse(&Method::GET, path.into()).unwrap();
            routes[0].begin(target, now() - Duration::from_secs(seconds))
        };
        let (one, two) = (begin("/a/1", 0), begin("/a/2?b", 20));
        assert_eq!(census.used()[0].running, 2);
        one.end(StatusCode::OK);
        drop(two);
        routes[0].record(StatusCode::BAD_GATEWAY, "/a/3", Duration::from_secs(1));
        let used = &census.used()[0];
        assert_eq!((used.running, used.answered), (0, 2));
        assert_eq!((used.failed, used.unanswered), (1, 1));
        let slowest = used.slowest.as_ref().unwrap();
        assert_eq!((&*slowest.path, slowest.took.as_secs()), ("/a/2", 20));
        // A path of a peer may be long, and have characters of several bytes.
        let long = format!("/a/{}", "\u{e4}".repeat(500));
        routes[0].record(StatusCode::OK, &long, Duration::from_secs(30));
        let slowest = census.used().remove(0).slowest.unwrap();
        assert!(slowest.path.len() <= MOST_PATH + 3 && slowest.path.ends_with("..."));
    }

    #[test]
    fn times_are_counted_by_route_for_prometheus() {
        let census = RouteCensus::default();
        assert_eq!(census.to_prometheus(), "");
        let none = CountedRoute::new("", "", "");
        let routes = census.count([
            CountedRoute::new("GET", "/a", "a"),
            CountedRoute::new("POST", "/\"b", "b"),
            none,
        ]);
        for (route, micros) in [(0, 100), (0, 101), (0, 60_000_000), (0, 90_000_000), (2, 1)] {
            routes[route].record(StatusCode::OK, "/a", Duration::from_micros(micros));
        }
        let text = census.to_prometheus();
        for line in [
            "kamea_app_request_seconds_bucket{route=\"/a\",method=\"GET\",le=\"0.0001\"} 1",
            "kamea_app_request_seconds_bucket{route=\"/a\",method=\"GET\",le=\"0.00025\"} 2",
            "kamea_app_request_seconds_bucket{route=\"/a\",method=\"GET\",le=\"10\"} 2",
            "kamea_app_request_seconds_bucket{route=\"/a\",method=\"GET\",le=\"+Inf\"} 4",
            "kamea_app_request_seconds_sum{route=\"/a\",method=\"GET\"} 150.000201",
            "kamea_app_request_seconds_count{route=\"/a\",method=\"GET\"} 4",
            "kamea_app_request_seconds_count{route=\"/\\\"b\",method=\"POST\"} 0",
            "kamea_app_request_seconds_count{route=\"\",method=\"\"} 1",
        ] {
            assert!(text.lines().any(|own| own == line), "{line} in {text}");
        }
    }
}
