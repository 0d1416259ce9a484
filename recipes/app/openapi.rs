//! An API that describes itself: OpenAPI 3.1 at `/openapi.json`, and a page at `/docs`, made from
//! the routes and the types.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use http::StatusCode;
use kamea_app::{App, AppError, Call, Json, OpenApi, Problem, State, documented};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Book {
    title: String,
    pages: u32,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Page {
    #[serde(default)]
    from: u16,
    count: Option<u8>,
}

type Shelf = State<Mutex<BTreeMap<u32, Book>>>;

/// The most books that are kept.
const MOST: usize = 1000;

async fn list(call: Call<Page, (), Shelf>) -> Json<Vec<Book>> {
    let Page { from, count } = call.params;
    let books = call.with.lock().unwrap_or_else(PoisonError::into_inner);
    let page = books
        .values()
        .skip(from.into())
        .take(count.unwrap_or(10).into());
    Json(page.cloned().collect())
}

async fn add(call: Call<(), Json<Book>, Shelf>) -> Result<(StatusCode, Json<u32>), Problem> {
    let mut books = call.with.lock().unwrap_or_else(PoisonError::into_inner);
    if books.len() >= MOST {
        return Err(Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "the shelf is full",
        ));
    }
    let id = books.last_key_value().map_or(1, |(id, _)| id + 1);
    books.insert(id, call.body.0);
    Ok((StatusCode::CREATED, Json(id)))
}

async fn show(call: Call<u32, (), Shelf>) -> Option<Json<Book>> {
    let books = call.with.lock().unwrap_or_else(PoisonError::into_inner);
    books.get(&call.params).cloned().map(Json)
}

async fn remove(call: Call<u32, (), Shelf>) -> Option<()> {
    let mut books = call.with.lock().unwrap_or_else(PoisonError::into_inner);
    books.remove(&call.params).map(drop)
}

fn main() -> Result<(), AppError> {
    App::with_state(Mutex::new(BTreeMap::new()))
        .get("/books", documented(list).summary("Lists books"))
        .post("/books", documented(add).summary("Adds a book"))
        .get("/books/{id}", documented(show).summary("Shows a book"))
        .delete("/books/{id}", documented(remove).summary("Removes a book"))
        .openapi(OpenApi::new("Books", "1.0"))
        .main("127.0.0.1:8000")
}
