//! Virtual hosts: one server with a folder for each name, and a component for one more name.

use kamea::Done;
use kamea_components::documents::FileOptions;
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{HandlerPorts, Route};
use kamea_recipes::{Outcome, serve};

async fn say_hello(io: &mut HandlerPorts) -> Done {
    while let Some(request) = io.next_without_content().await? {
        io.responses.send(request.respond("hello\n")).await?;
    }
    Ok(())
}

fn main() -> Outcome {
    let songs = Route::any_path()
        .host("songs.example")
        .method("GET")?
        .method("HEAD")?;
    let hello = Route::any_path().host("hello.example");
    let server = WebServer::new(Site::new("www"))
        .folder("songs", songs, "www/songs", FileOptions::default())
        .route("hello", hello, say_hello);
    serve(server)
}
