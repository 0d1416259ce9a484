//! Asks a backend one short question over a connection: the checks and the authentication do so.

use bytes::{Bytes, BytesMut};
use http::Method;
use kamea_components::http::{MalformedResponse, ReceivedHead, Reply};

use super::{BackendConnection, ResponseError};

/// Why a question got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// The connection ended before the answer.
    #[error("the connection ended before the answer: {0}")]
    Lost(std::io::Error),
    /// The answer is invalid.
    #[error("the answer is invalid: {0}")]
    Invalid(#[from] ResponseError),
    /// The body of the answer is longer than allowed.
    #[error("the answer is too long")]
    TooLong,
}

/// Sends a question: a whole GET request. Returns the head of the answer; its body may follow.
pub(crate) async fn ask_head(
    connection: &mut BackendConnection,
    question: &[u8],
) -> Result<ReceivedHead, AskError> {
    let BackendConnection { socket, decoder } = connection;
    decoder.expect(&Method::GET);
    let mut left = question;
    while !left.is_empty() {
        let sent = socket.write(left, false).await;
        left = &left[sent.map_err(AskError::Lost)?..];
    }
    loop {
        match next(connection).await? {
            Reply::Head(head, _) => return Ok(head),
            Reply::Interim(_) => {}
            _ => return Err(unawaited()),
        }
    }
}

/// Sends a question, and returns the answer with its body of at most so many bytes.
pub(crate) async fn ask(
    connection: &mut BackendConnection,
    question: &[u8],
    most: usize,
) -> Result<(ReceivedHead, Bytes), AskError> {
    let head = ask_head(connection, question).await?;
    let mut body = BytesMut::new();
    loop {
        match next(connection).await? {
            Reply::Chunk(part) if body.len() + part.len() <= most => body.extend_from_slice(&part),
            Reply::Chunk(_) => return Err(AskError::TooLong),
            Reply::End(_) => return Ok((head, body.freeze())),
            _ => return Err(unawaited()),
        }
    }
}

/// The next part of the answer.
async fn next(connection: &mut BackendConnection) -> Result<Reply, AskError> {
    let BackendConnection { socket, decoder } = connection;
    loop {
        if let Some(reply) = decoder.next()? {
            return Ok(reply);
        }
        let bytes = socket.receive().await.map_err(AskError::Lost)?;
        if bytes.is_empty() {
            let ended = || AskError::Lost(std::io::ErrorKind::UnexpectedEof.into());
            return decoder.finish()?.ok_or_else(ended);
        }
        decoder.feed(bytes);
    }
}

fn unawaited() -> AskError {
    AskError::Invalid(MalformedResponse::Unawaited.into())
}
