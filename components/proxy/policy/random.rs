//! A backend by chance.

use super::{Asked, Candidate, Policy};

/// By chance, by weight.
///
/// Several proxies before the same backends do not march in step, as they would in turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Random;

impl Policy for Random {
    fn choose(&mut self, candidates: &[Candidate], _: &Asked<'_>) -> Option<usize> {
        draw(candidates, None)
    }
}

/// Draws a position by weight, other than `but`.
pub(super) fn draw(candidates: &[Candidate], but: Option<usize>) -> Option<usize> {
    let drawn = || {
        let all = candidates.iter().enumerate();
        let all = all.filter(|(position, _)| Some(*position) != but);
        all.map(|(position, candidate)| (position, u64::from(candidate.weight.max(1))))
    };
    let total: u64 = drawn().map(|(_, weight)| weight).sum();
    let mut rest = kamea::random::u64(0..total.max(1));
    drawn().find_map(|(position, weight)| match rest.checked_sub(weight) {
        Some(left) => {
            rest = left;
            None
        }
        None => Some(position),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{choices, weighted};

    #[test]
    fn shares_follow_the_weights() {
        let order = choices(Random, &weighted(&[100, 200, 700]), 10_000);
        let count = |index: char| order.matches(index).count();
        // Five standard deviations and more around 1000, 2000 and 7000.
        assert!((850..1150).contains(&count('0')), "{}", count('0'));
        assert!((1800..2200).contains(&count('1')), "{}", count('1'));
        assert!((6770..7230).contains(&count('2')), "{}", count('2'));
    }

    #[test]
    fn edges() {
        assert_eq!(draw(&[], None), None);
        let two = weighted(&[0, 0]);
        assert_eq!(draw(&two[..1], Some(0)), None);
        assert!((0..100).all(|_| draw(&two, Some(1)) == Some(0)));
    }
}
