//! Finds the components of a template that are made when their first message comes.

use super::plan::{Plan, PlannedComponent};
use crate::ports::Direction;

impl Plan {
    /// Finds the components that can be made later than the others: they have declared that they do
    /// nothing before their first message, and all their links are inside the flow, where it sees
    /// that message. A flow knows them by the bits of a word, so the first 64 components count.
    pub(super) fn find_late(&mut self) {
        if self.components.len() < 2 {
            return;
        }
        for (number, component) in (0..u64::BITS).zip(&self.components) {
            if self.may_be_late(component) {
                self.late |= 1 << number;
            }
        }
    }

    fn may_be_late(&self, component: &PlannedComponent) -> bool {
        let mut links = component.ports.iter().flatten();
        let is_inside = links.all(|at| !self.links[at.link].across && !self.links[at.link].fused);
        let mut inboxes = component.inboxes();
        component.needs_message
            && !component.is_source
            && !component.own_thread
            && !component.heeds_stop
            && component.dead_letters.is_empty()
            && is_inside
            // A link that nothing holds open would never end.
            && inboxes.all(|link| self.links[link].settings.holders > 0)
    }
}

impl PlannedComponent {
    /// The links of its inboxes.
    pub(crate) fn inboxes(&self) -> impl Iterator<Item = usize> {
        let ports = self.port_infos.iter().zip(&self.ports);
        let inboxes = ports.filter(|(info, _)| info.direction == Direction::Inbox);
        inboxes.flat_map(|(_, links)| links.iter().map(|at| at.link))
    }
}
