//! A flow: one running graph on one worker. It is one task; its components are polled in the order in which
//! messages flow, until nothing moves.

mod ready;

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ready::{ComponentWaker, Turn, Woken};
pub(crate) use ready::{ReadySet, Waiter};

use crate::component::{End, Started};
use crate::fault::{Cause, Fault, Policy};
use crate::graph::Plan;
use crate::link::across::AnyEnds;
use crate::port::{Outbox, TrySendError};
use crate::ports::{AnyLink, Wiring};

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
    components: Vec<Option<Running>>,
    /// How many components have not ended.
    alive: usize,
    /// How many of those take faults, or are downstream of one that does.
    alive_for_faults: usize,
    faults: Option<Outbox<Fault>>,
    ready: Rc<ReadySet>,
    woken: Arc<Woken>,
}

struct Running {
    future: Started,
    waker: Waker,
}

impl Flow {
    pub(crate) fn start(
        plan: Arc<Plan>,
        premade: Vec<Option<Box<dyn AnyEnds>>>,
        mut make: impl FnMut(&mut Wiring<'_>) -> Started,
    ) -> Self {
        let count = plan.components.len();
        let woken = Arc::new(Woken::new(count));
        let ready = Rc::new(ReadySet::new(count, woken.clone()));
        let mut premade = premade.into_iter();
        let mut links: Vec<_> = plan
            .links
            .iter()
            .map(|link| match premade.next().flatten() {
                Some(ends) => AnyLink::Across(ends),
                None if link.across => AnyLink::Across((link.kind.across)(link.capacity)),
                None => AnyLink::Within((link.kind.within)(link.capacity, link.holders, &ready)),
            })
            .collect();
        let components = plan
            .components
            .iter()
            .enumerate()
            .map(|(component, planned)| {
                ready.insert(component);
                let future = make(&mut Wiring::new(&mut links, &planned.ports));
                let waker = Waker::from(Arc::new(ComponentWaker {
                    woken: woken.clone(),
                    component,
                }));
                Some(Running { future, waker })
            });
        let components = components.collect();
        let faults = plan
            .faults
            .map(|at| Wiring::new(&mut links, &[]).outbox(at));
        let alive_for_faults = plan
            .components
            .iter()
            .filter(|component| component.serves_faults)
            .count();
        Self {
            components,
            alive: count,
            alive_for_faults,
            faults,
            ready,
            woken,
            plan,
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

    fn poll_component(&mut self, component: usize) -> Result<(), Fault> {
        let Some(running) = &mut self.components[component] else {
            return Ok(());
        };
        let turn = Turn::of(&self.ready, &running.waker, component).enter();
        let mut cx = Context::from_waker(&running.waker);
        let outcome = catch_unwind(AssertUnwindSafe(|| running.future.as_mut().poll(&mut cx)));
        turn.enter();
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
        self.alive -= 1;
        if self.plan.components[component].serves_faults {
            self.alive_for_faults -= 1;
        }
        if self.alive == self.alive_for_faults {
            self.faults = None;
        }
    }

    fn fault(&mut self, component: usize, cause: Cause) -> Result<(), Fault> {
        let component = self.plan.components[component].name.clone();
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
        flow.woken.register(cx.waker());
        let mut budget = BUDGET;
        loop {
            if flow.alive == 0 {
                return Poll::Ready(Ok(()));
            }
            flow.woken.move_to(&flow.ready);
            if flow.ready.is_empty() {
                return Poll::Pending;
            }
            if budget == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if let Err(fault) = flow.pass(&mut budget) {
                flow.components.clear();
                flow.alive = 0;
                return Poll::Ready(Err(fault));
            }
        }
    }
}

/// Says of a flow, for as long as it lives, that it is being polled.
struct Polling(Rc<ReadySet>);

impl Polling {
    fn begin(ready: Rc<ReadySet>) -> Self {
        ready.set_polling(true);
        Self(ready)
    }
}

impl Drop for Polling {
    fn drop(&mut self) {
        self.0.set_polling(false);
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
