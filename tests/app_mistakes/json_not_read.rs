//! A body as JSON, of a type that cannot be read from JSON.

use kamea_app::{App, Call, Json};

struct Book {
    title: String,
}

async fn add(call: Call<(), Json<Book>>) -> String {
    call.body.0.title
}

fn main() {
    let _ = App::new().post("/books", add);
}
