use kamea_app::App;

async fn show(id: u32) -> String {
    id.to_string()
}

fn main() {
    let _ = App::new().get("/users/{id}", show);
}
