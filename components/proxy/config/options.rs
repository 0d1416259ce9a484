//! The options of a setting: `weight=3 backup`, or the keys of a table.

use super::mistake::Found;
use super::setting::{Value, Word};
use crate::near::near;

/// The options of a setting: the name of each, and what its values change.
pub(super) type Options<T> = [(&'static str, Take<T>)];

/// Reads the values of an option.
#[derive(Clone, Copy)]
pub(super) enum Take<T> {
    /// One value.
    One(fn(&mut T, &Word, &mut Found)),
    /// A name alone, or with a switch.
    Flag(fn(&mut T, bool)),
    /// Any number of values.
    Many(fn(&mut T, &[Word], &mut Found)),
}

/// Reads options into `target`.
pub(super) fn read<T>(values: &[Value], options: &Options<T>, target: &mut T, found: &mut Found) {
    let mut seen: Vec<&str> = Vec::new();
    for value in values {
        let (key, words) = value.as_option();
        let Some((name, take)) = options.iter().find(|(name, _)| *name == key.text) else {
            unknown(&key, options, found);
            continue;
        };
        if seen.contains(name) {
            found.push(
                &key.span,
                format!("`{name}` is here twice"),
                "remove one of them",
            );
        }
        seen.push(name);
        match (take, &words[..]) {
            (Take::Flag(set), []) => set(target, true),
            (Take::Flag(set), [word]) => {
                if let Some(is_on) = super::values::switch(word, found) {
                    set(target, is_on);
                }
            }
            (Take::One(set), [word]) => set(target, word, found),
            (Take::Many(set), words) if !words.is_empty() => set(target, words, found),
            (Take::One(_) | Take::Many(_), []) => {
                found.push(
                    &key.span,
                    format!("`{name}` needs a value"),
                    format!("write {name}=..."),
                );
            }
            (Take::One(_) | Take::Flag(_) | Take::Many(_), words) => {
                let span = words.last().map_or(&key.span, |word| &word.span);
                found.push(span, format!("`{name}` has one value"), "");
            }
        }
    }
}

fn unknown<T>(key: &Word, options: &Options<T>, found: &mut Found) {
    let names = options.iter().map(|(name, _)| *name);
    let help = match &near(&key.text, names.clone())[..] {
        [] => format!("there are: {}", names.collect::<Vec<_>>().join(", ")),
        near => format!("near it: {}", near.join(", ")),
    };
    found.push(
        &key.span,
        format!("there is no option `{}` here", key.text),
        help,
    );
}
