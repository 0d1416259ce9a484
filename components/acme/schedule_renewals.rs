//! Decides when a certificate is ordered and renewed, and says what has come of it.

use std::time::{Duration, UNIX_EPOCH};

use futures_lite::future::or;
use kamea::time::{sleep, wall_clock};
use kamea::{Component, Inbox, Outbox, Ports};
use kamea_components::tls::TlsCensus;

use crate::Challenge;
use crate::messages::{Outcome, Task, Wanted};
use crate::schedule::Kept;

/// How long it sleeps at most: the calendar clock may be set, or the machine suspended.
const LONGEST_SLEEP: Duration = Duration::from_secs(600);

/// The ports of [`schedule_renewals`].
#[derive(Debug, Ports)]
pub struct RenewalPorts {
    /// The names that are to have certificates: each list replaces the one before it. What has
    /// failed is tried again at once.
    pub wanted: Inbox<Vec<Wanted>>,
    /// What to ask the authority for, one after the other.
    pub tasks: Outbox<Task>,
    /// What has come of each task.
    pub outcomes: Inbox<Outcome>,
}

/// Orders a certificate for each name that has none, and renews it when the authority says so (RFC
/// 9773), otherwise after two thirds of its validity. After a failure it tries again, less and less
/// often, by each of the challenges in turn. The log and the census say what has failed. It ends
/// when no names can come any more.
///
/// # Panics
///
/// If there are no challenges.
pub fn schedule_renewals(
    challenges: Vec<Challenge>,
    census: TlsCensus,
) -> impl Component<RenewalPorts> + Send {
    assert!(!challenges.is_empty(), "there must be a way to answer");
    async move |io: &mut RenewalPorts| {
        let mut kept: Vec<Kept> = Vec::new();
        loop {
            note(&census, &kept, None);
            let next = (0..kept.len()).min_by_key(|&index| kept[index].due());
            let wanted = async { Some(io.wanted.next().await) };
            let due = async {
                match next {
                    Some(index) => sleep_until(kept[index].due()).await,
                    None => std::future::pending().await,
                }
                None
            };
            match or(wanted, due).await {
                Some(None) => return Ok(()),
                Some(Some(wanted)) => {
                    kept = replaced(kept, wanted);
                    continue;
                }
                None => {}
            }
            let Some(index) = next else { continue };
            let task = kept[index].task(now(), &challenges);
            let is_ordering = matches!(task, Task::Order { .. });
            note(&census, &kept, is_ordering.then_some(index));
            io.tasks.send(task).await?;
            let mut wanted = None;
            let Some(Outcome(outcome)) = outcome(io, &mut wanted).await else {
                return Ok(());
            };
            kept[index].take(outcome, now());
            kept[index].log(now());
            if let Some(wanted) = wanted {
                kept = replaced(kept, wanted);
            }
        }
    }
}

/// Waits for the outcome of a task, and takes the list of names that comes meanwhile. `None` if the
/// server stops.
async fn outcome(io: &mut RenewalPorts, wanted: &mut Option<Vec<Wanted>>) -> Option<Outcome> {
    loop {
        let outcome = async { Ok(io.outcomes.next().await) };
        let names = async { Err(io.wanted.next().await) };
        match or(outcome, names).await {
            Ok(outcome) => return outcome,
            Err(None) => return None,
            Err(names) => *wanted = names,
        }
    }
}

/// The names that are wanted now, with what is known of those that were wanted before.
fn replaced(mut kept: Vec<Kept>, wanted: Vec<Wanted>) -> Vec<Kept> {
    let now = now();
    let mut all: Vec<Kept> = Vec::new();
    for wanted in wanted {
        if all.iter().any(|other| other.name == wanted.name) {
            continue;
        }
        let known = kept.iter().position(|other| other.name == wanted.name);
        all.push(match known {
            Some(index) => {
                let mut known = kept.swap_remove(index);
                known.hurry(now);
                known
            }
            None => Kept::new(wanted, now),
        });
    }
    all
}

fn note(census: &TlsCensus, kept: &[Kept], ordering: Option<usize>) {
    let now = now();
    let renewals = kept.iter().enumerate();
    let renewals = renewals.map(|(index, kept)| kept.renewal(now, ordering == Some(index)));
    census.note_renewals(renewals.collect());
}

/// Waits until the calendar clock shows this time.
async fn sleep_until(due: i64) {
    loop {
        let Ok(left @ 1..) = u64::try_from(due - now()) else {
            return;
        };
        sleep(Duration::from_secs(left).min(LONGEST_SLEEP)).await;
    }
}

/// In seconds since 1970.
fn now() -> i64 {
    let now = wall_clock().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_secs().cast_signed()
}

#[cfg(test)]
mod tests;
