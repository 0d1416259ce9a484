//! A channel: the exchanges of one thread of a worker, one after another. Content travels both ways at once, with backpressure.
//!
//! ```text
//!                      ┌──────────────────┐ ──▶ outcomes    a response or a failure, to the connection that asked
//!  channel (socket) ◀─▶│ relay_exchanges  │ ──▶ chunks      content of the response, to its writer
//!                      └──────────────────┘ ◀── content     of the request, from its parser
//! ```

use std::cell::Cell;
use std::future::{pending, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use futures_lite::future::or;
use http::StatusCode;
use kamea::time::{Timer, now, sleep};
use kamea::{Component, Sender, link};
use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::UnixStream;
use tokio::net::unix::{ReadHalf, WriteHalf};
use tokio::sync::Notify;

use super::frame::{AnswerHead, BadHead, Frame, FrameDecoder, encode_content, encode_end};
use super::pool::{Job, Key, Pool};
use super::print::printable;
use crate::http::{Body, Chunk, Content, Exchange, NoPorts, Response};
use crate::net::read_into_buffer;

/// How many chunks of a response may wait for the client.
const CHUNKS: usize = 4;

/// How much of a response that nobody wants is read, in bytes, to find its end.
const UNWANTED: usize = 256 * 1024;

/// Relays the exchanges of one thread of the process `key`, until the channel is closed.
pub(super) fn relay_exchanges(
    channel: OwnedFd,
    key: Key,
    pool: Arc<Pool>,
) -> impl Component<NoPorts> + Send {
    let mut channel = Some(channel);
    async move |_: &mut NoPorts| {
        let Some(channel) = channel.take() else {
            return Ok(());
        };
        let channel = std::os::unix::net::UnixStream::from(channel);
        channel.set_nonblocking(true)?;
        let mut channel = UnixStream::from_std(channel)?;
        let (read, write) = channel.split();
        let frames = Frames {
            read,
            decoder: FrameDecoder::default(),
            key,
            pool: &pool,
        };
        let mut relay = Relay {
            frames,
            write,
            key,
            pool: &pool,
        };
        if let Err(error) = relay.run().await {
            log::error!("WSGI: what a worker says makes no sense: {error}");
            pool.retire(key);
        }
        Ok(())
    }
}

struct Relay<'a> {
    frames: Frames<'a>,
    write: WriteHalf<'a>,
    key: Key,
    pool: &'a Pool,
}

/// What comes from the worker.
struct Frames<'a> {
    read: ReadHalf<'a>,
    decoder: FrameDecoder,
    key: Key,
    pool: &'a Pool,
}

/// How an exchange has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The thread is free.
    Done,
    /// Nobody wants the rest.
    Unwanted,
    /// The channel is closed, or it has been given up.
    Lost,
}

impl Relay<'_> {
    async fn run(&mut self) -> io::Result<()> {
        while let Some(frame) = self.frames.next().await? {
            match frame {
                Frame::Answer(number, head, data) => {
                    if let Some(job) = self.pool.finish(self.key, number) {
                        answer(&job, head, data);
                    }
                }
                Frame::Failed(number, error) => {
                    if let Some(job) = self.pool.finish(self.key, number) {
                        fail(&job, &error);
                    }
                }
                Frame::Head(number, ..) | Frame::Wanted(number) => {
                    let Some(mut job) = self.pool.begin(self.key, number) else {
                        return Err(nonsense("nobody has asked for this response"));
                    };
                    let content = job.content.take();
                    match self.exchange(&job, content, frame).await? {
                        Ended::Done => drop(self.pool.finish(self.key, number)),
                        Ended::Unwanted if self.find_end().await? => {
                            self.pool.finish(self.key, number);
                        }
                        Ended::Unwanted => {
                            self.pool.abandon(self.key, number);
                            // What the thread sends now fails; what it has sent is still read, it may be another response.
                            shutdown(self.frames.read.as_ref(), Shutdown::Read)?;
                        }
                        Ended::Lost => {
                            self.pool.finish(self.key, number);
                            return Ok(());
                        }
                    }
                }
                // The rest of a response that nobody wants.
                Frame::Data(_) | Frame::End | Frame::Cut(_) => {}
            }
        }
        Ok(())
    }

    /// One exchange that is more than an answer at once.
    async fn exchange(
        &mut self,
        job: &Job,
        content: Option<Box<Content>>,
        first: Frame,
    ) -> io::Result<Ended> {
        let upload = Upload::default();
        let mut response = Download {
            job,
            frames: &mut self.frames,
            upload: &upload,
            timer: Timer::new(),
            timeout: self.pool.application.timeout,
            chunks: None,
            left: None,
        };
        let write = &self.write;
        let up = async {
            upload.wanted.notified().await;
            upload.send(content, write).await?;
            pending().await
        };
        let mut ended = or(response.run(first), up).await?;
        if ended != Ended::Lost && upload.has_begun.get() {
            // The thread waits for the end of the content, or reads up to it.
            let end = async { upload.end(write).await.map(|()| ended) };
            let late = async {
                sleep(self.pool.application.timeout).await;
                Ok(Ended::Lost)
            };
            ended = or(end, late).await?;
        }
        if ended == Ended::Lost {
            // It hangs, or is gone.
            self.pool.retire(self.key);
        }
        Ok(ended)
    }

    /// Looks for the end of a response that nobody wants in what has come of it already.
    async fn find_end(&mut self) -> io::Result<bool> {
        let mut read = 0;
        while read < UNWANTED {
            let frame = or(async { self.frames.next().await.map(Some) }, async {
                Ok(None)
            })
            .await?;
            match frame {
                Some(Some(Frame::End | Frame::Cut(_))) => return Ok(true),
                Some(Some(Frame::Data(data))) => read += data.len(),
                Some(Some(Frame::Head(..) | Frame::Wanted(_))) => {}
                _ => return Ok(false),
            }
        }
        Ok(false)
    }
}

impl Frames<'_> {
    /// The next frame; none at the end.
    async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.decoder.next().map_err(nonsense)? {
                return Ok(Some(frame));
            }
            // All requests that came to their turn by what has just been read go out at once.
            self.pool.flush(self.key);
            let read = &mut self.read;
            let bytes = poll_fn(|cx| {
                let mut pending = false;
                let bytes = read_into_buffer(|buffer| {
                    let mut buffer = ReadBuf::new(buffer);
                    match Pin::new(&mut *read).poll_read(cx, &mut buffer) {
                        std::task::Poll::Ready(done) => done.map(|()| buffer.filled().len()),
                        std::task::Poll::Pending => {
                            pending = true;
                            Ok(0)
                        }
                    }
                });
                if pending {
                    return std::task::Poll::Pending;
                }
                std::task::Poll::Ready(bytes)
            })
            .await;
            match bytes {
                Ok(bytes) if !bytes.is_empty() => self.decoder.feed(bytes),
                Ok(_) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

/// The response of an exchange, on its way to the client.
struct Download<'a, 'b> {
    job: &'a Job,
    frames: &'a mut Frames<'b>,
    upload: &'a Upload,
    timer: Timer,
    timeout: std::time::Duration,
    /// Where its content goes, once its head has gone.
    chunks: Option<Sender<Chunk>>,
    /// How many bytes of content are to come, if that is known.
    left: Option<u64>,
}

/// Why the wait for a frame has ended.
enum Woken {
    Frame(Frame),
    /// The channel is closed.
    Gone,
    /// Nobody wants the response any more.
    Unwanted,
    Late,
}

impl Download<'_, '_> {
    async fn run(&mut self, first: Frame) -> io::Result<Ended> {
        let mut woken = Woken::Frame(first);
        loop {
            match woken {
                Woken::Frame(Frame::Wanted(_)) => self.upload.wanted.notify_one(),
                Woken::Frame(Frame::Answer(_, head, data)) => {
                    answer(self.job, head, data);
                    return Ok(Ended::Done);
                }
                Woken::Frame(Frame::Failed(_, error)) => {
                    fail(self.job, &error);
                    return Ok(Ended::Done);
                }
                Woken::Frame(Frame::Head(_, head, data)) => {
                    if !self.begin(head) || !self.pass_on(data).await {
                        return Ok(Ended::Unwanted);
                    }
                }
                Woken::Frame(Frame::Data(data)) => {
                    if !self.pass_on(data).await {
                        return Ok(Ended::Unwanted);
                    }
                }
                Woken::Frame(Frame::End) => {
                    if self.left.is_some_and(|left| left > 0) && !self.job.exchange.is_head {
                        log::warn!("WSGI: the application sends less than its Content-Length says");
                    } else if let Some(chunks) = &self.chunks {
                        // Its client may have gone.
                        let _ = chunks.send(Chunk::END).await;
                    }
                    return Ok(Ended::Done);
                }
                // Without an end, the writer cuts the connection.
                Woken::Frame(Frame::Cut(_)) => return Ok(Ended::Done),
                Woken::Unwanted => return Ok(Ended::Unwanted),
                Woken::Gone => {
                    self.fail(
                        StatusCode::BAD_GATEWAY,
                        "the application ended before it answered",
                    );
                    return Ok(Ended::Lost);
                }
                Woken::Late => {
                    self.fail(
                        StatusCode::GATEWAY_TIMEOUT,
                        "the application did not answer in time",
                    );
                    return Ok(Ended::Lost);
                }
            }
            woken = self.wait().await?;
        }
    }

    fn fail(&self, status: StatusCode, explanation: &'static str) {
        if self.chunks.is_none() {
            self.job.fail(status, explanation);
        }
    }

    /// Sends the head of the response; gives whether anybody wants its content.
    fn begin(&mut self, head: Result<AnswerHead, BadHead>) -> bool {
        let AnswerHead { head, length } = match head {
            Ok(head) => head,
            Err(bad) => {
                fail(self.job, &bad.to_string());
                return false;
            }
        };
        let exchange = self.job.exchange;
        let (sender, chunks) = link(CHUNKS);
        let has_content = has_content(&head.status) && !exchange.is_head;
        let body = match has_content {
            false if !exchange.is_head => Body::Empty,
            _ => Body::Stream { chunks, length },
        };
        self.left = length;
        self.chunks = Some(sender);
        self.job.conclude(Ok(Response {
            exchange,
            head,
            body,
        })) && has_content
    }

    /// Passes content on, as much as there may be; gives whether anybody wants it.
    async fn pass_on(&mut self, mut data: Bytes) -> bool {
        if let Some(left) = &mut self.left {
            if data.len() as u64 > *left {
                log::warn!("WSGI: the application sends more than its Content-Length says");
                data.truncate(usize::try_from(*left).unwrap_or(usize::MAX));
            }
            *left -= data.len() as u64;
        }
        match &self.chunks {
            Some(chunks) if !data.is_empty() => chunks.send(Chunk::Data(data)).await.is_ok(),
            _ => true,
        }
    }

    async fn wait(&mut self) -> io::Result<Woken> {
        let heard = now();
        loop {
            let since = heard.max(self.upload.progress.get().unwrap_or(heard));
            let deadline = if self.upload.waits_for_client.get() {
                now()
            } else {
                since
            };
            self.timer.set(deadline + self.timeout);
            let (frames, timer) = (&mut *self.frames, &mut self.timer);
            let frame = async {
                let frame = frames.next().await?;
                Ok(frame.map_or(Woken::Gone, Woken::Frame))
            };
            let unwanted = async {
                match &self.chunks {
                    Some(chunks) => chunks.closed().await,
                    None => self.job.outcomes.closed().await,
                }
                Ok(Woken::Unwanted)
            };
            let late = async {
                timer.expired().await;
                Ok(Woken::Late)
            };
            match or(frame, or(unwanted, late)).await {
                Ok(Woken::Late)
                    if self.upload.waits_for_client.get()
                        || self.upload.progress.get() > Some(since) => {}
                woken => return woken,
            }
        }
    }
}

/// The content of a request, on its way to the worker.
#[derive(Default)]
struct Upload {
    /// The application reads.
    wanted: Notify,
    has_begun: Cell<bool>,
    has_ended: Cell<bool>,
    waits_for_client: Cell<bool>,
    /// When the worker last took something.
    progress: Cell<Option<Instant>>,
    /// What is to be written before anything else.
    out: std::cell::RefCell<BytesMut>,
}

impl Upload {
    /// Sends all content and its end.
    async fn send(&self, content: Option<Box<Content>>, write: &WriteHalf<'_>) -> io::Result<()> {
        self.has_begun.set(true);
        let mut content = content;
        loop {
            self.waits_for_client.set(true);
            let chunk = match &mut content {
                Some(content) => content.next().await,
                None => Ok(None),
            };
            self.waits_for_client.set(false);
            self.progress.set(Some(now()));
            match chunk {
                Ok(Some(chunk)) => {
                    encode_content(&mut self.out.borrow_mut(), &chunk);
                    self.flush(write).await?;
                }
                end => {
                    if let Err(incomplete) = &end {
                        log::debug!("WSGI: {incomplete}");
                    }
                    encode_end(&mut self.out.borrow_mut(), end.is_ok());
                    self.has_ended.set(true);
                    return self.flush(write).await;
                }
            }
        }
    }

    /// Ends the content, of which there may be more, for a thread that does not want it any more.
    async fn end(&self, write: &WriteHalf<'_>) -> io::Result<()> {
        if !self.has_ended.replace(true) {
            encode_end(&mut self.out.borrow_mut(), false);
        }
        self.flush(write).await
    }

    async fn flush(&self, write: &WriteHalf<'_>) -> io::Result<()> {
        loop {
            let written = {
                let mut out = self.out.borrow_mut();
                if out.is_empty() {
                    return Ok(());
                }
                write.try_write(&out).map(|count| {
                    drop(out.split_to(count));
                })
            };
            match written {
                Ok(()) => self.progress.set(Some(now())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => write.writable().await?,
                // Whoever reads the responses sees that the worker is gone.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    self.out.borrow_mut().clear();
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Answers with a response that has come whole.
fn answer(job: &Job, head: Result<AnswerHead, BadHead>, data: Bytes) {
    match head {
        Ok(head) => {
            job.conclude(Ok(complete(job.exchange, head, data)));
        }
        Err(bad) => fail(job, &bad.to_string()),
    }
}

/// The application has failed. Its words are for the log, not for the client.
fn fail(job: &Job, error: &str) {
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
        // The length is what GET would have had (RFC 9110 section 9.3.2).
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
                // The sender goes without an end, so that the connection is cut.
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
    Response {
        exchange,
        head,
        body,
    }
}

/// Whether a response with this status has content at all (RFC 9110 sections 15.3.5 and 15.4.5).
fn has_content(status: &StatusCode) -> bool {
    !matches!(*status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

fn nonsense(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
