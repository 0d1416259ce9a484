//! Finds the circles of a graph: components that feed each other through a feedback link.

use super::plan::{Plan, PlannedLink};

/// Components that feed each other. Its feedback links keep their inboxes open while anything is in
/// the circle.
pub(crate) struct PlannedCircle {
    /// Its components, without its functions.
    pub(crate) members: Box<[usize]>,
    /// The links from one of its components to another.
    pub(crate) inside: Box<[usize]>,
    /// Those inner links that the circle itself holds open. Their outside senders may end earlier.
    pub(crate) kept: Box<[usize]>,
    /// The links by which only others feed its components.
    pub(crate) entries: Box<[usize]>,
    /// The links that its components feed, inside and outside.
    pub(crate) exits: Box<[usize]>,
}

impl Plan {
    /// Finds the circles, and makes each of them hold its feedback links open, like one more
    /// outbox.
    pub(super) fn find_circles(&mut self) {
        let has_feedback = |link: &PlannedLink| link.from.iter().any(|feed| feed.feedback);
        if !self.links.iter().any(has_feedback) {
            return;
        }
        let count = self.components.len() + self.functions.len();
        let neighbours = Neighbours::of(&self.links, count);
        let mut in_circle = vec![false; count];
        let mut circles = Vec::new();
        for (from, to) in self.links.iter().flat_map(feedbacks) {
            if in_circle[to] {
                continue;
            }
            let (after, before) = (
                reached(to, &neighbours.downstream),
                reached(to, &neighbours.upstream),
            );
            // A feedback link may also come from somewhere else, and then it closes no circle.
            if !after[from] {
                continue;
            }
            let is_member: Vec<_> = (0..count).map(|node| after[node] && before[node]).collect();
            for (known, is_member) in in_circle.iter_mut().zip(&is_member) {
                *known |= is_member;
            }
            circles.push(self.circle(&is_member));
        }
        for link in circles.iter().flat_map(|circle| &circle.kept) {
            self.links[*link].settings.holders += 1;
        }
        self.circles = circles.into();
    }

    fn circle(&self, is_member: &[bool]) -> PlannedCircle {
        let is_fed = |link: &PlannedLink| link.to.is_some_and(|to| is_member[to.component]);
        let feeds = |link: &PlannedLink| origins(link).any(|from| is_member[from]);
        let numbers = |wanted: &dyn Fn(&PlannedLink) -> bool| -> Box<[usize]> {
            let links = self.links.iter().enumerate();
            let links = links.filter(|(_, link)| !link.fused && wanted(link));
            links.map(|(number, _)| number).collect()
        };
        PlannedCircle {
            members: (0..self.components.len())
                .filter(|component| is_member[*component])
                .collect(),
            inside: numbers(&|link| is_fed(link) && feeds(link)),
            kept: numbers(&|link| {
                let mut closing = feedbacks(link);
                is_fed(link) && closing.any(|(from, _)| is_member[from])
            }),
            entries: numbers(&|link| is_fed(link) && !feeds(link)),
            exits: numbers(&feeds),
        }
    }
}

/// The components at both ends of a link, for each feedback outbox that does not hold the link open
/// itself.
fn feedbacks(link: &PlannedLink) -> impl Iterator<Item = (usize, usize)> {
    let is_mixed = link.from.iter().any(|feed| !feed.feedback);
    let feeds = link
        .from
        .iter()
        .filter(move |feed| is_mixed && feed.feedback);
    feeds.filter_map(|feed| Some((feed.outbox?.component, link.to?.component)))
}

fn origins(link: &PlannedLink) -> impl Iterator<Item = usize> {
    let outboxes = link.from.iter().filter_map(|feed| feed.outbox);
    outboxes.map(|outbox| outbox.component)
}

/// Which components feed which.
struct Neighbours {
    downstream: Vec<Vec<usize>>,
    upstream: Vec<Vec<usize>>,
}

impl Neighbours {
    fn of(links: &[PlannedLink], count: usize) -> Self {
        let mut neighbours = Self {
            downstream: vec![Vec::new(); count],
            upstream: vec![Vec::new(); count],
        };
        for link in links {
            let Some(to) = link.to else { continue };
            for from in origins(link) {
                neighbours.downstream[from].push(to.component);
                neighbours.upstream[to.component].push(from);
            }
        }
        neighbours
    }
}

/// Returns the components that can be reached from one component, itself included.
fn reached(start: usize, next: &[Vec<usize>]) -> Vec<bool> {
    let mut reached = vec![false; next.len()];
    reached[start] = true;
    let mut pending = vec![start];
    while let Some(node) = pending.pop() {
        for &next in &next[node] {
            if !reached[next] {
                reached[next] = true;
                pending.push(next);
            }
        }
    }
    reached
}
