//! Components for which a text has words, and a program has functions.

use std::num::NonZeroUsize;

use bytes::Bytes;

use super::{Entry, component};
use crate::notation::words::{
    Mapping, choices, data_source, field, filter_text, map_text, nothing, numbers, prefix, replace,
    sum, unlines,
};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        component! {
            "filter" = filter_text in "notation/words.rs" for [Bytes, String] {
                /// The text.
                text: String,
                /// Passes on those that do not contain it.
                not: bool = "no",
                => filter_text::<T>(&text, not)
            }
        },
        component! {
            "map" = map_text in "notation/words.rs" {
                /// The change: upper, lower, trim or reverse.
                mapping: Mapping,
                => map_text(mapping)
            }
        },
        component! {
            "replace" = replace in "notation/words.rs" {
                /// The text to replace.
                old: String,
                /// Its replacement.
                new: String,
                => replace(old, new)
            }
        },
        component! {
            "prefix" = prefix in "notation/words.rs" {
                /// The prefix.
                text: String,
                => prefix(text)
            }
        },
        component! {
            "field" = field in "notation/words.rs" {
                /// The number of the field.
                number: NonZeroUsize,
                /// The separator of fields; by default any number of blanks.
                separator: Option<String>,
                => field(number, separator)
            }
        },
        component! { "unlines" = unlines in "notation/words.rs" { => unlines() } },
        component! { "nothing" = nothing in "notation/words.rs" for any { => nothing::<T> } },
        component! { "choices" = choices in "notation/words.rs" { => choices() } },
        component! { "numbers" = numbers in "notation/words.rs" { => numbers() } },
        component! { "sum" = sum in "notation/words.rs" { => sum() } },
        component! {
            "data_source" = data_source in "notation/words.rs" {
                /// The texts.
                texts: Vec<String>,
                => data_source(texts)
            }
        },
    ]
}
