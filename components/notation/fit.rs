//! Fits the types: selects one form for each component, so that every outbox sends what its inbox
//! accepts.
//!
//! A component for several message types begins with all its forms. Each link removes the forms
//! that fit nothing at its other end, until no link removes any more. If several forms are left,
//! the first one is selected.

use std::sync::{Arc, Mutex, PoisonError};

use kamea::{Direction, MessageType};

use super::catalogue::Catalogue;
use super::draft::{Draft, End, Node};
use super::mistake::Mistake;
use super::parameter::Ends;
use super::servers::connections_of;

/// The forms that each component may still have, by their numbers.
type Possible = Vec<Vec<usize>>;

/// A line in parentheses, and the results of fitting it between ends.
///
/// Its chassis asks once for each of its forms, and once more for each line that it creates.
/// Without stored results, a deeply nested line would be fitted again and again, several times as
/// often at each depth.
#[derive(Debug)]
pub(super) struct Enclosed {
    draft: Draft,
    known: Mutex<Vec<(Ends, Fitted)>>,
}

type Fitted = Result<Arc<Draft>, Mistake>;

impl Enclosed {
    pub(super) fn new(draft: Draft) -> Self {
        Self {
            draft,
            known: Mutex::default(),
        }
    }

    pub(super) fn fit(&self, ends: Ends) -> Fitted {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, fitted)) = known.iter().find(|(known, _)| *known == ends) {
            return fitted.clone();
        }
        let fitted = self.draft.clone().fit(Some(ends)).map(Arc::new);
        known.push((ends, fitted.clone()));
        fitted
    }
}

impl Draft {
    /// Selects forms that fit, and finds ports that are not linked. With `ends` it is a line in
    /// parentheses, whose ends are open.
    pub(super) fn fit(mut self, ends: Option<Ends>) -> Result<Self, Mistake> {
        let all = |node: &Node| (0..node.entry.forms.len()).collect();
        let mut possible: Possible = self.nodes.iter().map(all).collect();
        self.fit_ends(&mut possible, ends)?;
        while self.narrow(&mut possible)? {}
        for (node, forms) in self.nodes.iter().zip(&mut possible) {
            fit_lines(node, forms);
        }
        while self.narrow(&mut possible)? {}
        for (node, forms) in self.nodes.iter_mut().zip(&possible) {
            node.fitting = forms.clone();
        }
        loop {
            while self.narrow(&mut possible)? {}
            match possible.iter_mut().find(|forms| forms.len() > 1) {
                Some(undecided) => undecided.truncate(1),
                None => break,
            }
        }
        for (node, forms) in self.nodes.iter_mut().zip(possible) {
            node.form = forms[0];
            for (parameter, given) in node.form().parameters.iter().zip(&node.given) {
                (parameter.check)(given)?;
            }
        }
        super::links::check(&self, ends)?;
        Ok(self)
    }

    /// Removes the forms that do not fit along each link; returns whether there were any.
    fn narrow(&self, possible: &mut Possible) -> Result<bool, Mistake> {
        let before: usize = possible.iter().map(Vec::len).sum();
        for link in &self.links {
            for from in &link.from {
                let given = self.types(possible, from, Direction::Outbox)?;
                let taken = self.types(possible, &link.to, Direction::Inbox)?;
                let fits = |known: &[(usize, MessageType)], message| {
                    known.iter().any(|(_, other)| *other == message)
                };
                let keep = |these: &[(usize, MessageType)], those: &[_]| {
                    let kept = these.iter().filter(|(_, message)| fits(those, *message));
                    kept.map(|(form, _)| *form).collect::<Vec<_>>()
                };
                let (givers, takers) = (keep(&given, &taken), keep(&taken, &given));
                if givers.is_empty() {
                    return Err(self.mismatch(from, &given, &link.to, &taken));
                }
                possible[from.node] = givers;
                possible[link.to.node] = takers;
            }
        }
        Ok(possible.iter().map(Vec::len).sum::<usize>() < before)
    }

    /// Returns the message types that a port may have, by the possible forms of its component.
    fn types(
        &self,
        possible: &Possible,
        end: &End,
        direction: Direction,
    ) -> Result<Vec<(usize, MessageType)>, Mistake> {
        let node = &self.nodes[end.node];
        let forms = possible[end.node].iter();
        let types: Vec<_> = forms
            .filter_map(|index| {
                let form = &node.entry.forms[*index];
                Some((*index, form.ports[end.find(form, direction)?].message))
            })
            .collect();
        if types.is_empty() {
            return Err(no_port(node, end, direction));
        }
        Ok(types)
    }

    /// Keeps only forms that fit the surroundings of the parentheses.
    fn fit_ends(&self, possible: &mut Possible, ends: Option<Ends>) -> Result<(), Mistake> {
        let Some(ends) = ends else { return Ok(()) };
        let last = self.nodes.len() - 1;
        for (index, direction, wanted) in [
            (0, Direction::Inbox, ends.inbox),
            (last, Direction::Outbox, ends.outbox),
        ] {
            let Some(wanted) = wanted else { continue };
            let node = &self.nodes[index];
            let first = |form: usize| Some(node.entry.forms[form].first(direction)?.message);
            let all: Vec<_> = possible[index]
                .iter()
                .filter_map(|form| first(*form))
                .collect();
            possible[index].retain(|form| first(*form) == Some(wanted));
            if possible[index].is_empty() {
                let (name, wanted) = (&node.entry.name, wanted.short_name());
                let text = match (direction, all.is_empty()) {
                    (Direction::Inbox, true) => {
                        format!("the line must take {wanted} here, and `{name}` takes nothing")
                    }
                    (Direction::Inbox, false) => format!(
                        "the line must take {wanted} here, and `{name}` takes {}",
                        names(&all)
                    ),
                    (Direction::Outbox, true) => {
                        format!("the line must give {wanted} here, and `{name}` gives nothing")
                    }
                    (Direction::Outbox, false) => format!(
                        "the line must give {wanted} here, and `{name}` gives {}",
                        names(&all)
                    ),
                };
                return Err(Mistake::new(&node.span, text));
            }
        }
        Ok(())
    }

    fn mismatch(
        &self,
        from: &End,
        given: &[(usize, MessageType)],
        to: &End,
        taken: &[(usize, MessageType)],
    ) -> Mistake {
        let name = |end: &End| match &end.port {
            None => format!("`{}`", self.nodes[end.node].name),
            Some(port) => format!("`{}.{port}`", self.nodes[end.node].name),
        };
        let messages = |types: &[(usize, MessageType)]| {
            types
                .iter()
                .map(|(_, message)| *message)
                .collect::<Vec<_>>()
        };
        let (given, taken) = (messages(given), messages(taken));
        let text = format!(
            "{} gives {}, {} takes {}",
            name(from),
            names(&given),
            name(to),
            names(&taken)
        );
        let catalogue = Catalogue::shipped();
        let mut between: Vec<_> = given
            .iter()
            .flat_map(|given| {
                taken
                    .iter()
                    .map(|taken| catalogue.between(Some(*given), Some(*taken)))
            })
            .filter(|names| !names.is_empty())
            .collect();
        between.dedup();
        let is_connection = given.iter().any(|given| connections_of(*given).is_some());
        let note = match between.is_empty() {
            true if is_connection => format!(
                "a line of its own serves each connection: {} => each({})",
                self.nodes[from.node].name, self.nodes[to.node].name
            ),
            true => String::new(),
            false => format!("between them could stand: {}", between.join(", ")),
        };
        Mistake::new(&to.span, text).note(note)
    }
}

/// Keeps only forms that the lines in parentheses fit. If none fits, it keeps all, so that a later
/// step can report the mistake.
fn fit_lines(node: &Node, forms: &mut Vec<usize>) {
    let fits = |form: &usize| {
        let parameters = node.entry.forms[*form].parameters.iter();
        parameters
            .zip(&node.given)
            .all(|(parameter, given)| parameter.ends.is_none() || (parameter.check)(given).is_ok())
    };
    if forms.iter().any(&fits) {
        forms.retain(fits);
    }
}

fn no_port(node: &Node, end: &End, direction: Direction) -> Mistake {
    let name = &node.name;
    let Some(port) = &end.port else {
        let (verb, place) = match direction {
            Direction::Inbox => ("takes", "it can only begin a line"),
            Direction::Outbox => ("gives", "it can only end a line"),
        };
        return Mistake::new(&end.span, format!("`{name}` {verb} nothing: {place}"));
    };
    let ports = node.entry.forms.iter().flat_map(|form| form.ports);
    let mut names: Vec<_> = ports
        .filter(|port| port.direction == direction)
        .map(|port| port.name)
        .collect();
    names.dedup();
    let plural = match direction {
        Direction::Inbox => "inboxes",
        Direction::Outbox => "outboxes",
    };
    let note = match names.is_empty() {
        true => format!("it has no {plural}"),
        false => format!("its {plural}: {}", names.join(", ")),
    };
    Mistake::new(&end.span, format!("`{name}` has no {direction} `{port}`")).note(note)
}

/// `Bytes, String or u64`; a long list names only the first ones.
pub(super) fn names(types: &[MessageType]) -> String {
    let mut names: Vec<_> = types.iter().map(|message| message.short_name()).collect();
    names.dedup();
    if names.len() > 4 {
        names.truncate(3);
        names.push("others".to_owned());
    }
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.join(""),
    }
}
