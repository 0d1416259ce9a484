//! Options of components: converts the text of an option to an argument of a function.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use kamea::{
    AnyInbox, AnyOutbox, Composite, End, Graph, Message, MessageType, Pipe, PipeHandles, Ports,
    Sink, SinkHandles, Source, SourceHandles, WrongMessage,
};

use super::draft::Draft;
use super::fit::Enclosed;
use super::mistake::Mistake;
use super::planes::Planes;
use super::syntax::{Span, Spanned};
use super::value::Value;
use crate::chassis::Backplane;

/// The text for an option.
#[derive(Debug, Clone)]
pub(super) enum Given {
    /// Nothing, and there is no default.
    Nothing,
    /// A value, or several.
    Texts(Vec<Text>),
    /// Lines in parentheses.
    Lines(Vec<Arc<Enclosed>>),
    /// What the lines of a text share.
    Shared(Arc<Planes>),
}

/// A word or a text in quotes, and its position.
#[derive(Debug, Clone)]
pub(super) struct Text(pub(super) Spanned<String>);

/// The type of an option: a [`Value`], an `Option` of one, several of them (`Vec`), or a [`LineOf`]
/// components.
pub(super) trait Parameter: Sized {
    const COUNT: Count;
    const KIND: &'static str;
    const WANTED: &'static str;

    /// Returns the ends that a line must have, if it is one.
    fn ends() -> Option<Ends> {
        None
    }

    /// Parses the text of an option.
    ///
    /// # Errors
    ///
    /// A [`Mistake`] that says what is expected.
    fn from_given(given: &Given) -> Result<Self, Mistake>;
}

/// How many values an option takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    One,
    AtMostOne,
    Many,
    Line,
    Lines,
    /// It is never written.
    Shared,
}

/// The message types of the ends of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) inbox: Option<MessageType>,
    pub(super) outbox: Option<MessageType>,
}

fn read<T: Value>(text: &Spanned<String>) -> Result<T, Mistake> {
    let Spanned { node, span } = text;
    T::read(node)
        .ok_or_else(|| Mistake::new(span, format!("{} is wanted, found `{node}`", T::WANTED)))
}

/// This cannot happen, because the options have been counted.
fn uncounted(wanted: &str) -> Mistake {
    Mistake::new(&(0..0), format!("{wanted} is wanted"))
}

impl<T: Value> Parameter for T {
    const COUNT: Count = Count::One;
    const KIND: &'static str = T::KIND;
    const WANTED: &'static str = T::WANTED;

    fn from_given(given: &Given) -> Result<Self, Mistake> {
        Option::from_given(given)?.ok_or_else(|| uncounted(T::WANTED))
    }
}

impl<T: Value> Parameter for Option<T> {
    const COUNT: Count = Count::AtMostOne;
    const KIND: &'static str = T::KIND;
    const WANTED: &'static str = T::WANTED;

    fn from_given(given: &Given) -> Result<Self, Mistake> {
        match given {
            Given::Texts(texts) => texts.first().map(|text| read(&text.0)).transpose(),
            _ => Ok(None),
        }
    }
}

impl<T: Value> Parameter for Vec<T> {
    const COUNT: Count = Count::Many;
    const KIND: &'static str = T::KIND;
    const WANTED: &'static str = T::WANTED;

    fn from_given(given: &Given) -> Result<Self, Mistake> {
        match given {
            Given::Texts(texts) => texts.iter().map(|text| read(&text.0)).collect(),
            _ => Ok(Self::new()),
        }
    }
}

impl<T: Message> Parameter for Backplane<T> {
    const COUNT: Count = Count::Shared;
    const KIND: &'static str = "";
    const WANTED: &'static str = "";

    fn from_given(given: &Given) -> Result<Self, Mistake> {
        match given {
            Given::Shared(planes) => Ok(planes.plane()),
            _ => Ok(Self::new()),
        }
    }
}

/// Stands for an option that a component does not have for some message types.
pub(super) struct NotHere;

impl Parameter for NotHere {
    const COUNT: Count = Count::AtMostOne;
    const KIND: &'static str = "";
    const WANTED: &'static str = "";

    fn from_given(given: &Given) -> Result<Self, Mistake> {
        let Given::Texts(texts) = given else {
            return Ok(Self);
        };
        let span = texts.first().map(|text| text.0.span.clone());
        let text = "there is no such option for messages of this type";
        Err(Mistake::new(&span.unwrap_or_default(), text))
    }
}

/// A line of components. A chassis creates as many copies as it needs.
pub(super) struct LineOf<P> {
    draft: Arc<Draft>,
    ports: PhantomData<fn(P)>,
}

impl<P: LinePorts> LineOf<P> {
    fn of(line: &Enclosed) -> Result<Self, Mistake> {
        Ok(Self {
            draft: line.fit(P::ENDS)?,
            ports: PhantomData,
        })
    }

    /// Creates the line. If that fails, it returns a component that fails and reports the reason.
    pub(super) fn make(&self) -> Composite<P> {
        self.draft.composite().unwrap_or_else(|mistake| {
            let mut graph = Graph::new("line");
            let fail = async move |_: &mut P| Err(End::fault(mistake.to_string()));
            let ports = graph.add("line", fail);
            graph.expose(ports)
        })
    }
}

impl<P> Clone for LineOf<P> {
    fn clone(&self) -> Self {
        Self {
            draft: self.draft.clone(),
            ports: PhantomData,
        }
    }
}

impl<P> fmt::Debug for LineOf<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draft.fmt(f)
    }
}

impl<P: LinePorts> Parameter for LineOf<P> {
    const COUNT: Count = Count::Line;
    const KIND: &'static str = "line";
    const WANTED: &'static str = "a line of components";

    fn ends() -> Option<Ends> {
        Some(P::ENDS)
    }

    fn from_given(given: &Given) -> Result<Self, Mistake> {
        match given {
            Given::Lines(lines) if !lines.is_empty() => Self::of(&lines[0]),
            _ => Err(uncounted(Self::WANTED)),
        }
    }
}

impl<P: LinePorts> Parameter for Vec<LineOf<P>> {
    const COUNT: Count = Count::Lines;
    const KIND: &'static str = "lines";
    const WANTED: &'static str = "lines of components";

    fn ends() -> Option<Ends> {
        Some(P::ENDS)
    }

    fn from_given(given: &Given) -> Result<Self, Mistake> {
        match given {
            Given::Lines(lines) => lines.iter().map(|line| LineOf::of(line)).collect(),
            _ => Err(uncounted(Self::WANTED)),
        }
    }
}

/// The ports that a whole line may have.
pub(super) trait LinePorts: Ports {
    const ENDS: Ends;

    fn handles_of(
        inbox: Option<AnyInbox>,
        outbox: Option<AnyOutbox>,
    ) -> Result<Option<Self::Handles>, WrongMessage>;
}

impl<A: Message, B: Message> LinePorts for Pipe<A, B> {
    const ENDS: Ends = Ends {
        inbox: Some(MessageType::of::<A>()),
        outbox: Some(MessageType::of::<B>()),
    };

    fn handles_of(
        inbox: Option<AnyInbox>,
        outbox: Option<AnyOutbox>,
    ) -> Result<Option<Self::Handles>, WrongMessage> {
        let (Some(inbox), Some(outbox)) = (inbox, outbox) else {
            return Ok(None);
        };
        let (inbox, outbox) = (inbox.typed()?, outbox.typed()?);
        Ok(Some(PipeHandles { inbox, outbox }))
    }
}

impl<A: Message> LinePorts for Sink<A> {
    const ENDS: Ends = Ends {
        inbox: Some(MessageType::of::<A>()),
        outbox: None,
    };

    fn handles_of(
        inbox: Option<AnyInbox>,
        _: Option<AnyOutbox>,
    ) -> Result<Option<Self::Handles>, WrongMessage> {
        let inbox = inbox.map(AnyInbox::typed).transpose()?;
        Ok(inbox.map(|inbox| SinkHandles { inbox }))
    }
}

impl<A: Message> LinePorts for Source<A> {
    const ENDS: Ends = Ends {
        inbox: None,
        outbox: Some(MessageType::of::<A>()),
    };

    fn handles_of(
        _: Option<AnyInbox>,
        outbox: Option<AnyOutbox>,
    ) -> Result<Option<Self::Handles>, WrongMessage> {
        let outbox = outbox.map(AnyOutbox::typed).transpose()?;
        Ok(outbox.map(|outbox| SourceHandles { outbox }))
    }
}

/// The description of an option.
#[derive(Debug, Clone)]
pub(super) struct ParameterInfo {
    pub(super) name: &'static str,
    pub(super) doc: String,
    pub(super) kind: &'static str,
    pub(super) wanted: &'static str,
    pub(super) count: Count,
    pub(super) default: Option<&'static str>,
    pub(super) ends: Option<Ends>,
    /// Checks whether the text can be parsed.
    pub(super) check: fn(&Given) -> Result<(), Mistake>,
}

impl ParameterInfo {
    pub(super) fn of<T: Parameter>(
        name: &'static str,
        doc: &'static str,
        default: Option<&'static str>,
    ) -> Self {
        Self {
            // Names that are reserved in Rust end with an underscore.
            name: name.trim_end_matches('_'),
            doc: doc.trim().to_owned(),
            kind: T::KIND,
            wanted: T::WANTED,
            count: T::COUNT,
            default,
            ends: T::ends(),
            check: |given| T::from_given(given).map(drop),
        }
    }

    /// Whether a text must set it.
    pub(super) fn is_required(&self) -> bool {
        matches!(self.count, Count::One | Count::Line | Count::Lines) && self.default.is_none()
    }

    /// Its value if it is not set.
    pub(super) fn unset(&self) -> Given {
        match self.default {
            None => Given::Nothing,
            Some(default) => Given::Texts(vec![Text(Spanned {
                node: default.to_owned(),
                span: Span::default(),
            })]),
        }
    }
}
