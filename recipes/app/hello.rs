//! The shortest web application.

use kamea_app::{App, AppError, Call};

async fn greet(call: Call<String>) -> String {
    format!("Hello, {}!\n", call.params)
}

fn main() -> Result<(), AppError> {
    App::new()
        .get("/", async || "Hello, world!\n")
        .get("/hello/{name}", greet)
        .main("127.0.0.1:8000")
}
