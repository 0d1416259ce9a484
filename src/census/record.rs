//! The counters of one flow, in plain cells.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::registry::{Registry, Shape};
use super::rings::{Ring, Watch};
use crate::flow::ReadySet;
use crate::graph::Plan;
use crate::link::Counted;
use crate::ports::AnyLink;
use crate::supervision::{Fault, Policy};
use crate::tap::TapPoint;
use crate::time::{now, turn};

/// What a thread records about a flow that it runs.
pub(crate) struct Record {
    pub(super) number: u64,
    pub(super) began: Instant,
    pub(super) components: Box<[ComponentCounts]>,
    pub(super) links: Box<[AnyLink]>,
    pub(super) ready: Rc<ReadySet>,
    shape: Rc<Shape>,
    registry: Rc<Registry>,
    /// Its index in the list of its shape.
    pub(super) slot: Cell<usize>,
    /// During a measured turn: when the previous component was done.
    clock: Cell<Option<Instant>>,
    /// What is known of its rings, once a send has waited for space.
    watch: OnceCell<Box<Watch>>,
}

/// The counters of one component.
#[derive(Debug, Default)]
pub(crate) struct ComponentCounts {
    pub(super) polls: Cell<u64>,
    /// The number of measured polls, and their total duration.
    pub(super) measured: Cell<u64>,
    pub(super) nanos: Cell<u64>,
    pub(super) faults: Cell<u64>,
    pub(super) restarts: Cell<u64>,
    pub(super) has_ended: Cell<bool>,
}

/// The [`Record`] of a flow. It ends with the flow.
pub(crate) struct Recorded(Rc<Record>);

impl Recorded {
    /// Registers a flow.
    pub(crate) fn begin(plan: &Arc<Plan>, mut links: Vec<AnyLink>, ready: &Rc<ReadySet>) -> Self {
        links.iter_mut().for_each(AnyLink::let_go);
        let registry = Registry::here();
        let shape = registry.shape_of(plan);
        registry.running.set(registry.running.get() + 1);
        let record = Rc::new(Record {
            number: registry.next_number(),
            began: turn(),
            components: ComponentCounts::of(plan),
            links: links.into(),
            ready: ready.clone(),
            shape: shape.clone(),
            registry,
            slot: Cell::new(0),
            clock: Cell::new(None),
            watch: OnceCell::new(),
        });
        shape.enter(record.clone());
        Self(record)
    }

    pub(super) fn record(&self) -> &Record {
        &self.0
    }

    pub(super) fn rc(&self) -> &Rc<Record> {
        &self.0
    }

    /// Begins a turn of the flow. Pass the returned value back when the turn ends.
    #[inline]
    pub(crate) fn begin_turn(&self) -> u64 {
        if self.0.registry.begin_turn() {
            self.0.clock.set(Some(now()));
        }
        self.0.registry.at.now()
    }

    #[inline]
    pub(crate) fn end_turn(&self, before: u64) {
        self.0.clock.set(None);
        self.0.registry.at.restore(before);
    }

    /// Counts a poll that is about to begin. Returns its number.
    #[inline]
    pub(crate) fn begin_poll(&self, component: usize) -> u64 {
        let counts = &self.0.components[component];
        let polls = counts.polls.get() + 1;
        counts.polls.set(polls);
        self.0.registry.at.set(self.0.shape.number, component);
        polls
    }

    /// Records that a component has been polled.
    #[inline]
    pub(crate) fn end_poll(&self, component: usize) {
        if let Some(began) = self.0.clock.get() {
            self.measure(component, began);
        }
    }

    #[cold]
    fn measure(&self, component: usize, began: Instant) {
        let ended = now();
        self.0.clock.set(Some(ended));
        let counts = &self.0.components[component];
        let took = ended.saturating_duration_since(began).as_nanos();
        increase(&counts.nanos, u64::try_from(took).unwrap_or(u64::MAX));
        increase(&counts.measured, 1);
    }

    /// Records that a component has failed, and the `policy` that is applied.
    pub(crate) fn fault(&self, component: usize, fault: &Fault, policy: Policy) {
        increase(&self.0.components[component].faults, 1);
        self.0.registry.note_fault(fault, policy);
    }

    /// Records that a component has been restarted.
    pub(crate) fn restart(&self, component: usize) {
        increase(&self.0.components[component].restarts, 1);
    }

    /// Records that a component has ended.
    pub(crate) fn end(&self, component: usize) {
        self.0.components[component].has_ended.set(true);
    }

    pub(crate) fn has_ended(&self, component: usize) -> bool {
        self.0.components[component].has_ended.get()
    }

    /// Whether a component waits for a message from this link.
    pub(crate) fn waits_at(&self, link: usize, component: usize) -> bool {
        let polls = self.0.components[component].polls.get();
        let link = self.0.links[link].counted();
        link.is_some_and(|link| link.reader_waits(polls))
    }

    /// Whether a message waits for space in this link.
    pub(crate) fn has_waiting_writers(&self, link: usize) -> bool {
        let mut any = false;
        if let Some(link) = self.0.links[link].counted() {
            link.each_writer(&mut |_, _| any = true);
        }
        any
    }

    /// The links of the flow.
    pub(crate) fn links(&self) -> &[AnyLink] {
        &self.0.links
    }

    /// The number of messages that wait in this link.
    pub(crate) fn queued(&self, link: usize) -> u64 {
        self.0.links[link].counted().map_or(0, Counted::queued)
    }

    /// Records that a fault has stopped the flow.
    pub(crate) fn fail(&self) {
        increase(&self.0.shape.failed, 1);
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        let Record {
            registry, shape, ..
        } = &*self.0;
        registry.running.set(registry.running.get() - 1);
        shape.leave(&self.0);
    }
}

impl Record {
    pub(super) fn plan(&self) -> &Plan {
        &self.shape.plan
    }

    pub(super) fn shape(&self) -> &Shape {
        &self.shape
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(super) fn watch(&self) -> &Watch {
        self.watch.get_or_init(Box::default)
    }

    /// The ring in which some of its components are.
    pub(super) fn ring(&self) -> Option<Ring> {
        self.watch.get()?.ring.borrow().clone()
    }

    pub(super) fn tap(&self, link: usize, feed: Option<usize>, point: &Arc<TapPoint>) {
        if let Some(link) = self.links[link].counted() {
            link.tap(feed, point);
        }
    }

    pub(super) fn untap(&self, point: &Arc<TapPoint>) {
        let links = self.links.iter().filter_map(AnyLink::counted);
        links.for_each(|link| link.untap(point));
    }
}

impl ComponentCounts {
    pub(super) fn of(plan: &Plan) -> Box<[Self]> {
        plan.components.iter().map(|_| Self::default()).collect()
    }

    pub(super) fn add(&self, other: &Self) {
        increase(&self.polls, other.polls.get());
        increase(&self.measured, other.measured.get());
        increase(&self.nanos, other.nanos.get());
        increase(&self.faults, other.faults.get());
        increase(&self.restarts, other.restarts.get());
    }

    /// How long it was busy, estimated from the measured polls.
    pub(super) fn busy(&self) -> Duration {
        let (polls, measured) = (self.polls.get(), self.measured.get());
        if measured == 0 {
            return Duration::ZERO;
        }
        let each = self.nanos.get() as f64 / measured as f64;
        Duration::from_nanos((each * polls as f64) as u64)
    }
}

fn increase(counter: &Cell<u64>, by: u64) {
    counter.set(counter.get() + by);
}
