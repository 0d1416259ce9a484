//! The catalogue: which components a text may name, and what is known of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use kamea::{AnyPort, Direction, Graph, MessageType, Part, PortInfo, Ports};

use super::draft::Draft;
use super::mistake::Mistake;
use super::parameter::{Count, Given, ParameterInfo};
use super::source::{Source, plain};
use super::{entries, parse};

/// The components that a text may name.
///
/// # Examples
///
/// ```
/// use kamea::Scheduler;
/// use kamea_components::notation::Catalogue;
///
/// let catalogue = Catalogue::shipped();
/// let graph = catalogue.read("read_file /etc/hosts => console_echoer")?.graph("hosts")?;
/// Scheduler::with_workers(1).run(graph)?.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Catalogue {
    entries: BTreeMap<&'static str, Arc<Entry>>,
}

impl Catalogue {
    /// All components of this package that a text can describe.
    pub fn shipped() -> &'static Self {
        static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| {
            let entries = entries::all().into_iter();
            Catalogue {
                entries: entries.map(|entry| (entry.name, Arc::new(entry))).collect(),
            }
        });
        &SHIPPED
    }

    /// Reads a text and checks all that can be known before anything runs.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`].
    pub fn read(&self, text: &str) -> Result<Draft, Mistake> {
        Draft::of(text, &parse::parse(text)?, self)?.fit(None)
    }

    /// The component of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Entry>> {
        self.entries.get(name)
    }

    /// All components, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(|entry| &**entry)
    }

    /// The names that one may have meant by `name`, the nearest first.
    #[must_use]
    pub fn near(&self, name: &str) -> Vec<&str> {
        super::mistake::near(name, self.entries.keys().copied())
    }

    /// The components that can stand in a line behind one thing and before another; `None` at an end of the line.
    pub(super) fn between(&self, from: Option<MessageType>, to: Option<MessageType>) -> String {
        let fits = |entry: &&Entry| {
            entry.forms.iter().any(|form| {
                let first = |direction| form.first(direction).map(|port| port.message);
                first(Direction::Inbox) == from && first(Direction::Outbox) == to
            })
        };
        let names: Vec<_> = self.iter().filter(fits).map(|entry| entry.name).collect();
        names.join(", ")
    }
}

/// A component of a [`Catalogue`].
pub struct Entry {
    pub(super) name: &'static str,
    pub(super) source: Source,
    /// One for each type of messages that it may be made for.
    pub(super) forms: Vec<Form>,
}

impl Entry {
    /// Its name in the notation.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What it does, in a sentence.
    #[must_use]
    pub fn summary(&self) -> String {
        let doc = self.source.doc();
        doc.split("\n\n")
            .next()
            .unwrap_or_default()
            .replace('\n', " ")
    }

    /// The function that makes it, and the file that this is in, below `components/`.
    #[must_use]
    pub fn source(&self) -> (&'static str, &'static str) {
        (self.source.function, self.source.file)
    }

    /// The options, which are the same for all types of messages.
    pub(super) fn parameters(&self) -> &[ParameterInfo] {
        &self.forms[0].parameters
    }

    /// How it is written: `filter TEXT invert=YES-OR-NO`.
    #[must_use]
    pub fn usage(&self) -> String {
        let mut usage = self.name.to_owned();
        for parameter in self.parameters() {
            let name = parameter.name.to_uppercase();
            let part = match parameter.count {
                Count::Line => format!("({name})"),
                Count::Many => format!("[{name}..]"),
                Count::One if parameter.default.is_none() => name,
                Count::One | Count::AtMostOne => format!("[{}={name}]", parameter.name),
            };
            usage = format!("{usage} {part}");
        }
        usage
    }
}

/// All that is known of it: usage, what it does, options, ports.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\n{}", self.usage(), self.source.doc())?;
        if !self.parameters().is_empty() {
            writeln!(f, "\noptions")?;
        }
        let parameters = self.parameters().iter();
        let rows = parameters.map(|parameter| {
            let doc = match parameter.default {
                Some(default) => format!("{} [default: {default}]", parameter.doc),
                None => parameter.doc.clone(),
            };
            [parameter.name.to_owned(), parameter.kind.to_owned(), doc]
        });
        columns(f, &rows.collect::<Vec<_>>())?;
        for form in &self.forms {
            if form.ports.is_empty() {
                continue;
            }
            writeln!(f, "\nports")?;
            let rows = form.ports.iter().map(|port| {
                let arrow = match port.direction {
                    Direction::Inbox => "──▶",
                    Direction::Outbox => "◀──",
                };
                let need = if port.optional {
                    " (may be left unlinked)"
                } else {
                    ""
                };
                let doc = format!("{}{need}", plain(port.doc));
                [
                    format!("{arrow} {}", port.name),
                    port.message.short_name(),
                    doc,
                ]
            });
            columns(f, &rows.collect::<Vec<_>>())?;
        }
        let (function, file) = self.source();
        writeln!(f, "\n{function} in components/{file}")
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

fn columns(f: &mut fmt::Formatter<'_>, rows: &[[String; 3]]) -> fmt::Result {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let (first, second) = (width(0).unwrap_or(0), width(1).unwrap_or(0));
    for [name, kind, doc] in rows {
        let row = format!("  {name:first$}  {kind:second$}  {doc}");
        writeln!(f, "{}", row.trim_end())?;
    }
    Ok(())
}

/// A component for one type of messages.
pub(super) struct Form {
    pub(super) parameters: Vec<ParameterInfo>,
    pub(super) ports: &'static [PortInfo],
    pub(super) add: Box<Add>,
}

type Add = dyn Fn(&mut Graph, &str, &[Given]) -> Result<Vec<AnyPort>, Mistake> + Send + Sync;

impl Form {
    pub(super) fn new<P: Ports, Kind: 'static, M: Part<P, Kind>>(
        parameters: Vec<ParameterInfo>,
        make: impl Fn(&[Given]) -> Result<M, Mistake> + Send + Sync + 'static,
    ) -> Self {
        Self {
            parameters,
            ports: P::PORTS,
            add: Box::new(move |graph, name, given| Ok(P::erase(graph.add(name, make(given)?)))),
        }
    }

    /// The port that counts in a line.
    pub(super) fn first(&self, direction: Direction) -> Option<&'static PortInfo> {
        self.ports.iter().find(|port| port.direction == direction)
    }
}

/// Describes a component: its name in the notation, the function that makes it and the file whose comments document it, the types of
/// messages that it is made for if there are several, its options and how they make it.
///
/// ```text
/// component! {
///     "write_file" = write_file in "../../file/write_file.rs" for [Bytes, String] {
///         /// The file.
///         path: PathBuf,
///         /// Whether what it has is kept.
///         append: bool = "no",
///         => write_file::<T>(path, append)
///     }
/// }
/// ```
macro_rules! component {
    ($name:literal = $function:ident in $file:literal $body:tt) => {
        component!($name = $function in $file for [()] $body)
    };
    ($name:literal = $function:ident in $file:literal for [$($message:ty),+] $body:tt) => {
        $crate::notation::catalogue::Entry {
            name: $name,
            source: $crate::notation::source::Source {
                function: stringify!($function),
                file: $file,
                text: include_str!(concat!("../../", $file)),
            },
            forms: vec![$(component!(@form $message, $body)),+],
        }
    };
    (@form $message:ty, {
        $($(#[doc = $doc:literal])+ $option:ident: $type:ty $(= $default:literal)?,)*
        => $make:expr
    }) => {{
        #[allow(dead_code, reason = "not every component has a type of messages")]
        type T = $message;
        $crate::notation::catalogue::Form::new(
            vec![$($crate::notation::parameter::ParameterInfo::of::<$type>(
                stringify!($option),
                concat!($($doc),+),
                [$($default)?].first().copied(),
            )),*],
            |given| {
                let [$($option),*] = given else {
                    unreachable!("as many are given as there are options");
                };
                $(let $option = <$type as $crate::notation::parameter::Parameter>::from_given($option)?;)*
                Ok($make)
            },
        )
    }};
}
pub(super) use component;
