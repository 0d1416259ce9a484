//! The report of one worker: its flows, summed up by shape. It has numbers and plans; the census
//! adds the names.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::look::{Doing, FlowStates};
use super::record::{ComponentCounts, Record};
use super::registry::{FaultRecord, LinkTotals, Registry, Shape};
use super::rings::Ring;
use super::{Because, Place};
use crate::graph::Plan;
use crate::link::Counted;
use crate::time::now;

/// How many instances are singled out for each reason.
pub(super) const WORST: usize = 3;

/// All that a worker runs or has run.
#[derive(Debug)]
pub(crate) struct Report {
    pub(super) running: u64,
    pub(super) turns: u64,
    pub(super) shapes: Vec<ShapeReport>,
    pub(super) faults: Vec<FaultRecord>,
}

/// The graphs of one name and shape on one worker.
pub(super) struct ShapeReport {
    pub(super) plan: Arc<Plan>,
    pub(super) started_by: Option<Place>,
    pub(super) running: u64,
    pub(super) started: u64,
    pub(super) failed: u64,
    pub(super) oldest: Duration,
    pub(super) components: Box<[ComponentReport]>,
    pub(super) links: Box<[LinkReport]>,
    pub(super) rings: Vec<(Ring, u64)>,
    pub(super) worst: Vec<InstanceReport>,
}

#[derive(Debug, Default)]
pub(super) struct ComponentReport {
    pub(super) counts: ComponentCounts,
    /// The number of components in each state, and the longest time in it.
    pub(super) doing: Vec<(Doing, u64, Duration)>,
}

#[derive(Debug, Default)]
pub(super) struct LinkReport {
    pub(super) totals: LinkTotals,
    pub(super) fullest: u64,
}

#[derive(Debug)]
pub(super) struct InstanceReport {
    pub(super) number: u64,
    pub(super) standing: Standing,
    pub(super) doing: Vec<Doing>,
    pub(super) depths: Vec<u64>,
}

/// The reasons to single out an instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) age: Duration,
    pub(super) queued: u64,
    pub(super) blocked: Duration,
    pub(super) busy: Duration,
}

impl Registry {
    pub(crate) fn report(&self) -> Report {
        let shapes = self.shapes.borrow();
        Report {
            running: self.running.get(),
            turns: self.turns.get(),
            shapes: shapes.values().map(|shape| shape.report(now())).collect(),
            faults: self.faults.borrow().iter().cloned().collect(),
        }
    }
}

impl Shape {
    fn report(&self, now: Instant) -> ShapeReport {
        let flows = self.flows.borrow();
        let mut report = ShapeReport {
            plan: self.plan.clone(),
            started_by: self.started_by.clone(),
            running: flows.len() as u64,
            started: self.started.get(),
            failed: self.failed.get(),
            oldest: Duration::ZERO,
            components: self.components.iter().map(ComponentReport::of).collect(),
            links: self.links.borrow().iter().map(LinkReport::of).collect(),
            rings: Vec::new(),
            worst: Vec::new(),
        };
        let mut states = FlowStates::default();
        let standings: Vec<_> = flows
            .iter()
            .map(|flow| report.add(flow, &mut states, now))
            .collect();
        if flows.len() > 1 {
            let worst = worst(&standings);
            report.worst = worst
                .map(|index| InstanceReport::of(&flows[index], standings[index], &self.plan, now))
                .collect();
        }
        report
    }
}

impl ShapeReport {
    fn add(&mut self, flow: &Record, states: &mut FlowStates, now: Instant) -> Standing {
        states.at(flow, &self.plan, now);
        let mut standing = Standing {
            age: now.saturating_duration_since(flow.began),
            queued: 0,
            blocked: Duration::ZERO,
            busy: Duration::ZERO,
        };
        let states = states.doing.iter().zip(&states.blocked);
        let components = self.components.iter_mut().zip(&flow.components);
        for ((report, counts), (&doing, &blocked)) in components.zip(states) {
            report.counts.add(counts);
            report.add(doing, 1, blocked);
            standing.busy += counts.busy();
            standing.blocked = standing.blocked.max(blocked);
        }
        for (report, link) in self.links.iter_mut().zip(&flow.links) {
            report.totals.count(link);
            let queued = link.counted().map_or(0, Counted::queued);
            report.totals.counts.queued += queued;
            report.fullest = report.fullest.max(queued);
            standing.queued += queued;
        }
        self.oldest = self.oldest.max(standing.age);
        if let Some(ring) = flow.ring() {
            self.add_ring(ring, 1);
        }
        standing
    }

    pub(super) fn add_ring(&mut self, ring: Ring, count: u64) {
        match self.rings.iter_mut().find(|(known, _)| *known == ring) {
            Some((_, known)) => *known += count,
            None => self.rings.push((ring, count)),
        }
    }
}

impl ComponentReport {
    fn of(totals: &ComponentCounts) -> Self {
        let report = Self::default();
        report.counts.add(totals);
        report
    }

    pub(super) fn add(&mut self, doing: Doing, count: u64, longest: Duration) {
        match self.doing.iter_mut().find(|(known, ..)| *known == doing) {
            Some((_, known, longest_known)) => {
                *known += count;
                *longest_known = longest.max(*longest_known);
            }
            None => self.doing.push((doing, count, longest)),
        }
    }
}

impl LinkReport {
    fn of(totals: &LinkTotals) -> Self {
        Self {
            totals: totals.clone(),
            fullest: 0,
        }
    }
}

impl InstanceReport {
    fn of(flow: &Record, standing: Standing, plan: &Plan, now: Instant) -> Self {
        let mut states = FlowStates::default();
        states.at(flow, plan, now);
        let links = flow.links.iter();
        let depths = links.map(|link| link.counted().map_or(0, Counted::queued));
        Self {
            number: flow.number,
            standing,
            doing: states.doing,
            depths: depths.collect(),
        }
    }
}

impl Standing {
    /// How bad it is, for one reason. 0 is not bad.
    pub(super) fn by(&self, reason: Because) -> u128 {
        match reason {
            Because::MostQueued => self.queued.into(),
            Because::LongestBlocked => self.blocked.as_nanos(),
            Because::MostBusy => self.busy.as_nanos(),
            Because::Oldest => self.age.as_nanos(),
        }
    }
}

/// The worst instances for each reason, without duplicates.
fn worst(standings: &[Standing]) -> impl Iterator<Item = usize> {
    let mut chosen = Vec::new();
    for reason in Because::ALL {
        chosen.extend(worst_by(standings, reason));
    }
    chosen.sort_unstable();
    chosen.dedup();
    chosen.into_iter()
}

/// The worst instances for one reason, worst first.
pub(super) fn worst_by(standings: &[Standing], reason: Because) -> Vec<usize> {
    let badness = |index: &usize| (Reverse(standings[*index].by(reason)), *index);
    let mut bad: Vec<_> = (0..standings.len())
        .filter(|index| standings[*index].by(reason) > 0)
        .collect();
    if bad.len() > WORST {
        bad.select_nth_unstable_by_key(WORST, badness);
        bad.truncate(WORST);
    }
    bad.sort_unstable_by_key(badness);
    bad
}

impl std::fmt::Debug for ShapeReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ShapeReport")
            .field("graph", &self.plan.graph)
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}
