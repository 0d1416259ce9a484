//! An access rule for all handlers: everything below /songs/ requires a token.

use http::StatusCode;
use kamea::Done;
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{FilterPorts, Request};
use kamea_recipes::{Outcome, serve};

/// Whether a request may pass. The decoded path counts: `/%73ongs/` is `/songs/`.
fn is_allowed(request: &Request) -> bool {
    let path = request.head.target.decoded_path();
    let is_private = path.is_ok_and(|path| path.starts_with(b"/songs/"));
    !is_private || request.head.fields.get("authorization") == Some(b"Bearer melody")
}

async fn guard(io: &mut FilterPorts) -> Done {
    while let Some(request) = io.requests.next().await {
        if is_allowed(&request) {
            io.passed.send(request).await?;
        } else {
            let failure = request.refuse(StatusCode::UNAUTHORIZED, "you have to know the word");
            let failure = failure.with("WWW-Authenticate", "Bearer realm=\"songs\"");
            io.refuse(request, failure).await?;
        }
    }
    Ok(())
}

fn main() -> Outcome {
    serve(WebServer::new(Site::new("www")).filter("guard", guard))
}
