//! How a worker finds rings while its flows run.
//!
//! A flow in which a send has waited for space is on the list of its worker. Now and then the
//! worker looks at these flows. If components seem to wait for each other, it asks the flow, which
//! polls them once more with fresh wakers: a component that waits for something outside keeps a
//! copy of its waker. A flow in which no send waits costs nothing.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use super::record::{Record, Recorded};
use super::registry::Registry;
use super::rings::{Stuck, has_waiting_writers, waits_across};
use crate::graph::Plan;
use crate::simulation;
use crate::time::sleep;

/// How long after a send began to wait the worker looks, and between two looks. It doubles up to
/// `LONGEST` while nothing changes.
const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(4);

/// The flows of a worker that may have a ring.
#[derive(Default)]
pub(super) struct Watched {
    flows: RefCell<Vec<Weak<Record>>>,
    /// The worker, while there are no such flows.
    worker: RefCell<Option<Waker>>,
}

impl Registry {
    /// Looks for rings as long as the worker runs.
    pub(crate) async fn watch_for_rings(&self) {
        let mut pause = FIRST;
        loop {
            poll_fn(|cx| {
                if !self.watched.flows.borrow().is_empty() {
                    return Poll::Ready(());
                }
                self.watched.worker.replace(Some(cx.waker().clone()));
                Poll::Pending
            })
            .await;
            sleep(pause).await;
            pause = if self.look_for_rings() {
                FIRST
            } else {
                LONGEST.min(2 * pause)
            };
        }
    }

    /// Looks at all flows on the list. Returns whether any of them has changed.
    fn look_for_rings(&self) -> bool {
        let mut has_changed = false;
        let flows = self.watched.flows.take();
        let kept = flows.into_iter().filter(|flow| {
            let Some(flow) = flow.upgrade() else {
                return false;
            };
            let looked = flow.look_for_ring();
            has_changed |= looked == Looked::Changed;
            if looked == Looked::Done {
                flow.watch().is_listed.set(false);
            }
            looked != Looked::Done
        });
        let kept: Vec<_> = kept.collect();
        self.watched.flows.borrow_mut().extend(kept);
        has_changed
    }
}

/// What comes of a look at a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Looked {
    /// There is nothing more to find out before the flow is polled again.
    Done,
    Changed,
    Unchanged,
}

impl Record {
    fn look_for_ring(&self) -> Looked {
        let plan = self.plan();
        let watch = self.watch();
        let polls = self.polls();
        let has_changed = watch.polls.replace(polls) != polls;
        if !plan.has_threads && !has_waiting_writers(self) {
            self.ready.set_jammed(false);
            return Looked::Done;
        }
        let is_settled = watch.settled_at.get() == Some(polls);
        if !is_settled && Stuck::find(self, plan, |_| false).is_some() {
            watch.is_asked.set(true);
            self.ready.look();
            return Looked::Changed;
        }
        match (has_changed, plan.has_threads) {
            (true, _) => Looked::Changed,
            // Threads go on while their flow rests.
            (false, true) if !is_settled => Looked::Unchanged,
            (false, _) => Looked::Done,
        }
    }

    /// How often its components have been polled.
    fn polls(&self) -> u64 {
        self.components
            .iter()
            .map(|counts| counts.polls.get())
            .sum()
    }
}

impl Recorded {
    /// Puts the flow on the list of its worker. Returns whether it must confirm a suspicion.
    pub(crate) fn suspect_ring(&self) -> bool {
        let watch = self.record().watch();
        if !watch.is_listed.replace(true) {
            let watched = &self.record().registry().watched;
            watched.flows.borrow_mut().push(Rc::downgrade(self.rc()));
            let worker = watched.worker.take();
            if let Some(worker) = worker {
                worker.wake();
            }
        }
        watch.is_asked.take()
    }

    /// The components that seem to be stuck.
    pub(crate) fn stuck(&self, plan: &Plan) -> Vec<usize> {
        let stuck = Stuck::find(self.record(), plan, |_| false);
        stuck.map_or_else(Vec::new, |stuck| stuck.members().collect())
    }

    /// Records a ring, if there is one. `copies` returns how many copies of its waker a component
    /// has given away.
    pub(crate) fn settle_ring(&self, plan: &Plan, copies: impl Fn(usize) -> usize) {
        let flow = self.record();
        let is_free = |component: usize| {
            !plan.components[component].own_thread
                && copies(component) > waits_across(flow, plan, component)
        };
        let ring = Stuck::find(flow, plan, is_free).and_then(|stuck| stuck.ring(flow, plan));
        let watch = flow.watch();
        watch.settled_at.set(Some(flow.polls()));
        if let Some(ring) = &ring
            && flow.shape().is_new(ring)
        {
            let text = format!("graph `{}`: {}", plan.graph, ring.in_words(plan));
            log::error!("{text}");
            simulation::add_ring(text);
        }
        watch.ring.replace(ring);
    }
}
