//! Server-sent events: a page counts the events from the server.

use std::convert::Infallible;
use std::time::Duration;

use futures_lite::stream;
use kamea::time::sleep;
use kamea_components::gateway::Reply;
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Request, Response, Route};
use kamea_recipes::{Outcome, serve};

const PAGE: &str = r#"<!DOCTYPE html>
<title>Events</title>
<p>The server counts: <output>nothing yet</output>
<script>
  new EventSource("/events").onmessage = (event) =>
    document.querySelector("output").textContent = event.data;
</script>
"#;

/// Sends one event per second, the first at once. A browser that lost the connection sends the
/// number of its last event, and the stream continues from there.
async fn events(request: Request) -> Reply {
    let last = request.head.fields.get("last-event-id");
    let last = last.and_then(|id| str::from_utf8(id).ok()?.parse::<u32>().ok());
    let first = last.map_or(1, |id| id.saturating_add(1));
    let events = stream::unfold(first, move |id| async move {
        if id > first {
            sleep(Duration::from_secs(1)).await;
        }
        let event = format!("id: {id}\ndata: this is event {id}\n\n");
        Some((Ok::<_, Infallible>(event), id.checked_add(1)?))
    });
    Reply::stream(events)
        .with("Content-Type", "text/event-stream")
        .with("Cache-Control", "no-store")
}

fn main() -> Outcome {
    let page = async |_: Request| Response::html(PAGE);
    let server = WebServer::new(Site::new("www"))
        .handle("events", Route::path("/events").method("GET")?, events)
        .handle("page", Route::path("/counting").method("GET")?, page);
    serve(server)
}
