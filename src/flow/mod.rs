//! A flow: one running graph on one worker. It is one task. It polls its components in the order in
//! which messages flow, until nothing moves.

pub(crate) mod budget;
mod circles;
mod drawn;
mod last_sends;
mod late;
mod ready;
mod rings;
pub(crate) mod stack;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};

use circles::Circles;
pub(crate) use circles::aside;
pub(crate) use last_sends::{go_on, is_stopping_source};
use late::{Late, is_in, no_waker};
use ready::Polled;
pub(crate) use ready::{ReadySet, Waiter, polls_of, wake_caught};

use crate::ask::Release;
use crate::census::Recorded;
use crate::component::Started;
use crate::graph::Plan;
use crate::link::LateWakes;
use crate::link::across::AnyEnds;
use crate::link::joined::Join;
use crate::port::{Outbox, TrySendError};
use crate::ports::{AnyLink, Wiring};
use crate::simulation;
use crate::supervision::{Cause, Ended, Failed, Fault, Policy, Restarts, after, drop_caught};
use crate::time::{InTurn, now};

/// A running graph: a future that is ready when all its components have ended.
///
/// Made by [`Graph::start`](crate::Graph::start) or [`Template::start`](crate::Template::start),
/// and then awaited inside a component or passed to [`spawn`](crate::spawn). Dropping it drops its
/// components and what they hold.
///
/// Its output is the fault that stopped it, if a fault did.
pub struct Flow {
    plan: Arc<Plan>,
    components: Box<[Option<Started>]>,
    /// The waker of each component. Empty if there is only one component, which uses the waker of
    /// the flow.
    wakers: Box<[Waker]>,
    /// How many components have not ended.
    alive: usize,
    /// How many of those take faults, or are downstream of one that does.
    alive_for_faults: usize,
    /// The component at which the last turn was interrupted.
    next: usize,
    faults: Option<Outbox<Fault>>,
    /// The number of faults that found no space since the last one that did, and the component of
    /// the last.
    unheard: Option<(u64, Arc<str>)>,
    circles: Option<Box<Circles>>,
    /// The components that have not been made yet.
    late: Option<Late>,
    /// What a stop has to see to outside of the flow. Most flows have none.
    attached: Option<Box<Attached>>,
    restarts: Restarts,
    ready: Rc<ReadySet>,
    /// What the census knows of it. It is dropped last: components still count while they end.
    record: Recorded,
}

impl Flow {
    pub(crate) fn start(
        plan: Arc<Plan>,
        premade: Vec<Option<Box<dyn AnyEnds>>>,
        mut make: impl FnMut(usize, &mut Wiring<'_>) -> Started + 'static,
    ) -> Self {
        let count = plan.components.len();
        let ready = Rc::new(ReadySet::new(count));
        let mut links = make_links(&plan, premade, &ready);
        let mut circles = Circles::begin(&plan, &mut links, &ready);
        for (node, function) in plan.functions.iter().enumerate() {
            // It is in the inbox behind it now, and there is nothing left to poll.
            drop(make(node, &mut Wiring::fusing(&mut links, function)));
        }
        let components = plan.components.iter().enumerate();
        let components = components.map(|(component, planned)| {
            if is_in(plan.late, component) {
                return Some(Late::unmade(planned, component, &links));
            }
            let (ports, letters) = (&planned.ports, &planned.dead_letters);
            let mut wiring = Wiring::new(&mut links, ports, letters);
            Some(make(plan.functions.len() + component, &mut wiring))
        });
        let components = components.collect();
        let wakers = make_wakers(&plan, &mut circles, &ready);
        let alive_for_faults = plan
            .components
            .iter()
            .filter(|component| component.serves_faults)
            .count();
        let faults = plan
            .faults
            .map(|at| Wiring::new(&mut links, &[], &[]).outbox(at))
            .filter(|_| alive_for_faults < count);
        // What a thread waits for does not show in the queues of the flow.
        ready.set_jammed(plan.has_threads);
        let record = Recorded::begin(&plan, links, &ready);
        Self {
            components,
            wakers,
            alive: count,
            alive_for_faults,
            next: 0,
            faults,
            unheard: None,
            circles: circles.map(Box::new),
            late: Late::new(plan.late, make),
            attached: None,
            restarts: Restarts::default(),
            ready,
            plan,
            record,
        }
    }

    /// Adds the askers of its components, and its links from open ports of other graphs, so that a
    /// stop can close them.
    pub(crate) fn attached(
        mut self,
        asked: Vec<Weak<dyn Release>>,
        joins: Vec<Box<dyn Join>>,
    ) -> Self {
        if !asked.is_empty() || !joins.is_empty() {
            self.attached = Some(Box::new(Attached { asked, joins }));
        }
        self
    }

    /// Whether the only components left are those that answer others, and those downstream of
    /// these.
    pub(crate) fn only_answers(&self) -> bool {
        let mut components = self.components.iter().zip(&self.plan.components);
        let attached = self.attached.as_ref();
        attached.is_some_and(|attached| !attached.asked.is_empty())
            && components.all(|(running, planned)| {
                running.is_none() || planned.answers || planned.serves_faults
            })
    }

    /// Stops all askers of its components. The components end when they have answered the questions
    /// in the queue.
    pub(crate) fn release_askers(&mut self) {
        let Some(attached) = &mut self.attached else {
            return;
        };
        let askers = std::mem::take(&mut attached.asked);
        let askers = askers.iter().filter_map(Weak::upgrade);
        askers.for_each(|asker| asker.release());
    }

    /// Closes its links from open ports of other graphs. It still receives what has been sent.
    pub(crate) fn leave_open_ports(&mut self) {
        if let Some(attached) = &mut self.attached {
            attached.joins.iter_mut().for_each(|join| join.leave());
        }
    }

    /// Returns the name of its graph.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.plan.graph
    }

    /// Begins a graceful stop. Components without inboxes are dropped, so that the end travels
    /// downstream, behind what they were sending.
    pub(crate) fn stop_sources(&mut self) {
        for component in 0..self.components.len() {
            let planned = &self.plan.components[component];
            if planned.heeds_stop {
                self.ready.insert(component);
            }
            if !planned.is_source || self.components[component].is_none() {
                continue;
            }
            let running = self.components[component].take();
            match last_sends::stop_source(|| drop_caught(&planned.name, running)) {
                None => self.retire(component),
                Some(sends) => {
                    self.components[component] = Some(sends);
                    self.ready.insert(component);
                }
            }
        }
    }

    /// Polls, in flow order, each component that has work.
    fn pass(&mut self, budget: &mut usize) -> Result<(), Fault> {
        if simulation::is_on() {
            return self.pass_drawn(budget);
        }
        // A component late in flow order gets its turn even if those before it always have work.
        let mut from = std::mem::take(&mut self.next);
        while let Some(component) = self.ready.take_from(from) {
            *budget -= 1;
            from = component;
            self.poll_component(component)?;
            if *budget == 0 || budget::is_spent() {
                self.next = component + 1;
                break;
            }
        }
        Ok(())
    }

    /// Polls components that have work until none has, or the budget is spent.
    fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.ready.register(cx.waker());
        let mut budget = simulation::draw_budget().unwrap_or(budget::POLLS);
        loop {
            if self.alive == 0 {
                return Poll::Ready(Ok(()));
            }
            if self.unheard.is_some() {
                self.tell_of_unheard();
            }
            self.ready.gather_woken();
            if self.ready.is_empty() && !self.settle_circles() {
                return Poll::Pending;
            }
            if budget::is_spent() || (budget == 0 && !budget::renew()) {
                self.settle_circles();
                budget::give_way(cx);
                return Poll::Pending;
            }
            if budget == 0 {
                budget = budget::POLLS;
            }
            self.pass(&mut budget)?;
        }
    }

    /// Closes the links of circles that are over. Returns whether a component has work now.
    #[inline]
    fn settle_circles(&mut self) -> bool {
        match &mut self.circles {
            None => false,
            Some(circles) => {
                circles.settle(&self.plan, &self.record, &self.ready);
                !self.ready.is_empty()
            }
        }
    }

    fn poll_component(&mut self, component: usize) -> Result<(), Fault> {
        if !self.is_made(component)? {
            return Ok(());
        }
        let waker = &self.wakers[component];
        let Some(running) = &mut self.components[component] else {
            return Ok(());
        };
        let polls = self.record.begin_poll(component);
        let before = Polled::of(&self.ready, waker, component, polls).enter();
        let outcome = running.as_mut().poll(&mut Context::from_waker(waker));
        before.enter();
        self.record.end_poll(component);
        match outcome {
            Poll::Pending => Ok(()),
            Poll::Ready(ended) => self.settle(component, ended),
        }
    }

    /// Polls the only component: there is no order to compute.
    fn poll_single(&mut self, waker: &Waker) -> Poll<Result<(), Fault>> {
        if simulation::is_on() {
            self.note_poll(0);
        }
        if let [Some(single)] = &mut *self.components {
            self.record.begin_poll(0);
            let outcome = single.as_mut().poll(&mut Context::from_waker(waker));
            self.record.end_poll(0);
            match outcome {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(ended) => self.settle(0, ended)?,
            }
        }
        if self.alive == 0 {
            return Poll::Ready(Ok(()));
        }
        // It has been restarted.
        waker.wake_by_ref();
        Poll::Pending
    }

    /// Handles the end of a component.
    #[inline(never)]
    fn settle(&mut self, component: usize, ended: Ended) -> Result<(), Fault> {
        match ended {
            Ok(()) => {
                self.retire(component);
                Ok(())
            }
            Err(failed) => self.supervise(component, *failed),
        }
    }

    /// Applies the policy to a fault.
    fn supervise(&mut self, component: usize, failed: Failed) -> Result<(), Fault> {
        let Failed {
            cause,
            culprit,
            again,
        } = failed;
        let mut functions = self.plan.functions.iter();
        let planned = culprit
            .and_then(|culprit| functions.find(|function| function.name == culprit))
            .unwrap_or(&self.plan.components[component]);
        let mut fault = Fault {
            graph: self.plan.graph.clone(),
            component: planned.name.clone(),
            prefix: 0,
            cause,
            restarts: self.restarts.count(component),
            restarts_in: None,
        };
        let mut policy = match &planned.supervisor {
            Some(supervisor) => supervisor.decide(&mut fault),
            None => Policy::Stop,
        };
        if let Policy::Restart(limit) = policy {
            let is_possible = again.is_some();
            fault.restarts_in = is_possible
                .then(|| self.restarts.permit(component, &limit, now()))
                .flatten();
            if fault.restarts_in.is_none() {
                policy = limit.otherwise();
            }
        }
        self.record.fault(component, &fault, policy);
        let pause = fault.restarts_in;
        // The fault is sent before the component ends: the component that takes it may answer in
        // its place.
        let outcome = match policy {
            Policy::Stop => Err(fault),
            Policy::CarryOn | Policy::Restart(_) => {
                self.tell(fault);
                Ok(())
            }
        };
        match (pause, again) {
            (Some(pause), Some(again)) => {
                self.components[component] = Some(after(pause, again));
                self.record.restart(component);
                self.ready.insert(component);
            }
            (_, again) => {
                drop_caught(&self.plan.components[component].name, again);
                self.retire(component);
            }
        }
        outcome
    }

    /// Reports a fault that the graph survives.
    fn tell(&mut self, fault: Fault) {
        fault.log();
        self.tell_of_unheard();
        let Some(faults) = &self.faults else {
            return drop_fault(fault);
        };
        // The faults that found no space come first.
        let sent = match &self.unheard {
            None => faults.try_send(fault),
            Some(_) => Err(TrySendError::Full(fault)),
        };
        match sent {
            Ok(()) => {}
            Err(TrySendError::Full(fault)) => {
                let known = self.unheard.as_ref().map_or(0, |(count, _)| *count);
                self.unheard = Some((known + 1, fault.component.clone()));
                drop_fault(fault);
            }
            Err(TrySendError::Closed(fault)) => drop_fault(fault),
        }
    }

    /// Reports the number of faults that found no space, if there is space now.
    #[cold]
    fn tell_of_unheard(&mut self) {
        let Some((count, component)) = self.unheard.take() else {
            return;
        };
        let Some(faults) = &self.faults else { return };
        let fault = Fault {
            graph: self.plan.graph.clone(),
            component: component.clone(),
            prefix: 0,
            cause: Cause::Unheard(count),
            restarts: 0,
            restarts_in: None,
        };
        if let Err(TrySendError::Full(_)) = faults.try_send(fault) {
            self.unheard = Some((count, component));
        }
        self.end_faults();
    }

    /// Ends the stream of faults once no component is left whose faults could be reported, and all
    /// have been reported.
    fn end_faults(&mut self) {
        if self.alive == self.alive_for_faults && self.unheard.is_none() {
            self.faults = None;
        }
    }

    /// Returns the size of the stack, if this flow is awaited inside so many others that the stack
    /// is nearly used up.
    fn too_deep(&self, polling: &Polling) -> Option<usize> {
        if polling.turn.is_outermost() {
            return None;
        }
        stack::is_used_up()
    }

    #[cold]
    fn overflow(&self, size: usize) -> Fault {
        let text = format!(
            "it is awaited inside of so many others that the stack of its worker ({size} bytes) is nearly used up: \
             spawn flows, or see `WorkerOptions::stack_size`"
        );
        let first = self.plan.components.first();
        Fault {
            graph: self.plan.graph.clone(),
            component: first.map_or_else(|| "none".into(), |first| first.name.clone()),
            prefix: 0,
            cause: Cause::Error(text.into()),
            restarts: 0,
            restarts_in: None,
        }
    }

    /// Drops all components, each by itself, so that a panic in one does not keep the others from
    /// being dropped.
    fn drop_components(&mut self) {
        if self.alive == 0 {
            return;
        }
        self.end_all_unmade();
        for (running, planned) in self.components.iter_mut().zip(&self.plan.components) {
            drop_caught(&planned.name, running.take());
        }
        self.alive = 0;
    }

    /// Drops a component, which closes its ports.
    fn retire(&mut self, component: usize) {
        let running = self.components[component].take();
        drop_caught(&self.plan.components[component].name, running);
        self.record.end(component);
        self.alive -= 1;
        if self.plan.components[component].serves_faults {
            self.alive_for_faults -= 1;
        }
        self.end_faults();
    }
}

/// Makes the links of a flow, except those that lead out of its graph.
fn make_links(
    plan: &Plan,
    premade: Vec<Option<Box<dyn AnyEnds>>>,
    ready: &Rc<ReadySet>,
) -> Vec<AnyLink> {
    let mut premade = premade.into_iter();
    let links = plan.links.iter();
    links
        .map(|link| match premade.next().flatten() {
            Some(ends) => AnyLink::Across(ends),
            None if link.fused => AnyLink::Fused(Box::new(())),
            None if link.across => AnyLink::Across((link.kind.across)(&link.settings)),
            None => AnyLink::Within((link.kind.within)(&link.settings, ready)),
        })
        .collect()
}

/// Makes the waker of each component, unless there is only one.
fn make_wakers(plan: &Plan, circles: &mut Option<Circles>, ready: &Rc<ReadySet>) -> Box<[Waker]> {
    let count = plan.components.len();
    if count == 1 && circles.is_none() {
        return Box::default();
    }
    let wakers = (0..count).map(|component| {
        if is_in(plan.late, component) {
            return no_waker();
        }
        ready.mark(component);
        match circles {
            Some(circles) => circles.add(component, plan, ready),
            None => ready.waker(component),
        }
    });
    wakers.collect()
}

/// What belongs to a flow, but lies outside of it.
struct Attached {
    /// The askers of its components.
    asked: Vec<Weak<dyn Release>>,
    /// Its links from open ports of other graphs.
    joins: Vec<Box<dyn Join>>,
}

/// The error in it belongs to the user, and its drop may panic.
fn drop_fault(fault: Fault) {
    drop_caught(&fault.component.clone(), fault);
}

impl Future for Flow {
    type Output = Result<(), Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let flow = &mut *self;
        let polling = Polling::begin(flow.ready.clone());
        if let Some(size) = flow.too_deep(&polling) {
            flow.drop_components();
            return Poll::Ready(Err(flow.overflow(size)));
        }
        let _asides = flow.circles.as_ref().map(|circles| circles.asides.enter());
        let before = flow.record.begin_turn();
        let mut outcome = if simulation::is_roll_call() {
            flow.answer_roll_call(cx.waker())
        } else if flow.wakers.is_empty() {
            flow.poll_single(cx.waker())
        } else {
            flow.poll_all(cx)
        };
        if flow.ready.is_jammed() && outcome.is_pending() {
            match flow.watch_for_ring() {
                Err(fault) => outcome = Poll::Ready(Err(fault)),
                // One of the components that it has polled may have gone on.
                Ok(true) if flow.alive == 0 || !flow.ready.is_empty() => {
                    cx.waker().wake_by_ref();
                }
                Ok(_) => {}
            }
        }
        flow.record.end_turn(before);
        if let Poll::Ready(Err(_)) = outcome {
            flow.record.fail();
            flow.drop_components();
        }
        outcome
    }
}

impl Drop for Flow {
    fn drop(&mut self) {
        self.drop_components();
    }
}

/// Marks a flow as being polled, for as long as this lives.
struct Polling {
    ready: Rc<ReadySet>,
    turn: InTurn,
    _late: LateWakes,
}

impl Polling {
    fn begin(ready: Rc<ReadySet>) -> Self {
        ready.set_polling(true);
        let turn = InTurn::begin();
        if turn.is_outermost() {
            budget::begin();
        }
        Self {
            ready,
            turn,
            _late: LateWakes::begin(),
        }
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.ready.set_polling(false);
        if self.turn.is_outermost() {
            budget::end();
        }
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow")
            .field("graph", &self.plan.graph)
            .field("alive", &self.alive)
            .finish_non_exhaustive()
    }
}
