//! What is said about a request beside its response: to the access log, and in its explanation.

use std::time::{Duration, Instant};

use http::StatusCode;
use kamea::time::turn;
use kamea::{End, Outbox};
use kamea_components::web::{Attempted, Forwarded, Remark};

use super::{AttemptError, Routed};
use crate::backends::BackendState;

/// The attempts of a request, for the access log and for its explanation.
#[derive(Debug)]
pub(super) struct Report {
    forwarded: Forwarded,
    /// When the present attempt began.
    began: Instant,
}

/// Who learns about the attempts of a request.
pub(super) struct Listeners<'a> {
    pub(super) forwarded: Option<&'a Outbox<Forwarded>>,
    pub(super) remarks: Option<&'a Outbox<Remark>>,
}

impl Report {
    /// A report of a request, if somebody reads it.
    pub(super) fn begin(request: &Routed, listeners: &Listeners<'_>) -> Option<Box<Self>> {
        if listeners.forwarded.is_none() && listeners.remarks.is_none() {
            return None;
        }
        let number = request.exchange.number;
        let route = request.group.name().clone();
        Some(Box::new(Self {
            forwarded: Forwarded::new(number, request.client(), route),
            began: turn(),
        }))
    }

    /// Notes that an attempt begins. The log learns it now: a client that goes before the response
    /// is recorded too.
    pub(super) async fn attempt(
        &mut self,
        state: &BackendState,
        listeners: &Listeners<'_>,
    ) -> Result<(), End> {
        self.began = turn();
        let attempted = Attempted::new(state.name().clone());
        self.forwarded.attempts.push(attempted);
        self.tell_log(listeners).await
    }

    /// Notes that a new connection was opened, which took this long.
    pub(super) fn connected(&mut self, after: Duration) {
        if let Some(attempted) = self.forwarded.attempts.last_mut() {
            attempted.connect = Some(after);
        }
    }

    /// Notes that the response began.
    pub(super) async fn answered(
        &mut self,
        status: StatusCode,
        listeners: &Listeners<'_>,
    ) -> Result<(), End> {
        let after = turn() - self.began;
        if let Some(attempted) = self.forwarded.attempts.last_mut() {
            attempted.status = Some(status);
            attempted.first_byte = Some(after);
            attempted.took = after;
        }
        self.tell_all(listeners).await
    }

    /// Notes that the attempt failed.
    pub(super) fn failed(&mut self, error: &AttemptError) {
        if let Some(attempted) = self.forwarded.attempts.last_mut() {
            attempted.failed = Some(error.name());
            attempted.took = turn() - self.began;
        }
    }

    /// Tells the log and the explanation what has happened so far: the result of the request
    /// follows.
    pub(super) async fn tell_all(&self, listeners: &Listeners<'_>) -> Result<(), End> {
        self.tell_log(listeners).await?;
        if let Some(remarks) = listeners.remarks {
            remarks.send(self.remark()).await?;
        }
        Ok(())
    }

    async fn tell_log(&self, listeners: &Listeners<'_>) -> Result<(), End> {
        if let Some(forwarded) = listeners.forwarded {
            forwarded.send(self.forwarded.clone()).await?;
        }
        Ok(())
    }

    fn remark(&self) -> Remark {
        let attempts = &self.forwarded.attempts;
        let verdict = match attempts.last() {
            None => "asks no backend".to_owned(),
            Some(last) => {
                let result = last
                    .failed
                    .map_or("gets the response of", |_| "got none from");
                let count = attempts.len();
                let attempts = if count == 1 { "attempt" } else { "attempts" };
                format!("{result} {} in {count} {attempts}", last.upstream)
            }
        };
        let mut remark = Remark::new(verdict);
        for (number, attempt) in attempts.iter().enumerate() {
            let over = match attempt.connect {
                Some(after) => format!("a new connection, open after {}", shown(after)),
                None if attempt.failed.is_some() && attempt.status.is_none() => {
                    "no new connection".to_owned()
                }
                None => "an idle connection".to_owned(),
            };
            let rule = format!(
                "attempt {} at {}, over {over}",
                number + 1,
                attempt.upstream
            );
            let took = shown(attempt.took);
            let result = match (attempt.failed, attempt.status) {
                (Some(error), _) => format!("{error} after {took}"),
                (None, Some(status)) => format!("{status} after {took}"),
                (None, None) => "no result yet".to_owned(),
            };
            remark = remark.with(rule, result);
        }
        remark
    }
}

/// A time in milliseconds.
fn shown(time: Duration) -> String {
    format!("{:.3} ms", 1e3 * time.as_secs_f64())
}
