use kamea_app::{App, Call, State};

struct Shop;

async fn open(_: Call<(), (), State<Shop>>) -> &'static str {
    "open"
}

fn main() {
    let _ = App::new().get("/open", open);
}
