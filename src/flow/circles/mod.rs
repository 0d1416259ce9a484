//! The circles of a flow, and the detection of their end.
//!
//! A circle is over when nothing in it can move any more: everything that feeds its feedback links
//! from outside has ended, its links are empty, and each of its components waits for a message that
//! only the others could send. Then its feedback links close, and it drains like a line. The flow
//! checks this when it rests, once the sources of the circle have ended. A graph without circles
//! needs no check.

mod aside;
#[cfg(test)]
mod tests;

use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::task::Waker;

pub(crate) use aside::{Aside, Asides, aside};

use super::ready::{ComponentWaker, ReadySet};
use crate::census::Recorded;
use crate::graph::{Plan, PlannedCircle};
use crate::link::across::AnyEnds;
use crate::link::circle::{CircleLink, UnderWay};
use crate::link::within::AnyQueue;
use crate::ports::{AnyLink, Direction};

/// The circles of one flow.
pub(super) struct Circles {
    circles: Vec<Circle>,
    pub(super) asides: Asides,
}

struct Circle {
    /// Its number in the plan.
    number: usize,
    /// The links that it holds open.
    kept: Vec<HeldLink>,
    /// The pending work outside of the flow, if any of its links crosses threads.
    under_way: Option<Arc<UnderWay>>,
    /// The wakers of its components. Only the flow has them, unless the component waits for
    /// something other than messages.
    wakers: Vec<(usize, Weak<ComponentWaker>)>,
}

/// A link that its circle holds open.
enum HeldLink {
    Within(Rc<dyn AnyQueue>),
    Across(Box<dyn AnyEnds>),
}

impl HeldLink {
    /// Whether only the circle holds the link open.
    fn is_last(&self) -> bool {
        match self {
            Self::Within(queue) => queue.holders() == 1,
            Self::Across(ends) => ends.senders() == 1,
        }
    }

    fn close(self) {
        if let Self::Within(queue) = self {
            queue.release();
        }
    }
}

impl Circles {
    /// Puts the links of the circles under their supervision. No end of these links has been taken
    /// yet.
    pub(super) fn begin(plan: &Plan, links: &mut [AnyLink], ready: &Rc<ReadySet>) -> Option<Self> {
        if plan.circles.is_empty() {
            return None;
        }
        let circles = plan.circles.iter().enumerate();
        let circles = circles.map(|(number, circle)| Circle::begin(number, circle, links, ready));
        Some(Self {
            circles: circles.collect(),
            asides: Asides::default(),
        })
    }

    /// Makes the waker of a component. If the component is in a circle, the circle knows the waker.
    pub(super) fn add(&mut self, component: usize, plan: &Plan, ready: &ReadySet) -> Waker {
        let waker = ready.component_waker(component);
        let mut known = self.circles.iter_mut();
        let circle = known.find(|circle| plan.circles[circle.number].members.contains(&component));
        if let Some(circle) = circle {
            circle.wakers.push((component, Arc::downgrade(&waker)));
            let waker = Waker::from(waker.clone());
            self.asides.add(Aside::new(&waker, ready.waker(component)));
            return waker;
        }
        Waker::from(waker)
    }

    /// Returns the waker of a component, if the component is in a circle.
    pub(super) fn waker(&self, component: usize) -> Option<Weak<ComponentWaker>> {
        let mut wakers = self.circles.iter().flat_map(|circle| &circle.wakers);
        let (_, waker) = wakers.find(|(known, _)| *known == component)?;
        Some(waker.clone())
    }

    /// Closes the links of circles that are over.
    pub(super) fn settle(&mut self, plan: &Plan, record: &Recorded, ready: &ReadySet) {
        for circle in &mut self.circles {
            circle.settle(plan, record, ready);
        }
    }
}

impl Circle {
    fn begin(
        number: usize,
        circle: &PlannedCircle,
        links: &mut [AnyLink],
        ready: &Rc<ReadySet>,
    ) -> Self {
        let mut under_way = None;
        for &link in &circle.inside {
            if let AnyLink::Across(ends) = &mut links[link] {
                let under_way = under_way
                    .get_or_insert_with(|| Arc::new(UnderWay::new(ready.flow_waker())))
                    .clone();
                ends.enter_circle(&Arc::new(CircleLink::new(under_way)));
            }
        }
        let kept = circle
            .kept
            .iter()
            .filter_map(|&link| match &mut links[link] {
                AnyLink::Within(queue) => Some(HeldLink::Within(queue.clone())),
                AnyLink::Across(ends) => Some(HeldLink::Across(ends.split_off(Direction::Outbox))),
                AnyLink::Fused(_) | AnyLink::Taken(_) => None,
            });
        Self {
            number,
            kept: kept.collect(),
            under_way,
            wakers: Vec::new(),
        }
    }

    fn settle(&mut self, plan: &Plan, record: &Recorded, ready: &ReadySet) {
        if self.kept.is_empty() {
            return;
        }
        // This comes first: from now on the flow is woken when a thread has no work any more. By
        // then the thread has dropped its senders.
        let is_over = self.under_way.as_ref().is_none_or(|some| some.is_over());
        if !is_over || !self.kept.iter().any(HeldLink::is_last) {
            return;
        }
        let circle = &plan.circles[self.number];
        let is_quiet = circle.is_quiet(plan, record)
            && self.wakers.iter().all(|(component, waker)| {
                record.has_ended(*component)
                    || plan.components[*component].own_thread
                    || (waker.strong_count() == 1 && !ready.will_poll(*component))
            });
        if is_quiet {
            self.kept
                .extract_if(.., |kept| kept.is_last())
                .for_each(HeldLink::close);
        }
    }
}

impl PlannedCircle {
    /// Whether, as far as the flow can see, its components wait only for each other's messages.
    fn is_quiet(&self, plan: &Plan, record: &Recorded) -> bool {
        let is_outside = |component: usize| !self.members.contains(&component);
        let waits = |link: usize| {
            let taker = plan.links[link].taker.map(|taker| taker.component);
            taker.is_some_and(|taker| record.waits_at(link, taker))
        };
        // A component that waits for space has something to send. A component that waits elsewhere
        // may receive something from there.
        let is_stuck = self
            .exits
            .iter()
            .all(|&link| !record.has_waiting_writers(link))
            && self.entries.iter().all(|&link| !waits(link));
        let is_empty = self.inside.iter().all(|&link| {
            let is_fed = plan.links[link].from.iter().any(|feed| {
                let outbox = feed.outbox.map(|outbox| outbox.component);
                let outside = outbox.filter(|&component| is_outside(component));
                outside.is_some_and(|component| !record.has_ended(component))
            });
            !(is_fed && waits(link)) && record.queued(link) == 0
        });
        let all_wait = self.members.iter().all(|&member| {
            let is_taker = |link: &usize| {
                plan.links[*link]
                    .taker
                    .is_some_and(|taker| taker.component == member)
            };
            record.has_ended(member)
                || plan.components[member].own_thread
                || self
                    .inside
                    .iter()
                    .filter(|link| is_taker(link))
                    .any(|link| waits(*link))
        });
        is_stuck && is_empty && all_wait
    }
}
