//! Handlers: plain async functions, closures, and structs with state.

use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;
use kamea_components::gateway::{BoxError, Handler, Reply};
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Failure, Request, Response, Route};
use kamea_recipes::{Outcome, serve};

/// A function that reads its request.
async fn shout(mut request: Request) -> Result<String, Failure> {
    let content = request.read_content(64 * 1024).await?;
    Ok(String::from_utf8_lossy(&content).to_uppercase())
}

/// A struct: one for all workers, so its mutable state is an atomic.
#[derive(Default)]
struct Visits(AtomicU64);

impl Handler for Visits {
    async fn handle(&self, _: Request) -> Result<Reply, BoxError> {
        let visits = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let page = Response::html(format!("<p>visit {visits}</p>\n"));
        Ok(page.with("Cache-Control", "no-store").into())
    }
}

fn main() -> Outcome {
    let gone = async |_: Request| Reply::failure(StatusCode::GONE, "this has moved on");
    let server = WebServer::new(Site::new("www"))
        .handle("shout", Route::path("/shout").method("POST")?, shout)
        .handle("visits", Route::path("/visits"), Visits::default())
        .handle("gone", Route::path("/old/*"), gone);
    serve(server)
}
