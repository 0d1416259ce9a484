//! A flow: one running graph on one worker. It is one task; its components are polled in the order in which
//! messages flow, until nothing moves.

mod drawn;
mod ready;

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ready::Turn;
pub(crate) use ready::{ReadySet, Waiter, polls_of};

use crate::census::Recorded;
use crate::component::{Done, End, Started};
use crate::fault::{Cause, Fault, Policy};
use crate::fuse;
use crate::graph::Plan;
use crate::link::across::AnyEnds;
use crate::port::{Outbox, TrySendError};
use crate::ports::{AnyLink, Wiring};
use crate::simulation;
use crate::time::InTurn;

/// How many polls of components a flow may spend on one wake-up before others get their turn.
const BUDGET: usize = 256;

/// A running graph: a future that is done when all its components are.
///
/// Made by [`Graph::start`](crate::Graph::start) or [`Template::start`](crate::Template::start), and then awaited
/// inside a component or handed to [`spawn`](crate::spawn). Dropping it drops its components and what they hold.
///
/// Its outcome is the fault that stopped it, if one did.
pub struct Flow {
    plan: Arc<Plan>,
    components: Box<[Option<Started>]>,
    /// The waker of each component; none if there is but one component, whose waker is that of the flow.
    wakers: Box<[Waker]>,
    /// How many components have not ended.
    alive: usize,
    /// How many of those take faults, or are downstream of one that does.
    alive_for_faults: usize,
    faults: Option<Outbox<Fault>>,
    ready: Rc<ReadySet>,
    /// What the census knows of it. The last to be dropped: what the components count as they end is in it.
    record: Recorded,
}

impl Flow {
    pub(crate) fn start(
        plan: Arc<Plan>,
        premade: Vec<Option<Box<dyn AnyEnds>>>,
        mut make: impl FnMut(&mut Wiring<'_>) -> Started,
    ) -> Self {
        let count = plan.components.len();
        let ready = Rc::new(ReadySet::new(count));
        let mut premade = premade.into_iter();
        let mut links: Vec<_> = plan
            .links
            .iter()
            .map(|link| match premade.next().flatten() {
                Some(ends) => AnyLink::Across(ends),
                None if link.fused => AnyLink::Fused(Box::new(())),
                None if link.across => AnyLink::Across((link.kind.across)(&link.terms)),
                None => AnyLink::Within((link.kind.within)(&link.terms, &ready)),
            })
            .collect();
        for function in &plan.functions {
            // It is in the inbox behind it now, and nothing is left to be polled.
            drop(make(&mut Wiring::fusing(&mut links, function)));
        }
        let components = plan
            .components
            .iter()
            .map(|planned| Some(make(&mut Wiring::new(&mut links, &planned.ports))));
        let components = components.collect();
        let wakers = if count > 1 {
            (0..count).map(|component| ready.add(component)).collect()
        } else {
            Box::default()
        };
        let faults = plan
            .faults
            .map(|at| Wiring::new(&mut links, &[]).outbox(at));
        let alive_for_faults = plan
            .components
            .iter()
            .filter(|component| component.serves_faults)
            .count();
        let record = Recorded::begin(&plan, links, &ready);
        Self {
            components,
            wakers,
            alive: count,
            alive_for_faults,
            faults,
            ready,
            plan,
            record,
        }
    }

    /// Begins a graceful stop: the components without inboxes are dropped, so that the end travels downstream.
    pub(crate) fn stop_sources(&mut self) {
        for component in 0..self.components.len() {
            if self.plan.components[component].is_source && self.components[component].is_some() {
                self.retire(component);
            }
        }
    }

    /// Polls, in flow order, each component that has something to do.
    fn pass(&mut self, budget: &mut usize) -> Result<(), Fault> {
        if simulation::is_on() {
            return self.pass_drawn(budget);
        }
        let mut from = 0;
        while *budget > 0
            && let Some(component) = self.ready.take_from(from)
        {
            *budget -= 1;
            from = component;
            self.poll_component(component)?;
        }
        Ok(())
    }

    /// Polls what has something to do until nothing has, or the budget is spent.
    fn poll_all(&mut self, waker: &Waker) -> Poll<Result<(), Fault>> {
        self.ready.register(waker);
        let mut budget = simulation::draw_budget().unwrap_or(BUDGET);
        loop {
            if self.alive == 0 {
                return Poll::Ready(Ok(()));
            }
            self.ready.gather_woken();
            if self.ready.is_empty() {
                return Poll::Pending;
            }
            if budget == 0 {
                waker.wake_by_ref();
                return Poll::Pending;
            }
            self.pass(&mut budget)?;
        }
    }

    fn poll_component(&mut self, component: usize) -> Result<(), Fault> {
        let waker = &self.wakers[component];
        let Some(running) = &mut self.components[component] else {
            return Ok(());
        };
        let polls = self.record.begin_poll(component);
        let turn = Turn::of(&self.ready, waker, component, polls).enter();
        let outcome = poll_caught(running, waker);
        turn.enter();
        self.record.end_poll(component);
        match outcome {
            Ok(Poll::Pending) => Ok(()),
            ended => self.settle(component, ended),
        }
    }

    /// Polls the only component: there is nothing to be sorted out.
    fn poll_single(&mut self, waker: &Waker) -> Poll<Result<(), Fault>> {
        if simulation::is_on() {
            self.note_poll(0);
        }
        if let [Some(single)] = &mut *self.components {
            self.record.begin_poll(0);
            let outcome = poll_caught(single, waker);
            self.record.end_poll(0);
            match outcome {
                Ok(Poll::Pending) => return Poll::Pending,
                ended => self.settle(0, ended)?,
            }
        }
        if self.alive == 0 {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    /// Sees to a component that has ended.
    #[inline(never)]
    fn settle(&mut self, component: usize, outcome: Outcome) -> Result<(), Fault> {
        let cause = match outcome {
            Ok(Poll::Pending) => return Ok(()),
            Ok(Poll::Ready(Ok(()) | Err(End::Closed))) => None,
            Ok(Poll::Ready(Err(End::Error(error)))) => Some(Cause::Error(error)),
            Err(payload) => Some(Cause::panic(&*payload)),
        };
        // The fault is on its way before the end of its component is: whoever takes it may answer in its place.
        let outcome = cause.map_or(Ok(()), |cause| self.fault(component, cause));
        self.retire(component);
        outcome
    }

    /// Drops a component, which closes its ports.
    fn retire(&mut self, component: usize) {
        self.components[component] = None;
        self.record.end(component);
        self.alive -= 1;
        if self.plan.components[component].serves_faults {
            self.alive_for_faults -= 1;
        }
        if self.alive == self.alive_for_faults {
            self.faults = None;
        }
    }

    fn fault(&mut self, component: usize, cause: Cause) -> Result<(), Fault> {
        self.record.fault(component);
        let component = match &cause {
            // A function panics where the component behind it is polled.
            Cause::Panic(_) => fuse::culprit(),
            Cause::Error(_) => None,
        }
        .unwrap_or_else(|| self.plan.components[component].name.clone());
        let fault = Fault {
            graph: self.plan.graph.clone(),
            component,
            cause,
        };
        match (self.plan.supervise)(&fault) {
            Policy::Stop => Err(fault),
            Policy::CarryOn => {
                log::error!("{fault}");
                if let Some(faults) = &self.faults
                    && let Err(TrySendError::Full(fault)) = faults.try_send(fault)
                {
                    log::error!(
                        "{fault}, and the component that takes the faults does not keep up"
                    );
                }
                Ok(())
            }
        }
    }
}

impl Future for Flow {
    type Output = Result<(), Fault>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let flow = &mut *self;
        let _polling = Polling::begin(flow.ready.clone());
        let before = flow.record.begin_turn();
        let outcome = if simulation::is_roll_call() {
            flow.answer_roll_call(cx.waker())
        } else if flow.plan.components.len() == 1 {
            flow.poll_single(cx.waker())
        } else {
            flow.poll_all(cx.waker())
        };
        flow.record.end_turn(before);
        if let Poll::Ready(Err(_)) = outcome {
            flow.record.fail();
            flow.components = Box::default();
            flow.alive = 0;
        }
        outcome
    }
}

/// What came of polling a component; the error is what it panicked with.
type Outcome = std::thread::Result<Poll<Done>>;

fn poll_caught(component: &mut Started, waker: &Waker) -> Outcome {
    let mut cx = Context::from_waker(waker);
    catch_unwind(AssertUnwindSafe(|| component.as_mut().poll(&mut cx)))
}

/// Says of a flow, for as long as it lives, that it is being polled.
struct Polling {
    ready: Rc<ReadySet>,
    _turn: InTurn,
}

impl Polling {
    fn begin(ready: Rc<ReadySet>) -> Self {
        ready.set_polling(true);
        Self {
            ready,
            _turn: InTurn::begin(),
        }
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.ready.set_polling(false);
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
