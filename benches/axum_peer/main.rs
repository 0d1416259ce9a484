//! The web application of the rows, by axum, on one thread. `--routes N` declares so many further
//! routes, and `--sessions STORE` puts the sessions of tower-sessions around it: `memory`,
//! `sqlite=PATH` or `redis=ADDRESS`.
//!
//! It listens on a free port of 127.0.0.1 and prints it.

mod redis;
mod sessions;
mod sqlite;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Form, Json, Router};
use kamea_benches::http::{HELLO, Hello, announce, body};
use kamea_benches::store::{argument, wanted_store};

/// What the handlers share.
struct Shared {
    small: &'static str,
    locked: Mutex<u64>,
}

async fn json() -> Json<Hello> {
    Json(Hello { message: HELLO })
}

async fn two(Path((id, title)): Path<(u32, String)>) -> String {
    format!("{id} {title}")
}

async fn form(Form(fields): Form<HashMap<String, String>>) -> String {
    fields.len().to_string()
}

async fn upload(mut parts: Multipart) -> Result<String, StatusCode> {
    let (mut total, bad) = (0, StatusCode::BAD_REQUEST);
    while let Some(mut part) = parts.next_field().await.map_err(|_| bad)? {
        while let Some(chunk) = part.chunk().await.map_err(|_| bad)? {
            total += chunk.len();
        }
    }
    Ok(total.to_string())
}

async fn locked(State(shared): State<Arc<Shared>>) -> String {
    let mut total = shared.locked.lock().unwrap_or_else(PoisonError::into_inner);
    *total += 1;
    total.to_string()
}

/// The routes that all servers have, and so many others.
fn app(shared: Shared, others: u32) -> Router {
    let app = Router::new()
        .route(
            "/small.txt",
            get(async |State(shared): State<Arc<Shared>>| shared.small),
        )
        .route("/plaintext", get(async || HELLO))
        .route("/json", get(json))
        .route("/users/{id}/books/{title}", get(two))
        .route("/form", post(form))
        .route("/upload", post(upload))
        .route("/locked", get(locked))
        .layer(DefaultBodyLimit::max(1 << 30));
    let app = (0..others).fold(app, |app, number| {
        let path = format!("/area{number}/{{id}}/part{number}/{{name}}");
        app.route(&path, get(two))
    });
    app.with_state(Arc::new(shared))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let others = argument("--routes").map_or(Ok(0), |number| number.parse())?;
    let shared = Shared {
        small: String::from_utf8(body())?.leak(),
        locked: Mutex::default(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    announce(listener.local_addr()?);
    let listener = listener.tap_io(|socket| drop(socket.set_nodelay(true)));
    let app = app(shared, others);
    let app = match wanted_store()? {
        Some(store) => sessions::around(app, store).await?,
        None => app,
    };
    Ok(axum::serve(listener, app).await?)
}
