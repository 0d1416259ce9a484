//! The description of a component.

use std::fmt;

use kamea::{AnyPort, Direction, Graph, Message, MessageType, Part, PortInfo, Ports};

use super::mistake::Mistake;
use super::parameter::{Count, Given, ParameterInfo};
use super::source::Source;

/// A component of a [`Catalogue`].
pub struct Entry {
    pub(super) name: &'static str,
    pub(super) source: Source,
    /// One for each message type that it may have.
    pub(super) forms: Vec<Form>,
    /// What it needs, if only a program can create it.
    pub(super) needs: Option<&'static str>,
}

impl Entry {
    /// Returns its name in the notation.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns a summary of what it does, in one sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let doc = self.source.doc().replace('\n', " ");
        let end = [". ", ": ", "; "]
            .iter()
            .filter_map(|mark| doc.find(mark))
            .min();
        doc[..end.unwrap_or(doc.len())]
            .trim_end_matches('.')
            .to_owned()
    }

    /// Returns what it needs, if only a program can create it.
    #[must_use]
    pub fn needs(&self) -> Option<&'static str> {
        self.needs
    }

    /// Returns the function that creates it, and the file of that, below `components/`.
    #[must_use]
    pub fn source(&self) -> (&'static str, &'static str) {
        (self.source.function, self.source.file)
    }

    /// Returns the options, which are the same for all message types.
    pub(super) fn parameters(&self) -> &[ParameterInfo] {
        &self.forms[0].parameters
    }

    /// Returns its syntax: `filter TEXT [not=NOT]`.
    #[must_use]
    pub fn usage(&self) -> String {
        let mut usage = self.name.to_owned();
        for parameter in self.parameters() {
            let name = parameter.name.to_uppercase();
            let part = match parameter.count {
                Count::Shared => continue,
                Count::Line => format!("({name})"),
                Count::Lines => format!("({name}, ..)"),
                Count::Many => format!("[{name}..]"),
                Count::One if parameter.default.is_none() => name,
                Count::One | Count::AtMostOne => format!("[{}={name}]", parameter.name),
            };
            usage = format!("{usage} {part}");
        }
        usage
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A component for one message type.
pub(super) struct Form {
    /// The message type.
    pub(super) message: MessageType,
    pub(super) parameters: Vec<ParameterInfo>,
    pub(super) ports: &'static [PortInfo],
    pub(super) add: Box<Add>,
}

type Add = dyn Fn(&mut Graph, &str, &[Given]) -> Result<Vec<AnyPort>, Mistake> + Send + Sync;

impl Form {
    pub(super) fn new<T: Message, P: Ports, Kind: 'static, M: Part<P, Kind>>(
        parameters: Vec<ParameterInfo>,
        make: impl Fn(&[Given]) -> Result<M, Mistake> + Send + Sync + 'static,
    ) -> Self {
        Self {
            message: MessageType::of::<T>(),
            parameters,
            ports: P::PORTS,
            add: Box::new(move |graph, name, given| Ok(P::erase(graph.add(name, make(given)?)))),
        }
    }

    /// Returns the form of a component that only a program can create.
    pub(super) fn shown<P: Ports>() -> Self {
        Self {
            message: MessageType::of::<()>(),
            parameters: Vec::new(),
            ports: P::PORTS,
            add: Box::new(|_, name, _| {
                let text = format!("`{name}` can only be made by a program");
                Err(Mistake::new(&(0..0), text))
            }),
        }
    }

    /// Returns the port that is linked in a line.
    pub(super) fn first(&self, direction: Direction) -> Option<&'static PortInfo> {
        self.ports.iter().find(|port| port.direction == direction)
    }
}
