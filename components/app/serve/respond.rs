//! Sends replies: as responses, or as failures.

use futures_lite::StreamExt;
use kamea::{End, Sender, link};
use kamea_components::gateway::Chunks;
use kamea_components::http::{Chunk, ResponseHead};
use kamea_components::web::{Body, Exchange, Failure, Response};

use super::ports::Answers;
use crate::reply::ReplyContent;
use crate::{Problem, Reply};

/// How many chunks of a stream may wait for the encoder.
const CHUNKS: usize = 4;

/// Sends a reply as a response, or as a failure. Returns the length of the body, if it is known.
pub(super) async fn respond(
    answers: Answers<'_>,
    exchange: Exchange,
    reply: Reply,
) -> Result<u64, End> {
    let Reply {
        status,
        fields,
        content,
        ..
    } = reply;
    let head = ResponseHead {
        fields,
        ..ResponseHead::new(status)
    };
    let (body, length) = match content {
        ReplyContent::Bytes(bytes) if bytes.is_empty() => (Body::Empty, 0),
        ReplyContent::Bytes(bytes) => {
            let length = bytes.len() as u64;
            (Body::Bytes(bytes), length)
        }
        ReplyContent::Body(body) => {
            let length = length(&body);
            (body, length)
        }
        ReplyContent::Stream(chunks) => {
            let (sender, receiver) = link(CHUNKS);
            let body = Body::Stream {
                chunks: receiver,
                length: None,
            };
            send(answers, exchange, head, body).await?;
            return Ok(pump(exchange, chunks, sender).await);
        }
        ReplyContent::File(_) => {
            // A layer has answered with a file, and only a handler can.
            let problem = Problem::internal("a layer cannot answer with a file");
            return fail(answers, exchange, head, problem).await;
        }
        ReplyContent::Problem(problem) => return fail(answers, exchange, head, *problem).await,
    };
    send(answers, exchange, head, body).await?;
    Ok(length)
}

fn length(body: &Body) -> u64 {
    match body {
        Body::Bytes(bytes) => bytes.len() as u64,
        Body::File(slice) => slice.length,
        Body::Pieces(pieces) => pieces.iter().map(|piece| piece.length()).sum(),
        _ => 0,
    }
}

async fn fail(
    answers: Answers<'_>,
    exchange: Exchange,
    head: ResponseHead,
    mut problem: Problem,
) -> Result<u64, End> {
    if let Some(cause) = problem.cause.take() {
        log::error!("{} | {cause}", exchange.peer);
    }
    let failure = Failure {
        fields: head.fields,
        status: head.status,
        ..problem.into_failure(exchange)
    };
    answers.failures.send(failure).await?;
    Ok(0)
}

async fn send(
    answers: Answers<'_>,
    exchange: Exchange,
    head: ResponseHead,
    body: Body,
) -> Result<(), End> {
    let response = Response {
        exchange,
        head,
        body,
    };
    Ok(answers.responses.send(response).await?)
}

/// Sends the chunks of a stream while the peer wants them. If it fails, the end is missing, and the
/// connection is cut. Returns how many bytes were sent.
async fn pump(exchange: Exchange, mut chunks: Chunks, sender: Sender<Chunk>) -> u64 {
    let mut bytes = 0;
    loop {
        let chunk = match sender.while_open(chunks.next()).await {
            Ok(Some(Ok(chunk))) => chunk,
            Ok(Some(Err(error))) => {
                log::error!(
                    "{} | the stream of a response has failed: {error}",
                    exchange.peer
                );
                return bytes;
            }
            Ok(None) => {
                // If nobody wants the end, nobody misses it.
                let _ = sender.send(Chunk::END).await;
                return bytes;
            }
            Err(_) => return bytes,
        };
        let length = chunk.len() as u64;
        // An empty chunk would be the end of a chunked body.
        if length > 0 && sender.send(Chunk::Data(chunk)).await.is_err() {
            return bytes;
        }
        bytes += length;
    }
}
