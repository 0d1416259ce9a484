//! When a certificate is ordered, and when it is renewed. No I/O, and no clock: each function is
//! told the time, in seconds since 1970.

use kamea::random;
use kamea_components::tls::{Certificate, Renewal, RenewalState};

use crate::messages::{Reply, Task, Wanted, Window};
use crate::{AcmeError, Challenge, Name};

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The pause after the first failure; it doubles with each further one. Let's Encrypt allows five
/// failed validations of a name in an hour.
const FIRST_PAUSE: i64 = 2 * MINUTE;

/// The longest pause: while there is a valid certificate, and while there is none.
const LONGEST_PAUSE: i64 = 6 * HOUR;
const LONGEST_PAUSE_WITHOUT: i64 = HOUR;

/// How often an authority is asked when to renew, whatever it says.
const ASK_AGAIN: std::ops::RangeInclusive<i64> = MINUTE..=DAY;

/// How long a new certificate is used before it is renewed, if what its dates or the authority say
/// makes no sense.
const SHORTEST_USE: i64 = HOUR;

/// A name, and what is known of its certificate.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) name: Name,
    certificate: Option<Certificate>,
    /// When to renew.
    renew_at: i64,
    /// When to renew at the earliest, whatever the authority says.
    earliest: i64,
    /// What the authority says about that.
    window: Option<Window>,
    /// When something is to be done.
    due: i64,
    /// Failures since the last success.
    failures: u32,
    error: Option<AcmeError>,
}

impl Kept {
    pub(crate) fn new(wanted: Wanted, now: i64) -> Self {
        let renew_at = wanted.certificate.as_ref().map_or(now, two_thirds);
        Self {
            name: wanted.name,
            certificate: wanted.certificate,
            renew_at,
            earliest: now,
            window: None,
            due: now,
            failures: 0,
            error: None,
        }
    }

    /// When something is to be done.
    pub(crate) fn due(&self) -> i64 {
        self.due
    }

    /// Tries again at once what has failed: somebody may have mended it.
    pub(crate) fn hurry(&mut self, now: i64) {
        if self.failures > 0 {
            self.due = now;
        }
    }

    /// What is to be done now.
    pub(crate) fn task(&self, now: i64, challenges: &[Challenge]) -> Task {
        match &self.certificate {
            Some(certificate) if now < self.renew_at => Task::AskWhen(certificate.clone()),
            replaces => Task::Order {
                name: self.name.clone(),
                // Another way may work.
                challenge: challenges[self.failures as usize % challenges.len()],
                replaces: replaces.clone(),
            },
        }
    }

    /// Takes what has come of the task.
    pub(crate) fn take(&mut self, outcome: Result<Reply, AcmeError>, now: i64) {
        match outcome {
            Ok(reply) => {
                (self.failures, self.error) = (0, None);
                match reply {
                    Reply::Ordered(certificate) => self.take_certificate(certificate, now),
                    Reply::When(window) => self.take_window(window, now),
                }
            }
            Err(error) => {
                self.failures = self.failures.saturating_add(1);
                self.error = Some(error);
                let pause = self.pause(now);
                self.due = now + pause;
                // A renewal does not wait because the authority does not say when it should be.
                if now < self.renew_at {
                    self.due = self.due.min(self.renew_at);
                }
            }
        }
    }

    fn take_certificate(&mut self, certificate: Certificate, now: i64) {
        let renew_at = two_thirds(&certificate);
        self.renew_at = match renew_at > now {
            true => renew_at,
            false => now + SHORTEST_USE,
        };
        self.earliest = self.renew_at.min(now + SHORTEST_USE);
        self.certificate = Some(certificate);
        self.window = None;
        self.due = self.renew_at.min(now + MINUTE);
    }

    fn take_window(&mut self, window: Option<Window>, now: i64) {
        if let Some(window) = window {
            let is_known = self
                .window
                .is_some_and(|known| (known.start, known.end) == (window.start, window.end));
            if !is_known {
                // "Select a uniform random time within the suggested window" (RFC 9773 section 4.2).
                let length = window.end.saturating_sub(window.start);
                let offset = random::u64(0..=u64::try_from(length).unwrap_or(0));
                let moment = window.start.saturating_add(offset.cast_signed());
                self.renew_at = moment.max(self.earliest);
            }
            self.window = Some(window);
        }
        let ask_again = window.map_or(DAY, |window| window.ask_again);
        let ask_again = ask_again.clamp(*ASK_AGAIN.start(), *ASK_AGAIN.end());
        self.due = self.renew_at.clamp(now, now + ask_again);
    }

    /// How long to wait after a failure: longer and longer, and not always the same.
    fn pause(&self, now: i64) -> i64 {
        let longest = match self.is_valid(now) {
            true => LONGEST_PAUSE,
            false => LONGEST_PAUSE_WITHOUT,
        };
        let doubled = 1_i64 << (self.failures - 1).min(16);
        let pause = (FIRST_PAUSE * doubled).min(longest);
        pause + random::u64(0..=(pause / 10).cast_unsigned()).cast_signed()
    }

    fn is_valid(&self, now: i64) -> bool {
        let certificate = self.certificate.as_ref();
        certificate.is_some_and(|certificate| certificate.is_valid_at(now))
    }

    /// What the census shows.
    pub(crate) fn renewal(&self, now: i64, is_ordering: bool) -> Renewal {
        let state = match () {
            () if is_ordering => RenewalState::Ordering,
            () if self.failures > 0 => RenewalState::Failing,
            () if self.is_valid(now) => RenewalState::Valid,
            () => RenewalState::Missing,
        };
        let mut renewal = Renewal::new(self.name.as_str(), state);
        renewal.last_error = self.error.as_ref().map(AcmeError::to_string);
        renewal.failures = self.failures;
        renewal.next_try = self.due;
        renewal.days_left = self.days_left(now);
        renewal
    }

    fn days_left(&self, now: i64) -> Option<i64> {
        let certificate = self.certificate.as_ref()?;
        Some((certificate.not_after() - now).div_euclid(DAY))
    }

    /// Says in the log what has come of the last task. The longer a failure lasts, the louder.
    pub(crate) fn log(&self, now: i64) {
        let Some(error) = &self.error else { return };
        let left = match self.days_left(now) {
            None => "it has no certificate".to_owned(),
            Some(days) if days < 0 => format!("its certificate has expired {} days ago", -days),
            Some(days) => format!("its certificate has {days} days left"),
        };
        let (name, next) = (&self.name, minutes(self.due - now));
        let level = match self.days_left(now) {
            Some(14..) => log::Level::Warn,
            _ => log::Level::Error,
        };
        log::log!(level, "ACME: {name}: {error}; {left}; next try in {next}");
    }
}

fn minutes(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} seconds"),
        120..7200 => format!("{} minutes", seconds / MINUTE),
        _ => format!("{} hours", seconds / HOUR),
    }
}

/// When two thirds of the validity of a certificate are over: the time to renew it, if the
/// authority does not say.
fn two_thirds(certificate: &Certificate) -> i64 {
    let (begin, end) = (certificate.not_before(), certificate.not_after());
    begin + (end - begin) / 3 * 2
}
