//! Who has which name. The peer that had a name first is shown with it; others are shown with the
//! beginning of their fingerprints.

use std::collections::BTreeMap;

use crate::PeerKey;

/// The largest number of names.
const MOST_NAMES: usize = 4_000;

/// The largest number of names of one key.
const MOST_OF_KEY: usize = 4;

/// Names, each with the key that had it first.
#[derive(Debug, Default)]
pub(super) struct Names {
    owners: BTreeMap<String, PeerKey>,
    /// The names of each key, the first one first.
    of_key: BTreeMap<PeerKey, Vec<String>>,
}

impl Names {
    /// Gives a name to a key, if nobody has it and there is room.
    pub(super) fn note(&mut self, name: &str, key: PeerKey) {
        if !self.owners.contains_key(name) && self.has_room(key) {
            self.owners.insert(name.to_owned(), key);
            self.of_key.entry(key).or_default().push(name.to_owned());
        }
    }

    /// Returns the first name of a key.
    pub(super) fn first(&self, key: PeerKey) -> Option<&str> {
        let names = self.of_key.get(&key)?;
        names.first().map(String::as_str)
    }

    /// Returns the keys that have names.
    pub(super) fn keys(&self) -> impl Iterator<Item = PeerKey> {
        self.of_key.keys().copied()
    }

    /// Returns a name as the user sees it. What could not be noted may be the name of another one.
    pub(super) fn shown(&self, name: &str, key: PeerKey) -> String {
        let is_plain = match self.owners.get(name) {
            Some(owner) => *owner == key,
            None => self.has_room(key),
        };
        if is_plain {
            return name.to_owned();
        }
        let fingerprint = key.fingerprint().to_string();
        format!("{name}~{}", fingerprint.replace(' ', "").split_at(8).0)
    }

    fn has_room(&self, key: PeerKey) -> bool {
        let of_key = self.of_key.get(&key).map_or(0, Vec::len);
        self.owners.len() < MOST_NAMES && of_key < MOST_OF_KEY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> PeerKey {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&number.to_be_bytes());
        PeerKey(bytes)
    }

    #[test]
    fn the_first_key_has_a_name_and_no_key_has_many() {
        let mut names = Names::default();
        for name in ["ada", "a", "b", "c", "bob"] {
            names.note(name, key(1));
        }
        names.note("bob", key(2));
        names.note("ada", key(2));
        assert_eq!(
            (names.first(key(1)), names.first(key(2))),
            (Some("ada"), Some("bob"))
        );
        assert_eq!(names.shown("ada", key(1)), "ada");
        assert_eq!(names.shown("bob", key(2)), "bob");
        for (name, number) in [("ada", 2), ("bob", 1), ("zoe", 1)] {
            let shown = names.shown(name, key(number));
            assert_eq!(shown.find('~'), Some(3), "{shown}");
        }
    }

    #[test]
    fn names_beyond_the_limit_are_told_apart() {
        let mut names = Names::default();
        for number in 0..5_000 {
            names.note(&format!("peer{number}"), key(number));
        }
        assert_eq!(names.keys().count(), MOST_NAMES);
        assert_eq!(names.shown("peer3999", key(3_999)), "peer3999");
        assert!(names.shown("peer4000", key(4_000)).starts_with("peer4000~"));
        assert!(names.shown("zoe", key(9_000)).starts_with("zoe~"));
    }
}
