//! Who is away: a peer without a link, whose link has ended a while ago, and that the tracker does
//! not list.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::PeerKey;

/// How long a peer may take to come back before it is away.
const PATIENCE: Duration = Duration::from_secs(60);

/// Peers without a link that may come back. All of them are contacts.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// Those that the tracker lists.
    listed: BTreeSet<PeerKey>,
    /// When the links of others have ended.
    lost: BTreeMap<PeerKey, Instant>,
}

impl Presence {
    /// A peer has no link.
    pub(super) fn lost(&mut self, key: PeerKey, now: Instant) {
        self.lost.insert(key, now);
    }

    /// A peer has a link, or is no contact any more.
    pub(super) fn forget(&mut self, key: PeerKey) {
        self.lost.remove(&key);
    }

    /// Takes the list of the tracker. Returns whose entry is new, or has gone.
    pub(super) fn list(&mut self, listed: BTreeSet<PeerKey>) -> Vec<PeerKey> {
        let before = std::mem::replace(&mut self.listed, listed);
        let changed = before.symmetric_difference(&self.listed);
        changed.copied().collect()
    }

    /// Whether a peer without a link is expected.
    pub(super) fn is_expected(&self, key: PeerKey) -> bool {
        self.listed.contains(&key) || self.lost.contains_key(&key)
    }

    /// Returns those that have not come back in time.
    pub(super) fn given_up(&mut self, now: Instant) -> Vec<PeerKey> {
        let late = |_: &PeerKey, since: &mut Instant| now.duration_since(*since) >= PATIENCE;
        let late = self.lost.extract_if(.., late);
        late.map(|(key, _)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{Contact, Identity, Input, Log, Node, simulated_random};

    #[test]
    fn a_peer_of_the_list_is_expected_from_its_first_event_on() {
        let identity = Identity::from_secret([1; 32]);
        let log = Log::in_memory(identity.key()).unwrap();
        let name = "ada".parse().unwrap();
        let mut node = Node::new(identity, name, log, simulated_random, None).unwrap();
        let bob = Contact {
            key: Identity::from_secret([2; 32]).key(),
            name: "bob".parse().unwrap(),
            addresses: vec!["192.0.2.1:9101".parse().unwrap()],
        };
        let mut states = |listed: &[&Contact]| -> Value {
            let listed = listed.iter().map(|contact| (*contact).clone()).collect();
            node.take(Input::Contacts(listed)).unwrap();
            let events = node.take_events();
            events.iter().map(|event| event["state"].clone()).collect()
        };
        assert_eq!(states(&[&bob]), json!(["reconnecting"]));
        assert_eq!(states(&[&bob]), json!([]));
        assert_eq!(states(&[]), json!(["away"]));
    }

    #[test]
    fn a_peer_is_expected_while_it_is_listed_or_was_just_here() {
        let (ada, bob) = (PeerKey([1; 32]), PeerKey([2; 32]));
        let (mut presence, start) = (Presence::default(), Instant::now());
        assert!(!presence.is_expected(ada));
        presence.lost(ada, start);
        assert_eq!(presence.list([bob].into()), [bob]);
        assert_eq!(presence.list([bob].into()), []);
        assert!(presence.is_expected(ada) && presence.is_expected(bob));
        assert_eq!(presence.given_up(start + PATIENCE / 2), []);
        assert_eq!(presence.given_up(start + PATIENCE), [ada]);
        assert!(!presence.is_expected(ada));
        assert_eq!(presence.list([ada].into()), [ada, bob]);
        assert!(presence.is_expected(ada) && !presence.is_expected(bob));
        presence.lost(bob, start);
        presence.forget(bob);
        assert!(!presence.is_expected(bob));
    }
}
