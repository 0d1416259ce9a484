//! Two arguments instead of one `Call`.

use kamea_app::{App, Call, Json};

async fn rename(call: Call<u64>, name: Json<String>) -> String {
    format!("{}: {}\n", call.params, name.0)
}

fn main() {
    let _ = App::new().put("/users/{id}", rename);
}
