//! A function that is not `async`.

use kamea_app::App;

fn hello() -> &'static str {
    "hello\n"
}

fn main() {
    let _ = App::new().get("/", hello);
}
