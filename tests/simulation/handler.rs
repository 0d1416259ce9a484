//! A handler that answers in all possible ways, at random times.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::StatusCode;
use kamea::time::{Timer, now, sleep};
use kamea::{Done, End, Graph, Ports, compute, link, random, spawn, unblock};
use kamea_components::file::FileSlice;
use kamea_components::http::Chunk;
use kamea_components::web::{Body, HandlerPorts, Piece, Request, Response};
use rustix::fs::{MemfdFlags, memfd_create};

use crate::exchange::content;

/// The maximum time for an answer.
const LONGEST: Duration = Duration::from_millis(200);

/// Answers each request after its own delay, so that answers overtake each other.
pub(crate) async fn answer_in_any_order(io: &mut HandlerPorts) -> Done {
    let mut answers: BTreeMap<(Instant, u64), Response> = BTreeMap::new();
    let (mut timer, mut is_open) = (Timer::new(), true);
    while is_open || !answers.is_empty() {
        match answers.first_key_value() {
            Some(((moment, _), _)) => timer.set(*moment),
            None => timer.clear(),
        }
        let request = async {
            match is_open {
                true => Some(io.requests.next().await),
                false => std::future::pending().await,
            }
        };
        let due = async {
            timer.expired().await;
            None
        };
        match futures_lite::future::or(due, request).await {
            Some(Some(request)) => {
                let number = request.exchange.number;
                if let Some(response) = answer(request, io).await? {
                    let wait = match random::chance(0.5) {
                        true => Duration::ZERO,
                        false => random::duration(LONGEST),
                    };
                    answers.insert((now() + wait, number), response);
                }
            }
            Some(None) => is_open = false,
            None => {
                if let Some((_, response)) = answers.pop_first() {
                    io.responses.send(response).await?;
                }
            }
        }
    }
    Ok(())
}

/// Returns the answer to a request whose body is complete; otherwise the failure is reported.
async fn answer(mut request: Request, io: &HandlerPorts) -> Result<Option<Response>, End> {
    let exchange = request.exchange;
    let received = match request.read_content(1000).await {
        Ok(content) => content.len(),
        Err(failure) => {
            io.failures.send(failure).await?;
            return Ok(None);
        }
    };
    let path = request.head.target.path().to_owned();
    assert_ne!(path, "/panic", "on purpose");
    let mut segments = path.split('/').skip(1);
    let way = segments.next().unwrap_or_default();
    let mut number = || segments.next().and_then(|text| text.parse().ok());
    let (Some(number), Some(length)) = (number(), number()) else {
        return Err(End::fault(format!("{path} is not for this handler")));
    };
    let content = match random::usize(..4) {
        0 => unblock(move || content(number, received, length)).await,
        1 => compute(move || content(number, received, length)).await,
        _ => content(number, received, length),
    };
    let length = content.len() as u64;
    let body = match way {
        "stream" => stream(content, None)?,
        "sized" => stream(content, Some(length))?,
        "file" => Body::File(slice(&content)?),
        "pieces" => {
            let middle = random::usize(..content.len());
            let (first, second) = (content.slice(..middle), content.slice(middle..));
            Body::Pieces(vec![Piece::Bytes(first), Piece::File(slice(&second)?)])
        }
        _ => Body::Bytes(content),
    };
    let response = Response::new(StatusCode::OK).with_body(body);
    Ok(Some(response.to(exchange)))
}

/// A file with these contents, in memory, so that the disk does not matter.
fn slice(content: &[u8]) -> std::io::Result<FileSlice> {
    let mut file = File::from(memfd_create(c"content", MemfdFlags::CLOEXEC)?);
    file.write_all(content)?;
    Ok(FileSlice {
        file: Arc::new(file.into()),
        offset: 0,
        length: content.len() as u64,
    })
}

#[derive(Ports)]
struct NoPorts {}

/// A body that arrives in parts, from its own graph.
fn stream(content: Bytes, length: Option<u64>) -> Result<Body, End> {
    let (sender, chunks) = link(1 + random::usize(..3));
    let mut graph = Graph::new("content");
    graph.add("content", async move |_: &mut NoPorts| {
        let mut left = content.clone();
        while !left.is_empty() {
            let part = left.split_to(random::usize(1..=left.len()));
            if random::chance(0.3) {
                sleep(random::duration(LONGEST)).await;
            }
            sender.send(Chunk::Data(part)).await?;
        }
        Ok(sender.send(Chunk::END).await?)
    });
    spawn(graph.start()?);
    Ok(Body::Stream { chunks, length })
}
