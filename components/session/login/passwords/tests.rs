//! Storms of logins, unknown names, and limits.

use std::sync::{Arc, Mutex};

use kamea::Scheduler;
use kamea::testing::block_on;

use super::super::Rate;
use super::*;

/// The hash of "secret", with the least time and memory.
const CHEAP: &str =
    "$argon2id$v=19$m=8,t=1,p=1$2vfQk73tnu8lGtxh36tLAg$GocWy55he8bvhzkWyLRcLeyFtTBZL3p3tKBODQTxT7A";

fn passwords(scheduler: &Scheduler, options: PasswordOptions) -> Passwords {
    let users = async |name: &str| (name != "nobody").then(|| CHEAP.to_owned());
    let mut graph = Graph::new("passwords");
    let passwords = Passwords::add(&mut graph, users, options);
    scheduler.run(graph).unwrap();
    passwords
}

fn attempt(name: &str, password: &str) -> Attempt {
    Attempt {
        name: name.to_owned(),
        password: password.to_owned(),
        address: [192, 0, 2, 1].into(),
    }
}

#[test]
fn only_the_right_password_of_a_known_name_is_right() {
    let scheduler = Scheduler::with_workers(1);
    let passwords = passwords(&scheduler, PasswordOptions::default());
    let long = "x".repeat(LONGEST + 1);
    for (name, password, verdict) in [
        ("ada", "secret", Verdict::Right),
        ("ada", "Secret", Verdict::Wrong),
        ("ada", "", Verdict::Wrong),
        ("", "secret", Verdict::Right),
        ("nobody", "secret", Verdict::Wrong),
        ("ada", &long, Verdict::Wrong),
        (&long, "secret", Verdict::Wrong),
    ] {
        let got = block_on(passwords.check(attempt(name, password)));
        assert_eq!(got, Ok(verdict), "{name} {password}");
    }
}

#[test]
fn failed_attempts_are_limited_and_successful_ones_are_not() {
    let scheduler = Scheduler::with_workers(1);
    let every = Duration::from_secs(3600);
    let rate = |burst| Rate { burst, every };
    let limits = AttemptLimits {
        per_name: rate(3),
        per_address: rate(5),
        most: 10,
    };
    let options = PasswordOptions {
        attempts: limits,
        ..PasswordOptions::default()
    };
    let passwords = passwords(&scheduler, options);
    let check = |name: &str, password: &str| block_on(passwords.check(attempt(name, password)));
    for _ in 0..20 {
        assert_eq!(check("ada", "secret"), Ok(Verdict::Right));
    }
    for _ in 0..3 {
        assert_eq!(check("ada", "guess"), Ok(Verdict::Wrong));
    }
    // The right password does not help any more: otherwise guessing would go on.
    for password in ["guess", "secret"] {
        let verdict = check("ada", password).unwrap();
        assert!(matches!(verdict, Verdict::Limited { .. }), "{verdict:?}");
    }
    assert_eq!(check("eve", "guess"), Ok(Verdict::Wrong));
    assert_eq!(check("nobody", "guess"), Ok(Verdict::Wrong));
    let verdict = check("bob", "secret").unwrap();
    assert!(
        matches!(verdict, Verdict::Limited { .. }),
        "the address: {verdict:?}"
    );
}

#[test]
fn a_storm_finds_a_full_queue_and_not_a_full_memory() {
    // In a simulation all of them arrive before the first one is checked.
    let report = kamea::Simulation::seed(1);
    let mut graph = Graph::new("storm");
    let options = PasswordOptions {
        at_once: 2,
        queue: 8,
        ..PasswordOptions::default()
    };
    let users = async |_: &str| Some(CHEAP.to_owned());
    let passwords = Passwords::add(&mut graph, users, options);
    let verdicts = Arc::new(Mutex::new(Vec::new()));
    let report = (0..60).fold(report, |report, number| {
        let (passwords, verdicts) = (passwords.clone(), verdicts.clone());
        report.beside(&format!("client {number}"), async move || {
            let mut attempt = attempt("ada", "secret");
            attempt.name = number.to_string();
            attempt.address = [10, 0, 0, number].into();
            let verdict = passwords.check(attempt).await.unwrap();
            verdicts.lock().unwrap().push(verdict);
        })
    });
    let count = passwords.clone();
    let counted = report.beside("last", async move || {
        kamea::time::sleep(Duration::from_secs(600)).await;
        let verdict = count.check(attempt("late", "secret")).await;
        assert_eq!(verdict, Ok(Verdict::Right), "the storm is over");
    });
    drop(passwords);
    counted.run(graph).unwrap();
    let verdicts = verdicts.lock().unwrap();
    let count = |wanted| {
        verdicts
            .iter()
            .filter(|&&verdict| verdict == wanted)
            .count()
    };
    let (right, busy) = (count(Verdict::Right), count(Verdict::Busy));
    assert_eq!(right + busy, 60, "{verdicts:?}");
    // Two are hashed, eight wait, and the rest is refused at once.
    assert_eq!((right, busy), (10, 50));
}

#[test]
fn an_unknown_name_costs_a_hash_too() {
    let compared = Arc::new(Mutex::new(Vec::new()));
    for (known, is_its) in [
        (Some(CHEAP.to_owned()), true),
        (Some(CHEAP.to_owned()), false),
        (None, true),
        (None, false),
    ] {
        let (is_known, compared) = (known.is_some(), compared.clone());
        let compare = move |hash: &str, password: &str| {
            compared.lock().unwrap().push(format!("{hash} {password}"));
            is_its
        };
        let is_right = block_on(is_right(known, "dummy", "guess", compare));
        assert_eq!(is_right, is_known && is_its);
    }
    let (cheap, dummy) = (format!("{CHEAP} guess"), "dummy guess".to_owned());
    assert_eq!(
        *compared.lock().unwrap(),
        [cheap.clone(), cheap, dummy.clone(), dummy]
    );
    // The dummy costs as much as the hashes of users.
    let dummy = block_on(super::dummy()).unwrap();
    assert!(
        dummy.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{dummy}"
    );
}
