//! One attempt of a component at its work. Panics in it are caught here. A fault returns what a
//! restart needs.

use std::any::Any;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;

use super::Cause;
use crate::component::{Component, Done, End, Started};
use crate::fuse;
use crate::ports::Ports;

/// How an attempt ended: quietly, or by a fault.
pub type Ended = Result<(), Box<Failed>>;

/// A component that has failed, with its ports still open.
pub struct Failed {
    pub(crate) cause: Cause,
    /// The function that panicked, if a function that is fused into an inbox of the component did.
    pub(crate) culprit: Option<Arc<str>>,
    /// Restarts it over the same ports. Dropping it closes them.
    pub(crate) again: Option<Again>,
}

type Again = Box<dyn FnOnce() -> Started>;

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Failed").field(&self.cause).finish()
    }
}

impl Failed {
    pub(crate) fn new(cause: Cause, again: impl FnOnce() -> Started + 'static) -> Self {
        Self {
            again: Some(Box::new(again)),
            ..Self::for_good(cause)
        }
    }

    /// A failure that leaves nothing to restart.
    pub(crate) fn for_good(cause: Cause) -> Self {
        Self {
            cause,
            culprit: None,
            again: None,
        }
    }
}

/// What a component that is an async function does when it is polled.
#[expect(
    clippy::manual_async_fn,
    reason = "the arguments of an `async fn` are kept twice, and a connection at rest is but a component"
)]
pub(crate) fn attempt<P, F>(mut function: F, mut ports: P) -> impl Future<Output = Ended>
where
    P: Ports,
    F: AsyncFnMut(&mut P) -> Done + 'static,
{
    async move {
        let outcome = {
            let mut running = pin!(Some(function(&mut ports)));
            let outcome = poll_fn(|cx| poll_caught(running.as_mut(), cx)).await;
            match catch_unwind(AssertUnwindSafe(|| running.set(None))) {
                Ok(()) => outcome,
                Err(payload) => match outcome {
                    Err(first) => {
                        forget_payload(payload);
                        Err(first)
                    }
                    Ok(_) => Err(payload),
                },
            }
        };
        let Some(cause) = Cause::of(outcome) else {
            let dropped = caught(|| drop((function, ports)));
            return dropped.map_err(|cause| Box::new(Failed::for_good(cause)));
        };
        // A function panics where the component behind it is polled.
        let is_panic = matches!(cause, Cause::Panic(_));
        let culprit = is_panic.then(fuse::culprit).flatten();
        for letter in ports.dead_letters() {
            letter.await;
        }
        Err(Box::new(Failed {
            culprit,
            ..Failed::new(cause, || function.start(ports))
        }))
    }
}

/// Polls a future that may panic.
fn poll_caught<F: Future>(
    future: Pin<&mut Option<F>>,
    cx: &mut Context<'_>,
) -> Poll<thread::Result<F::Output>> {
    let Some(running) = future.as_pin_mut() else {
        return Poll::Pending;
    };
    match catch_unwind(AssertUnwindSafe(|| running.poll(cx))) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(output)) => Poll::Ready(Ok(output)),
        Err(payload) => Poll::Ready(Err(payload)),
    }
}

/// Runs the user's code, which may panic.
pub(crate) fn caught<T>(action: impl FnOnce() -> T) -> Result<T, Cause> {
    catch_unwind(AssertUnwindSafe(action)).map_err(Cause::panic)
}

/// Drops what a component leaves behind when nothing waits for its outcome any more.
pub(crate) fn drop_caught<T>(component: &str, left: T) {
    if let Err(cause) = caught(|| drop(left)) {
        log::error!("component `{component}` panicked while it was dropped: {cause}");
    }
}

/// Drops messages one by one. If several panic, the first panic continues after all are dropped: a
/// second panic during its unwinding would abort the program.
pub fn drop_each<T>(messages: impl IntoIterator<Item = T>) {
    let mut first = None;
    for message in messages {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(message))) {
            match first {
                None => first = Some(payload),
                Some(_) => forget_payload(payload),
            }
        }
    }
    match first {
        Some(payload) if !thread::panicking() => resume_unwind(payload),
        Some(payload) => log::error!("a message {}", Cause::panic(payload)),
        None => {}
    }
}

/// Drops the payload of a panic. That may panic too; the payload of the second panic is leaked.
fn forget_payload(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
}

impl Cause {
    /// Returns the cause of a fault, if the outcome is a fault.
    pub(crate) fn of(outcome: thread::Result<Done>) -> Option<Self> {
        match outcome {
            Ok(Ok(()) | Err(End::Closed)) => None,
            Ok(Err(End::Error(error))) => Some(Self::Error(error)),
            Err(payload) => Some(Self::panic(payload)),
        }
    }

    /// Keeps the text of a panic, and drops its payload.
    pub(crate) fn panic(payload: Box<dyn Any + Send>) -> Self {
        let text = payload.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
        forget_payload(payload);
        Self::Panic(text.unwrap_or_else(|| "(no message)".to_owned()))
    }
}
