//! Buffers the bodies of requests, so that a slow client does not occupy the handler.
//!
//! ```text
//! requests ──▶ ┌───────────────┐ ──▶ passed      the same, each with its whole body
//!              │ buffer_bodies │
//!              └───────────────┘ ──▶ failures    incomplete or too large bodies
//! ```
//!
//! A short body stays in memory. A longer one goes to a file without a name, which the system
//! removes when it is closed. [`Limits::body`](crate::http::Limits::body) bounds both.

use std::io;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use kamea::{Component, Inbox, Outbox, Ports};

use super::content::{Content, Incomplete};
use super::message::{Failure, Request};
use crate::file::ScratchFile;

/// The most bytes of a body that stay in memory before it goes to a file. Also the size of a write.
pub(crate) const IN_MEMORY: usize = 256 * 1024;

/// The number of bytes per read of a file.
const READ: usize = 64 * 1024;

/// The ports of [`buffer_bodies`].
#[derive(Debug, Ports)]
pub struct BufferPorts {
    /// Requests whose bodies are still arriving.
    pub requests: Inbox<Request>,
    /// Requests whose bodies have arrived completely.
    pub passed: Outbox<Request>,
    /// Requests whose bodies cannot be accepted.
    pub failures: Outbox<Failure>,
}

/// Buffers the body of each request before it passes the request on.
///
/// Put it before a scarce component, such as a pool of processes: a slow upload then occupies a
/// buffer and not a process. A chunked body gets a `Content-Length` (RFC 9112 section 7.1.3).
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_components::http::Fields;
/// use kamea_components::web::{Content, Request, buffer_bodies};
/// # use kamea_components::http::{Event, Limits, RequestDecoder};
/// # use kamea_components::web::Exchange;
///
/// let mut graph = Graph::new("buffering");
/// let buffer = graph.add("buffer", buffer_bodies());
/// let (requests, mut passed) = (graph.feed(buffer.requests), graph.take(buffer.passed));
/// let _failures = graph.take(buffer.failures);
/// # let mut decoder = RequestDecoder::new(Limits::default());
/// # decoder.feed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".into());
/// # let Some(Event::Head(head, _)) = decoder.next()? else { unreachable!() };
/// # let (exchange, head) = (Exchange::new(0, "192.0.2.7:1234".parse()?), Box::new(head));
/// kamea::testing::block_on(async {
///     let (sender, content) = Content::link(4);
///     let request = Request::new(exchange, head, Some(Box::new(content)));
///     requests.send(request).await.unwrap();
///     sender.send("hello").await.unwrap();
///     sender.end(Fields::new()).await.unwrap();
///     drop(requests);
///     graph.start()?.await?;
///     let request = passed.next().await.unwrap();
///     assert_eq!(request.head.fields.get("content-length"), Some(&b"5"[..]));
///     assert_eq!(request.content.unwrap().length(), Some(5));
///     Ok::<(), Box<dyn std::error::Error>>(())
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn buffer_bodies() -> impl Component<BufferPorts> + Clone + Send + Sync {
    async move |io: &mut BufferPorts| {
        while let Some(mut request) = io.requests.next().await {
            // Boxed, so that a connection without bodies does not carry its size.
            match Box::pin(request.buffer_content()).await {
                Ok(()) => io.passed.send(request).await?,
                Err(failure) => io.failures.send(failure).await?,
            }
        }
        Ok(())
    }
}

/// A body that has arrived completely.
#[derive(Debug)]
pub(crate) enum Buffered {
    Memory(Bytes),
    File(BufferedFile),
}

/// A body in a file.
#[derive(Debug)]
pub(crate) struct BufferedFile {
    pub(crate) file: ScratchFile,
    /// The length in bytes, and the number of bytes read so far.
    length: u64,
    read: u64,
}

impl Buffered {
    /// Its length in bytes.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(file) => file.length,
        }
    }

    /// The next bytes; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Incomplete> {
        match self {
            Self::Memory(bytes) if bytes.is_empty() => Ok(None),
            Self::Memory(bytes) => Ok(Some(std::mem::take(bytes))),
            Self::File(file) if file.read == file.length => Ok(None),
            Self::File(file) => {
                let left = file.length - file.read;
                let count = usize::try_from(left).unwrap_or(READ).min(READ);
                let bytes = file.file.read_at(file.read, count).await.map_err(failed)?;
                file.read += count as u64;
                Ok(Some(bytes))
            }
        }
    }
}

/// Reads the rest of a body.
pub(super) async fn gather(content: &mut Content) -> Result<Buffered, Incomplete> {
    let mut gathered = BytesMut::new();
    let mut file = None;
    while let Some(bytes) = content.next().await? {
        if gathered.len() + bytes.len() > IN_MEMORY {
            file = Some(append(file, gathered.split().freeze()).await?);
        }
        gathered.extend_from_slice(&bytes);
    }
    Ok(match file {
        None => Buffered::Memory(gathered.freeze()),
        Some(_) => Buffered::File(append(file, gathered.freeze()).await?),
    })
}

/// Appends bytes to a file. Creates the file if it does not exist.
async fn append(file: Option<BufferedFile>, bytes: Bytes) -> Result<BufferedFile, Incomplete> {
    let mut file = match file {
        Some(file) => file,
        None => BufferedFile {
            file: ScratchFile::create().await.map_err(failed)?,
            length: 0,
            read: 0,
        },
    };
    let count = bytes.len() as u64;
    file.file
        .write_at(bytes, file.length)
        .await
        .map_err(failed)?;
    file.length += count;
    Ok(file)
}

fn failed(error: io::Error) -> Incomplete {
    log::error!("the body of a request cannot be buffered: {error}");
    Incomplete {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        explanation: "the body could not be buffered".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Fields;

    /// Bodies of all sizes around the limit, however they are cut.
    #[test]
    fn a_body_comes_out_as_it_went_in_from_memory_or_from_a_file() {
        kamea::testing::block_on(async {
            for length in [
                0,
                1,
                IN_MEMORY - 1,
                IN_MEMORY,
                IN_MEMORY + 1,
                3 * IN_MEMORY + 7,
            ] {
                for piece in [1 << 10, 60_000, usize::MAX] {
                    let body: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
                    let (sender, mut content) = Content::link(2);
                    let sending = async {
                        for bytes in body.chunks(piece) {
                            sender.send(bytes.to_vec()).await.unwrap();
                        }
                        sender.end(Fields::new().with("A", "b")).await.unwrap();
                    };
                    let buffering = async {
                        content.buffer().await.unwrap();
                        let is_file = matches!(content.buffered(), Some(Buffered::File(..)));
                        assert_eq!(is_file, length > IN_MEMORY, "{length} by {piece}");
                        assert_eq!(content.length(), Some(length as u64));
                        assert_eq!(content.trailers().get("a"), Some(&b"b"[..]));
                        assert_eq!(content.read_to_end(length).await.unwrap(), body);
                        assert_eq!(content.next().await, Ok(None));
                    };
                    futures_lite::future::zip(sending, buffering).await;
                }
            }
        });
    }

    #[test]
    fn a_body_that_breaks_off_is_no_body() {
        kamea::testing::block_on(async {
            let (sender, mut content) = Content::link(2);
            sender.send("part").await.unwrap();
            drop(sender);
            assert_eq!(content.buffer().await, Err(Incomplete::GONE));
        });
    }
}
