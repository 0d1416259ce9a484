//! Routers in routers: each part of a site is an application of its own, with its own layers, its
//! own state and its own answer to what it does not know.

use std::time::Duration;

use http::StatusCode;
use kamea_app::{
    App, AppError, Call, Json, Problem, RateLimit, RequestIds, SecurityHeaders, State,
};

struct Shop {
    currency: &'static str,
}

async fn price(call: Call<u32, (), State<Shop>>) -> String {
    format!("article {} costs 5 {}\n", call.params, call.with.currency)
}

fn shop() -> App<Shop> {
    App::with_state(Shop { currency: "EUR" }).get("/{article}", price)
}

fn api() -> App {
    App::new()
        .get("/version", async || Json("1.0"))
        .nest("/shop", shop())
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "the API has no such path"))
        .layer(RateLimit::new(100, Duration::from_secs(1)))
}

fn main() -> Result<(), AppError> {
    App::new()
        .get("/", async || "the site\n")
        .nest("/api", api())
        .folder("/docs", "docs/src")
        .layer(SecurityHeaders::new())
        .layer(RequestIds::new())
        .main("127.0.0.1:8000")
}
