use kamea_app::App;

fn hello() -> &'static str {
    "hello"
}

fn main() {
    let _ = App::new().get("/", hello);
}
