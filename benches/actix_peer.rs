//! The web application of the rows, by actix-web, with one worker. `--routes N` declares so many
//! further routes.
//!
//! It listens on a free port of 127.0.0.1 and prints it.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Mutex, PoisonError};

use actix_web::web::{Data, Form, Json, Path, ServiceConfig, get, post};
use actix_web::{App, HttpServer};
use kamea_benches::http::{HELLO, Hello, announce, body};
use kamea_benches::store::argument;

/// What the handlers share.
struct Shared {
    small: &'static str,
    locked: Mutex<u64>,
}

async fn small(shared: Data<Shared>) -> &'static str {
    shared.small
}

async fn plaintext() -> &'static str {
    HELLO
}

async fn json() -> Json<Hello> {
    Json(Hello { message: HELLO })
}

async fn two(path: Path<(u32, String)>) -> String {
    format!("{} {}", path.0, path.1)
}

async fn form(fields: Form<HashMap<String, String>>) -> String {
    fields.len().to_string()
}

async fn locked(shared: Data<Shared>) -> String {
    let mut total = shared.locked.lock().unwrap_or_else(PoisonError::into_inner);
    *total += 1;
    total.to_string()
}

/// The routes that all servers have, and so many others.
fn routes(config: &mut ServiceConfig, others: u32) {
    config
        .route("/small.txt", get().to(small))
        .route("/plaintext", get().to(plaintext))
        .route("/json", get().to(json))
        .route("/users/{id}/books/{title}", get().to(two))
        .route("/form", post().to(form))
        .route("/locked", get().to(locked));
    for number in 0..others {
        let path = format!("/area{number}/{{id}}/part{number}/{{name}}");
        config.route(&path, get().to(two));
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let others = argument("--routes").map_or(Ok(0), |number| number.parse())?;
    let shared = Data::new(Shared {
        small: String::from_utf8(body())?.leak(),
        locked: Mutex::default(),
    });
    let listener = TcpListener::bind("127.0.0.1:0")?;
    announce(listener.local_addr()?);
    let app = move || {
        let config = |config: &mut ServiceConfig| routes(config, others);
        App::new().app_data(shared.clone()).configure(config)
    };
    Ok(HttpServer::new(app)
        .workers(1)
        .listen(listener)?
        .run()
        .await?)
}
