//! Sessions of handlers, in the graph of a test.

use std::net::SocketAddr;

use kamea::testing::block_on;
use kamea::{Call as Asked, Graph, Scheduler};
use kamea_components::web::Network;
use kamea_session::{
    Answer, Answered, Command, Keys, MemoryOptions, Session, SessionId, SessionKey, SessionOptions,
    Sessions, StoreCookie, StorePorts, keep_in_memory, load_sessions, save_sessions,
};

use crate::{App, Call, Form, Problem, TestRequest};

async fn log_in(call: Call<(), Form<String>, Session>) -> Result<(), Problem> {
    Ok(call.with.log_in(&call.body.0).await?)
}

async fn who(call: Call<(), (), Session>) -> String {
    call.with.user().unwrap_or_else(|| "nobody".to_owned())
}

async fn log_out(call: Call<(), (), Session>) -> Result<(), Problem> {
    Ok(call.with.log_out().await?)
}

#[test]
fn a_handler_takes_the_session_of_its_request() {
    let mut graph = Graph::new("sessions");
    let store = keep_in_memory(MemoryOptions::default());
    let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    let app = App::new()
        .get("/", who)
        .post("/login", log_in)
        .post("/logout", log_out)
        .around("sessions", load_sessions(sessions), save_sessions());
    block_on(async {
        let (app, other) = (app.test(), app.test());
        assert_eq!(app.get("/").send().await.text(), "nobody");
        assert_eq!(
            app.post("/login")
                .form(&[("name", "ada")])
                .send()
                .await
                .status(),
            204
        );
        assert_eq!(app.get("/").send().await.text(), "ada");
        assert_eq!(other.get("/").send().await.text(), "nobody");
        assert_eq!(app.post("/logout").send().await.status(), 204);
        assert_eq!(app.get("/").send().await.text(), "nobody");
        // A page of another site does nothing in the name of a user.
        let foreign = app.post("/login").field("Origin", "https://evil.example");
        assert_eq!(foreign.form(&[("name", "eve")]).send().await.status(), 403);
        let without = App::new().get("/", who).test();
        assert_eq!(without.get("/").send().await.status(), 500);
    });
}

/// A store whose cookies no browser would take.
async fn keep_wrongly(io: &mut StorePorts) -> kamea::Done {
    while let Some(Asked { request, reply }) = io.inbox.next().await {
        let (key, id) = (SessionKey::random(), SessionId::random());
        let (answer, name) = match request {
            Command::Create => (Answer::Named { key, id }, "a b".to_owned()),
            Command::Rotate { key, .. } => (Answer::Named { key, id }, "x".repeat(5000)),
            _ => (Answer::Applied, "\u{e4}".to_owned()),
        };
        let value = None;
        let cookies = vec![StoreCookie { name, value }];
        reply.send(Ok(Answered { answer, cookies }));
    }
    Ok(())
}

#[test]
fn a_cookie_that_cannot_be_sent_costs_nobody_the_response() {
    let mut graph = Graph::new("sessions");
    let sessions = Sessions::add(&mut graph, keep_wrongly, SessionOptions::default());
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    let app = App::new().post("/login", log_in).around(
        "sessions",
        load_sessions(sessions),
        save_sessions(),
    );
    block_on(async {
        let app = app.test();
        for _ in 0..2 {
            let answer = app.post("/login").form(&[("name", "ada")]).send().await;
            assert_eq!(answer.status(), 204);
            let cookies: Vec<_> = answer.fields().get_all("set-cookie").collect();
            assert!(
                cookies.len() == 1 && cookies[0].starts_with(b"sid="),
                "{cookies:?}"
            );
        }
    });
}

#[test]
fn a_session_under_tls_has_a_secure_cookie_also_behind_a_trusted_proxy() {
    let mut graph = Graph::new("sessions");
    let store = keep_in_memory(MemoryOptions::default());
    let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    let proxies: [Network; 1] = ["198.51.100.0/24".parse().unwrap()];
    let app = App::new()
        .get("/peer", async |call: Call| {
            format!("{} {}", call.scheme.as_str(), call.peer.ip())
        })
        .post("/login", log_in)
        .around("sessions", load_sessions(sessions), save_sessions())
        .trust_proxies(proxies)
        .trust_proxies(["203.0.113.0/24".parse().unwrap()]);
    let proxy = "198.51.100.7:80".parse().unwrap();
    block_on(async {
        let login = async |how: fn(TestRequest<'_>, SocketAddr) -> TestRequest<'_>| {
            let app = app.test();
            let request = forwarded(app.post("/login").form(&[("name", "ada")]));
            let answer = how(request, proxy).send().await;
            assert_eq!(answer.status(), 204);
            let line = answer.field("set-cookie").unwrap().to_owned();
            (line.starts_with("__Host-sid="), line.contains("; Secure"))
        };
        let anybody = login(|request, _| request).await;
        assert_eq!(anybody, (false, false), "anybody can send a field");
        assert_eq!(login(|request, _| request.secure()).await, (true, true));
        let trusted = login(|request, proxy| request.peer(proxy)).await;
        assert_eq!(trusted, (true, true));
        let app = app.test();
        for proxy in [proxy, "203.0.113.5:80".parse().unwrap()] {
            let seen = forwarded(app.get("/peer").peer(proxy)).send().await;
            assert_eq!(seen.text(), "https 192.0.2.9", "{proxy}");
        }
        let seen = forwarded(app.get("/peer")).send().await;
        assert_eq!(seen.text(), "http 192.0.2.1");
    });
}

/// A request as a proxy that speaks TLS forwards it.
fn forwarded(request: TestRequest<'_>) -> TestRequest<'_> {
    let request = request.field("X-Forwarded-Proto", "https");
    request.field("X-Forwarded-For", "192.0.2.9")
}

#[test]
fn forged_foreign_and_ended_sessions_are_nobodys() {
    let mut graph = Graph::new("sessions");
    let store = keep_in_memory(MemoryOptions::default());
    let keys = Keys::random().unwrap();
    let options = SessionOptions::default().signed(keys);
    let sessions = Sessions::add(&mut graph, store, options);
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    let app = App::new()
        .get("/", who)
        .post("/login", log_in)
        .post("/logout", log_out)
        .around("sessions", load_sessions(sessions), save_sessions());
    block_on(async {
        let log_in = async |name| {
            let app = app.test();
            let answer = app.post("/login").form(&[("name", name)]).send().await;
            let line = answer.field("set-cookie").unwrap().to_owned();
            let (_, value) = line.split_once('=').unwrap();
            value.split(';').next().unwrap().to_owned()
        };
        let (ada, eve) = (log_in("ada").await, log_in("eve").await);
        let (ended, mut flipped) = (log_in("ada").await, ada.clone());
        let last = if flipped.pop() == Some('A') { 'B' } else { 'A' };
        flipped.push(last);
        let logout = app.test();
        let logout = logout
            .post("/logout")
            .field("Cookie", format!("sid={ended}"));
        assert_eq!(logout.send().await.status(), 204);
        let half = &ada[..ada.len() / 2];
        let id = ada.split('.').next_back().unwrap();
        let rows = [
            (format!("sid={ada}"), "ada"),
            (format!("sid={ada}; sid={ada}"), "ada"),
            (format!("a=1; sid={ada}; b=2"), "ada"),
            (format!("sid={ada}; sid={eve}"), "nobody"),
            (format!("sid=; sid={ada}"), "nobody"),
            (format!("SID={ada}"), "nobody"),
            (format!("__Host-sid={ada}"), "nobody"),
            (format!("sid={flipped}"), "nobody"),
            (format!("sid={half}"), "nobody"),
            (format!("sid={ada}x"), "nobody"),
            (format!("sid=\"{ada}\""), "nobody"),
            (format!("sid={id}"), "nobody"),
            (format!("sid={ended}"), "nobody"),
            (format!("sid={}", "x".repeat(4000)), "nobody"),
            ("sid=".to_owned(), "nobody"),
            ("sid".to_owned(), "nobody"),
            ("sid=\u{e4}".to_owned(), "nobody"),
            (";;;".to_owned(), "nobody"),
            ("auth=true".to_owned(), "nobody"),
        ];
        for (cookie, expected) in rows {
            let client = app.test();
            let answer = client.get("/").field("Cookie", &cookie).send().await;
            assert_eq!(answer.text(), expected, "{cookie}");
        }
    });
}
