//! The current position of a thread, visible to other threads: the component that it polls, and the
//! meaning of the numbers of its graphs.

use std::panic::Location;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Place;
use crate::graph::Plan;

/// One relaxed store for each poll of a component. A census reads it if the worker does not answer.
#[derive(Default)]
pub(crate) struct At {
    /// 0: no component. Otherwise the upper half is the number of the graph, the lower half the
    /// number of the component.
    now: AtomicU64,
    /// The graphs, by their number minus one.
    graphs: Mutex<Vec<Option<Arc<Plan>>>>,
}

impl At {
    #[inline]
    pub(super) fn set(&self, graph: u32, component: usize) {
        self.now
            .store(u64::from(graph) << 32 | component as u64, Relaxed);
    }

    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.now.load(Relaxed)
    }

    #[inline]
    pub(super) fn restore(&self, before: u64) {
        self.now.store(before, Relaxed);
    }

    pub(crate) fn place(&self) -> Option<Place> {
        Some(self.whereabouts()?.0)
    }

    /// The component, and the place in the source where it was added to its graph.
    pub(crate) fn whereabouts(&self) -> Option<(Place, &'static Location<'static>)> {
        let now = self.now();
        let graph = (now >> 32).checked_sub(1)?;
        let graphs = self.graphs();
        let plan = graphs.get(graph as usize)?.as_ref()?;
        let component = plan.components.get((now & u64::from(u32::MAX)) as usize)?;
        let place = Place {
            graph: plan.graph.clone(),
            component: component.name.clone(),
        };
        Some((place, component.location))
    }

    /// Assigns a number to a graph.
    pub(super) fn add(&self, plan: &Arc<Plan>) -> u32 {
        let mut graphs = self.graphs();
        let free = graphs.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            graphs.push(None);
            graphs.len() - 1
        });
        graphs[index] = Some(plan.clone());
        index as u32 + 1
    }

    pub(super) fn remove(&self, number: u32) {
        self.graphs()[number as usize - 1] = None;
    }

    fn graphs(&self) -> MutexGuard<'_, Vec<Option<Arc<Plan>>>> {
        self.graphs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("At").field(&self.place()).finish()
    }
}
