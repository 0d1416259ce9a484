//! Components that take words where a program passes functions: a program writes `filter(|line|
//! ..)`, a text writes `filter POST`.

use std::any::Any;
use std::num::NonZeroUsize;
use std::process::ExitStatus;

use bytes::Bytes;
use kamea::{
    Component, Composite, Done, Fault, Message, Pipe, Sink, Source, filter, filter_map, map,
    pipeline, scan,
};
use memchr::memmem::Finder;

use super::catalogue::any_message;
use super::value::Value;
use crate::chassis::Choice;
use crate::console;
use crate::stream;

/// Passes on the messages that contain a text.
pub(super) fn filter_text<T: Message + AsRef<[u8]>>(
    text: &str,
    not: bool,
) -> impl Component<Pipe<T, T>> + Send + use<T> {
    let finder = Finder::new(text).into_owned();
    filter(move |message: &T| finder.find(message.as_ref()).is_some() != not)
}

/// How [`map_text`] changes a text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mapping {
    Upper,
    Lower,
    Trim,
    Reverse,
}

impl Mapping {
    pub(super) fn of(self, text: &str) -> String {
        match self {
            Self::Upper => text.to_uppercase(),
            Self::Lower => text.to_lowercase(),
            Self::Trim => text.trim().to_owned(),
            Self::Reverse => text.chars().rev().collect(),
        }
    }
}

impl Value for Mapping {
    const KIND: &'static str = "word";
    const WANTED: &'static str = "one of upper, lower, trim and reverse";

    fn read(text: &str) -> Option<Self> {
        Some(match text {
            "upper" => Self::Upper,
            "lower" => Self::Lower,
            "trim" => Self::Trim,
            "reverse" => Self::Reverse,
            _ => return None,
        })
    }
}

/// Changes each text: to upper or lower case, without blanks around it, or reversed.
pub(super) fn map_text(mapping: Mapping) -> impl Component<Pipe<String, String>> + Send {
    map(move |text: String| mapping.of(&text))
}

/// Replaces a part of each text, wherever it occurs.
pub(super) fn replace(old: String, new: String) -> impl Component<Pipe<String, String>> + Send {
    map(move |text: String| text.replace(&old, &new))
}

/// Puts a text before each text.
pub(super) fn prefix(prefix: String) -> impl Component<Pipe<String, String>> + Send {
    map(move |text: String| prefix.clone() + &text)
}

/// Passes on one field of each line, counted from 1. Fields are separated by blanks, or by a text
/// of your choice. Lines with fewer fields are left out.
pub(super) fn field(
    number: NonZeroUsize,
    separator: Option<String>,
) -> impl Component<Pipe<String, String>> + Send {
    filter_map(move |line: String| {
        let place = number.get() - 1;
        let field = match &separator {
            None => line.split_whitespace().nth(place),
            Some(separator) => line.split(separator.as_str()).nth(place),
        };
        field.map(str::to_owned)
    })
}

/// Adds a line break to each text: the one that [`lines`](stream::lines) has removed.
pub(super) fn unlines() -> impl Component<Pipe<String, Bytes>> + Send {
    map(|line: String| Bytes::from(line + "\n"))
}

/// Parses each text as an integer; other texts are left out.
pub(super) fn numbers() -> impl Component<Pipe<String, u64>> + Send {
    filter_map(|text: String| text.trim().parse().ok())
}

/// Parses each text as a step of a chooser: SAME, NEXT, PREV, FIRST or LAST; other texts are left
/// out.
pub(super) fn choices() -> impl Component<Pipe<String, Choice>> + Send {
    filter_map(|text: String| text.parse().ok())
}

/// Adds up numbers: sends the sum so far for each of them.
pub(super) fn sum() -> impl Component<Pipe<u64, u64>> + Send {
    scan(0_u64, |sum, number: u64| {
        *sum = sum.saturating_add(number);
        *sum
    })
}

/// Sends texts, as fast as downstream takes them.
pub(super) fn data_source(texts: Vec<String>) -> impl Component<Source<String>> + Send {
    stream::data_source(texts)
}

/// Sends nothing, and ends: for an inbox that must be linked.
pub(super) async fn nothing<T: Message>(_: &mut Source<T>) -> Done {
    Ok(())
}

/// A message that can be written to the console.
pub(super) trait Shown: Message {
    /// Bytes are written unchanged, other messages as a line.
    fn shown(self) -> Bytes;
}

impl Shown for Bytes {
    fn shown(self) -> Bytes {
        self
    }
}

impl Shown for String {
    fn shown(self) -> Bytes {
        (self + "\n").into()
    }
}

/// Writes bytes to the standard output unchanged, and any other message as a line.
pub(super) fn console_echoer<T: Shown>() -> Composite<Sink<T>> {
    pipeline!(map(T::shown) => console::console_echoer())
}

/// Describes an exit status or an error in words, and any other message in Rust's debug format.
macro_rules! shown_in_words_or_by_debug {
    ([Bytes, String, $($type:ty),+] {}) => {$(
        impl Shown for $type {
            fn shown(self) -> Bytes {
                let text = in_words(&self).unwrap_or_else(|| format!("{self:?}"));
                (text + "\n").into()
            }
        }
    )+};
}
any_message!(shown_in_words_or_by_debug {} {});

fn in_words(message: &dyn Any) -> Option<String> {
    let status = message
        .downcast_ref::<ExitStatus>()
        .map(ExitStatus::to_string);
    status.or_else(|| message.downcast_ref::<Fault>().map(Fault::to_string))
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn messages_are_shown_to_people() {
        assert_eq!(Bytes::from("a").shown(), "a");
        assert_eq!("a".to_owned().shown(), "a\n");
        assert_eq!(vec!["a".to_owned()].shown(), "[\"a\"]\n");
        assert_eq!(ExitStatus::from_raw(3 << 8).shown(), "exit status: 3\n");
    }
}
