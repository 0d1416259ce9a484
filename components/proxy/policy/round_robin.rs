//! Smooth weighted round-robin: in turn, and the turns of a heavy backend spread evenly.

use super::{Asked, Candidate, Policy};

/// In turn, by weight.
///
/// With the weights 5, 1 and 1, the order is `a a b a c a a`, and not `a a a a a b c`, so that a
/// heavy backend gets no burst. It is the algorithm of nginx: each backend gains its weight, the
/// one with the most gets the request, and pays the sum of all weights.
///
/// # Examples
/// ```
/// use http::Method;
/// use kamea_components::http::{Fields, RequestHead, Target};
/// use kamea_proxy::policy::{Asked, Candidate, Policy, RoundRobin};
///
/// # let head = RequestHead {
/// #     method: Method::GET,
/// #     target: Target::parse(&Method::GET, "/".into())?,
/// #     version: http::Version::HTTP_11,
/// #     fields: Fields::new(),
/// # };
/// let asked = Asked::new(&head, [127, 0, 0, 1].into());
/// let candidates = [Candidate::new(0, 10), Candidate::new(1, 11)];
/// let mut policy = RoundRobin::new();
/// let order = [(); 4].map(|()| policy.choose(&candidates, &asked));
/// assert_eq!(order, [Some(0), Some(1), Some(0), Some(1)]);
/// # Ok::<(), kamea_components::http::Malformed>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct RoundRobin {
    /// What each backend has gained, by its position in the route.
    gained: Vec<i64>,
}

impl RoundRobin {
    /// Begins with the first of the heaviest.
    #[must_use]
    pub const fn new() -> Self {
        Self { gained: Vec::new() }
    }

    /// Returns the position of the next one among those that `may_be` accepts.
    pub(super) fn next(
        &mut self,
        candidates: &[Candidate],
        may_be: impl Fn(&Candidate) -> bool,
    ) -> Option<usize> {
        let last = candidates.iter().map(|candidate| candidate.index).max()?;
        if self.gained.len() <= last {
            self.gained.resize(last + 1, 0);
        }
        let (mut total, mut best) = (0, None);
        for (position, candidate) in candidates.iter().enumerate() {
            if !may_be(candidate) {
                continue;
            }
            let weight = i64::from(candidate.weight.max(1));
            total += weight;
            let gained = &mut self.gained[candidate.index];
            *gained += weight;
            if best.is_none_or(|(_, most)| *gained > most) {
                best = Some((position, *gained));
            }
        }
        let (position, _) = best?;
        self.gained[candidates[position].index] -= total;
        Some(position)
    }
}

impl Policy for RoundRobin {
    fn choose(&mut self, candidates: &[Candidate], _: &Asked<'_>) -> Option<usize> {
        self.next(candidates, |_| true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{choices, weighted};

    #[test]
    fn the_turns_of_a_heavy_one_are_spread() {
        let rows: [(&[u32], &str); 5] = [
            (&[100], "000"),
            (&[100, 100, 100], "012012"),
            // As nginx documents it.
            (&[500, 100, 100], "0010200 0010200"),
            (&[100, 300], "1011 1011"),
            // A slow start: a hundredth of the share.
            (&[100, 1], "00000000000000000000"),
        ];
        for (weights, expected) in rows {
            let expected: String = expected.split(' ').collect();
            let order = choices(RoundRobin::new(), &weighted(weights), expected.len());
            assert_eq!(order, expected, "{weights:?}");
        }
    }

    #[test]
    fn shares_are_exact_over_a_period() {
        let order = choices(RoundRobin::new(), &weighted(&[700, 200, 100, 500]), 1500);
        let count = |index: char| order.matches(index).count();
        assert_eq!(['0', '1', '2', '3'].map(count), [700, 200, 100, 500]);
    }

    #[test]
    fn one_that_was_away_gets_no_burst() {
        let all = weighted(&[100, 100, 100]);
        let mut policy = RoundRobin::new();
        for _ in 0..1000 {
            let choice = policy.next(&all[..2], |_| true);
            assert!(choice.is_some_and(|position| position < 2));
        }
        let order: Vec<_> = (0..6).filter_map(|_| policy.next(&all, |_| true)).collect();
        let count = order.iter().filter(|position| **position == 2).count();
        assert_eq!(count, 2, "{order:?}");
    }

    #[test]
    fn a_candidate_of_no_weight_does_not_stop_it() {
        let order = choices(RoundRobin::new(), &weighted(&[0, 0]), 4);
        assert_eq!(order, "0101");
        assert_eq!(RoundRobin::new().next(&[], |_| true), None);
    }
}
