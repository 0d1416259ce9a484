//! Byte ranges of generated content instead of a file: a mebibyte of digits, computed on request.

use std::ops::Range;

use bytes::Bytes;
use http::StatusCode;
use kamea::Done;
use kamea_components::http::{Ranges, evaluate_range};
use kamea_components::server::{Site, WebServer};
use kamea_components::web::{Failure, HandlerPorts, Request, Response, Route};
use kamea_recipes::{Outcome, serve};

const LENGTH: u64 = 1 << 20;
const ETAG: &str = "\"the one and only\"";

/// The bytes of a range: digit `i` is `i % 10`.
fn digits(range: &Range<u64>) -> Bytes {
    range.clone().map(|i| b'0' + (i % 10) as u8).collect()
}

fn answer(request: &Request) -> Result<Response, Failure> {
    let head = &request.head;
    let etag = Some(ETAG.as_bytes());
    let part = match evaluate_range(&head.method, &head.fields, LENGTH, etag, None) {
        Ranges::Parts(parts) if parts.len() == 1 => Some(parts[0].clone()),
        Ranges::Unsatisfiable => {
            let why = "there are not so many digits";
            let failure = request.refuse(StatusCode::RANGE_NOT_SATISFIABLE, why);
            return Err(failure.with("Content-Range", format!("bytes */{LENGTH}")));
        }
        // Several parts would need a boundary between them; the whole is also a valid answer.
        _ => None,
    };
    let range = part.clone().unwrap_or(0..LENGTH);
    let mut response = Response::typed("text/plain", digits(&range)).with("ETag", ETAG);
    if let Some(part) = part {
        let value = format!("bytes {}-{}/{LENGTH}", part.start, part.end - 1);
        let partial = response.with_status(StatusCode::PARTIAL_CONTENT);
        response = partial.with("Content-Range", value);
    }
    Ok(request.respond(response))
}

async fn serve_digits(io: &mut HandlerPorts) -> Done {
    while let Some(request) = io.requests.next().await {
        io.answer(answer(&request)).await?;
    }
    Ok(())
}

fn main() -> Outcome {
    let route = Route::path("/digits").method("GET")?;
    serve(WebServer::new(Site::new("www")).route("digits", route, serve_digits))
}
