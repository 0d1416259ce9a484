//! Makes a response from the output of a program.
//!
//! ```text
//!  output ──▶ ┌────────┐
//!             │ answer │ ──▶ answers    one; its document is streamed
//!  status ──▶ └────────┘
//! ```

use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_lite::future::or;
use http::StatusCode;
use kamea::time::sleep;
use kamea::{Component, Done, End, Inbox, Outbox, Ports, Sender, link, unblock};

use super::reply::{Reply, ReplyDecoder, ReplyError};
use crate::http::{Chunk, Fields, ResponseHead};
use crate::process::carriage_return;
use crate::web::{Body, Exchange, Failure, Response};

/// The ports of [`answer`].
#[derive(Debug, Ports)]
pub(super) struct AnswerPorts {
    /// The output of the program.
    pub(super) output: Inbox<Bytes>,
    /// The exit status of the program.
    pub(super) status: Inbox<ExitStatus>,
    /// The answer to the request.
    pub(super) answers: Outbox<Answer>,
}

/// The result of a request.
#[derive(Debug)]
pub(super) enum Answer {
    Response(Response),
    Failure(Failure),
    /// A local redirect: the server must send the resource at this path instead, with these extra
    /// fields.
    Redirect(String, Fields),
}

/// The parameters of an answer.
#[derive(Debug, Clone)]
pub(super) struct AnswerOptions {
    pub(super) exchange: Exchange,
    /// The program's name in the log.
    pub(super) name: String,
    /// The time limit without output.
    pub(super) silence: Duration,
    /// In bytes.
    pub(super) largest_header: usize,
    /// Whether the program writes the raw response itself (RFC 3875 section 5).
    pub(super) is_verbatim: bool,
}

/// The limits of a document that is sent with its true length: how long it may take to be complete,
/// and its size in bytes.
const WHOLE: (Duration, usize) = (Duration::from_millis(5), 64 * 1024);

/// How many pieces of a document may wait for the client.
const WAITING: usize = 4;

/// How long a program may take to exit after its last output, before the output counts as complete.
/// A program that crashes does so at once.
const ENDING: Duration = Duration::from_millis(100);

/// The exit status of a shell, and of `env`, that did not find a program.
const NOT_FOUND: i32 = 127;

/// Makes a response from the output of a program.
///
/// A document that is complete at once is sent with its true length, whatever length the program
/// declared. Any other is streamed: in chunks, or with the length that the program declared, and
/// everything beyond it is dropped. If a program crashes, falls silent or writes less than it
/// declared, the response has no end, so that the connection is cut.
pub(super) fn answer(options: AnswerOptions) -> impl Component<AnswerPorts> + Send {
    async move |io: &mut AnswerPorts| {
        let mut answering = Answering {
            io,
            options: &options,
        };
        if options.is_verbatim {
            return answering.pass_verbatim().await;
        }
        match answering.header().await? {
            ControlFlow::Continue((reply, document)) => answering.reply(reply, document).await,
            ControlFlow::Break(status) => {
                let explanation = match status {
                    StatusCode::GATEWAY_TIMEOUT => "the program did not answer in time",
                    _ => "the program did not answer as it should",
                };
                answering.fail(status, explanation).await
            }
        }
    }
}

struct Answering<'a> {
    io: &'a mut AnswerPorts,
    options: &'a AnswerOptions,
}

/// The result of waiting for a program.
enum Next {
    Bytes(Bytes),
    End,
    Silent,
}

impl Answering<'_> {
    async fn next(&mut self) -> Next {
        let silence = self.options.silence;
        let bytes = async { self.io.output.next().await.map_or(Next::End, Next::Bytes) };
        let silent = async {
            sleep(silence).await;
            Next::Silent
        };
        or(bytes, silent).await
    }

    /// The header, and the part of the document that arrived with it; or the status that says why
    /// there is no header.
    async fn header(&mut self) -> Result<ControlFlow<StatusCode, (Reply, Bytes)>, End> {
        let mut decoder = ReplyDecoder::new(self.options.largest_header);
        loop {
            let decoded = match self.next().await {
                Next::Bytes(bytes) => decoder.feed(&bytes),
                Next::End => {
                    let status = self.io.status.next().await;
                    // No status: the program could not be started, which is a fault of its own.
                    let status = status.ok_or(End::Closed)?;
                    let hint = self.hint(status).await;
                    self.complain(format_args!("{} ({status}){hint}", decoder.finish()));
                    return Ok(ControlFlow::Break(StatusCode::BAD_GATEWAY));
                }
                Next::Silent => {
                    self.complain_of_silence();
                    return Ok(ControlFlow::Break(StatusCode::GATEWAY_TIMEOUT));
                }
            };
            match decoded {
                Ok(Some(decoded)) => {
                    let (peer, name) = (self.options.exchange.peer, &self.options.name);
                    for remark in decoder.remarks() {
                        log::warn!("{peer} | {name}: {remark}");
                    }
                    return Ok(ControlFlow::Continue(decoded));
                }
                Ok(None) => {}
                Err(bad) => {
                    self.complain(format_args!("{bad}"));
                    return Ok(ControlFlow::Break(StatusCode::BAD_GATEWAY));
                }
            }
        }
    }

    /// The possible reason why a program has written nothing: `env` did not find the interpreter of
    /// its first line, because that ends in a carriage return (exit status 127).
    async fn hint(&self, status: ExitStatus) -> String {
        if status.code() != Some(NOT_FOUND) {
            return String::new();
        }
        let program = self.options.name.clone();
        let reason = unblock(move || carriage_return(Path::new(&program))).await;
        reason.map_or(String::new(), |reason| format!(": {reason}"))
    }

    async fn reply(&mut self, reply: Reply, document: Bytes) -> Done {
        let (head, length) = match reply {
            Reply::Document { head, length } => (head, length),
            Reply::LocalRedirect { path, fields } => {
                let answer = Answer::Redirect(path, fields);
                self.io.answers.send(answer).await?;
                let dropped = document.len() + self.read_on().await;
                if dropped > 0 {
                    self.complain(format_args!(
                        "the document beside its local redirect is not sent: {dropped} bytes"
                    ));
                }
                return Ok(());
            }
        };
        let has_none = [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&head.status);
        if has_none || self.options.exchange.is_head {
            let body = if has_none {
                Body::Empty
            } else {
                // Nobody reads it: it only shows which length there would be.
                let (_, chunks) = link(1);
                Body::Stream { chunks, length }
            };
            self.respond(head, body).await?;
            self.read_on().await;
            return Ok(());
        }
        match self.whole(document).await {
            Ok(document) => match self.io.status.next().await {
                Some(status) if status.code().is_none() => {
                    self.complain(format_args!("it died ({status})"));
                    let explanation = "the program did not answer as it should";
                    self.fail(StatusCode::BAD_GATEWAY, explanation).await
                }
                _ => self.respond(head, Body::Bytes(document)).await,
            },
            Err(begun) => self.stream(head, length, begun).await,
        }
    }

    /// The whole document, if it is complete at once; else the part so far.
    async fn whole(&mut self, begun: Bytes) -> Result<Bytes, Bytes> {
        let mut document = BytesMut::from(begun);
        let gathering = async {
            while document.len() < WHOLE.1 {
                match self.io.output.next().await {
                    Some(bytes) => document.extend_from_slice(&bytes),
                    None => return true,
                }
            }
            false
        };
        let late = async {
            sleep(WHOLE.0).await;
            false
        };
        match or(gathering, late).await {
            true => Ok(document.freeze()),
            false => Err(document.freeze()),
        }
    }

    async fn stream(&mut self, head: ResponseHead, length: Option<u64>, begun: Bytes) -> Done {
        let (to, chunks) = link(WAITING);
        self.respond(head, Body::Stream { chunks, length }).await?;
        let (mut bytes, mut written) = (begun, 0);
        loop {
            let room = length.map_or(u64::MAX, |length| length.saturating_sub(written));
            let passed =
                bytes.split_to(usize::try_from(room).unwrap_or(usize::MAX).min(bytes.len()));
            written += (passed.len() + bytes.len()) as u64;
            if !passed.is_empty() {
                to.send(Chunk::Data(passed)).await?;
            }
            bytes = match self.next().await {
                Next::Bytes(bytes) => bytes,
                Next::End => break,
                Next::Silent => {
                    self.complain_of_silence();
                    return Ok(());
                }
            };
        }
        if let Some(length) = length
            && length != written
        {
            self.complain(format_args!(
                "it said that its document has {length} bytes, and wrote {written}"
            ));
        }
        let is_short = length.is_some_and(|length| written < length);
        if !is_short && !self.has_died().await {
            to.send(Chunk::END).await?;
        }
        drop(to);
        self.read_on().await;
        Ok(())
    }

    /// Whether a signal killed the program.
    async fn has_died(&mut self) -> bool {
        let status = async { self.io.status.next().await };
        let later = async {
            sleep(ENDING).await;
            None
        };
        match or(status, later).await {
            Some(status) if status.code().is_none() => {
                self.complain(format_args!("it died ({status})"));
                true
            }
            _ => false,
        }
    }

    /// Passes on everything unchanged.
    async fn pass_verbatim(&mut self) -> Done {
        let first = match self.next().await {
            Next::Bytes(bytes) => bytes,
            Next::End => {
                self.io.status.next().await.ok_or(End::Closed)?;
                self.complain(format_args!("{}", ReplyError::Nothing));
                let explanation = "the program did not answer";
                return self.fail(StatusCode::BAD_GATEWAY, explanation).await;
            }
            Next::Silent => {
                self.complain_of_silence();
                let explanation = "the program did not answer in time";
                return self.fail(StatusCode::GATEWAY_TIMEOUT, explanation).await;
            }
        };
        let (to, chunks) = link(WAITING);
        let head = ResponseHead::new(status_of(&first).unwrap_or(StatusCode::OK));
        self.respond(head, Body::Verbatim(chunks)).await?;
        self.pass_on(&to, first).await
    }

    async fn pass_on(&mut self, to: &Sender<Chunk>, first: Bytes) -> Done {
        let mut bytes = first;
        loop {
            to.send(Chunk::Data(bytes)).await?;
            bytes = match self.next().await {
                Next::Bytes(bytes) => bytes,
                Next::End => return Ok(to.send(Chunk::END).await?),
                Next::Silent => {
                    self.complain_of_silence();
                    return Ok(());
                }
            };
        }
    }

    /// Lets the program finish, though its output is not wanted any more. Returns the number of
    /// bytes of that output.
    async fn read_on(&mut self) -> usize {
        let mut unwanted = 0;
        loop {
            match self.next().await {
                Next::Bytes(bytes) => unwanted += bytes.len(),
                Next::End => return unwanted,
                Next::Silent => {
                    self.complain_of_silence();
                    return unwanted;
                }
            }
        }
    }

    async fn respond(&self, head: ResponseHead, body: Body) -> Done {
        let response = Response::from(head)
            .with_body(body)
            .to(self.options.exchange);
        Ok(self.io.answers.send(Answer::Response(response)).await?)
    }

    async fn fail(&self, status: StatusCode, explanation: &'static str) -> Done {
        let failure = Failure::new(self.options.exchange, status, explanation);
        Ok(self.io.answers.send(Answer::Failure(failure)).await?)
    }

    fn complain_of_silence(&self) {
        let seconds = self.options.silence.as_secs_f64();
        self.complain(format_args!(
            "it was killed: it wrote nothing for {seconds} s"
        ));
    }

    fn complain(&self, what: std::fmt::Arguments<'_>) {
        let (peer, name) = (self.options.exchange.peer, &self.options.name);
        log::error!("{peer} | {name}: {what}");
    }
}

/// The status of a response that is passed on unchanged: for the access log.
fn status_of(response: &[u8]) -> Option<StatusCode> {
    let code = response.strip_prefix(b"HTTP/1.")?.get(2..5)?;
    StatusCode::from_bytes(code).ok()
}
