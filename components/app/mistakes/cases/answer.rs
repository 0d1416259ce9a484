use kamea_app::App;

struct User;

async fn list() -> Vec<User> {
    Vec::new()
}

fn main() {
    let _ = App::new().get("/users", list);
}
