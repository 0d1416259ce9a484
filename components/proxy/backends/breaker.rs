//! The circuit breaker of a route: it stops asking backends of which too many requests fail.
//!
//! ```text
//!            too many errors in the window            the pause is over
//!  closed ───────────────────────────────▶ open ───────────────────────▶ half open
//!    ▲                                       ▲                               │
//!    │                                       └──────── a trial fails ────────┤
//!    └──────────────────── all trials succeed ───────────────────────────────┘
//! ```
//!
//! It does no I/O, and gets the time from its caller.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::plan::CircuitBreaker;

/// The window moves by so many parts.
const PARTS: usize = 10;

/// How long a client should wait while the trials are under way.
const WHILE_TRIALS: Duration = Duration::from_secs(1);

/// The circuit breaker of a route.
#[derive(Debug)]
pub(super) struct Breaker {
    rule: CircuitBreaker,
    circuit: Mutex<Circuit>,
}

/// A request that the breaker has let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Admitted {
    /// The state in which it was let through: its result counts only in the same one.
    epoch: u64,
}

/// The state of a circuit breaker at one moment.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct CircuitStatus {
    /// `closed`, `open` or `half-open`.
    pub state: &'static str,
    /// Requests in the window.
    pub requests: u32,
    /// Those of them that failed.
    pub errors: u32,
    /// How often it has opened since the start.
    pub opened: u64,
}

#[derive(Debug)]
struct Circuit {
    state: State,
    /// Counts the changes of the state.
    epoch: u64,
    opened: u64,
}

#[derive(Debug)]
enum State {
    Closed(Window),
    Open(Instant),
    /// Trials under way, and those that have succeeded.
    HalfOpen(u32, u32),
}

/// What a result has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Opened,
    Closed,
}

impl Breaker {
    pub(super) const fn new(rule: CircuitBreaker) -> Self {
        Self {
            rule,
            circuit: Mutex::new(Circuit {
                state: State::Closed(Window::new()),
                epoch: 0,
                opened: 0,
            }),
        }
    }

    pub(super) const fn rule(&self) -> &CircuitBreaker {
        &self.rule
    }

    /// How long a client should wait, if no request gets through now.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.circuit().wait(now, self.rule.trials)
    }

    /// Lets a request through, or says how long its client should wait. The first one after the
    /// pause half opens the circuit.
    pub(super) fn admit(&self, now: Instant) -> Result<Admitted, Duration> {
        let mut circuit = self.circuit();
        if let Some(wait) = circuit.wait(now, self.rule.trials) {
            return Err(wait);
        }
        match &mut circuit.state {
            State::Closed(_) => {}
            State::Open(_) => circuit.go_to(State::HalfOpen(1, 0)),
            State::HalfOpen(running, _) => *running += 1,
        }
        Ok(Admitted {
            epoch: circuit.epoch,
        })
    }

    /// Notes the result of a request.
    pub(super) fn note(&self, admitted: Admitted, is_error: bool, now: Instant) -> Option<Change> {
        let mut circuit = self.circuit();
        if circuit.epoch != admitted.epoch {
            return None;
        }
        let rule = &self.rule;
        let change = match &mut circuit.state {
            State::Open(_) => None,
            State::Closed(window) => {
                window.count(now, rule.window, is_error);
                let (requests, errors) = window.totals();
                let share = u64::from(errors) * 100;
                let is_too_much = share >= u64::from(requests) * u64::from(rule.errors_percent);
                (requests >= rule.requests && is_too_much).then_some(Change::Opened)
            }
            State::HalfOpen(..) if is_error => Some(Change::Opened),
            State::HalfOpen(running, succeeded) => {
                *running = running.saturating_sub(1);
                *succeeded += 1;
                (*succeeded >= rule.trials).then_some(Change::Closed)
            }
        };
        match change {
            Some(Change::Opened) => {
                circuit.opened += 1;
                circuit.go_to(State::Open(now + rule.pause));
            }
            Some(Change::Closed) => circuit.go_to(State::Closed(Window::new())),
            None => {}
        }
        change
    }

    /// Notes that a request has ended without a result: its client has gone, for example. Another
    /// trial takes its place.
    pub(super) fn leave(&self, admitted: Admitted) {
        let mut circuit = self.circuit();
        if circuit.epoch == admitted.epoch
            && let State::HalfOpen(running, _) = &mut circuit.state
        {
            *running = running.saturating_sub(1);
        }
    }

    pub(super) fn status(&self, now: Instant) -> CircuitStatus {
        let mut circuit = self.circuit();
        let opened = circuit.opened;
        let (state, (requests, errors)) = match &mut circuit.state {
            State::Closed(window) => {
                window.turn_to(now, self.rule.window);
                ("closed", window.totals())
            }
            State::Open(until) if now < *until => ("open", (0, 0)),
            State::Open(_) | State::HalfOpen(..) => ("half-open", (0, 0)),
        };
        CircuitStatus {
            state,
            requests,
            errors,
            opened,
        }
    }

    fn circuit(&self) -> MutexGuard<'_, Circuit> {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circuit {
    /// How long a client should wait, if no request gets through now.
    fn wait(&self, now: Instant, trials: u32) -> Option<Duration> {
        match self.state {
            State::Closed(_) => None,
            State::Open(until) => until
                .checked_duration_since(now)
                .filter(|left| !left.is_zero()),
            State::HalfOpen(running, succeeded) => {
                (running + succeeded >= trials).then_some(WHILE_TRIALS)
            }
        }
    }

    fn go_to(&mut self, state: State) {
        self.state = state;
        self.epoch += 1;
    }
}

/// Requests and errors of the last seconds.
#[derive(Debug)]
struct Window {
    /// Requests and errors of each part; the present part is the first.
    parts: [(u32, u32); PARTS],
    /// When the present part began.
    began: Option<Instant>,
}

impl Window {
    const fn new() -> Self {
        Self {
            parts: [(0, 0); PARTS],
            began: None,
        }
    }

    fn count(&mut self, now: Instant, length: Duration, is_error: bool) {
        self.turn_to(now, length);
        let (requests, errors) = &mut self.parts[0];
        *requests = requests.saturating_add(1);
        *errors = errors.saturating_add(is_error.into());
    }

    /// Forgets the parts that have left the window.
    fn turn_to(&mut self, now: Instant, length: Duration) {
        let part = (length / PARTS as u32).max(Duration::from_nanos(1));
        let began = *self.began.get_or_insert(now);
        let passed = now.saturating_duration_since(began).as_nanos() / part.as_nanos();
        if passed >= PARTS as u128 {
            (self.parts, self.began) = ([(0, 0); PARTS], Some(now));
            return;
        }
        // Less than PARTS.
        let passed = passed as usize;
        self.parts.rotate_right(passed);
        self.parts[..passed].fill((0, 0));
        self.began = Some(began + part * passed as u32);
    }

    fn totals(&self) -> (u32, u32) {
        let add = |(a, b): (u32, u32), part: &(u32, u32)| {
            (a.saturating_add(part.0), b.saturating_add(part.1))
        };
        self.parts.iter().fold((0, 0), add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn breaker() -> Breaker {
        Breaker::new(CircuitBreaker {
            errors_percent: 50,
            window: Duration::from_secs(10),
            requests: 4,
            pause: Duration::from_secs(5),
            trials: 2,
        })
    }

    /// A breaker, and a clock that says seconds after its start.
    fn start() -> (Breaker, impl Fn(f64) -> Instant) {
        let began = Instant::now();
        let at = move |seconds| began + Duration::from_secs_f64(seconds);
        (breaker(), at)
    }

    /// Lets a request through at once, and notes its result.
    fn pass(breaker: &Breaker, now: Instant, is_error: bool) -> Option<Change> {
        let admitted = breaker.admit(now).unwrap();
        breaker.note(admitted, is_error, now)
    }

    #[test]
    fn it_opens_at_the_rate_with_the_least_requests() {
        let rows: [(&[bool], bool); 6] = [
            (&[true, true, true], false),
            (&[true, true, true, true], true),
            (&[true, true, false, false], true),
            (&[false, false, true, true], true),
            (&[false, false, false, true], false),
            (&[false, false, false, true, true, true], true),
        ];
        for (errors, opens) in rows {
            let (breaker, at) = start();
            let changes: Vec<_> = errors
                .iter()
                .map(|is_error| pass(&breaker, at(0.1), *is_error))
                .collect();
            let expected = opens.then_some(Change::Opened);
            assert_eq!(changes.last(), Some(&expected), "{errors:?}");
            assert!(changes[..changes.len() - 1].iter().all(Option::is_none));
            assert_eq!(breaker.wait(at(0.1)).is_some(), opens, "{errors:?}");
        }
    }

    #[test]
    fn what_has_left_the_window_does_not_count() {
        let (breaker, at) = start();
        for second in [0.0, 0.5, 1.0] {
            assert_eq!(pass(&breaker, at(second), true), None);
        }
        assert_eq!(breaker.status(at(9.9)).requests, 3);
        assert_eq!(
            breaker.status(at(10.0)).requests,
            1,
            "the first second has left"
        );
        assert_eq!(pass(&breaker, at(10.5), true), None, "that makes two");
        assert_eq!(breaker.status(at(30.0)).requests, 0);
        for _ in 0..3 {
            assert_eq!(pass(&breaker, at(31.0), true), None);
        }
        assert_eq!(pass(&breaker, at(31.0), true), Some(Change::Opened));
    }

    fn opened() -> (Breaker, impl Fn(f64) -> Instant) {
        let (breaker, at) = start();
        for _ in 0..3 {
            pass(&breaker, at(0.0), true);
        }
        assert_eq!(pass(&breaker, at(0.0), true), Some(Change::Opened));
        (breaker, at)
    }

    #[test]
    fn it_lets_trials_through_after_its_pause() {
        let (breaker, at) = opened();
        assert_eq!(breaker.admit(at(2.0)), Err(Duration::from_secs(3)));
        assert_eq!(breaker.status(at(2.0)).state, "open");
        let first = breaker.admit(at(5.0)).unwrap();
        assert_eq!(breaker.status(at(5.0)).state, "half-open");
        let second = breaker.admit(at(5.0)).unwrap();
        assert_eq!(breaker.admit(at(5.0)), Err(WHILE_TRIALS), "two trials");
        assert_eq!(breaker.note(first, false, at(5.1)), None);
        assert!(
            breaker.admit(at(5.1)).is_err(),
            "one has succeeded, one is under way"
        );
        assert_eq!(breaker.note(second, false, at(5.2)), Some(Change::Closed));
        assert_eq!(breaker.status(at(5.2)).state, "closed");
        assert_eq!(breaker.status(at(5.2)).requests, 0, "it begins anew");
        assert!(breaker.admit(at(5.2)).is_ok());
    }

    #[test]
    fn a_trial_that_fails_opens_it_again() {
        let (breaker, at) = opened();
        let first = breaker.admit(at(5.0)).unwrap();
        let second = breaker.admit(at(5.0)).unwrap();
        assert_eq!(breaker.note(first, false, at(5.1)), None);
        assert_eq!(breaker.note(second, true, at(5.1)), Some(Change::Opened));
        assert_eq!(breaker.admit(at(5.1)), Err(Duration::from_secs(5)));
        assert_eq!(breaker.status(at(5.1)).opened, 2);
    }

    #[test]
    fn a_trial_without_a_result_makes_room_for_another() {
        let (breaker, at) = opened();
        for _ in 0..5 {
            let trials = [(); 2].map(|()| breaker.admit(at(6.0)).unwrap());
            assert!(breaker.admit(at(6.0)).is_err());
            trials.into_iter().for_each(|trial| breaker.leave(trial));
        }
    }

    /// A slow request that began before says nothing about what is now.
    #[test]
    fn results_of_an_earlier_state_do_not_count() {
        let (breaker, at) = start();
        let slow: Vec<_> = (0..6).map(|_| breaker.admit(at(0.0)).unwrap()).collect();
        for admitted in &slow[..4] {
            breaker.note(*admitted, true, at(1.0));
        }
        assert_eq!(breaker.status(at(1.0)).state, "open");
        assert_eq!(breaker.note(slow[4], true, at(2.0)), None);
        let trial = breaker.admit(at(6.0)).unwrap();
        assert_eq!(breaker.note(slow[5], true, at(6.0)), None);
        breaker.leave(slow[5]);
        assert_eq!(breaker.note(trial, false, at(6.1)), None);
        assert_eq!(breaker.status(at(6.1)).state, "half-open");
        assert_eq!(pass(&breaker, at(6.2), false), Some(Change::Closed));
    }
}
