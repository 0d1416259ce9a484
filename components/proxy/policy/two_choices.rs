//! The less busy one of two that are drawn by chance.

use super::random::draw;
use super::{Asked, Candidate, Policy};

/// Draws two backends by chance, by weight, and takes the less busy one.
///
/// It is nearly as even as [`LeastConnections`](super::LeastConnections), and several proxies that
/// know only their own requests do not all run to the same backend.
#[derive(Clone, Copy, Debug, Default)]
pub struct TwoChoices;

impl Policy for TwoChoices {
    fn choose(&mut self, candidates: &[Candidate], _: &Asked<'_>) -> Option<usize> {
        let first = draw(candidates, None)?;
        let Some(second) = draw(candidates, Some(first)) else {
            return Some(first);
        };
        let is_less = candidates[second].is_less_busy_than(&candidates[first]);
        Some(if is_less { second } else { first })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{choices, choose, weighted};

    #[test]
    fn the_busiest_one_of_all_gets_nothing() {
        let mut candidates = weighted(&[100; 5]);
        candidates[3].open = 7;
        let order = choices(TwoChoices, &candidates, 1000);
        assert_eq!(order.matches('3').count(), 0);
        assert!("0124".chars().all(|index| order.contains(index)));
    }

    #[test]
    fn requests_in_flight_stay_even() {
        let mut candidates = weighted(&[100; 10]);
        for _ in 0..10_000 {
            let position = choose(&mut TwoChoices, &candidates);
            candidates[position].open += 1;
        }
        let open = candidates.iter().map(|candidate| candidate.open);
        let (least, most) = (open.clone().min(), open.max());
        // By chance alone the difference is about 100.
        assert!(most.unwrap() - least.unwrap() < 20, "{least:?} {most:?}");
    }

    #[test]
    fn one_candidate_is_the_choice() {
        assert_eq!(choose(&mut TwoChoices, &weighted(&[100])), 0);
    }
}
