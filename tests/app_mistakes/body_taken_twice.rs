//! A body that is taken twice: as text for a log, and as JSON.

use kamea_app::{App, Call, Json};

async fn add(call: Call<(), Json<u64>, String>) -> String {
    format!("{} is {}\n", call.with, call.body.0)
}

fn main() {
    let _ = App::new().post("/numbers", add);
}
