//! A limit of requests that are served at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;

use crate::{Context, Layer, Next, Problem, Reply};

/// Limits how many requests are served at the same time, on all workers together. One too many is
/// answered with 503 and `Retry-After`.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, ConcurrencyLimit};
///
/// let reports = App::new().get("/report", async || "x").layer(ConcurrencyLimit::new(4));
/// let app = App::new().nest("/slow", reports);
/// # app.check().unwrap();
/// ```
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit {
    most: usize,
    running: Arc<AtomicUsize>,
}

impl ConcurrencyLimit {
    /// Serves this many requests at the same time.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            running: Arc::default(),
        }
    }
}

/// One request that is served, until it is dropped.
struct Running<'a>(&'a AtomicUsize);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Layer for ConcurrencyLimit {
    async fn around(&self, context: Context, next: Next) -> Reply {
        let before = self.running.fetch_add(1, Ordering::Relaxed);
        let _running = Running(&self.running);
        match before < self.most {
            true => next.run(context).await,
            false => {
                let detail = "too many requests are served at the same time; try again in a moment";
                let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
                problem.field("Retry-After", "1").into()
            }
        }
    }
}
