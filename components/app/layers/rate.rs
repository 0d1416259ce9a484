//! A limit of requests in a time, for each client.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use kamea::time::now;
use kamea_components::net::client_of;
use kamea_components::web::{Rate, RateTable};

use crate::{Context, Layer, Next, Problem, Reply};

/// The key of a client; `None` if it is not limited.
type KeyOf = Arc<dyn Fn(&Context) -> Option<String> + Send + Sync>;

/// Limits how many requests a client sends in a time. One too many is answered with 429 (RFC 6585
/// section 4) and `Retry-After`.
///
/// A client is an address, and for IPv6 the first 64 bits of it; or what [`by_key`](Self::by_key)
/// says. Each has a bucket, which is full at first and fills again evenly. Up to 50,000 clients are
/// remembered; with more, those that would recover first are forgotten.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_app::{App, RateLimit};
///
/// let limit = RateLimit::new(100, Duration::from_secs(60));
/// let login = RateLimit::new(5, Duration::from_secs(60));
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
    clients: Arc<Mutex<RateTable>>,
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RateLimit({} in {:?})", self.most, self.per)
    }
}

/// How many clients are remembered. With more, those that would recover first are forgotten.
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
        let rate = Rate {
            burst: most,
            every: (per / most).max(Duration::from_nanos(1)),
        };
        Self {
            most,
            per,
            key: Arc::new(|context| Some(client_of(context.peer().ip()).to_string())),
            clients: Arc::new(Mutex::new(RateTable::new(rate, MOST_CLIENTS))),
        }
    }

    /// Tells clients apart by this key; a request without one is not limited. Use only keys that
    /// were checked, such as the user of a session: a client that may invent its key has no limit.
    #[must_use]
    pub fn by_key(self, key: impl Fn(&Context) -> Option<String> + Send + Sync + 'static) -> Self {
        let key = Arc::new(key);
        Self { key, ..self }
    }

    /// Counts a request, or says how long to wait for the next one.
    fn take(&self, key: &str) -> Result<(), Duration> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.count(key.as_bytes(), now())
    }
}

impl Layer for RateLimit {
    async fn around(&self, context: Context, next: Next) -> Reply {
        let Some(key) = (self.key)(&context) else {
            return next.run(context).await;
        };
        match self.take(&key) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_with_invented_keys_does_not_reset_the_limit_of_others() {
        let limit = RateLimit::new(3, Duration::from_secs(3600));
        while limit.take("limited").is_ok() {}
        for number in 0..MOST_CLIENTS + 1000 {
            assert!(limit.take(&format!("{number}")).is_ok());
        }
        let wait = limit.take("limited").unwrap_err();
        assert!(wait > Duration::from_secs(600), "{wait:?}");
        assert_eq!(limit.clients.lock().unwrap().len(), MOST_CLIENTS);
    }
}
