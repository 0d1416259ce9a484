//! The syntax tree: the structure of a text, before its meaning is checked.

use std::ops::Range;

/// A range of the text, in bytes.
pub(super) type Span = Range<usize>;

/// A node and its position.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Spanned<T> {
    pub(super) node: T,
    pub(super) span: Span,
}

/// `parser = web.parse head=8KiB`, a line, or a link.
#[derive(Debug, PartialEq)]
pub(super) enum Statement {
    Definition { name: Spanned<String>, stage: Stage },
    Line(Line),
    Link(Link),
}

/// `read_file access.log => lines => counter`
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    /// At least one.
    pub(super) stages: Vec<Stage>,
}

/// `filter "POST"`: a component, or the name of one that was defined before.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stage {
    pub(super) name: Spanned<String>,
    pub(super) arguments: Vec<Argument>,
}

/// `"POST"`, `limit=8KiB`, `(lines => counter)`
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Argument {
    pub(super) key: Option<Spanned<String>>,
    pub(super) value: Spanned<Value>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Text(String),
    /// In parentheses; a single word there may be a text or the name of a component.
    Line(Line),
}

/// `parser.failures, router.failures -> errors.failures capacity=4`
#[derive(Debug, PartialEq)]
pub(super) struct Link {
    pub(super) from: Vec<PortName>,
    pub(super) to: PortName,
    /// Whether it was `~>`.
    pub(super) feedback: bool,
    pub(super) capacity: Option<Spanned<String>>,
}

/// `parser.failures`
#[derive(Debug, PartialEq)]
pub(super) struct PortName {
    pub(super) component: Spanned<String>,
    pub(super) port: Spanned<String>,
}

impl Line {
    /// Returns the word, if the line is a single word.
    pub(super) fn as_word(&self) -> Option<&str> {
        match &self.stages[..] {
            [stage] if stage.arguments.is_empty() => Some(&stage.name.node),
            _ => None,
        }
    }

    pub(super) fn span(&self) -> Span {
        let last = &self.stages[self.stages.len() - 1];
        self.stages[0].name.span.start..last.span().end
    }
}

impl Stage {
    pub(super) fn span(&self) -> Span {
        let last = self.arguments.last();
        self.name.span.start..last.map_or(self.name.span.end, |last| last.value.span.end)
    }
}
