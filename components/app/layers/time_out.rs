//! A time limit.

use std::time::Duration;

use futures_lite::future::or;
use http::StatusCode;
use kamea::time::sleep;

use crate::{Context, Layer, Next, Problem, Reply};

/// Stops a handler that takes too long: the answer is 503. The time of a streamed body does not
/// count.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_app::{App, TimeOut};
///
/// let app = App::new().get("/", async || "x").layer(TimeOut::after(Duration::from_secs(10)));
/// # app.check().unwrap();
/// ```
#[derive(Debug, Clone, Copy)]
pub struct TimeOut(Duration);

impl TimeOut {
    /// Stops it after this time.
    #[must_use]
    pub fn after(limit: Duration) -> Self {
        Self(limit)
    }
}

impl Layer for TimeOut {
    async fn around(&self, context: Context, next: Next) -> Reply {
        let late = async {
            sleep(self.0).await;
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "this took too long").into()
        };
        or(next.run(context), late).await
    }
}
