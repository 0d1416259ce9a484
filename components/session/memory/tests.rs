//! The bounds of the memory, and the ends of its sessions.

use super::*;

const START: SystemTime = SystemTime::UNIX_EPOCH;

fn after(seconds: u64) -> SystemTime {
    START + Duration::from_secs(seconds)
}

fn memory(most: usize) -> Memory {
    let (idle, absolute) = (Duration::from_secs(100), Duration::from_secs(1000));
    let lifetimes = Lifetimes { idle, absolute };
    Memory::new(MemoryOptions { lifetimes, most })
}

fn create(memory: &mut Memory, now: SystemTime) -> (SessionKey, SessionId) {
    match memory.apply(Command::Create, now).answer {
        Answer::Named { key, id } => (key, id),
        other => panic!("{other:?}"),
    }
}

fn log_in(memory: &mut Memory, key: &SessionKey, user: &str, now: SystemTime) -> SessionId {
    let (key, user) = (key.clone(), Some(user.to_owned()));
    match memory.apply(Command::Rotate { key, user }, now).answer {
        Answer::Named { id, .. } => id,
        other => panic!("{other:?}"),
    }
}

fn load(memory: &mut Memory, id: &SessionId, now: SystemTime) -> Answer {
    let (id, cookies) = (id.clone(), Vec::new());
    memory.apply(Command::Load { id, cookies }, now).answer
}

fn is_there(memory: &mut Memory, id: &SessionId, now: SystemTime) -> bool {
    matches!(load(memory, id, now), Answer::Loaded(Some(_)))
}

#[test]
fn a_session_ends_when_it_is_idle_and_at_its_absolute_age() {
    let mut memory = memory(10);
    let (_, idle) = create(&mut memory, START);
    assert!(is_there(&mut memory, &idle, after(99)));
    assert!(is_there(&mut memory, &idle, after(198)));
    assert!(!is_there(&mut memory, &idle, after(298)));
    assert!(
        !is_there(&mut memory, &idle, after(0)),
        "it does not come back"
    );
    let (key, used) = create(&mut memory, START);
    for second in (0..1000).step_by(50) {
        assert!(is_there(&mut memory, &used, after(second)), "{second}");
    }
    let set = Command::Set {
        key,
        name: "a".into(),
        value: "1".into(),
    };
    assert_eq!(memory.apply(set, after(1000)).answer, Answer::Ended);
    assert!(memory.is_empty() && memory.order.is_empty() && memory.by_id.is_empty());
}

#[test]
fn anonymous_sessions_give_way_before_those_of_users() {
    let mut memory = memory(3);
    let (key, _) = create(&mut memory, START);
    let user = log_in(&mut memory, &key, "ada", START);
    let (_, older) = create(&mut memory, after(1));
    let (_, newer) = create(&mut memory, after(2));
    // The older one is used, so that it becomes the newer one.
    assert!(is_there(&mut memory, &older, after(3)));
    for second in 4..50 {
        create(&mut memory, after(second));
        assert_eq!(memory.len(), 3);
    }
    assert!(is_there(&mut memory, &user, after(50)));
    assert!(!is_there(&mut memory, &older, after(50)));
    assert!(!is_there(&mut memory, &newer, after(50)));
    // With users alone, the least used one goes.
    for second in 50..60 {
        let (key, _) = create(&mut memory, after(second));
        log_in(&mut memory, &key, "eve", after(second));
        assert!(memory.len() <= 3);
    }
    assert!(!is_there(&mut memory, &user, after(60)));
    assert_eq!(memory.by_user.len(), 1);
}

#[test]
fn an_old_name_is_worth_nothing_and_is_told_from_an_unknown_one_for_a_while() {
    let mut memory = memory(10);
    let (key, old) = create(&mut memory, START);
    let new = log_in(&mut memory, &key, "ada", START);
    assert_eq!(load(&mut memory, &old, after(59)), Answer::Retired);
    assert_eq!(load(&mut memory, &old, after(60)), Answer::Loaded(None));
    assert!(is_there(&mut memory, &new, after(60)));
    // The table of old names is bounded too.
    for _ in 0..100 {
        log_in(&mut memory, &key, "ada", after(61));
    }
    assert!(memory.retired.len() <= 10 && memory.retired_order.len() <= 10);
}

#[test]
fn all_sessions_of_a_user_end_and_no_others() {
    let mut memory = memory(10);
    let ids: Vec<_> = ["ada", "eve", "ada"]
        .map(|user| {
            let (key, _) = create(&mut memory, START);
            log_in(&mut memory, &key, user, START)
        })
        .into();
    let user = "ada".to_owned();
    memory.apply(Command::EndAll { user }, START);
    let left = ids.iter().map(|id| is_there(&mut memory, id, START));
    assert_eq!(left.collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(memory.len(), 1);
}

#[test]
fn somebody_who_logs_in_as_another_user_is_no_longer_the_first() {
    let mut memory = memory(10);
    let (key, _) = create(&mut memory, START);
    log_in(&mut memory, &key, "ada", START);
    let id = log_in(&mut memory, &key, "eve", START);
    let user = "ada".to_owned();
    memory.apply(Command::EndAll { user }, START);
    assert!(is_there(&mut memory, &id, START));
}
