//! The catalogue: the components that a text may name, and their descriptions.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use kamea::{Direction, MessageType};

use super::draft::{Context, Draft};
use super::entry::Entry;
use super::mistake::Mistake;
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
/// let graph = catalogue.read("read_file /etc/hosts => console_echoer")?.into_graph("hosts")?;
/// Scheduler::with_workers(1).run(graph)?.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Catalogue {
    entries: BTreeMap<&'static str, Arc<Entry>>,
}

impl Catalogue {
    /// Returns all components of this package that a text can describe.
    pub fn shipped() -> &'static Self {
        static SHIPPED: LazyLock<Catalogue> = LazyLock::new(|| {
            let entries = entries::all().into_iter();
            Catalogue {
                entries: entries.map(|entry| (entry.name, Arc::new(entry))).collect(),
            }
        });
        &SHIPPED
    }

    /// Parses a text, and checks everything that can be checked before anything runs.
    ///
    /// # Errors
    ///
    /// The first [`Mistake`].
    pub fn read(&self, text: &str) -> Result<Draft, Mistake> {
        let context = Context {
            text,
            catalogue: self,
            planes: Arc::default(),
        };
        Draft::of(&context, &parse::parse(text)?)?.fit(None)
    }

    /// Returns the component of this name, or the one that a function of this name creates.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Entry> {
        let by_function = || self.iter().find(|entry| entry.source.function == name);
        self.named(name).map(|entry| &**entry).or_else(by_function)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Arc<Entry>> {
        self.entries.get(name)
    }

    /// Returns all components, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(|entry| &**entry)
    }

    /// Returns known names that are similar to `name`, the nearest first.
    #[must_use]
    pub fn near(&self, name: &str) -> Vec<&str> {
        super::mistake::near(name, self.entries.keys().copied())
    }

    /// Lists the components that fit in a line between two stages; `None` is an end of the line.
    pub(super) fn between(&self, from: Option<MessageType>, to: Option<MessageType>) -> String {
        let fits = |entry: &&Entry| {
            let is_chassis = entry.parameters().iter().any(|known| known.ends.is_some());
            let is_ours = entry.needs.is_none() && !is_chassis;
            is_ours
                && entry.forms.iter().any(|form| {
                    let first = |direction| form.first(direction).map(|port| port.message);
                    first(Direction::Inbox) == from && first(Direction::Outbox) == to
                })
        };
        let names: Vec<_> = self.iter().filter(fits).map(|entry| entry.name).collect();
        names.join(", ")
    }
}

/// Describes a component: its name in the notation; the function that creates it, and the file with
/// the documentation of that; its message types, if there are several; its options; and the
/// expression that creates it.
///
/// ```text
/// component! {
///     "write_file" = write_file in "file/write_file.rs" for [Bytes, String] {
///         /// The file.
///         path: PathBuf,
///         /// Whether its contents are kept.
///         append: bool = "no",
///         => write_file::<T>(path, append)
///     }
/// }
/// ```
///
/// Instead of a list, `any` stands for all message types of a text. A component that only a program
/// can create has, instead of the expression, its ports and what it needs: `over HandlerPorts,
/// needs "an application"`.
macro_rules! component {
    ($name:literal = $function:ident in $file:literal for any $body:tt) => {
        $crate::notation::catalogue::any_message!(
            component { $name = $function in $file for } $body
        )
    };
    ($name:literal = $function:ident in $file:literal $body:tt) => {
        component!($name = $function in $file for [()] $body)
    };
    ($name:literal = $function:ident in $file:literal for [$($message:ty),+] $body:tt) => {
        $crate::notation::entry::Entry {
            name: $name,
            source: $crate::notation::source::Source {
                function: stringify!($function),
                file: $file,
                text: include_str!(concat!("../../", $file)),
            },
            forms: vec![$(component!(@form $message, $body)),+],
            needs: None,
        }
    };
    ($name:literal = $function:ident in $file:literal over $ports:ty, needs $needs:literal) => {
        $crate::notation::entry::Entry {
            name: $name,
            source: $crate::notation::source::Source {
                function: stringify!($function),
                file: $file,
                text: include_str!(concat!("../../", $file)),
            },
            forms: vec![$crate::notation::entry::Form::shown::<$ports>()],
            needs: Some($needs),
        }
    };
    (@form $message:ty, {
        $($(#[doc = $doc:literal])+ $option:ident: $type:ty $(= $default:literal)?,)*
        => $make:expr
    }) => {{
        #[allow(dead_code, reason = "not every component has a type of messages")]
        type T = $message;
        $crate::notation::entry::Form::new::<T, _, _, _>(
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

/// Calls a macro with all message types of a text.
macro_rules! any_message {
    ($then:ident { $($head:tt)* } $tail:tt) => {
        $then! { $($head)* [
            Bytes,
            String,
            u64,
            Vec<Bytes>,
            Vec<String>,
            Vec<u64>,
            (u64, Bytes),
            (u64, String),
            (Bytes, Bytes),
            (String, String),
            std::process::ExitStatus,
            kamea::Fault,
            $crate::chassis::Choice,
            $crate::process::Hangup,
            std::net::SocketAddr,
            std::path::PathBuf,
            $crate::net::Accepted,
            $crate::net::Datagram,
            $crate::notation::servers::HttpConnection,
            $crate::notation::servers::SecureConnection,
            $crate::web::Request,
            $crate::web::Response,
            $crate::web::Failure,
            $crate::web::Notice,
            $crate::web::Note,
            $crate::web::Written
        ] $tail }
    };
}
pub(super) use any_message;
