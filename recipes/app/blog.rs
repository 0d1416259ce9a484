//! A blog with users, logins and posts: the application of Flask's tutorial.

use std::io;

use http::StatusCode;
use kamea::Graph;
use kamea_app::{
    Answer, App, AppError, Call, Form, Html, Owned, Problem, Redirect, Reply, State, Templates,
};
use kamea_session::{
    Attempt, MemoryOptions, PasswordOptions, Passwords, RequireLogin, Session, SessionOptions,
    Sessions, Verdict, hash_password, keep_in_memory, load_sessions, local_target, require_login,
    save_sessions,
};
use kamea_sqlite::Schema;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::{Deserialize, Serialize};

const BLOG: Schema = Schema {
    what: "posts",
    version: 1,
    tables: "
CREATE TABLE IF NOT EXISTS users (name TEXT PRIMARY KEY, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS posts (id INTEGER PRIMARY KEY AUTOINCREMENT,
    author TEXT NOT NULL REFERENCES users (name), title TEXT NOT NULL, body TEXT NOT NULL,
    created TEXT NOT NULL DEFAULT CURRENT_DATE);",
};

struct Blog {
    templates: Templates,
    database: Owned<Connection>,
    passwords: Passwords,
}

impl Blog {
    async fn run<R: Send + 'static>(
        &self,
        statement: impl FnOnce(&mut Connection) -> rusqlite::Result<R> + Send + 'static,
    ) -> Result<R, Problem> {
        Ok(self.database.with(statement).await??)
    }
}

type Parts = (State<Blog>, Session);

/// What every page shows.
#[derive(Serialize)]
struct Shown<T> {
    user: Option<String>,
    messages: Vec<String>,
    #[serde(flatten)]
    content: T,
}

async fn page(parts: &Parts, name: &str, content: impl Serialize) -> Result<Reply, Problem> {
    let (blog, session) = parts;
    let messages = session.take_flashes().await?.into_iter();
    let messages = messages.map(|flash| flash.text).collect();
    let user = session.user();
    let shown = Shown {
        user,
        messages,
        content,
    };
    let page: Html<String> = blog.templates.page(name, shown)?;
    Ok(page.into_reply())
}

// Users.

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct User {
    username: String,
    #[serde(skip_serializing)]
    password: String,
    next: String,
    #[serde(skip_deserializing)]
    action: &'static str,
}

async fn register_form(call: Call<(), (), Parts>) -> Result<Reply, Problem> {
    let action = "Register";
    page(
        &call.with,
        "user.html",
        User {
            action,
            ..User::default()
        },
    )
    .await
}

async fn register(call: Call<(), Form<User>, Parts>) -> Result<Reply, Problem> {
    let ((blog, session), Form(user)) = (&call.with, call.body);
    let mistake = if user.username.is_empty() {
        "Username is required.".to_owned()
    } else if user.password.is_empty() {
        "Password is required.".to_owned()
    } else {
        let (name, hash) = (user.username.clone(), hash_password(&user.password).await?);
        let added = blog.run(move |database| {
            database.execute(
                "INSERT OR IGNORE INTO users (name, hash) VALUES (?, ?)",
                [name, hash],
            )
        });
        if added.await? == 1 {
            return Ok(Redirect::to("/login").into_reply());
        }
        format!("User {} is already registered.", user.username)
    };
    session.flash("error", &mistake).await?;
    let action = "Register";
    page(&call.with, "user.html", User { action, ..user }).await
}

#[derive(Deserialize)]
struct Next {
    #[serde(default)]
    next: String,
}

async fn login_form(call: Call<Next, (), Parts>) -> Result<Reply, Problem> {
    let (action, next) = ("Log in", call.params.next);
    page(
        &call.with,
        "user.html",
        User {
            action,
            next,
            ..User::default()
        },
    )
    .await
}

async fn log_in(call: Call<(), Form<User>, Parts>) -> Result<Reply, Problem> {
    let ((blog, session), Form(user)) = (&call.with, call.body);
    let attempt = Attempt {
        name: user.username.clone(),
        password: user.password.clone(),
        address: call.peer.ip(),
    };
    let mistake = match blog.passwords.check(attempt).await? {
        Verdict::Right => {
            session.log_in(&user.username).await?;
            return Ok(Redirect::to(local_target(&user.next).unwrap_or("/")).into_reply());
        }
        Verdict::Wrong => "Incorrect username or password.",
        _ => "There were too many attempts. Wait a moment.",
    };
    session.flash("error", mistake).await?;
    let action = "Log in";
    page(&call.with, "user.html", User { action, ..user }).await
}

async fn log_out(call: Call<(), (), Session>) -> Result<Redirect, Problem> {
    call.with.log_out().await?;
    Ok(Redirect::to("/"))
}

// Posts.

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Post {
    #[serde(skip_deserializing)]
    id: i64,
    #[serde(skip_deserializing)]
    author: String,
    title: String,
    body: String,
    #[serde(skip_deserializing)]
    created: String,
}

impl Post {
    const COLUMNS: &str = "SELECT id, author, title, body, created FROM posts";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            author: row.get(1)?,
            title: row.get(2)?,
            body: row.get(3)?,
            created: row.get(4)?,
        })
    }
}

#[derive(Serialize)]
struct Posts {
    posts: Vec<Post>,
}

async fn index(call: Call<(), (), Parts>) -> Result<Reply, Problem> {
    let posts = call.with.0.run(|database| {
        let all = format!("{} ORDER BY id DESC LIMIT 100", Post::COLUMNS);
        let mut all = database.prepare_cached(&all)?;
        all.query_map((), Post::read)?.collect()
    });
    let posts = posts.await?;
    page(&call.with, "index.html", Posts { posts }).await
}

#[derive(Serialize)]
struct Edited {
    post: Post,
}

/// The user. The routes below `/posts` are only for users.
fn author(session: &Session) -> String {
    session.user().unwrap_or_default()
}

async fn new(call: Call<(), (), Parts>) -> Result<Reply, Problem> {
    page(
        &call.with,
        "post.html",
        Edited {
            post: Post::default(),
        },
    )
    .await
}

/// Shows a post again whose title is missing.
async fn without_title(parts: &Parts, post: Post) -> Result<Reply, Problem> {
    parts.1.flash("error", "Title is required.").await?;
    page(parts, "post.html", Edited { post }).await
}

async fn create(call: Call<(), Form<Post>, Parts>) -> Result<Reply, Problem> {
    let Form(post) = call.body;
    if post.title.is_empty() {
        return without_title(&call.with, post).await;
    }
    let author = author(&call.with.1);
    let added = call.with.0.run(move |database| {
        let add = "INSERT INTO posts (author, title, body) VALUES (?, ?, ?)";
        database.execute(add, [author, post.title, post.body])
    });
    added.await?;
    Ok(Redirect::to("/").into_reply())
}

/// A post of this user.
async fn own((blog, session): &Parts, id: i64) -> Result<Post, Problem> {
    let post = blog.run(move |database| {
        let one = format!("{} WHERE id = ?", Post::COLUMNS);
        database.query_row(&one, [id], Post::read).optional()
    });
    let post = post.await?;
    let post = post.ok_or_else(|| Problem::not_found(format!("there is no post {id}")))?;
    match post.author == author(session) {
        true => Ok(post),
        false => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "this is the post of another user",
        )),
    }
}

async fn edit(call: Call<i64, (), Parts>) -> Result<Reply, Problem> {
    let post = own(&call.with, call.params).await?;
    page(&call.with, "post.html", Edited { post }).await
}

async fn update(call: Call<i64, Form<Post>, Parts>) -> Result<Reply, Problem> {
    let (Form(post), id) = (call.body, own(&call.with, call.params).await?.id);
    if post.title.is_empty() {
        return without_title(&call.with, Post { id, ..post }).await;
    }
    let updated = call.with.0.run(move |database| {
        let update = "UPDATE posts SET title = ?, body = ? WHERE id = ?";
        database.execute(update, (post.title, post.body, id))
    });
    updated.await?;
    Ok(Redirect::to("/").into_reply())
}

async fn delete(call: Call<i64, (), Parts>) -> Result<Redirect, Problem> {
    let id = own(&call.with, call.params).await?.id;
    let deleted = call
        .with
        .0
        .run(move |database| database.execute("DELETE FROM posts WHERE id = ?", [id]));
    deleted.await?;
    Ok(Redirect::to("/"))
}

fn main() -> Result<(), AppError> {
    let mut graph = Graph::new("blog");
    let database = match std::env::var("BLOG") {
        Ok(path) => BLOG.open(path.as_ref()),
        Err(_) => BLOG.open_in_memory(),
    };
    let database = database.map_err(io::Error::other)?;
    let database = Owned::add_blocking(&mut graph, "database", database);
    let users = database.clone();
    let hash = async move |name: &str| {
        let name = name.to_owned();
        let hash = users.with(move |database| {
            let find = "SELECT hash FROM users WHERE name = ?";
            let found = database.query_row(find, [name], |row| row.get::<_, String>(0));
            found.optional()
        });
        match hash.await {
            Ok(Ok(hash)) => hash,
            failed => {
                log::error!("A password cannot be checked: {failed:?}");
                None
            }
        }
    };
    let passwords = Passwords::add(&mut graph, hash, PasswordOptions::default());
    let store = keep_in_memory(MemoryOptions::default());
    let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
    let templates = Templates::new([
        ("base.html", include_str!("blog/base.html")),
        ("index.html", include_str!("blog/index.html")),
        ("post.html", include_str!("blog/post.html")),
        ("user.html", include_str!("blog/user.html")),
    ]);
    let templates = templates.map_err(io::Error::other)?;
    App::with_state(Blog {
        templates,
        database,
        passwords,
    })
    .get("/", index)
    .get("/register", register_form)
    .post("/register", register)
    .get("/login", login_form)
    .post("/login", log_in)
    .post("/logout", log_out)
    .get("/posts/new", new)
    .post("/posts/new", create)
    .get("/posts/{id}", edit)
    .post("/posts/{id}", update)
    .post("/posts/{id}/delete", delete)
    .around("sessions", load_sessions(sessions), save_sessions())
    .filter(
        "login",
        require_login(RequireLogin::below("/posts").page("/login")),
    )
    .beside(graph)
    .main("127.0.0.1:8000")
}
