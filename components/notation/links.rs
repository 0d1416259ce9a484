//! Checks which ports are linked, once every component has its form.

use kamea::{Direction, PortInfo};

use super::catalogue::Catalogue;
use super::draft::{Draft, End, Node};
use super::fit::names;
use super::mistake::Mistake;
use super::parameter::Ends;
use super::servers::connections_of;

/// Finds ports that are linked twice or not at all, and circles.
pub(super) fn check(draft: &Draft, ends: Option<Ends>) -> Result<(), Mistake> {
    twice(draft)?;
    circles(draft)?;
    let last = draft.nodes.len() - 1;
    for (index, node) in draft.nodes.iter().enumerate() {
        for (number, port) in node.form().ports.iter().enumerate() {
            let is_first = node.form().first(port.direction) == Some(port);
            let is_open_end = is_first
                && ends.is_some_and(|ends| match port.direction {
                    Direction::Inbox => index == 0 && ends.inbox.is_some(),
                    Direction::Outbox => index == last && ends.outbox.is_some(),
                });
            let is_linked = || {
                draft
                    .ends_at(index, number, port.direction)
                    .next()
                    .is_some()
            };
            if !port.optional && !is_open_end && !is_linked() {
                return Err(unlinked(node, port, is_first));
            }
        }
    }
    Ok(())
}

impl Draft {
    /// The ends of links at a port.
    fn ends_at(
        &self,
        node: usize,
        port: usize,
        direction: Direction,
    ) -> impl Iterator<Item = &End> {
        let form = self.nodes[node].form();
        let ends = self.links.iter().flat_map(move |link| {
            let (from, to) = match direction {
                Direction::Inbox => (&[][..], Some(&link.to)),
                Direction::Outbox => (&link.from[..], None),
            };
            from.iter().chain(to)
        });
        ends.filter(move |end| end.node == node && end.find(form, direction) == Some(port))
    }
}

fn unlinked(node: &Node, port: &PortInfo, is_first: bool) -> Mistake {
    let name = &node.name;
    let forms = node.fitting.iter().map(|form| &node.entry.forms[*form]);
    let ports = forms.flat_map(|form| form.ports);
    let types = ports
        .filter(|known| known.name == port.name)
        .map(|known| known.message);
    let message = names(&types.collect::<Vec<_>>());
    let catalogue = Catalogue::shipped();
    let (text, note, which) = match (port.direction, is_first) {
        (Direction::Inbox, true) => (
            format!("`{name}` takes {message}, and nothing feeds it"),
            "a line could begin with",
            catalogue.between(None, Some(port.message)),
        ),
        (Direction::Outbox, true) => {
            let text = format!("`{name}` gives {message}, and nothing takes it");
            match connections_of(port.message) {
                Some(server) => (
                    text,
                    "a line of its own serves each connection",
                    format!("{server} => each({name})"),
                ),
                None => (
                    text,
                    "a line could end with",
                    catalogue.between(Some(port.message), None),
                ),
            }
        }
        (direction, false) => (
            format!("the {direction} `{}` of `{name}` is not linked", port.name),
            "give the component a name, and link it",
            match direction {
                Direction::Inbox => format!("OTHER.PORT -> NAME.{}", port.name),
                Direction::Outbox => format!("NAME.{} -> OTHER.PORT", port.name),
            },
        ),
    };
    let note = if which.is_empty() {
        which
    } else {
        format!("{note}: {which}")
    };
    Mistake::new(&node.span, text).note(note)
}

/// An outbox that feeds two inboxes.
fn twice(draft: &Draft) -> Result<(), Mistake> {
    for (index, node) in draft.nodes.iter().enumerate() {
        for (number, port) in node.form().ports.iter().enumerate() {
            if port.direction == Direction::Inbox || port.many {
                continue;
            }
            if let Some(second) = draft.ends_at(index, number, port.direction).nth(1) {
                let text = format!(
                    "the outbox `{}` of `{}` is linked already",
                    port.name, node.name
                );
                return Err(Mistake::new(&second.span, text).note(
                    "a message goes one way: `tee` copies what comes to two, `splitter` to many",
                ));
            }
        }
    }
    Ok(())
}

/// Components that feed each other in a circle would never end.
fn circles(draft: &Draft) -> Result<(), Mistake> {
    let forward = draft.links.iter().filter(|link| !link.feedback);
    let edges: Vec<(usize, &End)> = forward
        .flat_map(|link| link.from.iter().map(|from| (from.node, &link.to)))
        .collect();
    let reaches = |from: usize, to: usize| {
        let (mut seen, mut next) = (vec![from], 0);
        while let Some(node) = seen.get(next).copied() {
            next += 1;
            for (_, end) in edges.iter().filter(|(from, _)| *from == node) {
                if !seen.contains(&end.node) {
                    seen.push(end.node);
                }
            }
        }
        seen.contains(&to)
    };
    let closing = edges.iter().rfind(|(from, to)| reaches(to.node, *from));
    match closing {
        None => Ok(()),
        Some((from, to)) => {
            let (from, to_name) = (&draft.nodes[*from].name, &draft.nodes[to.node].name);
            let text = format!("`{from}` feeds `{to_name}` in a circle, which would never end");
            Err(Mistake::new(&to.span, text)
                .note("make the link that leads back one of feedback: ~>"))
        }
    }
}
