//! Sessions in a simulated world: requests that overtake each other, logins and logouts among them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kamea::time::sleep;
use kamea::{Graph, Simulation, random};
use kamea_components::http::Fields;
use kamea_components::web::Scheme;

use crate::{
    Command, Cookies, MemoryOptions, Session, SessionId, SessionOptions, Sessions, keep_in_memory,
};

/// What a browser holds, and what it was told.
#[derive(Default)]
struct Browser {
    cookie: Mutex<Option<String>>,
    /// All names that it ever had.
    all: Mutex<BTreeSet<String>>,
    /// How many additions were applied.
    added: Mutex<u64>,
    /// The values that were set, apart from the counter.
    set: Mutex<BTreeSet<String>>,
    has_logged_in: Mutex<bool>,
}

impl Browser {
    /// Sends a request: the session, as the server sees it.
    async fn send(&self, sessions: &Sessions) -> Session {
        let cookie = self.cookie.lock().unwrap().clone();
        let fields = cookie.map_or_else(Fields::new, |cookie| {
            Fields::new().with("Cookie", format!("sid={cookie}"))
        });
        sleep(random::duration(Duration::from_millis(20))).await;
        let session = Session::sent(sessions.clone(), Scheme::Http, &fields);
        session.load().await.unwrap();
        session
    }

    /// Receives the response.
    async fn receive(&self, session: Session) {
        let mut fields = Fields::new();
        session.seal(&mut fields).unwrap();
        sleep(random::duration(Duration::from_millis(20))).await;
        if let Some(line) = fields.get("set-cookie") {
            let line = Fields::new().with("Cookie", line);
            let cookie = Cookies::of(&line).get("sid").unwrap().to_owned();
            let is_removed = cookie.is_empty();
            *self.cookie.lock().unwrap() = (!is_removed).then(|| cookie.clone());
            if !is_removed {
                self.all.lock().unwrap().insert(cookie);
            }
        }
    }

    async fn add(&self, sessions: &Sessions) {
        let session = self.send(sessions).await;
        sleep(random::duration(Duration::from_millis(20))).await;
        let by = random::u64(1..5);
        let added = session.update("n", |n: Option<u64>| n.unwrap_or(0) + by);
        added.await.unwrap();
        if !session.has_ended() {
            *self.added.lock().unwrap() += by;
        }
        self.receive(session).await;
    }

    async fn put(&self, sessions: &Sessions, name: String) {
        let session = self.send(sessions).await;
        session.set(&name, &1).await.unwrap();
        if !session.has_ended() {
            self.set.lock().unwrap().insert(name);
        }
        self.receive(session).await;
    }

    async fn log_in(&self, sessions: &Sessions) {
        let session = self.send(sessions).await;
        session.log_in("ada").await.unwrap();
        *self.has_logged_in.lock().unwrap() = true;
        self.receive(session).await;
    }
}

fn sessions(graph: &mut Graph) -> Sessions {
    let store = keep_in_memory(MemoryOptions::default());
    Sessions::add(graph, store, SessionOptions::default())
}

/// How many seeds: a few hundred in each run of the tests, 10,000 by `make sessions`.
fn seeds() -> std::ops::Range<u64> {
    0..std::env::var("KAMEA_SESSIONS").map_or(300, |count| count.parse().unwrap())
}

/// One browser, several requests at the same time: additions to one value, values of their own, and
/// a login. Nothing that the server has taken is lost, and no slow response takes the login back.
#[test]
fn requests_of_one_session_lose_no_update_and_no_login() {
    Simulation::seeds(seeds()).check(|mut simulation| {
        let mut graph = Graph::new("sessions");
        let sessions = sessions(&mut graph);
        let browser = Arc::new(Browser::default());
        let (gate, mut open) = kamea::link::<()>(16);
        let count = random::usize(2..7);
        let has_login = random::chance(0.5);
        for number in 0..count {
            let (browser, sessions, mut begin) =
                (browser.clone(), sessions.clone(), Some(gate.clone()));
            simulation = simulation.beside(&format!("request {number}"), async move || {
                // The first response has made the session.
                while browser.cookie.lock().unwrap().is_none() {
                    sleep(Duration::from_millis(1)).await;
                }
                match number {
                    0 if has_login => browser.log_in(&sessions).await,
                    number if number % 2 == 0 => browser.put(&sessions, format!("v{number}")).await,
                    _ => browser.add(&sessions).await,
                }
                drop(begin.take());
            });
        }
        drop(gate);
        simulation = simulation.beside("browser", async move || {
            browser.put(&sessions, "first".to_owned()).await;
            // All requests have their responses.
            assert!(open.next().await.is_none());
            let session = browser.send(&sessions).await;
            let n: Option<u64> = session.get("n").unwrap();
            assert_eq!(
                n.unwrap_or(0),
                *browser.added.lock().unwrap(),
                "an addition is lost"
            );
            for name in &*browser.set.lock().unwrap() {
                assert_eq!(session.get(name).unwrap(), Some(1), "{name} is lost");
            }
            let user = browser
                .has_logged_in
                .lock()
                .unwrap()
                .then(|| "ada".to_owned());
            assert_eq!(session.user(), user, "the login is lost");
        });
        simulation.run(graph)
    });
}

/// Requests that run while the user logs out, here or everywhere. After the logout no name that the
/// browser ever had leads to the session, and nothing brings it back.
#[test]
fn a_logout_wins_over_requests_that_still_run() {
    let has_dropped = Arc::new(Mutex::new(false));
    Simulation::seeds(seeds()).check(|mut simulation| {
        let mut graph = Graph::new("sessions");
        let sessions = sessions(&mut graph);
        let browser = Arc::new(Browser::default());
        let (gate, mut open) = kamea::link::<()>(16);
        let is_everywhere = random::chance(0.5);
        for number in 0..random::usize(1..6) {
            let (browser, sessions, mut begin) =
                (browser.clone(), sessions.clone(), Some(gate.clone()));
            let has_dropped = has_dropped.clone();
            simulation = simulation.beside(&format!("request {number}"), async move || {
                while !*browser.has_logged_in.lock().unwrap() {
                    sleep(Duration::from_millis(1)).await;
                }
                let session = browser.send(&sessions).await;
                let was_known = session.user().is_some();
                sleep(random::duration(Duration::from_millis(40))).await;
                if was_known {
                    session.set("secret", "still here").await.unwrap();
                    *has_dropped.lock().unwrap() |= session.has_ended();
                }
                browser.receive(session).await;
                drop(begin.take());
            });
        }
        drop(gate);
        simulation = simulation.beside("browser", async move || {
            browser.log_in(&sessions).await;
            let session = browser.send(&sessions).await;
            sleep(random::duration(Duration::from_millis(40))).await;
            match is_everywhere {
                true => session.log_out_everywhere().await.unwrap(),
                false => session.log_out().await.unwrap(),
            }
            browser.receive(session).await;
            assert!(open.next().await.is_none());
            let names = browser.all.lock().unwrap().clone();
            for name in names {
                let (id, cookies) = (SessionId::parse(&name).unwrap(), Vec::new());
                let answered = sessions.ask(Command::Load { id, cookies }).await.unwrap();
                let answer = format!("{:?}", answered.answer);
                assert!(!answer.contains("Some"), "the session is back: {answer}");
            }
            assert_eq!(browser.send(&sessions).await.user(), None);
        });
        simulation.run(graph)
    });
    assert!(
        *has_dropped.lock().unwrap(),
        "no request ran during a logout"
    );
}
