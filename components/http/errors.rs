//! The error component: every failure becomes a response, a page with a drawing.

use std::net::SocketAddr;
use std::time::UNIX_EPOCH;

use askama::Template;
use http::{StatusCode, Version};
use kamea::time::wall_clock;
use kamea::{Component, Done, Inbox, Outbox, Ports};

use super::message::{Body, Exchange, Failure, Response};
use super::{BodyFraming, Connection, DateCache, Fields, ResponseHead, encode_head};

/// The ports of the error component: [`answer_errors`], or a user's own.
#[derive(Debug, Ports)]
pub struct ErrorPorts {
    /// What went wrong.
    pub failures: Inbox<Failure>,
    /// What the peer is told.
    pub responses: Outbox<Response>,
}

/// Answers each failure with its status and a page that says what was wrong.
pub fn answer_errors() -> impl Component<ErrorPorts> + Clone {
    async |io: &mut ErrorPorts| -> Done {
        while let Some(failure) = io.failures.next().await {
            log::debug!(
                "{} | Handle Error {}",
                failure.exchange.peer,
                failure.status.as_u16()
            );
            io.responses.send(error_response(failure)?).await?;
        }
        Ok(())
    }
}

fn error_response(failure: Failure) -> Result<Response, askama::Error> {
    let Failure {
        exchange,
        status,
        explanation,
        fields,
    } = failure;
    let page = ErrorPage {
        status: status.as_u16(),
        reason: status.canonical_reason().unwrap_or("Error"),
        explanation: &explanation,
        drawing: drawing_of(status),
    };
    let fields: Fields = fields.with("Content-Type", "text/html; charset=utf-8");
    let body = Body::Bytes(page.render()?.into());
    Ok(Response {
        exchange,
        head: ResponseHead { status, fields },
        body,
    })
}

/// The whole of what a client is told whose connection is one too many.
pub(crate) fn refusal(peer: SocketAddr) -> Vec<u8> {
    let exchange = Exchange {
        number: 0,
        peer,
        version: Version::HTTP_11,
        is_head: false,
        closes: true,
    };
    let explanation = "there are too many connections; try again in a moment";
    let fields = Fields::new().with("Retry-After", "1");
    let failure = Failure {
        fields,
        ..Failure::new(exchange, StatusCode::SERVICE_UNAVAILABLE, explanation)
    };
    let mut bytes = Vec::new();
    if let Ok(Response {
        head,
        body: Body::Bytes(page),
        ..
    }) = error_response(failure)
    {
        let mut date = DateCache::default();
        let date = date.at(wall_clock()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs()));
        let framing = BodyFraming::Sized(page.len() as u64);
        encode_head(
            &mut bytes,
            Version::HTTP_11,
            &head,
            framing,
            Connection::Close,
            date,
        );
        bytes.extend_from_slice(&page);
    }
    bytes
}

/// The page; its text is escaped by the template engine.
#[derive(Template)]
#[template(path = "http/error_page.html")]
struct ErrorPage<'a> {
    status: u16,
    reason: &'a str,
    explanation: &'a str,
    drawing: &'static str,
}

/// The drawing for a status, as SVG to stand in a page.
fn drawing_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => include_str!("drawings/400.svg"),
        403 => include_str!("drawings/403.svg"),
        404 => include_str!("drawings/404.svg"),
        405 => include_str!("drawings/405.svg"),
        408 => include_str!("drawings/408.svg"),
        413 => include_str!("drawings/413.svg"),
        414 => include_str!("drawings/414.svg"),
        417 => include_str!("drawings/417.svg"),
        431 => include_str!("drawings/431.svg"),
        500 => include_str!("drawings/500.svg"),
        501 => include_str!("drawings/501.svg"),
        503 => include_str!("drawings/503.svg"),
        505 => include_str!("drawings/505.svg"),
        _ => include_str!("drawings/error.svg"),
    }
}
