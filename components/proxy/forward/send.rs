//! The first half of an attempt: sends the request.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::{Timer, sleep, turn};
use kamea_components::net::Socket;

use super::AttemptError;
use super::body::{Framing, OutgoingBody};

/// How long a backend may take to ask for a body with 100 (Continue), before it gets it anyway (RFC
/// 9110 section 10.1.1).
const CONTINUE: Duration = Duration::from_secs(1);

/// Sends a request.
pub(super) struct Sending<'a> {
    socket: &'a Socket,
    /// How long the backend may take nothing.
    stall: Duration,
    /// Whether the backend has asked for the body, if it has to.
    may_send: &'a Cell<bool>,
    timer: &'a mut Timer,
}

impl<'a> Sending<'a> {
    pub(super) fn new(
        socket: &'a Socket,
        stall: Duration,
        may_send: &'a Cell<bool>,
        timer: &'a mut Timer,
    ) -> Self {
        Self {
            socket,
            stall,
            may_send,
            timer,
        }
    }

    /// Sends the whole request. Returns false if the backend takes no more: it may have said why.
    pub(super) async fn send(
        mut self,
        buffer: &mut Vec<u8>,
        body: &mut OutgoingBody,
        framing: Framing,
    ) -> Result<bool, AttemptError> {
        if body.is_empty() {
            return self.write(buffer).await;
        }
        if !self.may_send.get() {
            if !self.write(buffer).await? {
                return Ok(false);
            }
            buffer.clear();
            self.wait_for_continue().await;
        }
        loop {
            let part = body.next().await?;
            body.encode(buffer, framing, part.as_ref());
            if !self.write(buffer).await? {
                return Ok(false);
            }
            buffer.clear();
            if part.is_none() {
                return Ok(true);
            }
        }
    }

    async fn wait_for_continue(&self) {
        let asked = poll_fn(|_| match self.may_send.get() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        });
        or(asked, sleep(CONTINUE)).await;
        self.may_send.set(true);
    }

    pub(super) async fn write(&mut self, mut bytes: &[u8]) -> Result<bool, AttemptError> {
        while !bytes.is_empty() {
            self.timer.set(turn() + self.stall);
            let late = async {
                self.timer.expired().await;
                Err(AttemptError::Send(self.stall))
            };
            let written = async { Ok(self.socket.write(bytes, false).await) };
            match or(written, late).await? {
                Ok(count) => bytes = &bytes[count..],
                Err(error) => {
                    log::debug!("a backend reads no more of a request: {error}");
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
