//! Sends requests to their backends, and passes on the responses. A request that failed before a
//! response began goes to another backend, if it may.

use http::StatusCode;
use kamea::{Component, End, Inbox, Outbox, Ports};
use kamea_components::web::{Failure, Forwarded, Notice, Remark, Response};

use super::attempt::{Buffers, Outcome, attempt};
use super::report::{Listeners, Report};
use super::{AttemptError, Chosen, Routed};
use crate::Proxy;
use crate::backends::{BackendState, Choice};
use crate::plan::Errors;

/// The ports of [`exchange_requests`].
#[derive(Debug, Ports)]
pub struct ExchangePorts {
    /// The requests with their routes.
    pub routed: Inbox<Box<Routed>>,
    /// The backends that were asked for.
    pub chosen: Inbox<Chosen>,
    /// Requests that need a backend.
    pub asked: Outbox<Box<Routed>>,
    /// The responses.
    pub responses: Outbox<Response>,
    /// The requests that no backend has answered.
    pub failures: Outbox<Failure>,
    /// Interim responses.
    pub notices: Option<Outbox<Notice>>,
    /// The attempts of each request, for the access log.
    pub forwarded: Option<Outbox<Forwarded>>,
    /// The attempts of a request that is explained.
    pub remarks: Option<Outbox<Remark>>,
}

impl ExchangePorts {
    pub(super) const fn listeners(&self) -> Listeners<'_> {
        Listeners {
            forwarded: self.forwarded.as_ref(),
            remarks: self.remarks.as_ref(),
        }
    }
}

/// Sends each request to a backend, and passes on its response while it arrives: one request of a
/// connection after the other.
pub fn exchange_requests(proxy: Proxy) -> impl Component<ExchangePorts> {
    async move |io: &mut ExchangePorts| {
        let mut buffers = Buffers::default();
        while let Some(mut request) = io.routed.next().await {
            request.report = Report::begin(&request, &io.listeners());
            if let Err(failure) = serve(io, &proxy, request, &mut buffers).await? {
                io.failures.send(*failure).await?;
            }
        }
        Ok(())
    }
}

/// Serves a request, in one attempt or in several.
async fn serve(
    io: &mut ExchangePorts,
    proxy: &Proxy,
    mut request: Box<Routed>,
    buffers: &mut Buffers,
) -> Result<Result<(), Box<Failure>>, End> {
    if let Some(most) = request.group.route().buffer {
        // Boxed, because few routes have it.
        if let Err(incomplete) = Box::pin(request.body.buffer(most)).await {
            return Ok(Err(Box::new(Failure::incomplete(
                request.exchange,
                incomplete,
            ))));
        }
    }
    loop {
        io.asked.send(request).await?;
        let chosen = io.chosen.next().await.ok_or(End::Closed)?;
        request = chosen.request;
        let in_flight = match chosen.choice {
            Choice::Backend(in_flight) => in_flight,
            none => {
                tell(io, &request).await?;
                return Ok(Err(Box::new(refuse(&request, &none, proxy.errors()))));
            }
        };
        let (state, index) = (in_flight.backend().clone(), in_flight.index());
        let group = in_flight.group().clone();
        let (peer, ejection) = (request.exchange.peer, &group.route().ejection);
        let connector = proxy.connector();
        if let Some(report) = &mut request.report {
            Box::pin(report.attempt(&state, &io.listeners())).await?;
        }
        let ended = attempt(buffers, &mut request, in_flight, connector, io).await?;
        let error = match ended {
            Outcome::Answered => return Ok(Ok(())),
            Outcome::Cut(why, is_of_backend) => {
                if is_of_backend {
                    state.failed(ejection, &why);
                }
                log::error!("{peer} | {}: {why}", state.backend());
                return Ok(Ok(()));
            }
            Outcome::Failed(error) => error,
        };
        note_failed(&mut request, &state, &error);
        if !may_retry(&request, &error) {
            tell(io, &request).await?;
            log::error!("{peer} | {}: {error}", state.backend());
            return Ok(Err(Box::new(fail(&request, error, proxy.errors()))));
        }
        log::info!("{peer} | {}: {error}; another attempt", state.backend());
        request.tried.push(index);
        request.body.rewind();
    }
}

/// Notes that an attempt at a backend failed.
fn note_failed(request: &mut Routed, state: &BackendState, error: &AttemptError) {
    if error.is_of_backend() {
        state.failed(&request.group.route().ejection, error);
    }
    if let Some(report) = &mut request.report {
        report.failed(error);
    }
}

/// Says what came of the attempts of a request that gets no response.
async fn tell(io: &ExchangePorts, request: &Routed) -> Result<(), End> {
    match &request.report {
        Some(report) => Box::pin(report.tell_all(&io.listeners())).await,
        None => Ok(()),
    }
}

fn may_retry(request: &Routed, error: &AttemptError) -> bool {
    let retries = &request.group.route().retries;
    request.tried.len() < retries.most as usize
        && request.body.is_replayable()
        && error.may_retry(&request.head.method, retries)
        && request.group.may_retry()
}

fn refuse(request: &Routed, none: &Choice, errors: Errors) -> Failure {
    let down = match errors {
        Errors::Assignment => StatusCode::NOT_FOUND,
        Errors::Standard => StatusCode::SERVICE_UNAVAILABLE,
    };
    let busy = StatusCode::SERVICE_UNAVAILABLE;
    let (status, why, name) = match none {
        Choice::Full => (
            busy,
            "all backends are busy; try again in a moment",
            "connection_limit_reached",
        ),
        Choice::Refused => (
            busy,
            "the policy of this route takes no request now",
            "destination_unavailable",
        ),
        Choice::Open(_) => (
            busy,
            "too many requests to this route have failed; try again later",
            "destination_unavailable",
        ),
        _ => (
            down,
            "no backend of this route is up",
            "destination_unavailable",
        ),
    };
    log::error!(
        "{} | {}: {why}",
        request.exchange.peer,
        request.group.name()
    );
    let mut failure = failure_of(request, status, why, name);
    if status == busy {
        let wait = match none {
            Choice::Open(wait) => wait.as_secs_f64().ceil().max(1.0),
            _ => 1.0,
        };
        failure = failure.with("Retry-After", wait.to_string());
    }
    failure
}

pub(super) fn fail(request: &Routed, error: AttemptError, errors: Errors) -> Failure {
    if let AttemptError::Client(incomplete) = error {
        return Failure::incomplete(request.exchange, incomplete);
    }
    let why = match &error {
        AttemptError::Connect(_) => "the backend of this host is not reached",
        AttemptError::Send(_) | AttemptError::FirstByte(_) | AttemptError::Whole(_) => {
            "the backend of this host did not answer in time"
        }
        _ => "the backend of this host did not answer properly",
    };
    failure_of(request, error.status(errors), why, error.name())
}

fn failure_of(request: &Routed, status: StatusCode, why: &'static str, name: &str) -> Failure {
    // The rest of a body that is under way would be taken for the next request.
    let exchange = match request.body.is_empty() {
        true => request.exchange,
        false => request.exchange.closing(),
    };
    Failure::new(exchange, status, why).with("Proxy-Status", format!("kamea; error={name}"))
}
