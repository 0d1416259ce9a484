//! How a flow is polled in a simulation: in an order drawn from the seed, instead of flow order.

use std::task::{Poll, Waker};

use super::Flow;
use crate::simulation;
use crate::supervision::Fault;

impl Flow {
    /// Polls components that have work, in an order drawn from the seed. At times it polls one that
    /// has no work.
    #[cold]
    pub(super) fn pass_drawn(&mut self, budget: &mut usize) -> Result<(), Fault> {
        while *budget > 0
            && let Some(component) = self.take_drawn()
        {
            *budget -= 1;
            self.note_poll(component);
            self.poll_component(component)?;
            if simulation::draws_spurious() {
                self.ready.insert(simulation::draw(self.components.len()));
            }
        }
        Ok(())
    }

    /// Picks one of the components that have work, all with equal probability.
    fn take_drawn(&self) -> Option<usize> {
        let ready =
            || (0..self.components.len()).filter(|&component| self.ready.contains(component));
        let count = ready().count();
        let drawn = ready().nth(simulation::draw(count.max(1)))?;
        self.ready.take_from(drawn)
    }

    /// Adds the poll of a component to the trace of the simulation.
    #[cold]
    pub(super) fn note_poll(&self, component: usize) {
        if self.components[component].is_some() {
            simulation::note(&self.plan.graph, &self.plan.components[component].name);
        }
    }

    /// Names the components that are left, including those of inner flows, and what each waits for.
    /// Polls each once more to find out.
    #[cold]
    pub(super) fn answer_roll_call(&mut self, waker: &Waker) -> Poll<Result<(), Fault>> {
        let mut outside = Vec::new();
        for component in 0..self.components.len() {
            let before = simulation::roll_call();
            if self.wakers.is_empty() {
                if self.poll_single(waker)?.is_ready() {
                    return Poll::Ready(Ok(()));
                }
            } else {
                self.note_poll(component);
                self.poll_component(component)?;
            }
            outside.push(simulation::roll_call().since(before));
        }
        let waits = self.record.waits(&self.plan);
        for (component, (waits, outside)) in waits.into_iter().zip(outside).enumerate() {
            if self.components[component].is_some() {
                let (graph, name) = (&self.plan.graph, &self.plan.components[component].name);
                let waits = waits.unwrap_or_else(|| outside.to_owned());
                simulation::answer(format!("{graph}/{name} (waits for {waits})"));
            }
        }
        Poll::Pending
    }
}
