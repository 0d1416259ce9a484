//! A graph that is described but not built: its components, their options, and their links.

use std::collections::BTreeMap;
use std::sync::Arc;

use kamea::{Direction, PortInfo};

use super::catalogue::Catalogue;
use super::entry::{Entry, Form};
use super::mistake::{Mistake, elsewhere, near_note};
use super::options;
use super::parameter::Given;
use super::planes::Planes;
use super::syntax::{Line, Link, Span, Spanned, Stage, Statement};

/// A graph that a text describes, without mistakes.
#[derive(Debug, Clone)]
pub struct Draft {
    pub(super) nodes: Vec<Node>,
    pub(super) links: Vec<Wire>,
}

/// A component of the graph.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Its name in the graph.
    pub(super) name: String,
    pub(super) entry: Arc<Entry>,
    /// One for each option.
    pub(super) given: Vec<Given>,
    /// Which of the forms of its entry it has, once that is known.
    pub(super) form: usize,
    /// The other forms that fit: the text does not decide between them.
    pub(super) fitting: Vec<usize>,
    /// The position of its name in the text.
    pub(super) span: Span,
    /// Its whole text.
    pub(super) text: String,
}

/// A link of the graph.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    pub(super) from: Vec<End>,
    pub(super) to: End,
    pub(super) feedback: bool,
    pub(super) capacity: Option<usize>,
}

/// An end of a link.
#[derive(Debug, Clone)]
pub(super) struct End {
    pub(super) node: usize,
    /// `None` is the first port of its direction.
    pub(super) port: Option<String>,
    pub(super) span: Span,
}

impl Node {
    pub(super) fn form(&self) -> &Form {
        &self.entry.forms[self.form]
    }
}

impl End {
    /// Returns which port of a form it is.
    pub(super) fn find(&self, form: &Form, direction: Direction) -> Option<usize> {
        let is_it = |port: &PortInfo| {
            port.direction == direction && self.port.as_ref().is_none_or(|name| port.name == name)
        };
        form.ports.iter().position(is_it)
    }
}

impl Draft {
    /// Finds the components that a text names, and parses their options.
    pub(super) fn of(context: &Context<'_>, statements: &[Statement]) -> Result<Self, Mistake> {
        let mut drafting = Drafting {
            context: context.clone(),
            draft: Self {
                nodes: Vec::new(),
                links: Vec::new(),
            },
            names: BTreeMap::new(),
        };
        for statement in statements {
            if let Statement::Definition { name, stage } = statement {
                drafting.define(name, stage)?;
            }
        }
        for statement in statements {
            match statement {
                Statement::Definition { .. } => {}
                Statement::Line(line) => drafting.line(line)?,
                Statement::Link(link) => drafting.link(link)?,
            }
        }
        if drafting.draft.nodes.is_empty() {
            return Err(Mistake::new(&(0..0), "there is no component").note(
                "a graph is a line of components, such as: read_file access.log => console_echoer",
            ));
        }
        Ok(drafting.draft)
    }
}

struct Drafting<'c> {
    context: Context<'c>,
    draft: Draft,
    /// The components that the text names.
    names: BTreeMap<String, usize>,
}

/// What all lines of a text share, including those in parentheses.
#[derive(Debug, Clone)]
pub(super) struct Context<'c> {
    pub(super) text: &'c str,
    pub(super) catalogue: &'c Catalogue,
    pub(super) planes: Arc<Planes>,
}

impl Drafting<'_> {
    fn define(&mut self, name: &Spanned<String>, stage: &Stage) -> Result<(), Mistake> {
        if self.names.contains_key(&name.node) {
            let twice = format!("there is a component `{}` already", name.node);
            return Err(Mistake::new(&name.span, twice));
        }
        let index = self.add(stage, Some(name))?;
        self.names.insert(name.node.clone(), index);
        Ok(())
    }

    fn line(&mut self, line: &Line) -> Result<(), Mistake> {
        let mut last: Option<End> = None;
        for stage in &line.stages {
            let (node, port) = self.stage(stage)?;
            let end = |port| End {
                node,
                port,
                span: stage.name.span.clone(),
            };
            // For the inbound link, a named port is used; the outbound link uses the first port
            // again.
            let from = match last {
                None => end(port),
                Some(from) => {
                    self.draft.links.push(Wire {
                        from: vec![from],
                        to: end(port),
                        feedback: false,
                        capacity: None,
                    });
                    end(None)
                }
            };
            last = Some(from);
        }
        Ok(())
    }

    /// Returns the component of a stage, existing or new, and its port if that is named.
    fn stage(&mut self, stage: &Stage) -> Result<(usize, Option<String>), Mistake> {
        let name = &stage.name.node;
        let port = name.rsplit_once('.').and_then(|(component, port)| {
            let node = self.names.get(component)?;
            Some((*node, Some(port.to_owned())))
        });
        let known = self.names.get(name).map(|node| (*node, None)).or(port);
        let Some(known) = known else {
            return Ok((self.add(stage, None)?, None));
        };
        match stage.arguments.first() {
            None => Ok(known),
            Some(argument) => {
                let late = format!("`{name}` has its options already, where it got its name");
                Err(Mistake::new(&argument.value.span, late))
            }
        }
    }

    fn link(&mut self, link: &Link) -> Result<(), Mistake> {
        let end = |port: &super::syntax::PortName| {
            let name = &port.component;
            let Some(node) = self.names.get(&name.node) else {
                let unknown = format!("no component has the name `{}`", name.node);
                let near = near_note(&name.node, self.names.keys().map(String::as_str));
                let note = match self.context.catalogue.named(&name.node) {
                    Some(_) => format!("give one this name first: name = {}", name.node),
                    None => near,
                };
                return Err(Mistake::new(&name.span, unknown).note(note));
            };
            Ok(End {
                node: *node,
                port: Some(port.port.node.clone()),
                span: port.port.span.clone(),
            })
        };
        let capacity = link.capacity.as_ref().map(|text| {
            let number: Option<usize> = text.node.parse().ok();
            number.filter(|number| *number > 0).ok_or_else(|| {
                let wrong = format!(
                    "a number of messages above 0 is wanted, found `{}`",
                    text.node
                );
                Mistake::new(&text.span, wrong)
            })
        });
        self.draft.links.push(Wire {
            from: link.from.iter().map(end).collect::<Result<_, _>>()?,
            to: end(&link.to)?,
            feedback: link.feedback,
            capacity: capacity.transpose()?,
        });
        Ok(())
    }

    /// Adds a component; returns its number.
    fn add(&mut self, stage: &Stage, name: Option<&Spanned<String>>) -> Result<usize, Mistake> {
        let Some(entry) = self.context.catalogue.named(&stage.name.node) else {
            let unknown = format!("there is no component `{}`", stage.name.node);
            let known = self
                .context
                .catalogue
                .iter()
                .map(|entry| -> &str { entry.name });
            let known = known.chain(self.names.keys().map(String::as_str));
            let near = match elsewhere(&stage.name.node) {
                Some(name) => format!("here it is `{name}`"),
                None => near_note(&stage.name.node, known),
            };
            return Err(Mistake::new(&stage.name.span, unknown).note(near));
        };
        if let Some(needs) = entry.needs {
            let text = format!(
                "`{}` can only be made by a program: it needs {needs}",
                entry.name
            );
            return Err(Mistake::new(&stage.name.span, text));
        }
        let given = options::assign(entry, stage, &self.context)?;
        self.draft.nodes.push(Node {
            name: self.name(name.unwrap_or(&stage.name)),
            entry: entry.clone(),
            given,
            form: 0,
            fitting: Vec::new(),
            span: stage.name.span.clone(),
            text: self.context.text[stage.span()]
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
        });
        Ok(self.draft.nodes.len() - 1)
    }

    /// Returns a name that no component has yet.
    fn name(&self, wanted: &Spanned<String>) -> String {
        let is_free = |name: &String| self.draft.nodes.iter().all(|node| node.name != *name);
        let numbered = (2..).map(|number| format!("{} {number}", wanted.node));
        let mut names = std::iter::once(wanted.node.clone()).chain(numbered);
        names.find(is_free).unwrap_or_default()
    }
}
