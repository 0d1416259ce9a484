use kamea_app::{App, Call};

struct NewUser {
    name: String,
}

async fn create(call: Call<(), NewUser>) -> String {
    call.body.name
}

fn main() {
    let _ = App::new().post("/users", create);
}
