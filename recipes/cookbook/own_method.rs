//! Your own method: COUNT returns the number of bytes and lines of the request's body.

use http::StatusCode;
use kamea::Done;
use kamea_components::http::ResponseHead;
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Body, Failure, HandlerPorts, Request, Response};
use kamea_recipes::{Outcome, serve};

async fn count(request: &mut Request) -> Result<String, Failure> {
    let (mut bytes, mut lines) = (0, 0);
    let exchange = request.exchange.closing();
    if let Some(content) = &mut request.content {
        let cut = |cut: kamea_components::web::Incomplete| {
            Failure::new(exchange, cut.status, cut.explanation)
        };
        while let Some(chunk) = content.next().await.map_err(cut)? {
            bytes += chunk.len();
            lines += chunk.iter().filter(|byte| **byte == b'\n').count();
        }
    }
    Ok(format!("{bytes} bytes, {lines} lines\n"))
}

async fn answer_count(io: &mut HandlerPorts) -> Done {
    while let Some(mut request) = io.requests.next().await {
        match count(&mut request).await {
            Ok(text) => {
                let head = ResponseHead::new(StatusCode::OK);
                let body = Body::Bytes(text.into());
                io.responses
                    .send(Response {
                        exchange: request.exchange,
                        head,
                        body,
                    })
                    .await?;
            }
            Err(failure) => io.failures.send(failure).await?,
        }
    }
    Ok(())
}

fn main() -> Outcome {
    serve(WebServer::new(Site::new("www")).method("COUNT", answer_count)?)
}
