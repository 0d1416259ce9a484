//! One request after another: values, limits, cookies, messages.

use kamea::testing::block_on;
use kamea::{Graph, Scheduler};

use super::*;
use crate::{Flash, MemoryOptions, SessionOptions, keep_in_memory};

fn run(scheduler: &Scheduler) -> Sessions {
    let mut graph = Graph::new("sessions");
    let store = keep_in_memory(MemoryOptions::default());
    let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
    scheduler.run(graph).unwrap();
    sessions
}

/// The session of a request with these cookies.
fn request(sessions: &Sessions, cookie: &str) -> Session {
    let fields = Fields::new().with("Cookie", cookie);
    let session = Session::sent(sessions.clone(), Scheme::Http, &fields);
    block_on(session.load()).unwrap();
    session
}

/// The fields of the response.
fn respond(session: &Session) -> Fields {
    let mut fields = Fields::new();
    session.seal(&mut fields).unwrap();
    fields
}

/// The cookie that a response sets.
fn cookie(fields: &Fields) -> String {
    let line = fields.get("set-cookie").expect("a cookie");
    let line = String::from_utf8(line.to_vec()).unwrap();
    line.split(';').next().unwrap().to_owned()
}

#[test]
fn a_session_begins_with_its_first_value_and_not_before() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler);
    let session = request(&sessions, "");
    assert_eq!(session.get::<u32>("a").unwrap(), None);
    assert!(!block_on(session.remove("a")).unwrap());
    assert!(!respond(&session).contains("set-cookie"), "nothing was set");
    let session = request(&sessions, "");
    block_on(session.set("a", &vec![1, 2])).unwrap();
    block_on(session.set("b", "text")).unwrap();
    let fields = respond(&session);
    let cookie = cookie(&fields);
    assert_eq!(fields.get("cache-control"), Some(&b"no-store"[..]));
    assert_eq!(fields.get_all("set-cookie").count(), 1);
    let session = request(&sessions, &format!("x=1; {cookie}"));
    assert_eq!(session.get("a").unwrap(), Some(vec![1, 2]));
    assert_eq!(session.get("b").unwrap(), Some("text".to_owned()));
    assert!(block_on(session.remove("a")).unwrap());
    assert!(
        !respond(&session).contains("set-cookie"),
        "the client has it"
    );
    let session = request(&sessions, &cookie);
    assert_eq!(session.get::<Vec<u32>>("a").unwrap(), None);
}

#[test]
fn a_response_whose_handler_used_no_session_is_left_alone() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler);
    let fields = Fields::new().with("Cookie", "sid=abc");
    let unused = Session::sent(sessions.clone(), Scheme::Http, &fields);
    assert!(respond(&unused).is_empty());
    // What the handler has said about caches stays.
    let mut fields = Fields::new()
        .with("Cache-Control", "private, max-age=5")
        .with("Vary", "Cookie");
    request(&sessions, "").seal(&mut fields).unwrap();
    assert_eq!(
        fields.get("cache-control"),
        Some(&b"private, max-age=5"[..])
    );
    assert_eq!(fields.get_all("vary").count(), 1);
}

#[test]
fn what_no_session_can_have_is_an_error() {
    let scheduler = Scheduler::with_workers(1);
    let session = request(&run(&scheduler), "");
    for name in ["", "a b", "a.b", "ä", "a=b", &"n".repeat(65)] {
        let error = block_on(session.set(name, &1)).unwrap_err();
        assert!(matches!(error, SessionError::Name(_)), "{name}: {error}");
    }
    let long = "x".repeat(Session::LONGEST_VALUE - 1);
    let error = block_on(session.set("a", &long)).unwrap_err();
    assert!(matches!(error, SessionError::TooLong), "{error}");
    block_on(session.set("a", &long[1..])).unwrap();
    let error = session.get::<u32>("a").unwrap_err();
    assert!(error.to_string().contains("`a`"), "{error}");
    for number in 1..Session::MOST_VALUES {
        block_on(session.set(&format!("n{number}"), &number)).unwrap();
    }
    for error in [
        block_on(session.set("more", &1)).unwrap_err(),
        block_on(session.update("more", |_: Option<u32>| 1)).unwrap_err(),
    ] {
        assert!(matches!(error, SessionError::TooMany), "{error}");
    }
    block_on(session.set("n1", &2)).unwrap();
}

#[test]
fn once_the_response_has_begun_no_session_can_begin() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler);
    let session = request(&sessions, "");
    respond(&session);
    let error = block_on(session.set("a", &1)).unwrap_err();
    assert!(matches!(error, SessionError::TooLate), "{error}");
    let session = request(&sessions, "");
    block_on(session.set("a", &1)).unwrap();
    let cookie = cookie(&respond(&session));
    // The client knows this one already, so that values still reach it: from a stream, say.
    block_on(session.set("a", &2)).unwrap();
    assert_eq!(request(&sessions, &cookie).get("a").unwrap(), Some(2));
    let error = block_on(session.log_in("ada")).unwrap_err();
    assert!(matches!(error, SessionError::TooLate), "{error}");
}

#[test]
fn a_login_renames_the_session_and_a_logout_ends_it_for_other_requests_too() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler);
    let session = request(&sessions, "");
    block_on(session.set("cart", &3)).unwrap();
    let before = cookie(&respond(&session));
    let session = request(&sessions, &before);
    block_on(session.log_in("ada")).unwrap();
    assert_eq!(session.user().as_deref(), Some("ada"));
    let after = cookie(&respond(&session));
    assert_ne!(before, after);
    // A request with the old name neither sees the session nor begins one.
    let stale = request(&sessions, &before);
    assert_eq!(
        (stale.user(), stale.get::<u32>("cart").unwrap()),
        (None, None)
    );
    block_on(stale.set("cart", &9)).unwrap();
    assert!(stale.has_ended() && !respond(&stale).contains("set-cookie"));
    // It can log in, of course.
    let stale = request(&sessions, &before);
    block_on(stale.log_in("eve")).unwrap();
    assert_ne!(cookie(&respond(&stale)), after);

    let other = request(&sessions, &after);
    let session = request(&sessions, &after);
    assert_eq!(session.get("cart").unwrap(), Some(3));
    block_on(session.log_out()).unwrap();
    block_on(session.flash("info", "bye")).unwrap();
    let next = cookie(&respond(&session));
    block_on(other.set("cart", &4)).unwrap();
    assert!(other.has_ended() && !respond(&other).contains("set-cookie"));
    let session = request(&sessions, &next);
    assert_eq!(session.user(), None);
    assert_eq!(session.get::<u32>("cart").unwrap(), None);
    assert_eq!(block_on(session.take_flashes()).unwrap().len(), 1);
}

#[test]
fn messages_come_once_and_in_order_to_one_of_two_pages() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler);
    let session = request(&sessions, "");
    for text in ["first", "second"] {
        block_on(session.flash("info", text)).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let cookie = cookie(&respond(&session));
    let (one, other) = (request(&sessions, &cookie), request(&sessions, &cookie));
    let texts =
        |flashes: Vec<Flash>| -> Vec<_> { flashes.into_iter().map(|flash| flash.text).collect() };
    assert_eq!(
        texts(block_on(one.take_flashes()).unwrap()),
        ["first", "second"]
    );
    assert!(block_on(other.take_flashes()).unwrap().is_empty());
}

#[test]
fn tokens_belong_to_their_session() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler);
    let session = request(&sessions, "");
    let (first, second) = (
        block_on(session.form_token()),
        block_on(session.form_token()),
    );
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_ne!(first, second);
    let later = request(&sessions, &cookie(&respond(&session)));
    let other = request(&sessions, "");
    block_on(other.form_token()).unwrap();
    for token in [&first, &second] {
        assert!(later.is_form_token(token) && !other.is_form_token(token));
    }
    let none = request(&sessions, "");
    for token in [
        "",
        "A",
        "====",
        &first[1..],
        &format!("{first}AAAA"),
        &"A".repeat(64),
    ] {
        assert!(
            !later.is_form_token(token) && !none.is_form_token(token),
            "{token}"
        );
    }
}

#[test]
fn a_login_makes_the_tokens_of_before_invalid() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler);
    let session = request(&sessions, "");
    let before = block_on(session.form_token()).unwrap();
    let anonymous = cookie(&respond(&session));
    let (login, slow) = (
        request(&sessions, &anonymous),
        request(&sessions, &anonymous),
    );
    block_on(login.log_in("ada")).unwrap();
    assert!(!login.is_form_token(&before));
    // A page that was loaded before the login does not bring the token back.
    let late = block_on(slow.form_token()).unwrap();
    let later = request(&sessions, &cookie(&respond(&login)));
    assert!(later.is_form_token(&late) && !later.is_form_token(&before));
}

#[test]
fn somebody_else_who_logs_in_gets_no_values_of_the_first_user() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler);
    let session = request(&sessions, "");
    block_on(session.log_in("ada")).unwrap();
    block_on(session.set("secret", &1)).unwrap();
    let ada = cookie(&respond(&session));
    let session = request(&sessions, &ada);
    // The same user keeps them.
    block_on(session.log_in("ada")).unwrap();
    assert_eq!(session.get("secret").unwrap(), Some(1));
    let ada = cookie(&respond(&session));
    let (session, other) = (request(&sessions, &ada), request(&sessions, &ada));
    block_on(session.log_in("eve")).unwrap();
    let eve = request(&sessions, &cookie(&respond(&session)));
    let seen = |session: &Session| (session.user(), session.get::<u32>("secret").unwrap());
    assert_eq!(seen(&session), (Some("eve".to_owned()), None));
    assert_eq!(seen(&eve), (Some("eve".to_owned()), None));
    block_on(other.set("secret", &2)).unwrap();
    assert!(other.has_ended(), "the session of ada");
    assert_eq!(request(&sessions, &ada).user(), None);
}

#[test]
fn a_login_succeeds_although_the_session_has_ended_meanwhile() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler);
    let session = request(&sessions, "");
    block_on(session.set("a", &1)).unwrap();
    let before = cookie(&respond(&session));
    let (login, logout) = (request(&sessions, &before), request(&sessions, &before));
    block_on(logout.log_out()).unwrap();
    block_on(login.log_in("ada")).unwrap();
    assert_eq!(login.user().as_deref(), Some("ada"));
    let later = request(&sessions, &cookie(&respond(&login)));
    assert_eq!(later.user().as_deref(), Some("ada"));
    assert_eq!(later.get::<u32>("a").unwrap(), None);
}

#[test]
fn a_login_without_a_session_is_an_error() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("sessions");
    // Each session ends as soon as it has begun.
    let store = async |io: &mut crate::StorePorts| {
        while let Some(kamea::Call { request, reply }) = io.inbox.next().await {
            let answer = match request {
                Command::Create => Answer::Named {
                    key: SessionKey::random(),
                    id: SessionId::random(),
                },
                _ => Answer::Ended,
            };
            reply.send(Ok(answer.into()));
        }
        Ok(())
    };
    let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
    scheduler.run(graph).unwrap();
    let session = request(&sessions, "");
    let error = block_on(session.log_in("ada")).unwrap_err();
    assert_eq!(error.status(), 503, "{error}");
    assert_eq!(session.user(), None);
}

#[test]
fn under_tls_the_cookie_is_secure_by_itself_and_of_this_host_alone() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler);
    let send = |scheme, cookie: &str| {
        let fields = Fields::new().with("Cookie", cookie);
        let session = Session::sent(sessions.clone(), scheme, &fields);
        block_on(session.load()).unwrap();
        session
    };
    let begun = |scheme| {
        let session = send(scheme, "");
        block_on(session.set("a", &1)).unwrap();
        let fields = respond(&session);
        let line = String::from_utf8_lossy(fields.get("set-cookie").unwrap()).into_owned();
        (cookie(&fields), line)
    };
    let (secure, line) = begun(Scheme::Https);
    // RFC 6265bis, 4.1.3.2: "the cookie will have been set with a Secure attribute, a Path
    // attribute with a value of /, and no Domain attribute".
    assert!(line.starts_with("__Host-sid="), "{line}");
    assert!(line.contains("; Secure") && line.contains("; Path=/") && !line.contains("Domain"));
    let (plain, line) = begun(Scheme::Http);
    assert!(
        line.starts_with("sid=") && !line.contains("Secure"),
        "{line}"
    );
    // Each cookie is one of its scheme: what was read on the way is worth nothing under TLS.
    for (scheme, cookie, expected) in [
        (Scheme::Https, secure.clone(), Some(1)),
        (Scheme::Http, plain.clone(), Some(1)),
        (Scheme::Https, plain.clone(), None),
        (Scheme::Http, secure, None),
        (Scheme::Https, format!("{plain}; __Host-sid=x"), None),
    ] {
        let session = send(scheme, &cookie);
        assert_eq!(
            session.get::<u32>("a").unwrap(),
            expected,
            "{scheme:?} {cookie}"
        );
    }
    // A signature is for its name.
    let keys = crate::Keys::random().unwrap();
    let options = SessionOptions::default().signed(keys);
    let id = SessionId::random();
    let (plain, secure) = (options.text("sid", &id), options.text("__Host-sid", &id));
    assert_eq!(options.id("sid", &plain), Some(id.clone()));
    assert_eq!(options.id("__Host-sid", &secure), Some(id));
    assert_eq!(options.id("__Host-sid", &plain), None);
}

#[test]
fn a_logout_under_tls_removes_the_cookie_that_was_set() {
    let scheduler = Scheduler::with_workers(1);
    let sessions = run(&scheduler);
    let request = |cookie: &str| {
        let fields = Fields::new().with("Cookie", cookie);
        let session = Session::sent(sessions.clone(), Scheme::Https, &fields);
        block_on(session.load()).unwrap();
        session
    };
    let session = request("");
    block_on(session.log_in("ada")).unwrap();
    let session = request(&cookie(&respond(&session)));
    assert_eq!(session.user().as_deref(), Some("ada"));
    block_on(session.log_out()).unwrap();
    let fields = respond(&session);
    let line = String::from_utf8_lossy(fields.get("set-cookie").unwrap());
    assert!(
        line.starts_with("__Host-sid=;") && line.contains("Max-Age=0"),
        "{line}"
    );
    assert!(
        line.contains("; Secure"),
        "browsers ignore the name without it: {line}"
    );
}
