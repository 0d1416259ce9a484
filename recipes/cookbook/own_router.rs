//! Your own router: every second reader gets a new front page, and each reader always gets the same
//! one.

use kamea::{Component, Done};
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{HandlerPorts, Route, RoutePorts};
use kamea_recipes::{Outcome, serve};

/// Sends readers with an even number to the first route, and all other requests to the files.
async fn try_out(io: &mut RoutePorts) -> Done {
    while let Some(request) = io.requests.next().await {
        let number = request
            .head
            .fields
            .get("x-reader")
            .and_then(|value| value.last());
        let is_even = number.is_some_and(|digit| digit % 2 == 0);
        match io.routes.first() {
            Some(new) if is_even && request.head.target.path() == "/" => new.send(request).await?,
            _ => io.files.send(request).await?,
        }
    }
    Ok(())
}

fn always(text: &'static str) -> impl Component<HandlerPorts> + Clone + Send + Sync {
    async move |io: &mut HandlerPorts| {
        while let Some(request) = io.requests.next().await {
            io.responses.send(request.respond(text)).await?;
        }
        Ok(())
    }
}

fn main() -> Outcome {
    let server = WebServer::new(Site::new("www"))
        .route("new", Route::any_path(), always("the new front page\n"))
        .router(try_out);
    serve(server)
}
