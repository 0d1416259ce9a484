//! The same backend for the same value: an address, a field, a cookie, a target.
//!
//! Rendezvous hashing: each backend has a score for the value, and the one with the best score gets
//! it. If a backend goes, only its own values move, and they spread over all others. There is no
//! ring to build, and a weight is exact; the price is one hash for each backend and request.

use std::borrow::Cow;
use std::net::IpAddr;

use super::{Asked, Candidate, Policy, RoundRobin};
use crate::fields::cookie;
use crate::plan::HashKey;

/// The same backend for the same value. A request without the value gets the next one in turn.
#[derive(Clone, Debug)]
pub struct Hash {
    /// The address of the client if `None`.
    key: Option<HashKey>,
    without: RoundRobin,
}

impl Hash {
    /// By the address of the client: all of an IPv4 address, and the network (/64) of an IPv6
    /// address, within which a client changes its address.
    #[must_use]
    pub const fn of_client() -> Self {
        Self {
            key: None,
            without: RoundRobin::new(),
        }
    }

    /// By a value in the request.
    #[must_use]
    pub const fn of(key: HashKey) -> Self {
        Self {
            key: Some(key),
            without: RoundRobin::new(),
        }
    }

    fn value<'a>(&self, asked: &Asked<'a>) -> Option<Cow<'a, [u8]>> {
        let head = asked.head;
        match &self.key {
            None => Some(Cow::Owned(network(asked.client))),
            Some(HashKey::Target) => Some(Cow::Borrowed(head.target.as_bytes())),
            Some(HashKey::Field(name)) => head.fields.get(name).map(Cow::Borrowed),
            Some(HashKey::Cookie(name)) => cookie(&head.fields, name).map(Cow::Borrowed),
        }
    }
}

impl Policy for Hash {
    fn choose(&mut self, candidates: &[Candidate], asked: &Asked<'_>) -> Option<usize> {
        let value = self.value(asked).filter(|value| !value.is_empty());
        let Some(value) = value else {
            return self.without.choose(candidates, asked);
        };
        let value = hash_of(&value);
        let scores = candidates.iter().map(|candidate| score(candidate, value));
        let best = scores.enumerate().min_by(|(_, a), (_, b)| a.total_cmp(b));
        best.map(|(position, _)| position)
    }
}

/// Returns the bytes of an address that count.
fn network(address: IpAddr) -> Vec<u8> {
    match address.to_canonical() {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets()[..8].to_vec(),
    }
}

/// Returns the score of a backend for a value; the lowest one wins. It is exponentially
/// distributed, so that the chance to be the lowest is proportional to the weight.
fn score(candidate: &Candidate, value: u64) -> f64 {
    let mixed = mix(candidate.key ^ value.rotate_left(32));
    // The upper 53 bits, above 0 and at most 1.
    let uniform = ((mixed >> 11) + 1) as f64 / (1_u64 << 53) as f64;
    -uniform.ln() / f64::from(candidate.weight.max(1))
}

/// FNV-1a: the same in each process and in each version, as a choice that lasts must be.
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

/// The finalizer of SplitMix64: each bit of the result depends on each bit of `x`.
const fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::policy::testing::{head, weighted};

    /// The backend (its key) of each of many values.
    fn map(candidates: &[Candidate]) -> HashMap<u32, u64> {
        let mut policy = Hash::of(HashKey::Field("X-User".to_owned()));
        let of = |value: u32| {
            let head = head(&format!("X-User: {value}\r\n"));
            let asked = Asked::new(&head, [127, 0, 0, 1].into());
            let position = policy.choose(candidates, &asked).unwrap();
            (value, candidates[position].key)
        };
        (0..10_000).map(of).collect()
    }

    fn shares(map: &HashMap<u32, u64>) -> HashMap<u64, usize> {
        let mut shares = HashMap::new();
        for key in map.values() {
            *shares.entry(*key).or_insert(0) += 1;
        }
        shares
    }

    #[test]
    fn if_a_backend_goes_only_its_own_values_move() {
        let all = weighted(&[100; 5]);
        let before = map(&all);
        for gone in 0..all.len() {
            let mut rest = all.clone();
            let gone = rest.remove(gone).key;
            let after = map(&rest);
            let moved = before.iter().filter(|(value, key)| after[value] != **key);
            assert!(moved.clone().all(|(_, key)| *key == gone));
            assert_eq!(moved.count(), shares(&before)[&gone]);
            // They spread over all others.
            let gain = |key: &u64| shares(&after)[key] - shares(&before)[key];
            assert!(rest.iter().all(|other| gain(&other.key) > 300));
        }
    }

    #[test]
    fn if_a_backend_comes_it_gets_its_share_and_nothing_else_moves() {
        let all = weighted(&[100; 5]);
        let (before, after) = (map(&all[..4]), map(&all));
        let moved = after.iter().filter(|(value, key)| before[value] != **key);
        assert!(moved.clone().all(|(_, key)| *key == all[4].key));
        assert!((1800..2200).contains(&moved.count()));
    }

    #[test]
    fn shares_follow_the_weights() {
        let all = weighted(&[100, 200, 700]);
        let shares = shares(&map(&all));
        let rows = [(0, 850..1150), (1, 1800..2200), (2, 6770..7230)];
        for (index, range) in rows {
            let share = shares[&all[index].key];
            assert!(range.contains(&share), "{index}: {share}");
        }
    }

    #[test]
    fn the_order_and_the_positions_do_not_matter() {
        let all = weighted(&[100; 5]);
        let mut turned: Vec<_> = all.iter().rev().cloned().collect();
        for (index, candidate) in turned.iter_mut().enumerate() {
            candidate.index = index + 7;
        }
        assert_eq!(map(&all), map(&turned));
    }

    fn chosen(policy: &mut Hash, lines: &str, client: &str) -> usize {
        let head = head(lines);
        let asked = Asked::new(&head, client.parse().unwrap());
        policy.choose(&weighted(&[100; 50]), &asked).unwrap()
    }

    #[test]
    fn each_kind_of_value() {
        let same = |policy: &Hash, a: (&str, &str), b: (&str, &str)| {
            let mut policy = policy.clone();
            chosen(&mut policy, a.0, a.1) == chosen(&mut policy, b.0, b.1)
        };
        let client = Hash::of_client();
        assert!(same(&client, ("", "1.2.3.4"), ("A: b\r\n", "1.2.3.4")));
        assert!(same(&client, ("", "1.2.3.4"), ("", "::ffff:1.2.3.4")));
        assert!(!same(&client, ("", "1.2.3.4"), ("", "1.2.3.5")));
        assert!(same(&client, ("", "2001:db8::1"), ("", "2001:db8::ffff:1")));
        assert!(!same(&client, ("", "2001:db8::1"), ("", "2001:db8:0:1::1")));
        let cookie = Hash::of(HashKey::Cookie("id".to_owned()));
        let (a, b) = ("Cookie: x=1; id=a\r\n", "Cookie: id=a\r\nCookie: y=2\r\n");
        assert!(same(&cookie, (a, "1.1.1.1"), (b, "2.2.2.2")));
        assert!(!same(
            &cookie,
            (a, "1.1.1.1"),
            ("Cookie: id=b\r\n", "1.1.1.1")
        ));
    }

    #[test]
    fn without_the_value_it_is_in_turn() {
        let mut policy = Hash::of(HashKey::Cookie("id".to_owned()));
        for lines in ["", "Cookie: other=1\r\n", "Cookie: id=\r\n"] {
            let two = [(); 2].map(|()| chosen(&mut policy, lines, "1.1.1.1"));
            assert_eq!(two[0] + 1, two[1], "{lines}");
        }
    }
}
