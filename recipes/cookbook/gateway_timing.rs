//! Middleware: it wraps an application, and measures how long that takes to begin its response.

use kamea::time::now;
use kamea_components::gateway::{Application, BoxError, Chunks, Environ, StartResponse};
use kamea_components::server::{Site, WebServer};
use kamea_recipes::{Outcome, serve};

/// Adds `Server-Timing`, which tells browsers how long the application took to begin its response.
struct Timed<A>(A);

impl<A: Application> Application for Timed<A> {
    async fn call(
        &self,
        environ: Environ,
        start_response: StartResponse,
    ) -> Result<Chunks, BoxError> {
        let began = now();
        let start_response = start_response.with(move |head| {
            let milliseconds = began.elapsed().as_secs_f64() * 1e3;
            let fields = std::mem::take(&mut head.fields);
            head.fields = fields.with("Server-Timing", format!("app;dur={milliseconds:.3}"));
        });
        self.0.call(environ, start_response).await
    }
}

/// Adds the numbers from 1 to the one in the query.
async fn add_up(environ: Environ, start_response: StartResponse) -> Result<String, BoxError> {
    let last = environ.text("QUERY_STRING").parse().unwrap_or(10);
    let sum = kamea::compute(move || (1..=last).sum::<u64>()).await;
    start_response.ok([("Content-Type", "text/plain")])?;
    Ok(format!("{sum}\n"))
}

fn main() -> Outcome {
    serve(WebServer::new(Site::new("www")).mount("/sum", Timed(add_up)))
}
