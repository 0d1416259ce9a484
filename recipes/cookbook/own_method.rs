//! Your own method: COUNT returns the number of bytes and lines of the request's body.

use kamea::Done;
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Failure, HandlerPorts, Request, Response};
use kamea_recipes::{Outcome, serve};

async fn count(request: &mut Request) -> Result<Response, Failure> {
    let (mut bytes, mut lines) = (0, 0);
    while let Some(chunk) = request.next_chunk().await? {
        bytes += chunk.len();
        lines += chunk.iter().filter(|byte| **byte == b'\n').count();
    }
    Ok(request.respond(format!("{bytes} bytes, {lines} lines\n")))
}

async fn answer_count(io: &mut HandlerPorts) -> Done {
    while let Some(mut request) = io.requests.next().await {
        io.answer(count(&mut request).await).await?;
    }
    Ok(())
}

fn main() -> Outcome {
    serve(WebServer::new(Site::new("www")).method("COUNT", answer_count)?)
}
