//! Spools responses, so that a slow client does not occupy the handler.
//!
//! ```text
//! responses ──▶ ┌─────────────────┐ ──▶ passed    the same; no handler waits for the client
//!               │ spool_responses │
//!               └─────────────────┘
//!                        ╎ starts, for each streamed response
//!                        ▼
//!            chunks ──▶ spool ──▶ chunks
//! ```
//!
//! The body waits in memory, and the rest in a file without a name. Spooling does not delay a body:
//! a fast client gets each chunk at once.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use futures_lite::future::{or, try_zip};
use kamea::{
    Component, End, Flows, Graph, GraphError, Ports, Receiver, Sender, Template, at_first_message,
    link,
};
use tokio::sync::Notify;

use super::buffer::IN_MEMORY;
use super::filter::ResponseFilterPorts;
use super::message::{Body, Response};
use crate::file::ScratchFile;
use crate::http::{Chunk, Fields};

/// How many bytes of one response may wait for its client. Beyond that the handler waits too.
const LARGEST: u64 = 1 << 30;

/// The number of bytes per read of the file.
const READ: usize = 128 * 1024;

/// How many chunks may wait in each of the links to and from a spool.
const WAITING: usize = 4;

/// Takes the body of streamed responses from their handlers as fast as it arrives, at any speed of
/// the client.
///
/// Put it behind a scarce component, such as a pool of processes: a client that reads slowly then
/// occupies a file and not a process. A response waits in memory up to 256 KiB, then on the disk up
/// to 1 GiB; beyond that its handler waits. [`Body::Verbatim`] is passed on unchanged.
///
/// # Examples
///
/// ```
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::spool_responses;
///
/// let server = WebServer::new(Site::new(".")).response_filter("spool", spool_responses());
/// # let _ = server;
/// ```
pub fn spool_responses() -> impl Component<ResponseFilterPorts> + Clone + Send + Sync {
    spool_responses_until(std::future::pending)
}

/// Like `spool_responses`, for a peer that may be gone before it closes the connection: the filter
/// waits for each response until `gone()` is ready.
pub(crate) fn spool_responses_until<G: Future<Output = ()> + 'static>(
    gone: impl Fn() -> G + Clone + 'static,
) -> impl Component<ResponseFilterPorts> + Clone {
    at_first_message(async move |io: &mut ResponseFilterPorts| {
        let (spools, mut template) = (Flows::new(), None);
        while let Some(mut response) = io.responses.next().await {
            if is_streamed(&response)
                && let Body::Stream { chunks, .. } = &mut response.body
            {
                let (to, spooled) = link(WAITING);
                let from = std::mem::replace(chunks, spooled);
                let template = match &mut template {
                    Some(template) => template,
                    none => none.insert(spool_template()?),
                };
                spools.spawn(template.start(Spooling {
                    ends: Some((from, to)),
                    gone: Box::pin(gone()),
                }));
            }
            io.passed.send(response).await?;
        }
        spools.finished().await;
        Ok(())
    })
}

/// Whether the body may have to wait.
fn is_streamed(response: &Response) -> bool {
    !response.exchange.is_head && matches!(response.body, Body::Stream { .. })
}

/// The ports of a spool: its ends are links that other components made.
#[derive(Debug, Ports)]
struct SpoolPorts {}

/// The state of one spool.
struct Spooling {
    /// Where the response arrives from, and where it goes.
    ends: Option<(Receiver<Chunk>, Sender<Chunk>)>,
    /// Is ready when nobody waits for the response any more.
    gone: Pin<Box<dyn Future<Output = ()>>>,
}

fn spool_template() -> Result<Template<Spooling>, GraphError> {
    let mut graph = Graph::template("spool");
    graph.add_seeded("spool", |spooling: &mut Spooling| {
        let mut ends = spooling.ends.take();
        let mut gone = std::mem::replace(&mut spooling.gone, Box::pin(std::future::pending()));
        async move |_: &mut SpoolPorts| {
            let Some((from, to)) = ends.take() else {
                return Ok(());
            };
            let gone = async {
                (&mut gone).await;
                Err(End::Closed)
            };
            or(spool(from, to), gone).await
        }
    });
    graph.into_template()
}

/// Accepts chunks as fast as they arrive, and passes them on as fast as they are accepted.
async fn spool(mut from: Receiver<Chunk>, to: Sender<Chunk>) -> Result<(), End> {
    let spool = Spool::default();
    let filling = async {
        let filled = spool.fill(&mut from).await;
        spool.state.borrow_mut().is_over = true;
        spool.changed.notify_one();
        filled
    };
    let spooled = try_zip(filling, spool.drain(&to));
    // It ends at once when nobody wants the response: the end of its link tells the handler.
    to.while_open(spooled).await?.map(drop)
}

/// The bytes between the handler of a response and its client.
#[derive(Default)]
struct Spool {
    state: RefCell<State>,
    /// Wakes the draining side, or the filling side.
    changed: Notify,
    drained: Notify,
}

/// The order of the bytes: front, then file, then back.
#[derive(Default)]
struct State {
    front: VecDeque<Bytes>,
    /// The sum of their lengths, in bytes.
    in_front: usize,
    file: Option<ScratchFile>,
    /// The write position and the read position of the file.
    written: u64,
    read: u64,
    /// The bytes to write to the file.
    behind: BytesMut,
    is_writing: bool,
    /// The trailer fields, once the body has ended correctly.
    end: Option<Fields>,
    is_over: bool,
}

/// The next action of the draining side.
enum Next {
    Send(Chunk),
    Read(ScratchFile, u64, usize),
    Wait,
    Stop,
}

impl Spool {
    async fn fill(&self, from: &mut Receiver<Chunk>) -> Result<(), End> {
        while let Some(chunk) = from.next().await {
            match chunk {
                Chunk::Data(bytes) => self.take(bytes).await?,
                Chunk::End(trailers) => {
                    self.state.borrow_mut().end = Some(trailers);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    async fn take(&self, bytes: Bytes) -> io::Result<()> {
        let block = self.state.borrow_mut().take(bytes);
        if let Some(block) = block {
            let (file, from) = {
                let state = self.state.borrow();
                (state.file.clone(), state.written)
            };
            let file = match file {
                Some(file) => file,
                None => ScratchFile::create().await?,
            };
            let length = block.len() as u64;
            file.write_at(block, from).await?;
            self.state.borrow_mut().wrote(file, length);
        }
        self.changed.notify_one();
        while self.state.borrow().waiting() > LARGEST {
            self.drained.notified().await;
        }
        Ok(())
    }

    async fn drain(&self, to: &Sender<Chunk>) -> Result<(), End> {
        loop {
            let next = self.state.borrow_mut().next();
            match next {
                Next::Send(chunk) => {
                    to.send(chunk).await?;
                    self.drained.notify_one();
                }
                Next::Read(file, from, count) => {
                    let bytes = file.read_at(from, count).await?;
                    self.state.borrow_mut().put_in_front(bytes);
                }
                Next::Wait => self.changed.notified().await,
                Next::Stop => return Ok(()),
            }
        }
    }
}

impl State {
    /// How many bytes wait.
    fn waiting(&self) -> u64 {
        self.in_front as u64 + (self.written - self.read) + self.behind.len() as u64
    }

    /// Adds bytes. Returns those to write to the file, if there are enough of them.
    fn take(&mut self, bytes: Bytes) -> Option<Bytes> {
        let is_first = self.written == self.read && self.behind.is_empty();
        if is_first && self.in_front + bytes.len() <= IN_MEMORY {
            self.put_in_front(bytes);
            return None;
        }
        self.behind.extend_from_slice(&bytes);
        self.is_writing = self.behind.len() >= IN_MEMORY;
        self.is_writing.then(|| self.behind.split().freeze())
    }

    fn wrote(&mut self, file: ScratchFile, length: u64) {
        self.file = Some(file);
        self.written += length;
        self.is_writing = false;
    }

    fn put_in_front(&mut self, bytes: Bytes) {
        self.in_front += bytes.len();
        self.front.push_back(bytes);
    }

    fn next(&mut self) -> Next {
        if let Some(bytes) = self.front.pop_front() {
            self.in_front -= bytes.len();
            return Next::Send(Chunk::Data(bytes));
        }
        if self.read < self.written
            && let Some(file) = &self.file
        {
            let from = self.read;
            let count = usize::try_from(self.written - from)
                .unwrap_or(READ)
                .min(READ);
            self.read += count as u64;
            return Next::Read(file.clone(), from, count);
        }
        if self.is_writing {
            return Next::Wait;
        }
        // The whole file has been read: it is reused from its start.
        (self.read, self.written) = (0, 0);
        if !self.behind.is_empty() {
            return Next::Send(Chunk::Data(self.behind.split().freeze()));
        }
        match (self.end.take(), self.is_over) {
            (Some(trailers), _) => Next::Send(Chunk::End(trailers)),
            (None, true) => Next::Stop,
            (None, false) => Next::Wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_lite::future::{yield_now, zip};

    use super::*;

    fn spooling(from: Receiver<Chunk>, to: Sender<Chunk>) -> kamea::Flow {
        spool_template().unwrap().start(Spooling {
            ends: Some((from, to)),
            gone: Box::pin(std::future::pending()),
        })
    }

    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at % 251) as u8).collect()
    }

    /// The handler finishes before the client reads the first byte; then everything arrives, in
    /// order.
    #[test]
    fn a_maker_does_not_wait_for_the_client() {
        for length in [0, 1, IN_MEMORY, IN_MEMORY + 1, 9 * IN_MEMORY + 13] {
            for piece in [1000, 64 * 1024, IN_MEMORY + 3] {
                kamea::testing::block_on(async {
                    let (maker, from) = link(WAITING);
                    let (to, mut client) = link(WAITING);
                    let content = pattern(length);
                    let making = async {
                        for bytes in content.chunks(piece) {
                            let bytes = Bytes::copy_from_slice(bytes);
                            maker.send(Chunk::Data(bytes)).await.unwrap();
                        }
                        maker
                            .send(Chunk::End(Fields::new().with("A", "b")))
                            .await
                            .unwrap();
                        drop(maker);
                        let mut taken = Vec::new();
                        while let Some(chunk) = client.next().await {
                            match chunk {
                                Chunk::Data(bytes) => taken.extend_from_slice(&bytes),
                                Chunk::End(trailers) => {
                                    assert_eq!(trailers.get("a"), Some(&b"b"[..]));
                                    return taken;
                                }
                            }
                        }
                        panic!("the end has not come");
                    };
                    let flow = spooling(from, to);
                    let (taken, outcome) = zip(making, flow).await;
                    outcome.unwrap();
                    assert!(taken == content, "{length} bytes by {piece}");
                });
            }
        }
    }

    /// A handler and a client that are both slow at times: filling and draining interleave.
    #[test]
    fn what_is_taken_while_it_comes_is_the_same() {
        kamea::testing::block_on(async {
            let (maker, from) = link(WAITING);
            let (to, mut client) = link(WAITING);
            let content = pattern(40 * IN_MEMORY);
            let making = async {
                for (at, bytes) in content.chunks(50_000).enumerate() {
                    let bytes = Bytes::copy_from_slice(bytes);
                    maker.send(Chunk::Data(bytes)).await.unwrap();
                    if at % 60 == 59 {
                        kamea::time::sleep(std::time::Duration::from_millis(3)).await;
                    }
                }
                maker.send(Chunk::END).await.unwrap();
            };
            let taking = async {
                let mut taken = Vec::new();
                while let Some(Chunk::Data(bytes)) = client.next().await {
                    taken.extend_from_slice(&bytes);
                    if taken.len() % 7 == 0 {
                        yield_now().await;
                    }
                }
                assert!(taken == content);
            };
            let flow = spooling(from, to);
            let ((), ((), outcome)) = zip(making, zip(taking, flow)).await;
            outcome.unwrap();
        });
    }

    #[test]
    fn content_that_breaks_off_has_no_end() {
        kamea::testing::block_on(async {
            let (maker, from) = link(WAITING);
            let (to, mut client) = link(WAITING);
            maker.send("part".into()).await.unwrap();
            drop(maker);
            let flow = spooling(from, to);
            let taking = async {
                assert!(matches!(client.next().await, Some(Chunk::Data(_))));
                assert!(client.next().await.is_none());
            };
            zip(flow, taking).await.0.unwrap();
        });
    }

    #[test]
    fn a_client_that_has_gone_ends_the_maker() {
        kamea::testing::block_on(async {
            let (maker, from) = link(WAITING);
            let (to, client) = link(WAITING);
            drop(client);
            let flow = spooling(from, to);
            zip(flow, maker.closed()).await.0.unwrap();
        });
    }
}
