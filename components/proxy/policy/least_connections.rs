//! The backend with the fewest requests in flight.

use super::{Asked, Candidate, Policy, RoundRobin};

/// The one with the fewest requests in flight for its weight; those with equally few in turn.
///
/// A backend that answers slowly has more requests in flight, and so it gets fewer: this is the
/// policy for requests that take different times.
#[derive(Clone, Debug, Default)]
pub struct LeastConnections {
    ties: RoundRobin,
}

impl LeastConnections {
    /// Begins with the first of the heaviest.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            ties: RoundRobin::new(),
        }
    }
}

impl Policy for LeastConnections {
    fn choose(&mut self, candidates: &[Candidate], _: &Asked<'_>) -> Option<usize> {
        let mut least = candidates.first()?;
        for candidate in candidates {
            if candidate.is_less_busy_than(least) {
                least = candidate;
            }
        }
        self.ties
            .next(candidates, |candidate| !least.is_less_busy_than(candidate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{choices, weighted};

    fn busy(rows: &[(u32, u32)]) -> Vec<Candidate> {
        let mut candidates = weighted(&rows.iter().map(|row| row.0).collect::<Vec<_>>());
        for (candidate, row) in candidates.iter_mut().zip(rows) {
            candidate.open = row.1;
        }
        candidates
    }

    #[test]
    fn the_least_busy_one_and_ties_in_turn() {
        // Weight and requests in flight of each, and the choices.
        let rows: [(&[(u32, u32)], &str); 6] = [
            (&[(100, 3), (100, 1), (100, 2)], "111"),
            (&[(100, 1), (100, 1), (100, 2)], "0101"),
            (&[(100, 0), (100, 0), (100, 0)], "012012"),
            // Three requests of weight 4 are fewer than one of weight 1.
            (&[(400, 3), (100, 1)], "000"),
            (&[(400, 4), (100, 1)], "00100"),
            (&[(100, u32::MAX), (1000, u32::MAX)], "11"),
        ];
        for (candidates, expected) in rows {
            let policy = LeastConnections::new();
            let order = choices(policy, &busy(candidates), expected.len());
            assert_eq!(order, expected, "{candidates:?}");
        }
    }

    #[test]
    fn requests_in_flight_become_proportional_to_the_weights() {
        let mut candidates = busy(&[(100, 0), (200, 0), (300, 0)]);
        let mut policy = LeastConnections::new();
        for _ in 0..600 {
            let position = crate::policy::testing::choose(&mut policy, &candidates);
            candidates[position].open += 1;
        }
        let open: Vec<_> = candidates.iter().map(|candidate| candidate.open).collect();
        assert_eq!(open, [100, 200, 300]);
    }
}
