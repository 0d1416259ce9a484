//! Byte ranges of generated content instead of a file: a mebibyte of digits, computed on request.

use std::ops::Range;

use bytes::Bytes;
use http::StatusCode;
use kamea::Done;
use kamea_components::http::{Fields, Ranges, ResponseHead, evaluate_range};
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Body, Failure, HandlerPorts, Request, Response, Route};
use kamea_recipes::{Outcome, serve};

const LENGTH: u64 = 1 << 20;
const ETAG: &str = "\"the one and only\"";

/// The bytes of a range: digit `i` is `i % 10`.
fn digits(range: &Range<u64>) -> Bytes {
    range.clone().map(|i| b'0' + (i % 10) as u8).collect()
}

fn answer(request: &Request) -> Result<Response, Failure> {
    let (exchange, head) = (request.exchange, &request.head);
    let fields = Fields::new()
        .with("Content-Type", "text/plain")
        .with("ETag", ETAG);
    let etag = Some(ETAG.as_bytes());
    let (status, fields, range) =
        match evaluate_range(&head.method, &head.fields, LENGTH, etag, None) {
            Ranges::Parts(parts) if parts.len() == 1 => {
                let range = parts[0].clone();
                let value = format!("bytes {}-{}/{LENGTH}", range.start, range.end - 1);
                (
                    StatusCode::PARTIAL_CONTENT,
                    fields.with("Content-Range", value),
                    range,
                )
            }
            Ranges::Unsatisfiable => {
                let fields = Fields::new().with("Content-Range", format!("bytes */{LENGTH}"));
                let status = StatusCode::RANGE_NOT_SATISFIABLE;
                let failure = Failure::new(exchange, status, "there are not so many digits");
                return Err(Failure { fields, ..failure });
            }
            // Several parts would need a boundary between them; the whole is also a valid answer.
            _ => (StatusCode::OK, fields, 0..LENGTH),
        };
    let body = Body::Bytes(digits(&range));
    Ok(Response {
        exchange,
        head: ResponseHead { status, fields },
        body,
    })
}

async fn serve_digits(io: &mut HandlerPorts) -> Done {
    while let Some(request) = io.requests.next().await {
        match answer(&request) {
            Ok(response) => io.responses.send(response).await?,
            Err(failure) => io.failures.send(failure).await?,
        }
    }
    Ok(())
}

fn main() -> Outcome {
    let route = Route::path("/digits").method("GET")?;
    serve(WebServer::new(Site::new("www")).route("digits", route, serve_digits))
}
