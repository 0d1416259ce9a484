//! A flow while a worker drives it: polled with its stop request, and told once to end.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::stop::{self, Stop};
use crate::flow::Flow;
use crate::supervision::Fault;

/// The one loop of graphs with a handle, of children, and of flows that a component has spawned:
/// each of these only knows other reasons to end.
#[derive(Debug)]
pub(super) struct Driven {
    flow: Flow,
    /// What [`stopping`](crate::stopping) reports to its components.
    stop: Option<Arc<Stop>>,
    is_stopping: bool,
}

impl Driven {
    pub(super) fn new(flow: Flow, stop: Option<Arc<Stop>>) -> Self {
        Self {
            flow,
            stop,
            is_stopping: false,
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    /// Begins a graceful stop: its sources end. If it `leaves_ports`, graphs that are linked to its
    /// open ports go on without it.
    pub(super) fn begin_stop(&mut self, leaves_ports: bool) {
        self.is_stopping = true;
        self.flow.stop_sources();
        if leaves_ports {
            self.flow.leave_open_ports();
        }
    }

    /// Polls it to its end. During a stop, what only answers others ends too, once
    /// `nobody_asks` says so.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        nobody_asks: impl FnOnce(&mut Context<'_>) -> bool,
    ) -> Poll<Result<(), Fault>> {
        let before = stop::enter(self.stop.take());
        let outcome = Pin::new(&mut self.flow).poll(cx);
        self.stop = stop::enter(before);
        if self.is_stopping && outcome.is_pending() && self.flow.only_answers() && nobody_asks(cx) {
            self.flow.release_askers();
        }
        outcome
    }
}
