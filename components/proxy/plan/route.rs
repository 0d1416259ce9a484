//! A route: which requests of a host it takes, and how they get to its backends.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use http::Method;

use super::Backend;
use crate::fields::FieldTemplate;

/// Requests of a host below a path, and their backends.
///
/// # Examples
/// ```
/// use kamea_proxy::plan::{Backend, PolicyKind, Route};
///
/// let mut route = Route::to([Backend::parse("http://127.0.0.1:9002")?]);
/// route.prefix = "/api".to_owned();
/// route.policy = PolicyKind::LeastConnections;
/// assert_eq!(route.retries.most, 2);
/// # Ok::<(), kamea_proxy::plan::BackendError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Route {
    /// The beginning of the path, percent-decoded: whole segments. `/` takes every path.
    pub prefix: String,
    /// Whether the backend gets the path without the prefix.
    pub strip_prefix: bool,
    /// Whether `Location`, `Refresh` and the cookies of a response are rewritten from the address
    /// and path of the backend to those of the client.
    pub rewrite_responses: bool,
    /// The methods; all if `None`.
    pub methods: Option<Vec<Method>>,
    /// The backends.
    pub backends: Vec<Backend>,
    /// Which of them gets a request.
    pub policy: PolicyKind,
    /// The cookie that keeps a client at its backend.
    pub sticky: Option<String>,
    /// Fields that replace those of the request.
    pub set_fields: Vec<SetField>,
    /// Time limits.
    pub timeouts: Timeouts,
    /// What happens if a backend fails before it answered.
    pub retries: Retries,
    /// Active checks of the backends.
    pub health: Option<ActiveCheck>,
    /// When a backend that fails is left alone.
    pub ejection: Ejection,
    /// When the backends together are left alone; never if `None`.
    pub circuit_breaker: Option<CircuitBreaker>,
    /// What happens while no backend can take a request.
    pub queue: Queue,
    /// Bodies up to this size are read whole before they are sent on; none if `None`.
    pub buffer: Option<usize>,
    /// The limit for bodies of requests, in bytes; 413 if a body is longer.
    pub body: Option<u64>,
    /// The limit for requests of one client.
    pub rate: Option<RateLimit>,
    /// Another backend that says whether a request is allowed.
    pub auth: Option<AuthRequest>,
    /// Idle connections that are kept for each backend.
    pub keep_idle: usize,
    /// How long an idle connection is kept.
    pub idle_time: Duration,
    /// The folder of the scripts of FastCGI and SCGI backends.
    pub root: Option<PathBuf>,
    /// The script that FastCGI and SCGI backends run for a folder.
    pub index: String,
}

/// A field of the request that the proxy sets; if its value is empty, the field is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetField {
    /// A token, as it is written.
    pub name: String,
    /// Its value.
    pub value: FieldTemplate,
}

/// How the backend of a request is chosen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyKind {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight.
    LeastConnections,
    /// By chance.
    Random,
    /// The less busy of two that are drawn by chance.
    TwoChoices,
    /// The same one for a client address.
    IpHash,
    /// The same one for a value in the request.
    Hash(HashKey),
}

/// The value that decides in [`PolicyKind::Hash`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HashKey {
    /// The field with this name.
    Field(String),
    /// The cookie with this name.
    Cookie(String),
    /// The whole target: path and query.
    Target,
}

/// Time limits of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Until a connection is open, with TLS.
    pub connect: Duration,
    /// While the backend takes nothing of the request.
    pub send: Duration,
    /// From the end of the request until the response begins, and then between two of its parts.
    pub first_byte: Duration,
    /// For all of it; no limit if `None`.
    pub whole: Option<Duration>,
}

/// Further attempts after one that failed before the response began.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retries {
    /// The limit for further attempts of one request.
    pub most: u32,
    /// The limit for further attempts, in percent of all requests.
    pub budget_percent: u32,
    /// Whether a request may be repeated that a backend may have acted on already, although its
    /// method is not idempotent.
    pub non_idempotent: bool,
}

/// A request that checks a backend again and again.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveCheck {
    /// The path of a GET request.
    pub path: String,
    /// The time between two checks.
    pub interval: Duration,
    /// The time for an answer.
    pub timeout: Duration,
    /// The status codes of a healthy backend.
    pub expected: RangeInclusive<u16>,
    /// How many good answers in a row make it healthy.
    pub healthy_after: u32,
    /// How many bad ones make it unhealthy.
    pub unhealthy_after: u32,
}

/// When a backend that fails requests is left alone for a while. The last one never is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ejection {
    /// After so many failures in a row; never if 0.
    pub failures: u32,
    /// The first pause; each further one is twice as long.
    pub pause: Duration,
    /// The longest pause.
    pub longest: Duration,
}

/// A circuit breaker: while too many requests of a route fail, its backends are left alone, and
/// clients get 503 at once. Then a few trials decide whether it goes on.
///
/// # Examples
/// ```
/// use kamea_proxy::plan::{CircuitBreaker, Route};
///
/// let mut route = Route::to([]);
/// route.circuit_breaker = Some(CircuitBreaker::default());
/// assert_eq!(route.circuit_breaker.unwrap().errors_percent, 50);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CircuitBreaker {
    /// It opens at this share of errors among the requests of the window, in percent.
    pub errors_percent: u32,
    /// How far back requests count.
    pub window: Duration,
    /// It never opens with fewer requests than this in the window.
    pub requests: u32,
    /// How long it stays open.
    pub pause: Duration,
    /// After the pause, so many requests are let through. It closes when all of them have
    /// succeeded, and opens again when one fails.
    pub trials: u32,
}

/// Requests that wait while every backend is at its limit.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Queue {
    /// The limit for waiting requests; further ones get 503.
    pub most: usize,
    /// The longest wait; then 503.
    pub longest: Duration,
}

/// The limit for the requests of one client address; more get 429.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RateLimit {
    /// Requests in a second, in the long run.
    pub per_second: f64,
    /// Requests at once.
    pub burst: u32,
}

/// Authentication by a sub-request: GET with the fields of the request. 2xx allows it, 401 and 403
/// are the response, and everything else is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AuthRequest {
    /// Where it goes; its `path` is the target.
    pub backend: Backend,
    /// Fields of its response that are set in the request to the backend.
    pub copy_fields: Vec<String>,
}

impl Route {
    /// Creates a route for every path to these backends, with the usual limits.
    #[must_use]
    pub fn to(backends: impl IntoIterator<Item = Backend>) -> Self {
        Self {
            prefix: "/".to_owned(),
            strip_prefix: false,
            rewrite_responses: true,
            methods: None,
            backends: backends.into_iter().collect(),
            policy: PolicyKind::default(),
            sticky: None,
            set_fields: Vec::new(),
            timeouts: Timeouts::default(),
            retries: Retries::default(),
            health: None,
            ejection: Ejection::default(),
            circuit_breaker: None,
            queue: Queue::default(),
            buffer: None,
            body: None,
            rate: None,
            auth: None,
            keep_idle: 64,
            idle_time: Duration::from_secs(60),
            root: None,
            index: "index.php".to_owned(),
        }
    }

    /// Whether a path, percent-decoded, is in this route: whole segments count, so that `/api`
    /// takes `/api` and `/api/x`, but not `/apis`.
    #[must_use]
    pub fn contains(&self, path: &[u8]) -> bool {
        let prefix = self.prefix.as_bytes();
        path.strip_prefix(prefix)
            .is_some_and(|rest| prefix.ends_with(b"/") || rest.is_empty() || rest.starts_with(b"/"))
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            send: Duration::from_secs(30),
            first_byte: Duration::from_secs(60),
            whole: None,
        }
    }
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            errors_percent: 50,
            window: Duration::from_secs(10),
            requests: 20,
            pause: Duration::from_secs(5),
            trials: 3,
        }
    }
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            most: 2,
            budget_percent: 20,
            non_idempotent: false,
        }
    }
}

impl Default for ActiveCheck {
    fn default() -> Self {
        Self {
            path: "/".to_owned(),
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
            expected: 200..=399,
            healthy_after: 2,
            unhealthy_after: 3,
        }
    }
}

impl Default for Ejection {
    fn default() -> Self {
        Self {
            failures: 5,
            pause: Duration::from_secs(5),
            longest: Duration::from_secs(300),
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            most: 128,
            longest: Duration::from_secs(5),
        }
    }
}

impl RateLimit {
    /// Creates a limit.
    #[must_use]
    pub const fn new(per_second: f64, burst: u32) -> Self {
        Self { per_second, burst }
    }
}

impl AuthRequest {
    /// Creates a sub-request to this backend and its path.
    #[must_use]
    pub const fn new(backend: Backend) -> Self {
        Self {
            backend,
            copy_fields: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_of_whole_segments() {
        let rows = [
            ("/", "/", true),
            ("/", "/a/b", true),
            ("/", "*", false),
            ("/api", "/api", true),
            ("/api", "/api/", true),
            ("/api", "/api/x", true),
            ("/api", "/apis", false),
            ("/api", "/ap", false),
            ("/api/", "/api", false),
            ("/api/", "/api/x", true),
        ];
        for (prefix, path, expected) in rows {
            let mut route = Route::to([]);
            route.prefix = prefix.to_owned();
            assert_eq!(route.contains(path.as_bytes()), expected, "{prefix} {path}");
        }
    }
}
