//! The web application of the rows, by `kamea-app`. `--routes N` declares so many further routes,
//! and `--sessions STORE` puts sessions around it: `signed` or `memory` (both in memory),
//! `sqlite=PATH` or `redis=ADDRESS`.
//!
//! It listens on a free port of 127.0.0.1 and prints it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use kamea::{Asker, Call as Question, Done, Graph, Scheduler, Sink};
use kamea_app::{App, Call, Form, Json, Multipart, Problem, Reply, State};
use kamea_benches::http::{HELLO, Hello, announce, body};
use kamea_benches::store::{Store, argument, wanted_store};
use kamea_session::{
    Keys, Lifetimes, MemoryOptions, Session, SessionOptions, Sessions, keep_in_memory,
    load_sessions, save_sessions,
};
use kamea_session_redis::{RedisOptions, keep_in_redis};
use kamea_session_sqlite::keep_in_sqlite;

type Error = Box<dyn std::error::Error>;

/// What the handlers share.
struct Shared {
    small: Bytes,
    /// A component on the worker of the connections.
    near: Asker<u64, u64>,
    /// A component on another worker.
    far: Asker<u64, u64>,
    locked: Mutex<u64>,
}

async fn count(io: &mut Sink<Question<u64, u64>>) -> Done {
    let mut total = 0;
    while let Some(Question { request, reply }) = io.inbox.next().await {
        total += request;
        reply.send(total);
    }
    Ok(())
}

async fn small(call: Call<(), (), State<Shared>>) -> Reply {
    Reply::typed("text/plain", call.with.small.clone())
}

async fn json() -> Json<Hello> {
    Json(Hello { message: HELLO })
}

async fn two(call: Call<(u32, String)>) -> String {
    format!("{} {}", call.params.0, call.params.1)
}

async fn form(call: Call<(), Form<HashMap<String, String>>>) -> String {
    call.body.0.len().to_string()
}

async fn upload(mut call: Call<(), Multipart>) -> Result<String, Problem> {
    let mut total = 0;
    while call.body.next().await?.is_some() {
        while let Some(chunk) = call.body.chunk().await? {
            total += chunk.len();
        }
    }
    Ok(total.to_string())
}

async fn begin(call: Call<(), (), Session>) -> Result<StatusCode, Problem> {
    call.with.set("name", "ada").await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn session(call: Call<(), (), Session>) -> Result<String, Problem> {
    let name = call.with.get::<String>("name")?;
    Ok(name.unwrap_or_default())
}

/// Each request sets another value.
async fn visit(call: Call<(), (), Session>) -> Result<String, Problem> {
    static VISITS: AtomicU64 = AtomicU64::new(0);
    let visit = VISITS.fetch_add(1, Ordering::Relaxed);
    call.with.set("visit", &visit).await?;
    Ok(visit.to_string())
}

async fn near(call: Call<(), (), State<Shared>>) -> Result<String, Problem> {
    Ok(call.with.near.ask(1).await?.to_string())
}

async fn far(call: Call<(), (), State<Shared>>) -> Result<String, Problem> {
    Ok(call.with.far.ask(1).await?.to_string())
}

async fn locked(call: Call<(), (), State<Shared>>) -> String {
    let mut total = call
        .with
        .locked
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    *total += 1;
    total.to_string()
}

/// The routes that all servers have, and so many others.
fn app(shared: Shared, others: u32) -> App<Shared> {
    let app = App::with_state(shared)
        .get("/small.txt", small)
        .get("/plaintext", async || HELLO)
        .get("/json", json)
        .get("/users/{id}/books/{title}", two)
        .post("/form", form)
        .post("/upload", upload)
        .get("/near", near)
        .get("/far", far)
        .get("/locked", locked)
        .upload_limit(1 << 30);
    (0..others).fold(app, |app, number| {
        let path = format!("/area{number}/{{id}}/part{number}/{{name}}");
        app.get(&path, two)
    })
}

/// Adds sessions to a graph.
fn add_sessions(graph: &mut Graph, store: Store) -> Result<Sessions, Error> {
    let options = SessionOptions::default();
    let memory = || keep_in_memory(MemoryOptions::default());
    Ok(match store {
        Store::Signed => Sessions::add(graph, memory(), options.signed(Keys::random()?)),
        Store::Memory => Sessions::add(graph, memory(), options),
        Store::Sqlite(path) => {
            let store = keep_in_sqlite(&path, Lifetimes::default())?;
            Sessions::add(graph, store, options)
        }
        Store::Redis(address) => {
            let store = keep_in_redis([address], RedisOptions::default());
            Sessions::add(graph, store, options)
        }
    })
}

fn main() -> Result<(), Error> {
    let others = argument("--routes").map_or(Ok(0), |number| number.parse())?;
    let (here, elsewhere) = (Scheduler::with_workers(1), Scheduler::with_workers(1));
    let (mut beside, mut away) = (Graph::new("near"), Graph::new("far"));
    let shared = Shared {
        small: body().into(),
        near: beside.ask("count", count),
        far: away.ask("count", count),
        locked: Mutex::default(),
    };
    let store = wanted_store()?;
    let sessions = store.map(|store| add_sessions(&mut beside, store));
    let sessions = sessions.transpose()?;
    here.run(beside)?;
    elsewhere.run(away)?;
    let app = app(shared, others);
    let with_sessions = App::new()
        .get("/begin", begin)
        .get("/session", session)
        .get("/visit", visit);
    let app = match sessions {
        Some(sessions) => {
            app.nest("", with_sessions)
                .around("sessions", load_sessions(sessions), save_sessions())
        }
        None => app,
    };
    let listening = app.server()?.run(&here, &["127.0.0.1:0".parse()?])?;
    announce(listening.addresses()[0]);
    Ok(here.until_ctrl_c(std::time::Duration::ZERO)?)
}
