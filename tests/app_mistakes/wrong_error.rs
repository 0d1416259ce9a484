//! An error that is no answer.

use kamea_app::App;

async fn read() -> Result<String, std::io::Error> {
    std::fs::read_to_string("notes.txt")
}

fn main() {
    let _ = App::new().get("/", read);
}
