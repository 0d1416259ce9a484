//! The handling of components that fail, and that no other component is affected.

mod dead_letters;
mod panics;
mod policies;
mod restarts;
mod stopping;

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use super::{Fault, Policy, Restart, Restarts};
use crate::testing::block_on;
use crate::{
    Cause, Composite, Done, End, Graph, GraphError, Inbox, Outbox, Part, Pipe, PipeHandles, Ports,
    Receiver, Scheduler, Sender, Sink, Source, blocking,
};

const MILLISECOND: Duration = Duration::from_millis(1);
/// Long enough for anything that must happen.
const AGES: Duration = Duration::from_secs(60);

/// Immediate restarts, as many as requested.
fn at_once(times: u32) -> Restart {
    Restart::new(times, AGES).pause(Duration::ZERO, Duration::ZERO)
}

#[derive(Clone, Copy, Debug)]
enum Failing {
    Error,
    Panic,
}

fn fail(how: Failing, number: u32) -> Done {
    match how {
        Failing::Error => Err(End::fault(format!("{number}"))),
        Failing::Panic => panic!("{number}"),
    }
}

/// Passes numbers on, and fails at those that end in 3.
fn pass(how: Failing) -> impl AsyncFnMut(&mut Pipe<u32, u32>) -> Done + Clone + Send + Sync {
    async move |io: &mut Pipe<u32, u32>| {
        while let Some(number) = io.inbox.next().await {
            if number % 10 == 3 {
                fail(how, number)?;
            }
            io.outbox.send(number).await?;
        }
        Ok(())
    }
}

fn pass_blocking(how: Failing) -> impl FnMut(&mut Pipe<u32, u32>) -> Done + Send {
    move |io: &mut Pipe<u32, u32>| {
        while let Some(number) = io.inbox.next_blocking() {
            if number % 10 == 3 {
                fail(how, number)?;
            }
            io.outbox.send_blocking(number)?;
        }
        Ok(())
    }
}

#[derive(Ports)]
struct NoPorts {}
