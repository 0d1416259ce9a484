//! A value that nobody has said how to send.

use kamea_app::App;

struct User {
    name: String,
}

async fn show() -> User {
    let name = "ada".to_owned();
    User { name }
}

fn main() {
    let _ = App::new().get("/", show);
}
