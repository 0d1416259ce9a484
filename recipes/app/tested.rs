//! An application that tests itself, without a socket: the same graph that a server runs.

use std::io::{self, Write};

use kamea_app::{App, Call, Json};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Sum {
    a: u8,
    b: u8,
}

async fn add(call: Call<(), Json<Sum>>) -> Json<u16> {
    let Json(Sum { a, b }) = call.body;
    Json(u16::from(a) + u16::from(b))
}

fn app() -> App {
    App::new().post("/sums", add)
}

/// What a `#[test]` would contain.
async fn test() {
    let app = app().test();
    let answer = app.post("/sums").json(&Sum { a: 250, b: 250 }).send().await;
    assert_eq!(answer.json::<u16>(), 500);
    let answer = app
        .post("/sums")
        .body("application/json", r#"{"a": 1, "b": 300}"#)
        .send()
        .await;
    assert_eq!(answer.status(), 422);
    assert!(
        answer.text().contains("b: invalid value"),
        "{}",
        answer.text()
    );
    let answer = app.get("/sums").send().await;
    assert_eq!(answer.field("allow"), Some("POST, OPTIONS"));
}

fn main() -> io::Result<()> {
    kamea::testing::block_on(test());
    writeln!(io::stdout(), "All is well.")
}
