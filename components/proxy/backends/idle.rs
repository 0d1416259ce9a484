//! The idle connections to backends. Each worker has its own: a connection never changes its
//! worker, and borrowing one costs no lock.
//!
//! A connection that the backend has closed meanwhile is noticed when it is borrowed, and within a
//! second otherwise.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use kamea::time::{sleep, turn};
use kamea::{Done, Graph, is_stopping, spawn, stopping};
use kamea_components::chassis::NoPorts;
use kamea_components::net::Socket;

use super::{BackendDecoder, BackendState};
use crate::plan::Route;

/// A connection to a backend, between two requests or within one.
#[derive(Debug)]
pub(crate) struct BackendConnection {
    pub(crate) socket: Socket,
    pub(crate) decoder: BackendDecoder,
}

struct Idle {
    connection: BackendConnection,
    until: Instant,
    _counted: Counted,
}

/// Counts an idle connection of a backend.
struct Counted(Arc<BackendState>);

#[derive(Default)]
struct Pool {
    /// By the number of the backend; the connection that was used last is the last.
    idle: HashMap<u64, VecDeque<Idle>>,
    is_swept: bool,
}

thread_local! {
    static POOL: RefCell<Pool> = RefCell::default();
}

/// How often the worker looks for idle connections that have ended.
const SWEEP: Duration = Duration::from_secs(1);

/// Borrows an idle connection of a backend, if this worker has one that is still open.
pub(crate) fn take(state: &BackendState) -> Option<BackendConnection> {
    POOL.with_borrow_mut(|pool| {
        let idle = pool.idle.get_mut(&state.id())?;
        while let Some(kept) = idle.pop_back() {
            // What arrives between two responses is the end, or belongs to no request.
            if !kept.connection.socket.has_input() && turn() < kept.until {
                state.counters().reused.fetch_add(1, Relaxed);
                return Some(kept.connection);
            }
        }
        None
    })
}

/// Keeps a connection for the next request; drops the one that was idle longest if there are too
/// many.
pub(crate) fn keep(state: &Arc<BackendState>, connection: BackendConnection, route: &Route) {
    if route.keep_idle == 0 || is_stopping() {
        return;
    }
    let kept = Idle {
        connection,
        until: turn() + route.idle_time,
        _counted: Counted::new(state),
    };
    let starts = POOL.with_borrow_mut(|pool| {
        let idle = pool.idle.entry(state.id()).or_default();
        idle.push_back(kept);
        if idle.len() > route.keep_idle {
            idle.pop_front();
        }
        !std::mem::replace(&mut pool.is_swept, true)
    });
    if starts {
        start_sweeper();
    }
}

impl Counted {
    fn new(state: &Arc<BackendState>) -> Self {
        state.counters().idle.fetch_add(1, Relaxed);
        Self(state.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.counters().idle.fetch_sub(1, Relaxed);
    }
}

fn start_sweeper() {
    let mut graph = Graph::new("idle connections to backends");
    graph.add("sweeper", async |_: &mut NoPorts| -> Done {
        let _sweeping = Sweeping;
        loop {
            let is_over = or(
                async {
                    stopping().await;
                    true
                },
                async {
                    sleep(SWEEP).await;
                    false
                },
            );
            if is_over.await || sweep(turn()) {
                return Ok(());
            }
        }
    });
    match graph.start() {
        Ok(flow) => spawn(flow),
        Err(error) => log::error!("the idle connections are not watched: {error}"),
    }
}

/// The sweeper of a worker, while it runs.
struct Sweeping;

impl Drop for Sweeping {
    fn drop(&mut self) {
        // At the end of a thread nothing is left to sweep.
        let _ = POOL.try_with(|pool| {
            if let Ok(mut pool) = pool.try_borrow_mut() {
                pool.is_swept = false;
                pool.idle.clear();
            }
        });
    }
}

/// Drops the connections that have ended or were idle too long; returns whether none is left.
fn sweep(now: Instant) -> bool {
    POOL.with_borrow_mut(|pool| {
        pool.idle.retain(|_, idle| {
            idle.retain(|kept| now < kept.until && !kept.connection.socket.has_input());
            !idle.is_empty()
        });
        pool.idle.is_empty()
    })
}
