//! Components that are made when their first message comes: see
//! [`at_first_message`](crate::at_first_message).
//!
//! Until then such a component is a bit in a word, and waits at its inboxes. If these end without a
//! message, it ends without having been made.

#[cfg(test)]
mod tests;

use std::future::pending;
use std::task::Waker;

use super::Flow;
use crate::component::Started;
use crate::graph::PlannedComponent;
use crate::ports::{AnyLink, Direction, Wiring};
use crate::supervision::{Failed, Fault, caught, drop_caught};

/// Makes a component by its number, over its ports.
type Make = Box<dyn FnMut(usize, &mut Wiring<'_>) -> Started>;

/// The components of a flow that have not been made yet, and how they are made.
pub(super) struct Late {
    /// A bit for each of them.
    unmade: u64,
    /// Makes a node of the plan: its functions come first.
    make: Make,
}

/// What the inboxes of such a component have for it.
enum Awaited {
    Message,
    Nothing,
    /// They have ended.
    End,
}

impl Late {
    pub(super) fn new(
        unmade: u64,
        make: impl FnMut(usize, &mut Wiring<'_>) -> Started + 'static,
    ) -> Option<Self> {
        (unmade != 0).then(|| Self {
            unmade,
            make: Box::new(make),
        })
    }

    /// Stands for a component that has not been made. It takes no memory.
    pub(super) fn unmade(
        planned: &PlannedComponent,
        component: usize,
        links: &[AnyLink],
    ) -> Started {
        for link in planned.inboxes() {
            if let AnyLink::Within(queue) = &links[link] {
                queue.await_first(component);
            }
        }
        Box::pin(pending())
    }

    fn contains(&self, component: usize) -> bool {
        is_in(self.unmade, component)
    }
}

/// Whether a component is in a set of the first 64 components.
pub(super) fn is_in(set: u64, component: usize) -> bool {
    component < u64::BITS as usize && set & 1 << component != 0
}

impl Flow {
    /// Whether a component can be polled: if it has not been made yet, its first message makes it.
    #[inline]
    pub(super) fn is_made(&mut self, component: usize) -> Result<bool, Fault> {
        match &self.late {
            Some(late) if late.contains(component) => self.make_late(component),
            _ => Ok(true),
        }
    }

    #[inline(never)]
    fn make_late(&mut self, component: usize) -> Result<bool, Fault> {
        match awaited(&self.plan.components[component], self.record.links()) {
            Awaited::Nothing => return Ok(false),
            Awaited::End => {
                self.end_unmade(component);
                self.retire(component);
                return Ok(false);
            }
            Awaited::Message => {}
        }
        let Some(late) = &mut self.late else {
            return Ok(true);
        };
        let plan = &self.plan;
        let mut wiring = Wiring::late(self.record.links(), &plan.components[component].ports);
        let node = plan.functions.len() + component;
        match caught(|| (late.make)(node, &mut wiring)) {
            Ok(started) => {
                self.components[component] = Some(started);
                self.wakers[component] = match &mut self.circles {
                    Some(circles) => circles.add(component, plan, &self.ready),
                    None => self.ready.waker(component),
                };
                self.forget_unmade(component);
                Ok(true)
            }
            Err(cause) => {
                // Ports that were open have been dropped with it.
                match wiring.has_opened() {
                    true => self.forget_unmade(component),
                    false => self.end_unmade(component),
                }
                self.supervise(component, Failed::for_good(cause))?;
                Ok(false)
            }
        }
    }

    /// Closes the ports of all components that have not been made.
    pub(super) fn end_all_unmade(&mut self) {
        for component in 0..self.components.len() {
            if self
                .late
                .as_ref()
                .is_some_and(|late| late.contains(component))
            {
                self.end_unmade(component);
            }
        }
    }

    /// Closes the ports of a component that will never be made.
    fn end_unmade(&mut self, component: usize) {
        let planned = &self.plan.components[component];
        for (info, links) in planned.port_infos.iter().zip(&planned.ports) {
            for at in links {
                let AnyLink::Within(queue) = &self.record.links()[at.link] else {
                    continue;
                };
                let closed = caught(|| match info.direction {
                    Direction::Inbox => queue.close(),
                    Direction::Outbox if at.holds => queue.release(),
                    Direction::Outbox => {}
                });
                if let Err(cause) = closed {
                    let name = &planned.name;
                    log::error!("component `{name}` panicked while it was dropped: {cause}");
                }
            }
        }
        self.forget_unmade(component);
    }

    fn forget_unmade(&mut self, component: usize) {
        if let Some(late) = &mut self.late {
            late.unmade &= !(1 << component);
            if late.unmade == 0 {
                // It owns the seed, which is the user's.
                drop_caught(&self.plan.components[component].name, self.late.take());
            }
        }
    }
}

/// What the inboxes of a component have for it.
fn awaited(planned: &PlannedComponent, links: &[AnyLink]) -> Awaited {
    let mut awaited = Awaited::End;
    for link in planned.inboxes() {
        let AnyLink::Within(queue) = &links[link] else {
            continue;
        };
        if queue.queued() > 0 {
            return Awaited::Message;
        }
        if queue.holders() > 0 {
            awaited = Awaited::Nothing;
        }
    }
    awaited
}

/// The wakers of components that have not been made: nothing holds them.
pub(super) fn no_waker() -> Waker {
    Waker::noop().clone()
}
