//! Virtual hosts: one server with a folder for each name, and a component for one more name.

use http::StatusCode;
use kamea::Done;
use kamea_components::documents::FileOptions;
use kamea_components::http::ResponseHead;
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Body, HandlerPorts, Response, Route};
use kamea_recipes::{Outcome, serve};

async fn say_hello(io: &mut HandlerPorts) -> Done {
    while let Some(mut request) = io.requests.next().await {
        if let Err(failure) = request.discard_content().await {
            io.failures.send(failure).await?;
            continue;
        }
        let head = ResponseHead::new(StatusCode::OK);
        let body = Body::Bytes("hello\n".into());
        io.responses
            .send(Response {
                exchange: request.exchange,
                head,
                body,
            })
            .await?;
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
