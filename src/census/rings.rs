//! Rings: components of a flow that wait for each other for ever.
//!
//! Links are bounded, so a component may wait for space in a link whose receiver itself waits for a
//! message of the first. A component is stuck if everything that it waits for can come only from
//! components that are stuck. A component that also waits for something else (a timer, a socket, a
//! job, code outside of its graph) is not stuck.

use std::cell::{Cell, RefCell};
use std::fmt::Write;

use super::RingCensus;
use super::record::Record;
use crate::graph::{Plan, PlannedLink};
use crate::link::Counted;

/// Components that wait for each other, by their numbers: each waits for the next one, and the last
/// one for the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ring(Vec<Wait>);

/// One step of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wait {
    component: usize,
    /// The number of the link at which it waits.
    link: usize,
    /// Whether it waits for space there; otherwise for a message.
    for_space: bool,
}

/// What is known of the rings of one flow. A flow in which no send ever waits has none of this.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Whether the worker has it on its list.
    pub(super) is_listed: Cell<bool>,
    /// Whether the flow must confirm a suspicion.
    pub(super) is_asked: Cell<bool>,
    /// How often its components had been polled at the last look.
    pub(super) polls: Cell<u64>,
    /// The same, when it last confirmed or refuted a suspicion.
    pub(super) settled_at: Cell<Option<u64>>,
    pub(super) ring: RefCell<Option<Ring>>,
}

/// What one component waits for: any of it would let the component continue.
#[derive(Debug, Clone, Default)]
struct Waits {
    /// Links that are full.
    space: Vec<usize>,
    /// Links that are empty.
    messages: Vec<usize>,
}

/// The components that are stuck.
pub(crate) struct Stuck {
    waits: Vec<Waits>,
    is_stuck: Vec<bool>,
}

impl Stuck {
    /// Finds the stuck components of a flow, if one of them waits for space. `is_free` tells which
    /// components wait for something outside of the flow.
    pub(super) fn find(
        flow: &Record,
        plan: &Plan,
        is_free: impl Fn(usize) -> bool,
    ) -> Option<Self> {
        let waits = waits(flow, plan);
        let is_stuck = (0..waits.len()).map(|component| {
            let waits = &waits[component];
            let is_waiting = !waits.space.is_empty() || !waits.messages.is_empty();
            let has_turn =
                !plan.components[component].own_thread && flow.ready.will_poll(component);
            is_waiting && !has_turn && !is_free(component)
        });
        let is_stuck = is_stuck.collect();
        let mut stuck = Self { waits, is_stuck };
        stuck.release(flow, plan);
        let is_jammed = stuck
            .members()
            .any(|member| !stuck.waits[member].space.is_empty());
        is_jammed.then_some(stuck)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = usize> {
        (0..self.is_stuck.len()).filter(|&component| self.is_stuck[component])
    }

    /// Releases all components that can continue, until only stuck ones are left. A jam dissolves
    /// from its end, a lack of messages from its beginning: so it goes in both directions.
    fn release(&mut self, flow: &Record, plan: &Plan) {
        let count = self.is_stuck.len();
        loop {
            let mut has_changed = false;
            for component in (0..count).rev().chain(0..count) {
                if self.is_stuck[component] && self.may_continue(component, flow, plan) {
                    self.is_stuck[component] = false;
                    has_changed = true;
                }
            }
            if !has_changed {
                return;
            }
        }
    }

    fn may_continue(&self, component: usize, flow: &Record, plan: &Plan) -> bool {
        let waits = &self.waits[component];
        let has_taker = |&link: &usize| match plan.links[link].taker {
            Some(taker) => !self.is_stuck[taker.component],
            // It leads out of the graph.
            None => true,
        };
        let has_feeder = |&link: &usize| {
            let link = &plan.links[link];
            let is_fed_from_outside = link.from.is_empty();
            is_fed_from_outside
                || feeders(link).any(|feeder| match feeder {
                    Some(feeder) => {
                        !self.is_stuck[feeder] && !flow.components[feeder].has_ended.get()
                    }
                    // The graph itself, which may have a fault to report.
                    None => true,
                })
        };
        waits.space.iter().any(has_taker) || waits.messages.iter().any(has_feeder)
    }

    /// Returns one ring among the stuck components. Each of them waits for another one, so there is
    /// one.
    pub(super) fn ring(&self, flow: &Record, plan: &Plan) -> Option<Ring> {
        let begins = self
            .members()
            .filter(|&member| !self.waits[member].space.is_empty());
        let mut rings = begins.filter_map(|begin| self.ring_from(begin, flow, plan));
        let first = rings.next()?;
        if first.has_full_link() {
            return Some(first);
        }
        Some(rings.find(Ring::has_full_link).unwrap_or(first))
    }

    fn ring_from(&self, begin: usize, flow: &Record, plan: &Plan) -> Option<Ring> {
        let mut path: Vec<Wait> = Vec::new();
        let mut places = vec![None; self.is_stuck.len()];
        let mut component = begin;
        while places[component].is_none() {
            places[component] = Some(path.len());
            let (wait, next) = self.next(component, flow, plan)?;
            path.push(wait);
            component = next;
        }
        path.drain(..places[component]?);
        Some(Ring(path))
    }

    /// Returns what a stuck component waits for, and a component that it waits for.
    fn next(&self, component: usize, flow: &Record, plan: &Plan) -> Option<(Wait, usize)> {
        let waits = &self.waits[component];
        let wait = |link, for_space| Wait {
            component,
            link,
            for_space,
        };
        if let Some(&link) = waits.space.first() {
            return Some((wait(link, true), plan.links[link].taker?.component));
        }
        let &link = waits.messages.first()?;
        let mut feeders = feeders(&plan.links[link]).flatten();
        let feeder = feeders.find(|&feeder| !flow.components[feeder].has_ended.get())?;
        Some((wait(link, false), feeder))
    }
}

/// The components that feed a link. `None` is the graph itself.
fn feeders(link: &PlannedLink) -> impl Iterator<Item = Option<usize>> {
    let from = link.from.iter();
    from.map(|feed| feed.outbox.map(|outbox| outbox.component))
}

fn waits(flow: &Record, plan: &Plan) -> Vec<Waits> {
    let mut waits = vec![Waits::default(); plan.components.len()];
    for (number, (planned, link)) in plan.links.iter().zip(&flow.links).enumerate() {
        let Some(link) = link.counted() else { continue };
        // A thread that has been woken still counts as waiting until it runs. But a receiver that
        // has messages goes on, and so does a sender whose messages have all been taken.
        if link.queued() == 0 {
            if let Some(taker) = planned.taker
                && link.reader_waits(flow.components[taker.component].polls.get())
            {
                waits[taker.component].messages.push(number);
            }
            continue;
        }
        link.each_writer(&mut |feed, _| {
            let feed = planned.from.get(feed);
            if let Some(outbox) = feed.and_then(|feed| feed.outbox) {
                waits[outbox.component].space.push(number);
            }
        });
    }
    waits
}

impl Ring {
    fn has_full_link(&self) -> bool {
        self.0.iter().any(|wait| wait.for_space)
    }

    /// Describes the ring in a line.
    pub(super) fn in_words(&self, plan: &Plan) -> String {
        let mut text = String::from("components wait for each other for ever: ");
        for (number, wait) in self.0.iter().enumerate() {
            if number > 0 {
                text.push_str("; ");
            }
            // Writing to a `String` does not fail.
            let _ = wait.write(&mut text, plan);
        }
        text.push_str(". Give a full link a larger capacity, or take from both sides in turns");
        text
    }

    pub(super) fn census(&self, plan: &Plan, count: u64) -> RingCensus {
        let full = self.0.iter().filter(|wait| wait.for_space);
        RingCensus {
            components: self
                .0
                .iter()
                .map(|wait| plan.components[wait.component].name.clone())
                .collect(),
            full: full.map(|wait| wait.link).collect(),
            text: self.in_words(plan),
            count,
        }
    }
}

impl Wait {
    fn write(self, text: &mut String, plan: &Plan) -> std::fmt::Result {
        let name = &plan.components[self.component].name;
        let link = &plan.links[self.link];
        let outboxes = link.from.iter().filter_map(|feed| feed.outbox);
        let inbox = link.taker.map_or_else(String::new, |taker| {
            let component = &plan.components[taker.component];
            format!(
                "{}.{}",
                component.name, component.port_infos[taker.port].name
            )
        });
        if self.for_space {
            let mut own = outboxes.filter(|outbox| outbox.component == self.component);
            let outbox = own.next().map(|outbox| plan.outbox_name(outbox));
            let (outbox, capacity) = (outbox.unwrap_or_default(), link.settings.capacity);
            write!(
                text,
                "`{name}` waits for space at `{outbox}`, because the link to `{inbox}` is full \
                 (capacity {capacity})"
            )
        } else {
            let feeders = outboxes.map(|outbox| plan.component(outbox.component).name.clone());
            let feeders: Vec<_> = feeders.collect();
            write!(
                text,
                "`{name}` waits for a message at `{inbox}`, from `{}`",
                feeders.join("` or `")
            )
        }
    }
}

/// Whether a send of this flow waits for space.
pub(super) fn has_waiting_writers(flow: &Record) -> bool {
    let mut any = false;
    let mut links = flow.links.iter().filter_map(|link| link.counted());
    links.any(|link| {
        link.each_writer(&mut |_, _| any = true);
        any
    })
}

/// How many links that cross threads a component waits at. Each holds one copy of its waker.
pub(super) fn waits_across(flow: &Record, plan: &Plan, component: usize) -> usize {
    let polls = flow.components[component].polls.get();
    let links = plan
        .links
        .iter()
        .zip(&flow.links)
        .filter(|(planned, _)| planned.across);
    let counts = links.filter_map(|(planned, link)| {
        let link = link.counted()?;
        let is_taker = planned
            .taker
            .is_some_and(|taker| taker.component == component);
        let mut count = usize::from(is_taker && link.reader_waits(polls));
        count += writers_of(link, planned, component);
        Some(count)
    });
    counts.sum()
}

fn writers_of(link: &dyn Counted, planned: &PlannedLink, component: usize) -> usize {
    let mut count = 0;
    link.each_writer(&mut |feed, _| {
        let outbox = planned.from.get(feed).and_then(|feed| feed.outbox);
        count += usize::from(outbox.is_some_and(|outbox| outbox.component == component));
    });
    count
}
