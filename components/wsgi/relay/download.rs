//! The response of an exchange, on its way to the client.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use http::StatusCode;
use kamea::time::{Timer, now};
use kamea::{Sender, link};

use super::answer::{answer, fail, has_content};
use super::upload::Upload;
use super::{Ended, Frames};
use crate::http::Chunk;
use crate::web::{Body, Response};
use crate::wsgi::frame::{AnswerHead, Frame, HeadError};
use crate::wsgi::pool::Job;

/// How many chunks of a response may wait for the client.
const CHUNKS: usize = 4;

/// The response of an exchange, on its way to the client.
pub(super) struct Download<'a, 'b> {
    pub(super) job: &'a Job,
    pub(super) frames: &'a mut Frames<'b>,
    pub(super) upload: &'a Upload,
    pub(super) timer: Timer,
    pub(super) timeout: Duration,
    /// The receiver of the body, once the head has been sent.
    pub(super) chunks: Option<Sender<Chunk>>,
    /// The remaining bytes of the body, if the length is known.
    pub(super) left: Option<u64>,
}

/// Why the wait for a frame ended.
enum Woken {
    Frame(Frame),
    /// The channel is closed.
    Closed,
    /// Nobody wants the response any more.
    Unwanted,
    Late,
}

impl Download<'_, '_> {
    pub(super) async fn run(&mut self, first: Frame) -> io::Result<Ended> {
        let mut woken = Woken::Frame(first);
        loop {
            match woken {
                Woken::Frame(Frame::Wanted(_)) => self.upload.wanted.notify_one(),
                Woken::Frame(Frame::Answer(_, head, data)) => {
                    answer(self.job, head, data);
                    return Ok(Ended::Done);
                }
                Woken::Frame(Frame::Failed(_, error)) => {
                    match self.upload.incomplete.take() {
                        // Most applications fail when they read an incomplete body; that is not
                        // their fault.
                        Some(cut) => self.job.fail_cut_off(cut),
                        None => fail(self.job, &error),
                    }
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
                        // Its client may have disconnected.
                        let _ = chunks.send(Chunk::END).await;
                    }
                    return Ok(Ended::Done);
                }
                // Without an end, the writer cuts the connection.
                Woken::Frame(Frame::Cut(_)) => return Ok(Ended::Done),
                Woken::Unwanted => return Ok(Ended::Unwanted),
                Woken::Closed => {
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

    /// Sends the head of the response; returns whether anybody wants its body.
    fn begin(&mut self, head: Result<AnswerHead, HeadError>) -> bool {
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
        let response = Response::from(head).with_body(body).to(exchange);
        self.job.conclude(Ok(response)) && has_content
    }

    /// Passes on a part of the body, up to the declared length; returns whether anybody wants it.
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
                Ok(frame.map_or(Woken::Closed, Woken::Frame))
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
