//! A JSON API: a bookshelf with validation, paging, and updates that are conditional on an entity
//! tag. Its state is a component that handlers ask.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use http::StatusCode;
use kamea::{Asker, Call as Question, Done, Graph, Sink};
use kamea_app::{App, AppError, Call, EntityTags, Header, HeaderName, Json, Problem, Reply, State};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Hash, Serialize, Deserialize)]
struct Book {
    title: String,
    pages: u32,
}

#[derive(Debug)]
enum Ask {
    Add(Book),
    Find(u32),
    List,
    /// Replace a book, if it still has this entity tag.
    Replace(u32, Book, String),
}

#[derive(Debug)]
enum Told {
    Books(Vec<(u32, Book)>),
    Stale,
}

/// Keeps the books. One question after another, so no update is lost and nothing is locked.
async fn shelve(io: &mut Sink<Question<Ask, Told>>) -> Done {
    let mut books: BTreeMap<u32, Book> = BTreeMap::new();
    while let Some(Question { request, reply }) = io.inbox.next().await {
        reply.send(match request {
            Ask::Add(book) => {
                let id = books.last_key_value().map_or(1, |(id, _)| id + 1);
                books.insert(id, book.clone());
                Told::Books(vec![(id, book)])
            }
            Ask::Find(id) => Told::Books(
                books
                    .get(&id)
                    .map(|book| (id, book.clone()))
                    .into_iter()
                    .collect(),
            ),
            Ask::List => Told::Books(books.iter().map(|(id, book)| (*id, book.clone())).collect()),
            Ask::Replace(id, book, tag) => match books.get_mut(&id) {
                None => Told::Books(Vec::new()),
                Some(old) if tag_of(old) != tag => Told::Stale,
                Some(old) => {
                    old.clone_from(&book);
                    Told::Books(vec![(id, book)])
                }
            },
        });
    }
    Ok(())
}

type Shelf = State<Asker<Ask, Told>>;

fn tag_of(book: &Book) -> String {
    let mut hasher = DefaultHasher::new();
    book.hash(&mut hasher);
    format!("\"{:x}\"", hasher.finish())
}

fn checked(book: Book) -> Result<Book, Problem> {
    match book.title.trim() {
        "" => Err(Problem::invalid("title", "it is empty")),
        _ => Ok(book),
    }
}

/// The only book of an answer, with its entity tag.
fn one(told: Told) -> Result<Reply, Problem> {
    match told {
        Told::Stale => {
            let detail = "the book has changed; read it again";
            Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail))
        }
        Told::Books(books) => {
            let (id, book) = books
                .first()
                .ok_or_else(|| Problem::not_found("no such book"))?;
            let reply = kamea_app::Answer::into_reply(Json(book));
            Ok(reply
                .field("ETag", tag_of(book))
                .field("Location", format!("/books/{id}")))
        }
    }
}

async fn add(call: Call<(), Json<Book>, Shelf>) -> Result<Reply, Problem> {
    let told = call.with.ask(Ask::Add(checked(call.body.0)?)).await?;
    Ok(one(told)?.status(StatusCode::CREATED))
}

async fn show(call: Call<u32, (), Shelf>) -> Result<Reply, Problem> {
    one(call.with.ask(Ask::Find(call.params)).await?)
}

struct IfMatch;

impl HeaderName for IfMatch {
    const NAME: &'static str = "If-Match";
}

async fn replace(call: Call<u32, Json<Book>, (Shelf, Header<IfMatch>)>) -> Result<Reply, Problem> {
    let (shelf, tag) = call.with;
    let question = Ask::Replace(call.params, checked(call.body.0)?, tag.into_value());
    one(shelf.ask(question).await?)
}

#[derive(Deserialize)]
struct Page {
    #[serde(default)]
    from: usize,
    count: Option<usize>,
}

async fn list(call: Call<Page, (), Shelf>) -> Result<Json<Vec<Book>>, Problem> {
    let Page { from, count } = call.params;
    let Told::Books(books) = call.with.ask(Ask::List).await? else {
        return Err(Problem::not_found("there are no books"));
    };
    let page = books
        .into_iter()
        .skip(from)
        .take(count.unwrap_or(10).min(100));
    Ok(Json(page.map(|(_, book)| book).collect()))
}

fn main() -> Result<(), AppError> {
    let mut graph = Graph::new("books");
    let shelf = graph.ask("shelf", shelve);
    App::with_state(shelf)
        .get("/books", list)
        .post("/books", add)
        .get("/books/{id}", show)
        .put("/books/{id}", replace)
        .layer(EntityTags)
        .beside(graph)
        .main("127.0.0.1:8000")
}
