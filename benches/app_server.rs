//! The web application of the rows, by `kamea-app`. `--routes N` declares so many further routes,
//! and `--sessions` puts sessions around it.
//!
//! It listens on a free port of 127.0.0.1 and prints it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use kamea::{Asker, Call as Question, Done, Graph, Scheduler, Sink};
use kamea_app::{App, Call, Form, Json, Multipart, Problem, Reply, State};
use kamea_benches::http::{HELLO, Hello, announce, body};
use kamea_session::{
    Keys, MemoryOptions, Session, SessionOptions, Sessions, keep_in_memory, load_sessions,
    save_sessions,
};

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

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--routes");
    let others = arguments.nth(1).map_or(Ok(0), |number| number.parse())?;
    let (here, elsewhere) = (Scheduler::with_workers(1), Scheduler::with_workers(1));
    let (mut beside, mut away) = (Graph::new("near"), Graph::new("far"));
    let shared = Shared {
        small: body().into(),
        near: beside.ask("count", count),
        far: away.ask("count", count),
        locked: Mutex::default(),
    };
    let options = SessionOptions::default().signed(Keys::random()?);
    let sessions = Sessions::add(
        &mut beside,
        keep_in_memory(MemoryOptions::default()),
        options,
    );
    here.run(beside)?;
    elsewhere.run(away)?;
    let app = app(shared, others);
    let with_sessions = App::new().get("/begin", begin).get("/session", session);
    let app = match std::env::args().any(|argument| argument == "--sessions") {
        true => {
            app.nest("", with_sessions)
                .around("sessions", load_sessions(sessions), save_sessions())
        }
        false => app,
    };
    let listening = app.server()?.run(&here, &["127.0.0.1:0".parse()?])?;
    announce(listening.addresses()[0]);
    Ok(here.until_ctrl_c(std::time::Duration::ZERO)?)
}
