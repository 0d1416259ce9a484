//! What a thread records about its flows: the list of running flows, and the sums of ended flows.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::Place;
use super::at::At;
use super::record::{ComponentCounts, Record};
use super::rings::Ring;
use super::watch::Watched;
use crate::graph::Plan;
use crate::link::LinkCounts;
use crate::ports::AnyLink;
use crate::scheduler::current_registry;
use crate::supervision::{Fault, Policy, caught};
use crate::tap::{TapPoint, TapRequest, bounded};
use crate::time::turn;

/// How many kinds of graphs are remembered after the last of them has ended. A program exceeds it
/// only if it gives each graph a name of its own.
const REMEMBERED: usize = 1024;

/// How many faults are remembered, and how many bytes of each text.
pub(super) const FAULTS: usize = 64;
const FAULT_LENGTH: usize = 512;

/// On average, one turn in this many is measured with the clock.
const MEASURED: u32 = 32;

/// All flows of this thread, and the sums of those that have ended.
pub(crate) struct Registry {
    /// The current position of this thread, visible to other threads.
    pub(super) at: Arc<At>,
    pub(super) shapes: RefCell<HashMap<u64, Rc<Shape>, BuildHasherDefault<ShapeHasher>>>,
    /// The shape of the last look-up: most flows come from the same template.
    last: RefCell<Option<Rc<Shape>>>,
    next_number: Cell<u64>,
    pub(super) running: Cell<u64>,
    pub(super) turns: Cell<u64>,
    /// The number of turns until the next measured turn.
    until_measured: Cell<u32>,
    dice: Cell<u32>,
    taps: RefCell<Vec<TapRequest>>,
    /// The latest faults.
    pub(super) faults: RefCell<VecDeque<FaultRecord>>,
    pub(super) watched: Watched,
}

/// A fault, as it is remembered.
#[derive(Debug, Clone)]
pub(super) struct FaultRecord {
    pub(super) at: Instant,
    pub(super) place: Place,
    pub(super) policy: &'static str,
    pub(super) text: String,
}

/// The graphs of one name and shape.
pub(crate) struct Shape {
    /// What the thread writes into [`At`] while it polls one of them.
    pub(super) number: u32,
    pub(super) plan: Arc<Plan>,
    pub(super) started_by: Option<Place>,
    /// The running ones.
    pub(super) flows: RefCell<Vec<Rc<Record>>>,
    pub(super) started: Cell<u64>,
    pub(super) failed: Cell<u64>,
    /// The counts of those that have ended.
    pub(super) components: Box<[ComponentCounts]>,
    pub(super) links: RefCell<Box<[LinkTotals]>>,
    /// Where new ones must be tapped.
    taps: RefCell<Vec<TapPlace>>,
    /// The rings that have been logged.
    rings: RefCell<Vec<Ring>>,
}

/// A tap, with its link and the index of the outbox that it watches. Without an index it watches
/// all outboxes of the link.
type TapPlace = (usize, Option<usize>, Arc<TapPoint>);

/// The counts of the links of flows that have ended.
#[derive(Debug, Clone, Default)]
pub(super) struct LinkTotals {
    pub(super) counts: LinkCounts,
    pub(super) sent: Box<[u64]>,
}

impl LinkTotals {
    /// Adds the counts of a link.
    pub(super) fn count(&mut self, link: &AnyLink) {
        if let Some(link) = link.counted() {
            link.add_to(&mut self.counts, &mut self.sent);
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.counts.messages += other.counts.messages;
        self.counts.bytes += other.counts.bytes;
        self.counts.queued += other.counts.queued;
        self.counts.high_water = self.counts.high_water.max(other.counts.high_water);
        for (sum, sent) in self.sent.iter_mut().zip(&other.sent) {
            *sum += sent;
        }
    }
}

thread_local! {
    /// The registry of a thread that is not a worker.
    static REGISTRY: RefCell<Option<Rc<Registry>>> = const { RefCell::new(None) };
}

impl Registry {
    /// The registry of the current worker, or else of the current thread.
    pub(crate) fn here() -> Rc<Self> {
        current_registry().unwrap_or_else(|| {
            let new = || Self::new(Arc::default());
            REGISTRY.with_borrow_mut(|known| known.get_or_insert_with(new).clone())
        })
    }

    pub(crate) fn new(at: Arc<At>) -> Rc<Self> {
        Rc::new(Self {
            at,
            shapes: RefCell::default(),
            last: RefCell::default(),
            next_number: Cell::new(1),
            running: Cell::new(0),
            turns: Cell::new(0),
            until_measured: Cell::new(1),
            dice: Cell::new(1),
            taps: RefCell::default(),
            faults: RefCell::default(),
            watched: Watched::default(),
        })
    }

    pub(super) fn note_fault(&self, fault: &Fault, policy: Policy) {
        // Formatting an error runs the user's code, which may panic too.
        let show = || bounded(format_args!("{}", fault.cause), FAULT_LENGTH).0;
        let shown = caught(show);
        let text = shown.unwrap_or_else(|_| "(what shows the error failed, too)".into());
        let mut faults = self.faults.borrow_mut();
        if faults.len() == FAULTS {
            faults.pop_front();
        }
        faults.push_back(FaultRecord {
            at: turn(),
            place: Place {
                graph: fault.graph.clone(),
                component: fault.component.clone(),
            },
            policy: policy.name(),
            text,
        });
    }

    /// The shape of a plan.
    pub(super) fn shape_of(&self, plan: &Arc<Plan>) -> Rc<Shape> {
        if let Some(last) = &*self.last.borrow()
            && last.plan.shape == plan.shape
        {
            return last.clone();
        }
        let mut shapes = self.shapes.borrow_mut();
        let shape = match shapes.get(&plan.shape) {
            Some(known) => known.clone(),
            None => {
                if shapes.len() >= REMEMBERED {
                    self.forget(&mut shapes);
                }
                let shape = Rc::new(self.new_shape(plan));
                shapes.insert(plan.shape, shape.clone());
                shape
            }
        };
        self.last.replace(Some(shape.clone()));
        shape
    }

    fn new_shape(&self, plan: &Arc<Plan>) -> Shape {
        let taps = self.taps.borrow();
        let taps = taps.iter().flat_map(|request| {
            let links = request.matches(plan).into_iter();
            links.map(|(link, feed)| (link, feed, request.point.clone()))
        });
        let totals = plan.links.iter().map(|link| LinkTotals {
            counts: LinkCounts::default(),
            sent: vec![0; link.from.len()].into(),
        });
        Shape {
            number: self.at.add(plan),
            plan: plan.clone(),
            started_by: self.at.place(),
            flows: RefCell::default(),
            started: Cell::new(0),
            failed: Cell::new(0),
            components: ComponentCounts::of(plan),
            links: RefCell::new(totals.collect()),
            taps: RefCell::new(taps.collect()),
            rings: RefCell::default(),
        }
    }

    /// Makes space: forgets half of the shapes that have no running graph.
    fn forget(&self, shapes: &mut HashMap<u64, Rc<Shape>, BuildHasherDefault<ShapeHasher>>) {
        self.last.replace(None);
        let mut keep = false;
        shapes.retain(|_, shape| {
            if !shape.flows.borrow().is_empty() {
                return true;
            }
            keep = !keep;
            if !keep {
                self.at.remove(shape.number);
            }
            keep
        });
    }

    pub(super) fn next_number(&self) -> u64 {
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        number
    }

    /// Counts a turn, and returns whether it must be measured. The distance between measured turns
    /// is random, so that it does not follow any rhythm of the program.
    #[inline]
    pub(super) fn begin_turn(&self) -> bool {
        self.turns.set(self.turns.get() + 1);
        let left = self.until_measured.get() - 1;
        self.until_measured.set(left);
        if left > 0 {
            return false;
        }
        let dice = self
            .dice
            .get()
            .wrapping_mul(1_664_525)
            .wrapping_add(1_013_904_223);
        self.dice.set(dice);
        self.until_measured
            .set(1 + (dice >> 16) % (2 * MEASURED - 1));
        true
    }

    /// Installs a tap in all running and future graphs.
    pub(crate) fn tap(&self, request: TapRequest) {
        for shape in self.shapes.borrow().values() {
            for (link, feed) in request.matches(&shape.plan) {
                for flow in &*shape.flows.borrow() {
                    flow.tap(link, feed, &request.point);
                }
                let tap = (link, feed, request.point.clone());
                shape.taps.borrow_mut().push(tap);
            }
        }
        self.taps.borrow_mut().push(request);
    }

    /// Removes a tap.
    pub(crate) fn untap(&self, point: &Arc<TapPoint>) {
        self.taps
            .borrow_mut()
            .retain(|request| !Arc::ptr_eq(&request.point, point));
        for shape in self.shapes.borrow().values() {
            let mut taps = shape.taps.borrow_mut();
            let all = taps.len();
            taps.retain(|(.., known)| !Arc::ptr_eq(known, point));
            if taps.len() < all {
                shape
                    .flows
                    .borrow()
                    .iter()
                    .for_each(|flow| flow.untap(point));
            }
        }
    }
}

impl Shape {
    /// Whether this ring has not been logged. From now on it has.
    pub(super) fn is_new(&self, ring: &Ring) -> bool {
        let mut rings = self.rings.borrow_mut();
        let is_new = !rings.contains(ring);
        if is_new {
            rings.push(ring.clone());
        }
        is_new
    }

    /// Registers a flow that begins.
    pub(super) fn enter(&self, flow: Rc<Record>) {
        for (link, feed, point) in &*self.taps.borrow() {
            flow.tap(*link, *feed, point);
        }
        self.started.set(self.started.get() + 1);
        let mut flows = self.flows.borrow_mut();
        flow.slot.set(flows.len());
        flows.push(flow);
    }

    /// Removes a flow that has ended, and keeps its counts.
    pub(super) fn leave(&self, flow: &Record) {
        for (total, counts) in self.components.iter().zip(&flow.components) {
            total.add(counts);
        }
        let mut totals = self.links.borrow_mut();
        for (total, link) in totals.iter_mut().zip(&flow.links) {
            total.count(link);
        }
        let mut flows = self.flows.borrow_mut();
        flows.swap_remove(flow.slot.get());
        if let Some(moved) = flows.get(flow.slot.get()) {
            moved.slot.set(flow.slot.get());
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry")
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

/// The key is a hash already.
#[derive(Default)]
pub(crate) struct ShapeHasher(u64);

impl Hasher for ShapeHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("the key is a u64");
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Graph, Ports};

    #[derive(Ports)]
    struct NoPorts {}

    /// Runs a graph of that name on this thread.
    fn run(name: &str) {
        let mut graph = Graph::new(name);
        graph.add("end", async |_: &mut NoPorts| Ok(()));
        crate::testing::block_on(graph.start().unwrap()).unwrap();
    }

    #[test]
    fn about_one_turn_in_thirty_two_is_measured_in_no_regular_order() {
        let registry = Registry::new(Arc::default());
        let measured: Vec<_> = (0..320_000).filter(|_| registry.begin_turn()).collect();
        assert!(
            (9_500..10_500).contains(&measured.len()),
            "{}",
            measured.len()
        );
        let odd = measured.iter().filter(|turn| *turn % 2 == 1).count();
        assert!(
            (4_500..5_500).contains(&odd),
            "{odd}: a request of two turns has both measured"
        );
        assert_eq!(registry.turns.get(), 320_000);
    }

    #[test]
    fn graphs_with_names_of_their_own_do_not_fill_the_memory() {
        let mut kept = Graph::new("kept");
        kept.add("end", async |_: &mut NoPorts| Ok(()));
        let kept = kept.start().unwrap();
        for number in 0..5 * REMEMBERED {
            run(&format!("number {number}"));
        }
        let registry = Registry::here();
        let shapes = registry.shapes.borrow();
        assert!(shapes.len() <= REMEMBERED, "{}", shapes.len());
        let is_kept = |shape: &Rc<Shape>| &*shape.plan.graph == "kept";
        assert!(shapes.values().any(is_kept), "what runs is not forgotten");
        drop(kept);
        assert_eq!(registry.running.get(), 0);
    }
}
