//! Whether a backend gets requests: what its failures, its checks and the operator say.

use std::time::{Duration, Instant};

use crate::plan::{ActiveCheck, Ejection};

/// Why a backend gets requests or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// It gets requests.
    Up,
    /// It failed several requests in a row, and is left alone for a while.
    Ejected,
    /// Its active checks fail.
    Down,
    /// The operator has taken it out: it finishes what it has.
    Draining,
}

impl Health {
    /// The word for it in pages, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Ejected => "ejected",
            Self::Down => "down",
            Self::Draining => "draining",
        }
    }
}

/// What decides about the health of a backend.
#[derive(Debug, Default)]
pub(super) struct Condition {
    /// Failed requests since the last one that succeeded.
    failures: u32,
    /// How often it was ejected since it last was well.
    ejections: u32,
    ejected_until: Option<Instant>,
    /// Good checks since the last bad one, and bad ones since the last good one.
    checks: (u32, u32),
    is_down: bool,
}

impl Condition {
    pub(super) fn health(&self, now: Instant) -> Health {
        match self.ejected_until {
            _ if self.is_down => Health::Down,
            Some(until) if now < until => Health::Ejected,
            _ => Health::Up,
        }
    }

    /// Notes a failed request; returns how long the backend is ejected, if it is now.
    pub(super) fn failed(&mut self, now: Instant, rule: &Ejection) -> Option<Duration> {
        self.failures = self.failures.saturating_add(1);
        // After a pause, one failure is enough: it is not well yet.
        let most = if self.ejections > 0 { 1 } else { rule.failures };
        if rule.failures == 0 || self.failures < most || self.health(now) == Health::Ejected {
            return None;
        }
        let factor = 1_u32.checked_shl(self.ejections).unwrap_or(u32::MAX);
        let pause = rule.pause.saturating_mul(factor).min(rule.longest);
        self.ejections = (self.ejections + 1).min(31);
        self.ejected_until = now.checked_add(pause);
        self.failures = 0;
        Some(pause)
    }

    /// Notes a request that succeeded.
    pub(super) fn succeeded(&mut self, now: Instant) {
        self.failures = 0;
        if self.ejected_until.is_none_or(|until| until <= now) {
            (self.ejections, self.ejected_until) = (0, None);
        }
    }

    /// Notes the result of an active check; returns the new health if it has changed.
    pub(super) fn checked(&mut self, is_good: bool, rule: &ActiveCheck) -> Option<Health> {
        let (good, bad) = self.checks;
        self.checks = match is_good {
            true => (good.saturating_add(1), 0),
            false => (0, bad.saturating_add(1)),
        };
        let was_down = self.is_down;
        if self.checks.0 >= rule.healthy_after {
            self.is_down = false;
        } else if self.checks.1 >= rule.unhealthy_after {
            self.is_down = true;
        }
        match (was_down, self.is_down) {
            (true, false) => {
                (self.failures, self.ejections, self.ejected_until) = (0, 0, None);
                Some(Health::Up)
            }
            (false, true) => Some(Health::Down),
            _ => None,
        }
    }

    /// Whether nothing is noted against it.
    pub(super) fn is_clean(&self) -> bool {
        self.failures == 0 && self.ejections == 0 && !self.is_down
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> Ejection {
        Ejection {
            failures: 3,
            pause: Duration::from_secs(1),
            longest: Duration::from_secs(5),
        }
    }

    #[test]
    fn failures_in_a_row_eject_with_growing_pauses() {
        let (start, rule, mut condition) = (Instant::now(), rule(), Condition::default());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(condition.failed(at(0), &rule), None);
        assert_eq!(condition.failed(at(0), &rule), None);
        condition.succeeded(at(0));
        assert_eq!(condition.failed(at(0), &rule), None);
        assert_eq!(condition.failed(at(0), &rule), None);
        assert_eq!(condition.failed(at(0), &rule), Some(Duration::from_secs(1)));
        assert_eq!(condition.health(at(0)), Health::Ejected);
        // Requests that were under way change nothing.
        assert_eq!(condition.failed(at(0), &rule), None);
        condition.succeeded(at(0));
        assert_eq!(condition.health(at(0)), Health::Ejected);
        assert_eq!(condition.health(at(1)), Health::Up);
        for (second, pause) in [(1, 2), (3, 4), (7, 5), (12, 5)] {
            let pause = Duration::from_secs(pause);
            assert_eq!(condition.failed(at(second), &rule), Some(pause));
        }
        condition.succeeded(at(17));
        assert!(condition.is_clean());
        assert_eq!(condition.failed(at(17), &rule), None);
    }

    #[test]
    fn a_rule_of_zero_never_ejects() {
        let mut condition = Condition::default();
        let rule = Ejection {
            failures: 0,
            ..rule()
        };
        for _ in 0..100 {
            assert_eq!(condition.failed(Instant::now(), &rule), None);
        }
        assert_eq!(condition.health(Instant::now()), Health::Up);
    }

    #[test]
    fn checks_need_several_results_in_a_row() {
        let rule = ActiveCheck {
            healthy_after: 2,
            unhealthy_after: 3,
            ..ActiveCheck::default()
        };
        let mut condition = Condition::default();
        let results = [
            (false, None),
            (false, None),
            (true, None),
            (false, None),
            (false, None),
            (false, Some(Health::Down)),
            (false, None),
            (true, None),
            (false, None),
            (true, None),
            (true, Some(Health::Up)),
            (true, None),
        ];
        for (number, (is_good, expected)) in results.into_iter().enumerate() {
            assert_eq!(condition.checked(is_good, &rule), expected, "{number}");
        }
    }
}
