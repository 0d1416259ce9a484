//! A streaming upload: the server digests a body of any size while it arrives, and reports its
//! progress.

use std::hash::{DefaultHasher, Hasher};

use kamea::{Done, link};
use kamea_components::http::Chunk;
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Content, HandlerPorts, Response, Route};
use kamea_recipes::{Outcome, serve};

async fn digest_uploads(io: &mut HandlerPorts) -> Done {
    while let Some(mut request) = io.requests.next().await {
        let (report, chunks) = link(4);
        let response = Response::stream(chunks).with("Content-Type", "text/plain");
        io.responses.send(request.respond(response)).await?;
        if let Some(content) = request.content.take() {
            digest(*content, &report).await?;
        }
        report.send(Chunk::END).await?;
    }
    Ok(())
}

/// Reports each mebibyte, and the digest at the end. If the upload is incomplete this fails, and so
/// does the response.
async fn digest(mut content: Content, report: &kamea::Sender<Chunk>) -> Done {
    let (mut hasher, mut bytes) = (DefaultHasher::new(), 0);
    while let Some(chunk) = content.next().await? {
        hasher.write(&chunk);
        let before = bytes;
        bytes += chunk.len();
        if bytes >> 20 != before >> 20 {
            report.send(format!("{} MiB\n", bytes >> 20).into()).await?;
        }
    }
    let line = format!("{bytes} bytes, digest {:016x}\n", hasher.finish());
    Ok(report.send(line.into()).await?)
}

fn main() -> Outcome {
    let mut site = Site::new("www");
    site.limits.body = 1 << 40;
    let route = Route::path("/upload").method("POST")?;
    serve(WebServer::new(site).route("upload", route, digest_uploads))
}
