//! Sessions at the client: a browser with a jar, requests that overtake each other, and forgeries.

use std::collections::HashMap;
use std::time::Duration;

use kamea::testing::block_on;
use kamea::{Graph, Scheduler};
use kamea_components::http::Fields;
use kamea_components::web::Scheme;

use super::*;
use crate::{Session, SessionError, SessionOptions, Sessions};

/// The cookies of a browser.
#[derive(Clone, Default)]
struct Jar(HashMap<String, String>);

impl Jar {
    fn request(&self, sessions: &Sessions) -> Session {
        let pairs: Vec<_> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let session = Session::sent(
            sessions.clone(),
            Scheme::Http,
            &Fields::new().with("Cookie", pairs.join("; ")),
        );
        block_on(session.load()).unwrap();
        session
    }

    fn respond(&mut self, session: &Session) {
        let mut fields = Fields::new();
        session.seal(&mut fields).unwrap();
        for line in fields.get_all("set-cookie") {
            let line = String::from_utf8(line.to_vec()).unwrap();
            let (name, rest) = line.split_once('=').unwrap();
            let value = rest.split(';').next().unwrap();
            match rest.contains("Max-Age=0") {
                true => drop(self.0.remove(name)),
                false => drop(self.0.insert(name.to_owned(), value.to_owned())),
            }
        }
    }
}

fn keys() -> Keys {
    Keys::new("k".repeat(32)).unwrap()
}

fn run(scheduler: &Scheduler, keys: Keys) -> Sessions {
    let mut graph = Graph::new("sessions");
    let store = keep_in_cookies(keys, Lifetimes::default());
    let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
    scheduler.run(graph).unwrap();
    sessions
}

fn set(session: &Session, name: &str, value: u32) {
    block_on(session.set(name, &value)).unwrap();
}

fn get(session: &Session, name: &str) -> Option<u32> {
    session.get(name).unwrap()
}

#[test]
fn two_requests_that_change_different_values_lose_nothing() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler, keys());
    let mut jar = Jar::default();
    let first = jar.request(&sessions);
    set(&first, "a", 1);
    jar.respond(&first);
    let (slow, fast) = (jar.request(&sessions), jar.request(&sessions));
    set(&slow, "b", 2);
    set(&fast, "c", 3);
    block_on(fast.log_in("ada")).unwrap();
    jar.respond(&fast);
    jar.respond(&slow);
    let last = jar.request(&sessions);
    let values = ["a", "b", "c"].map(|name| get(&last, name));
    assert_eq!(values, [Some(1), Some(2), Some(3)]);
    assert_eq!(last.user().as_deref(), Some("ada"), "the slow response");
    assert!(block_on(last.remove("b")).unwrap());
    jar.respond(&last);
    assert_eq!(get(&jar.request(&sessions), "b"), None);
}

#[test]
fn a_slow_response_does_not_bring_back_what_has_ended() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler, keys());
    let mut jar = Jar::default();
    let login = jar.request(&sessions);
    block_on(login.log_in("ada")).unwrap();
    jar.respond(&login);
    let (slow, logout) = (jar.request(&sessions), jar.request(&sessions));
    set(&slow, "secret", 1);
    block_on(logout.log_out()).unwrap();
    jar.respond(&logout);
    jar.respond(&slow);
    let next = jar.request(&sessions);
    assert_eq!((next.user(), get(&next, "secret")), (None, None));
    // Neither in the next session.
    set(&next, "other", 2);
    jar.respond(&next);
    let next = jar.request(&sessions);
    assert_eq!((get(&next, "secret"), get(&next, "other")), (None, Some(2)));
    jar.respond(&next);
    assert!(!jar.0.contains_key("sid.secret"), "it is tidied up");
}

#[test]
fn forged_copied_and_foreign_cookies_are_no_session() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler, keys());
    let jar = |user: &str| {
        let mut jar = Jar::default();
        let session = jar.request(&sessions);
        block_on(session.log_in(user)).unwrap();
        set(&session, "role", 1);
        jar.respond(&session);
        jar
    };
    let (ada, eve) = (jar("ada"), jar("eve"));
    // Eve's value in Ada's session.
    let mut mixed = ada.clone();
    mixed.0.insert("sid.role".into(), eve.0["sid.role"].clone());
    assert_eq!(get(&mixed.request(&sessions), "role"), None);
    // A value under another name, or as the session itself.
    let mut renamed = ada.clone();
    renamed
        .0
        .insert("sid.admin".into(), ada.0["sid.role"].clone());
    renamed.0.insert("sid.!".into(), ada.0["sid.role"].clone());
    assert_eq!(get(&renamed.request(&sessions), "admin"), None);
    renamed.0.insert("sid".into(), ada.0["sid.role"].clone());
    assert_eq!(renamed.request(&sessions).user(), None);
    for text in ["", "ada", "AAAA", &"A".repeat(200)] {
        let forged = Jar(HashMap::from([("sid".into(), text.to_owned())]));
        assert_eq!(forged.request(&sessions).user(), None, "{text}");
    }
    // Another server, and the same one with a new key beside the old one.
    let other = run(&scheduler, Keys::random().unwrap());
    assert_eq!(ada.request(&other).user(), None);
    let rotated = Keys::random().unwrap().or_old("k".repeat(32)).unwrap();
    let rotated = run(&scheduler, rotated);
    assert_eq!(ada.request(&rotated).user().as_deref(), Some("ada"));
}

#[test]
fn cookies_that_the_server_cannot_have_set_are_left_alone() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler, keys());
    let mut jar = Jar::default();
    let session = jar.request(&sessions);
    set(&session, "cart", 3);
    jar.respond(&session);
    let sid = &jar.0["sid"];
    let long = format!("sid.{}", "x".repeat(5000));
    for name in ["sid.a b", "sid.\u{e4}", "sid.", "sid.a.b", &long] {
        let sent = Fields::new().with("Cookie", format!("sid={sid}; {name}=1"));
        let session = Session::sent(sessions.clone(), Scheme::Http, &sent);
        block_on(session.load()).unwrap();
        let mut fields = Fields::new();
        assert_eq!(session.seal(&mut fields), Ok(()), "{name:.20}");
        assert!(!fields.contains("set-cookie"), "{name:.20}");
    }
}

#[test]
fn a_planted_second_cookie_does_not_remove_the_value() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler, keys());
    let mut jar = Jar::default();
    let session = jar.request(&sessions);
    set(&session, "cart", 3);
    jar.respond(&session);
    let (sid, cart) = (&jar.0["sid"], &jar.0["sid.cart"]);
    for pairs in [
        format!("sid={sid}; sid.cart=junk; sid.cart={cart}"),
        format!("sid={sid}; sid.cart={cart}; sid.cart=junk"),
    ] {
        let sent = Fields::new().with("Cookie", &pairs);
        let session = Session::sent(sessions.clone(), Scheme::Http, &sent);
        block_on(session.load()).unwrap();
        assert_eq!(get(&session, "cart"), Some(3), "{pairs}");
        let mut fields = Fields::new();
        session.seal(&mut fields).unwrap();
        assert!(!fields.contains("set-cookie"), "{fields:?}");
    }
}

#[test]
fn a_session_ends_by_its_age_and_when_it_is_idle() {
    let (keys, lifetimes) = (keys(), Lifetimes::default());
    let at = |hours: u64| UNIX_EPOCH + Duration::from_secs(3600 * (500_000 + hours));
    let created = apply(Command::Create, &keys, lifetimes, at(0)).unwrap();
    let Answer::Named { key, id } = created.answer else {
        panic!("a session");
    };
    let load = |cookies: &[(String, String)], hours| {
        let (id, cookies) = (id.clone(), cookies.to_vec());
        apply(Command::Load { id, cookies }, &keys, lifetimes, at(hours)).unwrap()
    };
    let is_there = |answered: &Answered| matches!(answered.answer, Answer::Loaded(Some(_)));
    assert!(is_there(&load(&[], 11)) && !is_there(&load(&[], 12)));
    let mut cookies = Vec::new();
    for hours in (0..24 * 7).step_by(6) {
        let loaded = load(&cookies, hours);
        assert!(is_there(&loaded), "{hours}");
        if let Some(used) = loaded.cookies.into_iter().next() {
            cookies = vec![(used.name, used.value.unwrap())];
        }
    }
    assert!(!is_there(&load(&cookies, 24 * 7)));
    let (name, value) = ("a".to_owned(), "1".to_owned());
    let set = Command::Set { key, name, value };
    let answered = apply(set, &keys, lifetimes, at(24 * 7)).unwrap();
    assert_eq!(answered.answer, Answer::Ended);
}

#[test]
fn what_does_not_fit_and_what_only_a_server_can_do_are_errors() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler, keys());
    let session = Jar::default().request(&sessions);
    let large = block_on(session.set("a", &"x".repeat(LONGEST - 2)));
    assert!(large.is_ok(), "{large:?}");
    assert!(session.seal(&mut Fields::new()).is_ok(), "browsers take it");
    let late = block_on(session.set("b", &1));
    assert!(matches!(late, Err(SessionError::TooLate)), "{late:?}");
    let session = Jar::default().request(&sessions);
    let larger = block_on(session.set("a", &"x".repeat(LONGEST)));
    let error = SessionError::Store(StoreError::TooLarge { limit: LONGEST });
    assert_eq!(larger.unwrap_err().to_string(), error.to_string());
    // Here at least the user is logged out.
    let session = Jar::default().request(&sessions);
    block_on(session.log_in("ada")).unwrap();
    let everywhere = block_on(session.log_out_everywhere());
    assert!(everywhere.is_err() && session.user().is_none());
    let all = block_on(sessions.end_all("ada")).unwrap_err().to_string();
    assert_eq!(
        all,
        "this store of sessions cannot end the sessions on other devices"
    );
}
