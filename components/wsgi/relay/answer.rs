//! Complete responses, and failures.

use bytes::Bytes;
use http::StatusCode;
use kamea::link;

use crate::http::Chunk;
use crate::process::printable;
use crate::web::{Body, Exchange, Response};
use crate::wsgi::frame::{AnswerHead, HeadError};
use crate::wsgi::pool::Job;

/// Answers with a complete response.
pub(super) fn answer(job: &Job, head: Result<AnswerHead, HeadError>, data: Bytes) {
    match head {
        Ok(head) => {
            job.conclude(Ok(complete(job.exchange, head, data)));
        }
        Err(bad) => fail(job, &bad.to_string()),
    }
}

/// The application has failed. Its message is for the log, not for the client.
pub(super) fn fail(job: &Job, error: &str) {
    log::error!(
        "{} | WSGI: {}",
        job.exchange.peer,
        printable(error.as_bytes())
    );
    job.fail(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the application has failed",
    );
}

fn complete(exchange: Exchange, answer: AnswerHead, mut data: Bytes) -> Response {
    let AnswerHead { head, length } = answer;
    let body = if exchange.is_head || !has_content(&head.status) {
        // The length that the response to GET would have (RFC 9110 section 9.3.2).
        let (_, chunks) = link(1);
        match exchange.is_head {
            true => Body::Stream { chunks, length },
            false => Body::Empty,
        }
    } else {
        let here = data.len() as u64;
        match length {
            Some(length) if length > here => {
                log::warn!("WSGI: the application sends less than its Content-Length says");
                let (sender, chunks) = link(1);
                // The sender is dropped without an end, so that the connection is cut.
                let _ = sender.try_send(Chunk::Data(data));
                Body::Stream {
                    chunks,
                    length: Some(length),
                }
            }
            Some(length) if length < here => {
                log::warn!("WSGI: the application sends more than its Content-Length says");
                data.truncate(usize::try_from(length).unwrap_or(usize::MAX));
                Body::Bytes(data)
            }
            _ => Body::Bytes(data),
        }
    };
    Response::from(head).with_body(body).to(exchange)
}

/// Whether a response with this status has a body at all (RFC 9110 sections 15.3.5 and 15.4.5).
pub(super) fn has_content(status: &StatusCode) -> bool {
    !matches!(*status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}
