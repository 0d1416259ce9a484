//! An answer as JSON, of a type that cannot be written as JSON.

use kamea_app::{App, Json};

struct Book {
    title: String,
}

async fn show() -> Json<Book> {
    let title = "Emma".to_owned();
    Json(Book { title })
}

fn main() {
    let _ = App::new().get("/", show);
}
