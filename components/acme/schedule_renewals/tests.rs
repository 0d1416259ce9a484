//! Months of renewals in virtual time, against authorities that fail in many ways.

use std::sync::{Arc, Mutex};

use kamea::{Graph, Simulation, Source};
use kamea_components::tls::{Certificate, Renewal, RenewalState};
use rcgen::{CertificateParams, KeyPair};

use super::*;
use crate::messages::{Reply, Window};
use crate::{AcmeError, AuthorityPorts};

const HOUR: i64 = 60 * 60;
const DAY: i64 = 24 * HOUR;

/// A certificate that is valid from this time on, in seconds since 1970.
fn issued(name: &str, from: i64, days: i64) -> Certificate {
    let time = |seconds| time::OffsetDateTime::from_unix_timestamp(seconds).unwrap();
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_before = time(from);
    params.not_after = time(from + days * DAY);
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    let der = bytes::Bytes::copy_from_slice(made.der());
    Certificate::new(vec![der], Some(key.serialize_der().into())).unwrap()
}

fn down() -> AcmeError {
    AcmeError::Unreachable {
        server: "ca.example:443".into(),
        why: "connection refused".into(),
    }
}

/// A task, and when it ended, in seconds after the begin.
#[derive(Debug)]
struct Asked {
    at: i64,
    /// How an order was to be checked; `None` for another task.
    order: Option<Challenge>,
    is_renewal: bool,
    /// What the census says afterwards.
    renewals: Vec<Renewal>,
}

/// Runs the schedule. `names` says what is wanted; `answer` is the authority: it gets the seconds
/// since the begin and the calendar time.
fn simulate(
    seed: u64,
    days: i64,
    mut names: impl AsyncFnMut(&mut Source<Vec<Wanted>>) + Send + 'static,
    mut answer: impl FnMut(i64, i64, &Task) -> Result<Reply, AcmeError> + Send + 'static,
) -> Vec<Asked> {
    let (asked, census) = (Arc::new(Mutex::new(Vec::new())), TlsCensus::default());
    let authority = {
        let (asked, census) = (asked.clone(), census.clone());
        async move |io: &mut AuthorityPorts| {
            let begin = now();
            while let Some(task) = io.tasks.next().await {
                let renewals = census.renewals();
                sleep(Duration::from_secs(5)).await;
                let at = now() - begin;
                asked.lock().unwrap().push(Asked {
                    at,
                    order: match &task {
                        Task::Order { challenge, .. } => Some(*challenge),
                        Task::AskWhen(_) => None,
                    },
                    is_renewal: matches!(
                        &task,
                        Task::Order {
                            replaces: Some(_),
                            ..
                        }
                    ),
                    renewals,
                });
                io.outcomes.send(Outcome(answer(at, now(), &task))).await?;
            }
            Ok(())
        }
    };
    let source = async move |io: &mut Source<Vec<Wanted>>| {
        names(io).await;
        sleep(Duration::from_secs((days * DAY).cast_unsigned())).await;
        Ok(())
    };
    let mut graph = Graph::new("certificates");
    let both = vec![Challenge::Http01, Challenge::TlsAlpn01];
    let schedule = graph.add("schedule", schedule_renewals(both, census));
    let authority = graph.add("authority", authority);
    let source = graph.add("names", source);
    graph.link(schedule.tasks, authority.tasks);
    graph.feedback(authority.outcomes, schedule.outcomes);
    graph.link(source.outbox, schedule.wanted);
    let patience = Duration::from_secs((3 * days * DAY).cast_unsigned());
    let simulation = Simulation::seed(seed).polls(10_000_000).time_out(patience);
    simulation.run(graph).unwrap();
    Arc::try_unwrap(asked).unwrap().into_inner().unwrap()
}

/// Wants one name, without a certificate.
async fn one(io: &mut Source<Vec<Wanted>>) {
    want(io, &["a.example"]).await;
}

async fn want(io: &mut Source<Vec<Wanted>>, names: &[&str]) {
    let wanted = names.iter().map(|name| Wanted {
        name: name.parse().unwrap(),
        certificate: None,
    });
    io.outbox.send(wanted.collect()).await.unwrap();
}

fn orders(asked: &[Asked]) -> Vec<&Asked> {
    asked.iter().filter(|asked| asked.order.is_some()).collect()
}

#[test]
fn without_advice_a_certificate_is_renewed_at_two_thirds() {
    let asked = simulate(1, 310, one, |_, now, task| match task {
        Task::Order { name, .. } => Ok(Reply::Ordered(issued(name.as_str(), now, 90))),
        Task::AskWhen(_) => Ok(Reply::When(None)),
    });
    let orders = orders(&asked);
    assert_eq!(orders.len(), 6, "{orders:?}");
    for (place, order) in orders.iter().enumerate() {
        let expected = 60 * DAY * i64::try_from(place).unwrap();
        assert!((order.at - expected).abs() < HOUR, "{place}: {order:?}");
        assert_eq!(order.is_renewal, place > 0);
        assert_eq!(order.order, Some(Challenge::Http01));
        assert_eq!(order.renewals[0].state, RenewalState::Ordering);
    }
}

#[test]
fn the_advice_of_the_authority_is_followed() {
    for seed in 0..20 {
        let mut since = 0;
        let asked = simulate(seed, 30, one, move |_, now, task| match task {
            Task::Order { name, .. } => {
                since = now;
                Ok(Reply::Ordered(issued(name.as_str(), now, 90)))
            }
            // At first it says a late time. Then it wants all certificates back: RFC 9773.
            Task::AskWhen(_) => Ok(Reply::When(Some(match now - since {
                age if age < 10 * DAY => Window {
                    start: since + 70 * DAY,
                    end: since + 72 * DAY,
                    ask_again: 6 * HOUR,
                },
                _ => Window {
                    start: since + 11 * DAY,
                    end: since + 12 * DAY,
                    ask_again: 6 * HOUR,
                },
            }))),
        });
        let orders = orders(&asked);
        assert!((2..=3).contains(&orders.len()), "{orders:?}");
        let second = orders[1].at;
        assert!((11 * DAY..12 * DAY + HOUR).contains(&second), "{second}");
        let asks = asked.iter().filter(|asked| asked.at < 10 * DAY).count();
        assert!((38..=44).contains(&asks), "four times a day: {asks}");
    }
}

#[test]
fn a_window_in_the_past_means_now_and_nonsense_ends_nothing() {
    for (start, end, ask_again) in [
        (-5 * DAY, -4 * DAY, HOUR),
        (-DAY, DAY, -7),
        (i64::MIN / 4, i64::MIN / 4 + 1, 0),
        (40 * DAY, 20 * DAY, i64::MAX),
        (i64::MAX / 2, i64::MAX / 2, HOUR),
    ] {
        let asked = simulate(3, 5, one, move |_, now, task| match task {
            Task::Order { name, .. } => Ok(Reply::Ordered(issued(name.as_str(), now, 90))),
            Task::AskWhen(_) => Ok(Reply::When(Some(Window {
                start: now + start,
                end: now + end,
                ask_again,
            }))),
        });
        // At most once a minute, whatever it says.
        for pair in asked.windows(2) {
            assert!(pair[1].at - pair[0].at >= 5, "{pair:?}");
        }
        assert!(asked.len() < 2 * 5 * 24 * 60, "{}", asked.len());
        let renewed = orders(&asked).len() > 1;
        assert_eq!(renewed, end < 2 * DAY, "{start} {end}");
    }
}

#[test]
fn an_authority_that_is_down_is_asked_less_and_less_often_and_seen_at_once() {
    let is_down = |at: i64| (10 * DAY..50 * DAY).contains(&at);
    let asked = simulate(5, 70, one, move |at, now, task| match task {
        _ if is_down(at) => Err(down()),
        Task::Order { name, .. } => Ok(Reply::Ordered(issued(name.as_str(), now, 45))),
        Task::AskWhen(_) => Ok(Reply::When(None)),
    });
    // Within a day, when there are still weeks left.
    let seen = asked
        .iter()
        .find(|asked| asked.renewals[0].last_error.is_some())
        .unwrap();
    let renewal = &seen.renewals[0];
    assert!(seen.at < 11 * DAY + HOUR, "{seen:?}");
    assert!(renewal.days_left.unwrap() > 30, "{seen:?}");
    let error = renewal.last_error.as_deref().unwrap();
    assert!(
        error.contains("cannot reach the authority at ca.example:443"),
        "{error}"
    );
    let during: Vec<_> = asked.iter().filter(|asked| is_down(asked.at)).collect();
    // Six hours while the certificate is valid; once it has expired, an hour.
    for pair in during[12..].windows(2) {
        let (pause, days) = (
            pair[1].at - pair[0].at,
            pair[0].renewals[0].days_left.unwrap(),
        );
        let longest = if days < 0 { 67 * 60 } else { 7 * HOUR };
        assert!(pause <= longest, "{pair:?}");
    }
    assert!(during.len() < 350, "{}", during.len());
    // As soon as it is back, all is well.
    let back = asked.iter().find(|asked| asked.at >= 50 * DAY).unwrap();
    assert!(back.at < 50 * DAY + 2 * HOUR && back.is_renewal, "{back:?}");
    let last = asked.last().unwrap();
    assert_eq!(last.renewals[0].last_error, None);
    assert_eq!(last.renewals[0].failures, 0);
}

#[test]
fn a_failed_check_is_tried_the_other_way_and_not_too_often() {
    for seed in 0..20 {
        let asked = simulate(seed, 1, one, |_, _, _| {
            Err(AcmeError::Invalid {
                name: "a.example".into(),
                challenge: "http-01",
                why: "connection refused".into(),
            })
        });
        let ways: Vec<_> = asked.iter().map(|asked| asked.order.unwrap()).collect();
        let mut expected = [Challenge::Http01, Challenge::TlsAlpn01]
            .into_iter()
            .cycle();
        assert!(
            ways.iter().all(|way| Some(*way) == expected.next()),
            "{ways:?}"
        );
        let in_an_hour = asked.iter().filter(|asked| asked.at < HOUR).count();
        assert_eq!(in_an_hour, 5, "Let's Encrypt allows five failures an hour");
        assert!((25..=30).contains(&asked.len()), "{}", asked.len());
    }
}

#[test]
fn a_certificate_that_has_expired_is_replaced_and_another_name_does_not_wait() {
    let asked = simulate(
        7,
        3,
        async |io| {
            let wanted = [("a.example", -100, 90), ("b.example", -1, 90)];
            let wanted = wanted.map(|(name, begin, days)| Wanted {
                name: name.parse().unwrap(),
                certificate: Some(issued(name, now() + begin * DAY, days)),
            });
            io.outbox.send(wanted.into()).await.unwrap();
        },
        |_, _, task| match task {
            Task::Order { .. } => Err(down()),
            Task::AskWhen(_) => Ok(Reply::When(None)),
        },
    );
    let orders = orders(&asked);
    assert!(orders[0].at < 60 && orders[0].is_renewal);
    let when = asked.iter().find(|asked| asked.order.is_none()).unwrap();
    assert!(when.at < 60, "{when:?}");
    let last = &asked.last().unwrap().renewals;
    assert!(last[0].days_left.unwrap() < 0 && last[0].failures > 10);
    assert_eq!((last[1].state, last[1].failures), (RenewalState::Valid, 0));
}

#[test]
fn a_new_list_of_names_is_taken_at_once_and_hurries_what_has_failed() {
    let asked = simulate(
        9,
        1,
        async |io| {
            want(io, &["a.example"]).await;
            // Long after the first failures: the next try would be in an hour.
            sleep(Duration::from_secs(5 * 3600)).await;
            want(io, &["a.example", "b.example", "b.example"]).await;
            sleep(Duration::from_secs(600)).await;
            want(io, &["b.example"]).await;
        },
        |at, now, task| match task {
            Task::Order { .. } if at < 5 * HOUR => Err(down()),
            Task::Order { name, .. } => Ok(Reply::Ordered(issued(name.as_str(), now, 90))),
            Task::AskWhen(_) => Ok(Reply::When(None)),
        },
    );
    let good: Vec<_> = orders(&asked)
        .into_iter()
        .filter(|it| it.at >= 5 * HOUR)
        .collect();
    assert_eq!(good.len(), 2, "{good:?}");
    assert!(
        good.iter().all(|order| order.at < 5 * HOUR + 60),
        "{good:?}"
    );
    let names = |renewals: &[Renewal]| -> Vec<_> {
        renewals
            .iter()
            .map(|renewal| renewal.name.clone())
            .collect()
    };
    assert_eq!(names(&good[1].renewals), ["a.example", "b.example"]);
    assert_eq!(names(&asked.last().unwrap().renewals), ["b.example"]);
}
