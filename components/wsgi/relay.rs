//! A channel: the exchanges of one thread of a worker, one after another. Bodies travel in both
//! directions at the same time, with backpressure.
//!
//! ```text
//!                      ┌──────────────────┐ ──▶ outcomes    response or failure, to its connection
//!  channel (socket) ◀─▶│ relay_exchanges  │ ──▶ chunks      body of the response, to its writer
//!                      └──────────────────┘ ◀── content     body of the request, from its parser
//! ```

mod answer;
mod download;
mod upload;

use std::future::{pending, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;

use futures_lite::future::or;
use kamea::Component;
use kamea::time::{Timer, sleep};
use rustix::net::{Shutdown, shutdown};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::UnixStream;
use tokio::net::unix::{ReadHalf, WriteHalf};

use super::frame::{Frame, FrameDecoder};
use super::pool::{Begun, Job, Key, Pool};
use crate::chassis::NoPorts;
use crate::stream::poll_into_buffer;
use crate::web::Content;

use answer::{answer, fail};
use download::Download;
use upload::Upload;

/// How many bytes of an unwanted response are read to find its end.
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

/// The frames from the worker.
struct Frames<'a> {
    read: ReadHalf<'a>,
    decoder: FrameDecoder,
    key: Key,
    pool: &'a Pool,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The thread is free.
    Done,
    /// Nobody wants the rest.
    Unwanted,
    /// The channel is closed, or was given up.
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
                    let ended = match self.pool.begin(self.key, number) {
                        Begun::Job(mut job) => {
                            let content = job.content.take();
                            self.exchange(&job, content, frame).await?
                        }
                        Begun::Unwanted => {
                            // Its thread may wait for a body, which does not arrive.
                            Upload::default().end(&self.write).await?;
                            Ended::Unwanted
                        }
                        Begun::Unknown => {
                            return Err(nonsense("nobody has asked for this response"));
                        }
                    };
                    match ended {
                        Ended::Done => drop(self.pool.finish(self.key, number)),
                        Ended::Unwanted if self.find_end().await? => {
                            self.pool.finish(self.key, number);
                        }
                        Ended::Unwanted => {
                            self.pool.abandon(self.key, number);
                            // The next writes of the thread fail. The data that it already sent is
                            // still read, because it may be another response.
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

    /// Handles an exchange that does not consist of one complete answer.
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
            // The thread waits for the end of the body, or reads up to it.
            let end = async { upload.end(write).await.map(|()| ended) };
            let late = async {
                sleep(self.pool.application.timeout).await;
                Ok(Ended::Lost)
            };
            ended = or(end, late).await?;
        }
        if ended == Ended::Lost {
            // The process hangs, or has ended.
            self.pool.retire(self.key);
        }
        Ok(ended)
    }

    /// Searches the end of an unwanted response in the data that has arrived already.
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
    /// The next frame; `None` at the end.
    async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.decoder.next().map_err(nonsense)? {
                return Ok(Some(frame));
            }
            // All requests that can be sent because of the last data are sent together.
            self.pool.flush(self.key);
            let read = &mut self.read;
            let bytes = poll_fn(|cx| {
                poll_into_buffer(|buffer| {
                    let mut buffer = ReadBuf::new(buffer);
                    let poll = Pin::new(&mut *read).poll_read(cx, &mut buffer);
                    poll.map_ok(|()| buffer.filled().len())
                })
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

fn nonsense(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}
