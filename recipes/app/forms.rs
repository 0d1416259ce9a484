//! A guest book: a form, a login by a session, and a message that is shown once.

use std::sync::{Mutex, PoisonError};

use kamea::Graph;
use kamea_app::{App, AppError, Call, Form, Html, Problem, Redirect, State, Templates};
use kamea_session::{
    MemoryOptions, Session, SessionOptions, Sessions, keep_in_memory, load_sessions, save_sessions,
};
use serde::{Deserialize, Serialize};

const PAGE: &str = r#"<!DOCTYPE html>
<meta name="viewport" content="width=device-width">
<title>Guest book</title>
{% for message in messages %}<p><em>{{ message }}</em></p>
{% endfor %}
{% if user %}
<p>You are {{ user }}.
<form method="post" action="/entries"><label>Your entry
<input name="text" required></label> <button>Sign</button></form>
<form method="post" action="/logout"><button>Log out</button></form>
{% else %}
<form method="post" action="/login"><label>Your name
<input name="name" required></label> <button>Log in</button></form>
{% endif %}
<ul>{% for entry in entries %}<li>{{ entry }}</li>{% endfor %}</ul>
"#;

struct Book {
    templates: Templates,
    entries: Mutex<Vec<String>>,
}

#[derive(Serialize)]
struct Shown {
    user: Option<String>,
    messages: Vec<String>,
    entries: Vec<String>,
}

type Parts = (State<Book>, Session);

async fn show(call: Call<(), (), Parts>) -> Result<Html<String>, Problem> {
    let (book, session) = call.with;
    let flashes = session.take_flashes().await?;
    let shown = Shown {
        user: session.user(),
        messages: flashes.into_iter().map(|flash| flash.text).collect(),
        entries: book
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone(),
    };
    book.templates.page("page.html", shown)
}

#[derive(Deserialize)]
struct Login {
    name: String,
}

async fn log_in(call: Call<(), Form<Login>, Session>) -> Result<Redirect, Problem> {
    let Form(Login { name }) = call.body;
    call.with.log_in(&name).await?;
    call.with
        .flash("info", &format!("Welcome, {name}!"))
        .await?;
    Ok(Redirect::to("/"))
}

async fn log_out(call: Call<(), (), Session>) -> Result<Redirect, Problem> {
    call.with.log_out().await?;
    Ok(Redirect::to("/"))
}

#[derive(Deserialize)]
struct Entry {
    text: String,
}

async fn sign(call: Call<(), Form<Entry>, Parts>) -> Result<Redirect, Problem> {
    let (book, session) = call.with;
    let user = session
        .user()
        .ok_or_else(|| Problem::new(http::StatusCode::FORBIDDEN, "log in first"))?;
    let entry = format!("{user}: {}", call.body.0.text);
    book.entries
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(entry);
    Ok(Redirect::to("/"))
}

fn main() -> Result<(), AppError> {
    let templates = Templates::new([("page.html", PAGE)]).map_err(std::io::Error::other)?;
    let book = Book {
        templates,
        entries: Mutex::default(),
    };
    let mut graph = Graph::new("sessions");
    let sessions = Sessions::add(
        &mut graph,
        keep_in_memory(MemoryOptions::default()),
        SessionOptions::default(),
    );
    App::with_state(book)
        .get("/", show)
        .post("/login", log_in)
        .post("/logout", log_out)
        .post("/entries", sign)
        .around("sessions", load_sessions(sessions), save_sessions())
        .beside(graph)
        .main("127.0.0.1:8000")
}
