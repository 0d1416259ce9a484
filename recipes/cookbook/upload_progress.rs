//! The progress of uploads in the browser, as the server sees it: each page shows all of them.

use std::convert::Infallible;

use kamea::{filter_map, pipeline};
use kamea_components::chassis::{Backplane, Publisher, Slow, subscribe_to};
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Incomplete, Request, Response, Route};
use kamea_components::websocket::Message;
use kamea_recipes::{Outcome, serve};
use serde_json::json;

const PAGE: &str = include_str!("upload_progress.html");

/// Bytes between two reports.
const STEP: u64 = 64 << 10;

/// Receives one upload, and reports how much of it has arrived.
async fn receive(mut request: Request, reports: Publisher<Message>) -> Result<String, Incomplete> {
    let name = request.head.target.query().unwrap_or("file");
    let name: String = name.chars().take(100).collect();
    let length = request.head.fields.get("content-length");
    let total: Option<u64> = length.and_then(|length| str::from_utf8(length).ok()?.parse().ok());
    let mut content = request.content.take();
    let report = async |received: u64, is_done: bool| {
        let text = json!({"name": name, "received": received, "total": total, "done": is_done});
        // Without a page that looks, nobody hears it.
        let _ = reports
            .publish(Message::text(text.to_string()).shared())
            .await;
    };
    let (mut received, mut reported) = (0, 0);
    report(0, false).await;
    while let Some(content) = &mut content {
        let Some(chunk) = content.next().await? else {
            break;
        };
        received += chunk.len() as u64;
        if received - reported >= STEP {
            reported = received;
            report(received, false).await;
        }
    }
    report(received, true).await;
    Ok(format!("{received} bytes\n"))
}

fn main() -> Outcome {
    // A page that does not read misses reports, and slows no upload.
    let plane = Backplane::new().slow(Slow::DropOldest);
    let publishing = plane.clone();
    let upload =
        async move |request: Request| receive(request, publishing.publisher("progress")).await;
    let end = || filter_map(|_: Message| None::<Infallible>);
    let watch = move || pipeline!(end() => subscribe_to(&plane, "progress"));
    let mut site = Site::new("www");
    site.limits.body = 1 << 40;
    let page = async |_: Request| Response::html(PAGE);
    let server = WebServer::new(site)
        .websocket("/progress", watch)
        .handle("page", Route::path("/").method("GET")?, page)
        .handle("upload", Route::path("/upload").method("POST")?, upload);
    serve(server)
}
