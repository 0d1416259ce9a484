use kamea_app::{App, Call, Json};

async fn update(id: Call<u32>, body: Json<String>) -> String {
    format!("{} {}", id.params, body.0)
}

fn main() {
    let _ = App::new().put("/users/{id}", update);
}
