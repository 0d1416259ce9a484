//! Two bodies where there is one.

use kamea_app::{App, Call, Form, Json};

async fn add(call: Call<(), (Json<u64>, Form<u64>)>) -> String {
    let (Json(first), Form(second)) = call.body;
    format!("{}\n", first + second)
}

fn main() {
    let _ = App::new().post("/numbers", add);
}
