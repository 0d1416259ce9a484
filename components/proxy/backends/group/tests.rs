use std::time::Duration;

use super::*;
use crate::plan::Ejection;
use crate::policy::policy_of;
use crate::policy::testing::head;

fn group(change: impl FnOnce(&mut Route)) -> Arc<Group> {
    let backends = (1..4).map(|port| Backend::parse(&format!("http://127.0.0.1:{port}")).unwrap());
    let mut route = Route::to(backends);
    change(&mut route);
    let policy = policy_of(&route);
    Arc::new(Group::new(String::new(), route, policy, &mut Vec::new()))
}

fn choose(group: &Arc<Group>, tried: &[usize]) -> Choice {
    let head = head("");
    group.choose(&Asked::new(&head, [127, 0, 0, 1].into()), tried)
}

/// The backends that get some requests in turn.
fn chosen(group: &Arc<Group>, tried: &[usize]) -> Vec<usize> {
    let mut chosen: Vec<_> = (0..6)
        .filter_map(|_| match choose(group, tried) {
            Choice::Backend(in_flight) => Some(in_flight.index()),
            _ => None,
        })
        .collect();
    chosen.sort_unstable();
    chosen.dedup();
    chosen
}

fn eject(group: &Group, index: usize) {
    let rule = Ejection {
        failures: 1,
        ..Ejection::default()
    };
    group.backends()[index].failed(&rule, &"a reason");
}

#[test]
fn an_ejected_backend_is_better_than_one_that_has_failed_the_request() {
    let group = group(|_| {});
    assert_eq!(chosen(&group, &[]), [0, 1, 2]);
    assert_eq!(chosen(&group, &[1]), [0, 2]);
    eject(&group, 0);
    assert_eq!(chosen(&group, &[]), [1, 2]);
    assert_eq!(chosen(&group, &[1]), [2]);
    assert_eq!(chosen(&group, &[1, 2]), [0]);
    assert_eq!(chosen(&group, &[0, 1, 2]), [1, 2]);
    eject(&group, 1);
    eject(&group, 2);
    assert_eq!(chosen(&group, &[]), [0, 1, 2]);
    assert_eq!(chosen(&group, &[2]), [0, 1]);
    group.backends()[0].set_draining(true);
    assert_eq!(
        chosen(&group, &[1, 2]),
        [1, 2],
        "a drained backend gets nothing"
    );
}

/// On several threads: no limit is exceeded, and nobody waits although there is room.
#[test]
fn each_place_that_becomes_free_is_taken() {
    let group = group(|route| {
        for backend in &mut route.backends {
            backend.most_connections = Some(1);
        }
        route.backends.truncate(1);
        route.queue.most = 100;
        route.queue.longest = Duration::from_secs(3600);
    });
    let work = || {
        for _ in 0..2_000 {
            let choice = match choose(&group, &[]) {
                Choice::Full => {
                    let room = group.wait_for_room(|| choose(&group, &[]));
                    kamea::testing::block_on(room)
                }
                choice => choice,
            };
            assert!(matches!(choice, Choice::Backend(_)), "{choice:?}");
            assert_eq!(group.backends()[0].open(), 1);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(work);
        }
    });
    assert_eq!((group.backends()[0].open(), group.waiting()), (0, 0));
}

#[test]
fn a_queue_that_is_full_takes_nobody() {
    let group = group(|route| {
        route.backends.truncate(1);
        route.backends[0].most_connections = Some(1);
        (route.queue.most, route.queue.longest) = (1, Duration::from_millis(20));
    });
    let place = choose(&group, &[]);
    assert!(matches!(place, Choice::Backend(_)));
    let wait = || group.wait_for_room(|| choose(&group, &[]));
    let late = kamea::testing::block_on(wait());
    assert!(matches!(late, Choice::Full), "{late:?}");
    let both = futures_lite::future::zip(wait(), async {
        assert_eq!(group.waiting(), 1);
        let refused = wait().await;
        assert!(matches!(refused, Choice::Full), "{refused:?}");
        drop(place);
    });
    let (choice, ()) = kamea::testing::block_on(both);
    assert!(matches!(choice, Choice::Backend(_)), "{choice:?}");
}

/// A policy that refuses refuses the only backend too.
#[test]
fn the_policy_is_asked_for_one_candidate_too() {
    struct Never;

    impl Policy for Never {
        fn choose(&mut self, candidates: &[Candidate], _: &Asked<'_>) -> Option<usize> {
            assert!(!candidates.is_empty());
            None
        }
    }

    for count in [1, 3] {
        let backends = (1..=count).map(|port| Backend::parse(&format!("http://127.0.0.1:{port}")));
        let route = Route::to(backends.map(Result::unwrap));
        let group = Group::new(String::new(), route, Box::new(Never), &mut Vec::new());
        let group = Arc::new(group);
        assert!(matches!(choose(&group, &[]), Choice::Refused), "{count}");
        assert_eq!(group.backends()[0].open(), 0);
    }
}
