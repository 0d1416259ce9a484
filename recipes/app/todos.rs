//! A list of things to do: the example `todos` of axum.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use kamea::Graph;
use kamea_app::{App, AppError, Call, Json, Owned, Problem, State, TimeOut};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize)]
struct Todo {
    id: u64,
    text: String,
    completed: bool,
}

#[derive(Default)]
struct List {
    last: u64,
    todos: BTreeMap<u64, Todo>,
}

type Todos = State<Owned<List>>;

#[derive(Deserialize)]
struct Page {
    offset: Option<usize>,
    limit: Option<usize>,
}

async fn list(call: Call<Page, (), Todos>) -> Result<Json<Vec<Todo>>, Problem> {
    let (offset, limit) = (call.params.offset, call.params.limit);
    let page = call.with.with(move |list| {
        let todos = list.todos.values().skip(offset.unwrap_or(0));
        todos.take(limit.unwrap_or(usize::MAX)).cloned().collect()
    });
    Ok(Json(page.await?))
}

#[derive(Deserialize)]
struct New {
    text: String,
}

async fn create(call: Call<(), Json<New>, Todos>) -> Result<(StatusCode, Json<Todo>), Problem> {
    let Json(New { text }) = call.body;
    let todo = call.with.with(|list| {
        list.last += 1;
        let (id, completed) = (list.last, false);
        let todo = Todo {
            id,
            text,
            completed,
        };
        list.todos.insert(id, todo.clone());
        todo
    });
    Ok((StatusCode::CREATED, Json(todo.await?)))
}

#[derive(Deserialize)]
struct Change {
    text: Option<String>,
    completed: Option<bool>,
}

/// `None` is a 404.
async fn update(call: Call<u64, Json<Change>, Todos>) -> Result<Option<Json<Todo>>, Problem> {
    let (id, Json(Change { text, completed })) = (call.params, call.body);
    let todo = call.with.with(move |list| {
        let todo = list.todos.get_mut(&id)?;
        todo.text = text.unwrap_or(std::mem::take(&mut todo.text));
        todo.completed = completed.unwrap_or(todo.completed);
        Some(todo.clone())
    });
    Ok(todo.await?.map(Json))
}

async fn delete(call: Call<u64, (), Todos>) -> Result<Option<()>, Problem> {
    let id = call.params;
    let removed = call.with.with(move |list| list.todos.remove(&id));
    Ok(removed.await?.map(drop))
}

fn main() -> Result<(), AppError> {
    let mut graph = Graph::new("todos");
    let todos = Owned::add(&mut graph, "list", List::default());
    App::with_state(todos)
        .get("/todos", list)
        .post("/todos", create)
        .patch("/todos/{id}", update)
        .delete("/todos/{id}", delete)
        .layer(TimeOut::after(Duration::from_secs(10)))
        .beside(graph)
        .main("127.0.0.1:8000")
}
