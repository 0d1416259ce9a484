//! Captures as a type that cannot be read from text.

use kamea_app::{App, Call};

struct Place {
    shelf: String,
    book: u32,
}

async fn show(call: Call<Place>) -> String {
    format!("{} {}\n", call.params.shelf, call.params.book)
}

fn main() {
    let _ = App::new().get("/shelves/{shelf}/{book}", show);
}
