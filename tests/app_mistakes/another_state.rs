//! A state of another type than that of the application.

use kamea_app::{App, Call, State};

struct Config {
    greeting: String,
}

async fn greet(call: Call<(), (), State<Config>>) -> String {
    call.with.greeting.clone()
}

fn main() {
    let _ = App::with_state("hello".to_owned()).get("/", greet);
}
