//! A capture as an argument of its own, as axum's `Path` is.

use kamea_app::App;

async fn show(id: u64) -> String {
    format!("user {id}\n")
}

fn main() {
    let _ = App::new().get("/users/{id}", show);
}
