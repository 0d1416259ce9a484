//! The states of the components of one flow, derived from its links.

use std::time::{Duration, Instant};

use super::record::Record;
use crate::graph::{Plan, PlannedPort};

/// The state of one component. It has numbers instead of names, so that thousands of flows can be
/// examined quickly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    WaitingForSpace {
        outbox: PlannedPort,
        /// The component that does not receive. `None` if it is not in the graph.
        blocked_by: Option<usize>,
        /// The bottleneck: the first component along the jam that does not wait for space itself.
        culprit: Option<usize>,
    },
    Ready,
    Running,
    WaitingForWorld,
    /// One bit for each inbox, by the number of its port.
    WaitingForMessage(u64),
    Ended,
}

/// The states of the components of a flow. The value is reused from flow to flow.
#[derive(Debug, Default)]
pub(super) struct FlowStates {
    pub(super) doing: Vec<Doing>,
    /// How long each component has waited for space.
    pub(super) blocked: Vec<Duration>,
    waits: Vec<Waits>,
}

/// What a component waits for at its links.
#[derive(Debug, Clone, Copy, Default)]
struct Waits {
    /// The number of the link that is full, and the outbox.
    space: Option<(usize, PlannedPort, Instant)>,
    inboxes: u64,
}

impl FlowStates {
    pub(super) fn at(&mut self, flow: &Record, plan: &Plan, now: Instant) {
        self.find_waits(flow, plan);
        self.doing.clear();
        self.blocked.clear();
        for component in 0..plan.components.len() {
            let doing = self.doing_of(component, flow, plan);
            self.doing.push(doing);
            let since = self.waits[component].space.map_or(now, |(.., since)| since);
            let is_blocked = matches!(doing, Doing::WaitingForSpace { .. });
            let blocked = now.saturating_duration_since(since);
            self.blocked
                .push(if is_blocked { blocked } else { Duration::ZERO });
        }
    }

    fn find_waits(&mut self, flow: &Record, plan: &Plan) {
        let waits = &mut self.waits;
        waits.clear();
        waits.resize(plan.components.len(), Waits::default());
        for (number, (planned, link)) in plan.links.iter().zip(&flow.links).enumerate() {
            let Some(link) = link.counted() else { continue };
            if let Some(taker) = planned.taker
                && link.reader_waits(flow.components[taker.component].polls.get())
            {
                waits[taker.component].inboxes |= 1 << taker.port.min(63);
            }
            link.each_writer(&mut |feed, since| {
                let feed = planned.from.get(feed);
                if let Some(outbox) = feed.and_then(|feed| feed.outbox) {
                    waits[outbox.component]
                        .space
                        .get_or_insert((number, outbox, since));
                }
            });
        }
    }

    fn doing_of(&self, component: usize, flow: &Record, plan: &Plan) -> Doing {
        let waits = self.waits[component];
        if flow.components[component].has_ended.get() {
            Doing::Ended
        } else if let Some((link, outbox, _)) = waits.space {
            Doing::WaitingForSpace {
                outbox,
                blocked_by: plan.links[link].taker.map(|inbox| inbox.component),
                culprit: self.culprit(link, plan),
            }
        } else if !plan.components[component].own_thread && flow.ready.will_poll(component) {
            Doing::Ready
        } else if waits.inboxes != 0 {
            Doing::WaitingForMessage(waits.inboxes)
        } else if plan.components[component].own_thread {
            Doing::Running
        } else {
            Doing::WaitingForWorld
        }
    }

    /// Returns the component at the end of the jam that begins at a link.
    fn culprit(&self, link: usize, plan: &Plan) -> Option<usize> {
        let mut taker = plan.links[link].taker?.component;
        // Feedback links may form a circle, which has no end to blame.
        for _ in 0..plan.components.len() {
            let Some((link, ..)) = self.waits[taker].space else {
                break;
            };
            taker = plan.links[link].taker?.component;
        }
        Some(taker)
    }
}
