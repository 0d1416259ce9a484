//! A state that nobody has given to the application.

use kamea_app::{App, Call, State};

struct Config {
    greeting: String,
}

async fn greet(call: Call<(), (), State<Config>>) -> String {
    call.with.greeting.clone()
}

fn main() {
    let _ = App::new().get("/", greet);
}
