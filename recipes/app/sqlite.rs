//! A JSON API with SQLite: a bookshelf that checks what it gets, shows its books page by page, and
//! changes a book only for a client that has seen its last version.

use http::StatusCode;
use kamea::Graph;
use kamea_app::{
    Answer, App, AppError, Call, EntityTags, Header, HeaderName, Json, Owned, Problem, Reply, State,
};
use rusqlite::{Connection, OptionalExtension, Params, Row};
use serde::{Deserialize, Serialize};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS books (id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL, pages INTEGER NOT NULL, version INTEGER NOT NULL DEFAULT 1)";
const LIST: &str = "SELECT id, title, pages, version FROM books WHERE id > ? ORDER BY id LIMIT ?";
const FIND: &str = "SELECT id, title, pages, version FROM books WHERE id = ?";
const ADD: &str =
    "INSERT INTO books (title, pages) VALUES (?, ?) RETURNING id, title, pages, version";
const REPLACE: &str = "UPDATE books SET title = ?, pages = ?, version = version + 1
    WHERE id = ? AND version = ? RETURNING id, title, pages, version";
const REMOVE: &str =
    "DELETE FROM books WHERE id = ? AND version = ? RETURNING id, title, pages, version";

#[derive(Debug, Serialize)]
struct Book {
    id: i64,
    title: String,
    pages: u32,
    #[serde(skip)]
    version: i64,
}

impl Book {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            title: row.get(1)?,
            pages: row.get(2)?,
            version: row.get(3)?,
        })
    }

    fn tag(&self) -> String {
        format!("\"{}\"", self.version)
    }

    /// Whether the client has seen this version (RFC 9110 section 13.1.1).
    fn matches(&self, condition: &str) -> bool {
        let mut tags = condition.split(',').map(str::trim);
        tags.any(|tag| tag == "*" || tag == self.tag())
    }
}

impl Answer for Book {
    fn into_reply(self) -> Reply {
        Json(&self).into_reply().field("ETag", self.tag())
    }
}

/// What a client says of a book.
#[derive(Deserialize)]
struct Told {
    title: String,
    pages: u32,
}

impl Told {
    /// Names all mistakes at once.
    fn check(self) -> Result<Self, Problem> {
        let mut wrong = Vec::new();
        if self.title.trim().is_empty() || self.title.len() > 200 {
            wrong.push(("title", "it has 1 to 200 bytes"));
        }
        if !(1..=10_000).contains(&self.pages) {
            wrong.push(("pages", "it is a number from 1 to 10000"));
        }
        let problem = Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "");
        match wrong.is_empty() {
            true => Ok(self),
            false => Err(wrong
                .into_iter()
                .fold(problem, |p, (field, why)| p.wrong(field, why))),
        }
    }
}

/// The database, on a thread of its own: SQLite blocks.
type Books = State<Owned<Connection>>;

/// The only book that a statement returns, if it returns one.
async fn one(
    books: &Books,
    statement: &'static str,
    values: impl Params + Send + 'static,
) -> Result<Option<Book>, Problem> {
    let book = books.with(move |database| {
        let mut statement = database.prepare_cached(statement)?;
        statement.query_row(values, Book::read).optional()
    });
    Ok(book.await??)
}

async fn find(books: &Books, id: i64) -> Result<Book, Problem> {
    let book = one(books, FIND, [id]).await?;
    book.ok_or_else(|| Problem::not_found("there is no such book"))
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    after: i64,
    count: Option<u32>,
}

/// A page of the list, with a link to the next one (RFC 8288).
async fn list(call: Call<Page, (), Books>) -> Result<Reply, Problem> {
    let Page { after, count } = call.params;
    let count = count.unwrap_or(10).clamp(1, 100);
    let books = call.with.with(move |database| {
        let mut statement = database.prepare_cached(LIST)?;
        let books = statement.query_map((after, count + 1), Book::read)?;
        books.collect::<rusqlite::Result<Vec<_>>>()
    });
    let mut books = books.await??;
    let is_last = books.len() <= count as usize;
    books.truncate(count as usize);
    let reply = Json(&books).into_reply();
    Ok(match books.last() {
        Some(last) if !is_last => {
            let next = format!("</books?after={}&count={count}>; rel=\"next\"", last.id);
            reply.field("Link", next)
        }
        _ => reply,
    })
}

async fn add(call: Call<(), Json<Told>, Books>) -> Result<Reply, Problem> {
    let Told { title, pages } = call.body.0.check()?;
    let book = one(&call.with, ADD, (title, pages)).await?;
    let book = book.ok_or_else(|| Problem::internal("no book was added"))?;
    let place = format!("/books/{}", book.id);
    Ok(book
        .into_reply()
        .status(StatusCode::CREATED)
        .field("Location", place))
}

async fn show(call: Call<i64, (), Books>) -> Result<Book, Problem> {
    find(&call.with, call.params).await
}

struct IfMatch;

impl HeaderName for IfMatch {
    const NAME: &'static str = "If-Match";
}

type Condition = Option<Header<IfMatch>>;

/// The version that the client has seen, if it is still the last one.
async fn seen(books: &Books, id: i64, condition: Condition) -> Result<i64, Problem> {
    let book = find(books, id).await?;
    let Some(condition) = condition else {
        let detail = "say in If-Match which version you change: the ETag of the book";
        return Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, detail));
    };
    match book.matches(&condition.into_value()) {
        true => Ok(book.version),
        false => Err(stale()),
    }
}

fn stale() -> Problem {
    let detail = "the book has changed; read it again";
    Problem::new(StatusCode::PRECONDITION_FAILED, detail)
}

async fn replace(call: Call<i64, Json<Told>, (Books, Condition)>) -> Result<Book, Problem> {
    let ((books, condition), id) = (call.with, call.params);
    let Told { title, pages } = call.body.0.check()?;
    let version = seen(&books, id, condition).await?;
    // Another client may have been faster: then no book has this version any more.
    let book = one(&books, REPLACE, (title, pages, id, version)).await?;
    book.ok_or_else(stale)
}

async fn remove(call: Call<i64, (), (Books, Condition)>) -> Result<(), Problem> {
    let ((books, condition), id) = (call.with, call.params);
    let version = seen(&books, id, condition).await?;
    let removed = one(&books, REMOVE, (id, version)).await?;
    removed.map(drop).ok_or_else(stale)
}

fn main() -> Result<(), AppError> {
    let path = std::env::var("BOOKS").unwrap_or(":memory:".to_owned());
    let connection = Connection::open(path).and_then(|connection| {
        connection.execute(TABLE, ())?;
        Ok(connection)
    });
    let connection = connection.map_err(std::io::Error::other)?;
    let mut graph = Graph::new("books");
    let books = Owned::add_blocking(&mut graph, "database", connection);
    App::with_state(books)
        .get("/books", list)
        .post("/books", add)
        .get("/books/{id}", show)
        .put("/books/{id}", replace)
        .delete("/books/{id}", remove)
        .layer(EntityTags)
        .beside(graph)
        .main("127.0.0.1:8000")
}
