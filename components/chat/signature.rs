//! Checks signatures (Ed25519, RFC 8032), one or many at once: with the same result.
//!
//! RFC 8032 section 5.1.7 has two equations for a signature `(R, S)` of the key `A`, where `k` is a
//! hash of `R`, `A` and the text. This is the one that says the same of each signature alone and of
//! a sum of many, so that every peer decides alike, however the messages come:
//!
//! ```text
//!  one:   [8] S·B = [8] (R + k·A)
//!  many:  [8] Σ z·S·B = [8] (Σ z·R + Σ z·k·A)        z: 128 bits that nobody can choose
//! ```
//!
//! A sum takes a quarter of the time: messages of the same author share the product with `A`, and
//! the numbers `z` are short.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul as _;
use sha2::{Digest, Sha512};

use crate::PeerKey;

/// A signature, and what it is said to sign.
pub(crate) struct Claim<'a> {
    /// Who has signed.
    pub(crate) key: PeerKey,
    /// The text, in two parts.
    pub(crate) text: [&'a [u8]; 2],
    /// `R` and `S`.
    pub(crate) signature: &'a [u8; 64],
}

/// A claim as numbers and points.
struct Equation {
    key: PeerKey,
    point: EdwardsPoint,
    number: Scalar,
    hash: Scalar,
}

/// Whether all claims are true.
///
/// A false one is found however many others there are: that its error vanishes in the sum has a
/// chance of 1 in 2^128, and who makes the signatures does not choose the numbers `z`, because they
/// follow from all signatures.
pub(crate) fn verify_all(claims: &[Claim<'_>]) -> bool {
    let mut keys = BTreeMap::new();
    let mut equations = Vec::with_capacity(claims.len());
    for claim in claims {
        let Some(equation) = equation(claim) else {
            return false;
        };
        if let Entry::Vacant(place) = keys.entry(claim.key) {
            let Some(point) = point(&claim.key.0) else {
                return false;
            };
            place.insert(point);
        }
        equations.push(equation);
    }
    match &equations[..] {
        [] => true,
        [one] => {
            let key = -keys[&one.key];
            let expected =
                EdwardsPoint::vartime_double_scalar_mul_basepoint(&one.hash, &key, &one.number);
            (expected - one.point).is_small_order()
        }
        many => sum(many, &keys, &seed(claims)).is_small_order(),
    }
}

/// The difference of both sides of the sum.
fn sum(
    equations: &[Equation],
    keys: &BTreeMap<PeerKey, EdwardsPoint>,
    seed: &Sha512,
) -> EdwardsPoint {
    let mut factors: BTreeMap<_, _> = keys.keys().map(|key| (*key, Scalar::ZERO)).collect();
    let (mut base, mut scalars) = (Scalar::ZERO, Vec::with_capacity(equations.len()));
    for (place, equation) in equations.iter().enumerate() {
        let weight = weight(seed, place);
        base -= weight * equation.number;
        if let Some(factor) = factors.get_mut(&equation.key) {
            *factor += weight * equation.hash;
        }
        scalars.push(weight);
    }
    scalars.extend(factors.into_values());
    scalars.push(base);
    let points = equations.iter().map(|equation| equation.point);
    let points = points.chain(keys.values().copied());
    EdwardsPoint::vartime_multiscalar_mul(scalars, points.chain([ED25519_BASEPOINT_POINT]))
}

/// What all numbers `z` follow from: the keys, the signatures and the texts.
fn seed(claims: &[Claim<'_>]) -> Sha512 {
    let mut seed = Sha512::new().chain_update(b"kamea chat signatures v1\0");
    for claim in claims {
        let [context, text] = claim.text.map(Sha512::digest);
        seed.update(claim.key.0);
        seed.update(claim.signature);
        seed.update(context);
        seed.update(text);
    }
    seed
}

/// The number `z` of one claim.
fn weight(seed: &Sha512, place: usize) -> Scalar {
    let digest = seed.clone().chain_update(place.to_be_bytes()).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Scalar::from(u128::from_le_bytes(bytes))
}

fn equation(claim: &Claim<'_>) -> Option<Equation> {
    let (first, second) = claim.signature.split_at(32);
    let (first, second) = (first.try_into().ok()?, second.try_into().ok()?);
    let hash = Sha512::new()
        .chain_update(first)
        .chain_update(claim.key.0)
        .chain_update(claim.text[0])
        .chain_update(claim.text[1]);
    Some(Equation {
        key: claim.key,
        point: point(&first)?,
        number: Option::from(Scalar::from_canonical_bytes(second))?,
        hash: Scalar::from_bytes_mod_order_wide(&hash.finalize().into()),
    })
}

/// Reads a point. Refuses a second form of it, and the eight weak points, which fit many texts.
fn point(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
    // The numbers from 2^255 - 19 on are second forms.
    let is_second_form = bytes[0] >= 0xed
        && bytes[1..31].iter().all(|byte| *byte == 0xff)
        && bytes[31] & 0x7f == 0x7f;
    let point = CompressedEdwardsY(*bytes).decompress()?;
    (!is_second_form && !point.is_small_order()).then_some(point)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;

    /// The parts of a signature: the key, `R` and `S`.
    struct Parts([u8; 32], [u8; 32], [u8; 32]);

    fn claims<'a>(signed: &'a [(PeerKey, Vec<u8>, [u8; 64])]) -> Vec<Claim<'a>> {
        let claims = signed.iter().map(|(key, text, signature)| Claim {
            key: *key,
            text: [b"context", text],
            signature,
        });
        claims.collect()
    }

    /// Messages of some authors, in turns.
    fn signed(authors: u8, count: u8) -> Vec<(PeerKey, Vec<u8>, [u8; 64])> {
        let message = |number: u8| {
            let identity = Identity::from_secret([1 + number % authors; 32]);
            let text = vec![number; 3 * usize::from(number)];
            let signature = identity.sign(&[b"context", &text[..]].concat());
            (identity.key(), text, signature)
        };
        (0..count).map(message).collect()
    }

    /// The decision about one claim, which must be that about each batch with it.
    fn decision(claim: (PeerKey, Vec<u8>, [u8; 64])) -> bool {
        let alone = verify_all(&claims(std::slice::from_ref(&claim)));
        // The numbers z differ with the other claims.
        for count in 1..12 {
            let mut others = signed(1 + count % 3, count);
            others.insert(usize::from(count) / 2, claim.clone());
            let together = verify_all(&claims(&others));
            assert_eq!(together, alone, "together with {count} others");
        }
        alone
    }

    /// Signs with a secret number, with other points added to the key and to `R`.
    fn crafted(on_key: EdwardsPoint, on_point: EdwardsPoint) -> Parts {
        let (secret, once) = (Scalar::from(123_456_u64), Scalar::from(7_654_321_u64));
        let key = (ED25519_BASEPOINT_POINT * secret + on_key).compress();
        let point = (ED25519_BASEPOINT_POINT * once + on_point).compress();
        let hash = Sha512::new().chain_update(point.0).chain_update(key.0);
        let hash = hash.chain_update(b"contexttext").finalize();
        let hash = Scalar::from_bytes_mod_order_wide(&hash.into());
        Parts(key.0, point.0, (once + hash * secret).to_bytes())
    }

    fn claim(Parts(key, point, number): Parts) -> (PeerKey, Vec<u8>, [u8; 64]) {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&point);
        signature[32..].copy_from_slice(&number);
        (PeerKey(key), b"text".to_vec(), signature)
    }

    #[test]
    fn right_signatures_are_right_alone_and_together() {
        assert!(verify_all(&[]));
        for (authors, count) in [(1, 1), (1, 2), (1, 200), (3, 3), (7, 60), (250, 250)] {
            let signed = signed(authors, count);
            assert!(verify_all(&claims(&signed)), "{authors} {count}");
        }
        assert!(decision(signed(1, 1).remove(0)));
        let zero = || Scalar::ZERO * ED25519_BASEPOINT_POINT;
        assert!(decision(claim(crafted(zero(), zero()))));
    }

    #[test]
    fn one_false_signature_is_found_among_many() {
        let right = signed(3, 39);
        for place in 0..right.len() {
            for byte in [0, 31, 32, 63] {
                let mut wrong = right.clone();
                wrong[place].2[byte] ^= 1;
                assert!(!verify_all(&claims(&wrong)), "signature {place}, {byte}");
            }
            let mut wrong = right.clone();
            wrong[place].1.push(0);
            assert!(!verify_all(&claims(&wrong)), "text {place}");
            let mut wrong = right.clone();
            wrong[place].0 = wrong[(place + 1) % right.len()].0;
            assert!(!verify_all(&claims(&wrong)), "key {place}");
        }
        // Two errors that are each other's opposite do not vanish.
        let mut wrong = right;
        let one = Scalar::ONE;
        for (place, change) in [(0, one), (3, -one)] {
            let number = &mut wrong[place].2[32..];
            let old = Scalar::from_bytes_mod_order(number.try_into().unwrap());
            number.copy_from_slice((old + change).as_bytes());
        }
        assert!(!verify_all(&claims(&wrong)));
    }

    /// Of the two equations of RFC 8032, only this one says the same of them in each batch.
    #[test]
    fn weak_parts_of_points_change_no_decision() {
        for weak in curve25519_dalek::constants::EIGHT_TORSION {
            for other in curve25519_dalek::constants::EIGHT_TORSION {
                assert!(decision(claim(crafted(weak, other))));
            }
        }
    }

    #[test]
    fn weak_points_and_second_forms_are_refused() {
        let none = curve25519_dalek::constants::EIGHT_TORSION[0];
        let good = || crafted(none, none);
        for weak in curve25519_dalek::constants::EIGHT_TORSION {
            // R and S fit a weak key whatever the text is.
            let number = Scalar::from(5_u64);
            let point = (ED25519_BASEPOINT_POINT * number).compress();
            let weak = weak.compress();
            let parts = Parts(weak.0, point.0, number.to_bytes());
            assert!(!decision(claim(parts)), "the key {weak:?}");
            let Parts(key, _, number) = good();
            let parts = Parts(key, weak.0, number);
            assert!(!decision(claim(parts)), "the point {weak:?}");
        }
        // S and S + l are the same number.
        let Parts(key, point, mut number) = good();
        let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
        let order = crate::codec::from_hex::<32>(order).unwrap();
        let mut carry = 0;
        for (byte, more) in number.iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(more) + carry;
            (*byte, carry) = (sum as u8, sum >> 8);
        }
        assert!(!decision(claim(Parts(key, point, number))), "S + l");
        // The numbers from 2^255 - 19 on.
        for low in 0xed..=0xff_u8 {
            for sign in [0x7f, 0xff] {
                let mut second = [0xff; 32];
                (second[0], second[31]) = (low, sign);
                assert!(super::point(&second).is_none(), "{low:x} {sign:x}");
            }
        }
        // The largest number below them with a point is one.
        let found = (0..0xed_u8).rev().find(|low| {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (*low, 0x7f);
            super::point(&bytes).is_some()
        });
        assert!(found.is_some());
    }
}
