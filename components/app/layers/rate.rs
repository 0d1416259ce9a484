//! A limit of requests in a time, for each client.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;
use kamea::time::now;

use crate::{Context, Layer, Next, Problem, Reply};

/// The key of a client; `None` if it is not limited.
type KeyOf = Arc<dyn Fn(&Context) -> Option<String> + Send + Sync>;

/// Limits how many requests a client sends in a time. One too many is answered with 429 (RFC 6585
/// section 4) and `Retry-After`.
///
/// A client is an address, and for IPv6 the first 64 bits of it; or what [`by_key`](Self::by_key)
/// says. Each has a bucket, which is full at first and fills again evenly.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_app::{App, RateLimit};
///
/// let limit = RateLimit::new(100, Duration::from_secs(60));
/// let login = RateLimit::new(5, Duration::from_secs(60))
///     .by_key(|context| context.field("x-api-key").map(str::to_owned));
/// let app = App::new()
///     .nest("/login", App::new().post("/", async || "x").layer(login))
///     .layer(limit);
/// # app.check().unwrap();
/// ```
#[derive(Clone)]
pub struct RateLimit {
    most: u32,
    per: Duration,
    key: KeyOf,
    buckets: Arc<Mutex<HashMap<String, Bucket>>>,
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateLimit({} in {:?})", self.most, self.per)
    }
}

/// The requests that a client may still send.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

/// How many clients are remembered. With more, those whose bucket is full again are forgotten, and
/// if there are none, the rest.
const MOST_CLIENTS: usize = 50_000;

impl RateLimit {
    /// Lets each address send this many requests in this time.
    ///
    /// # Panics
    ///
    /// If one of them is 0.
    #[must_use]
    pub fn new(most: u32, per: Duration) -> Self {
        assert!(
            most > 0 && !per.is_zero(),
            "a rate is a number of requests in a time"
        );
        Self {
            most,
            per,
            key: Arc::new(|context| Some(network(context.peer().ip()))),
            buckets: Arc::default(),
        }
    }

    /// Tells clients apart by this key; a request without one is not limited.
    #[must_use]
    pub fn by_key(self, key: impl Fn(&Context) -> Option<String> + Send + Sync + 'static) -> Self {
        let key = Arc::new(key);
        Self { key, ..self }
    }

    /// Takes a request out of a bucket, or says how long to wait for one.
    fn take(&self, key: String) -> Result<(), Duration> {
        let now = now();
        let most = f64::from(self.most);
        let rate = most / self.per.as_secs_f64();
        let filled = |bucket: &Bucket| {
            let elapsed = now.saturating_duration_since(bucket.at).as_secs_f64();
            (bucket.tokens + elapsed * rate).min(most)
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST_CLIENTS && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| filled(bucket) < most);
            if buckets.len() >= MOST_CLIENTS {
                buckets.clear();
            }
        }
        let full = Bucket {
            tokens: most,
            at: now,
        };
        let bucket = buckets.entry(key).or_insert(full);
        let tokens = filled(bucket);
        if tokens < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - tokens) / rate));
        }
        (bucket.tokens, bucket.at) = (tokens - 1.0, now);
        Ok(())
    }
}

/// The part of an address that one client has.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
    }
}

impl Layer for RateLimit {
    async fn around(&self, context: Context, next: Next) -> Reply {
        let Some(key) = (self.key)(&context) else {
            return next.run(context).await;
        };
        match self.take(key) {
            Ok(()) => next.run(context).await,
            Err(wait) => {
                let detail = "you have sent too many requests; try again later";
                let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, detail);
                let seconds = wait.as_secs_f64().ceil().max(1.0);
                problem.field("Retry-After", seconds.to_string()).into()
            }
        }
    }
}
