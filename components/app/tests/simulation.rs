//! An application whose state is a component, under many seeds.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_lite::future::zip;
use kamea::time::sleep;
use kamea::{Asker, Call as Question, Done, Graph, Simulation, Sink, random};
use kamea_session::{
    MemoryOptions, Session, SessionOptions, Sessions, keep_in_memory, load_sessions, save_sessions,
};

use crate::{App, Call, Owned, Problem, State, TestApp};

/// Counts; now and then it fails, and begins anew with what it had.
async fn count(io: &mut Sink<Question<u32, u32>>) -> Done {
    let mut total = 0;
    while let Some(Question { request, reply }) = io.inbox.next().await {
        // Without a queue, two requests would see the same total here.
        let before = total;
        sleep(Duration::from_millis(1)).await;
        total = before + request;
        reply.send(total);
    }
    Ok(())
}

async fn add(call: Call<u32, (), State<Asker<u32, u32>>>) -> Result<String, Problem> {
    Ok(call.with.ask(call.params).await?.to_string())
}

fn simulate(seed: u64) -> Vec<u32> {
    let mut graph = Graph::new("counter");
    let counter = graph.ask("counter", count);
    let totals = Arc::new(Mutex::new(Vec::new()));
    let mut simulation = Simulation::seed(seed);
    for client in 0..3 {
        let app = App::with_state(counter.clone())
            .post("/add/{number}", add)
            .test();
        let totals = totals.clone();
        simulation = simulation.beside(&format!("client {client}"), async move || {
            for _ in 0..3 {
                let answer = app.post("/add/1").send().await;
                totals.lock().unwrap().push(answer.text().parse().unwrap());
            }
        });
    }
    drop(counter);
    simulation.run(graph).unwrap();
    totals.lock().unwrap().clone()
}

#[test]
fn no_update_of_a_component_that_is_asked_is_lost() {
    for seed in 0..300 {
        let mut totals = simulate(seed);
        totals.sort_unstable();
        assert_eq!(totals, (1..=9).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(simulate(7), simulate(7));
}

async fn log_in(call: Call<String, (), Session>) -> Result<(), Problem> {
    Ok(call.with.log_in(&call.params).await?)
}

async fn log_out(call: Call<(), (), Session>) -> Result<(), Problem> {
    Ok(call.with.log_out().await?)
}

/// Counts in the session, and for all in a component.
async fn visit(call: Call<(), (), (Session, State<Owned<u32>>)>) -> Result<String, Problem> {
    let (session, total) = call.with;
    let own = session.update("visits", |visits: Option<u32>| visits.unwrap_or(0) + 1);
    let own = own.await?;
    total.with(|total| *total += 1).await?;
    Ok(format!("{own} {}", session.user().unwrap_or_default()))
}

/// A client visits twice at the same time, again and again, and logs in and out between.
async fn be_a_client(app: TestApp, name: String) -> u32 {
    let (mut visits, mut user) = (0, String::new());
    let mut sent = 0;
    let visit = async || app.post("/visits").send().await.text();
    for _ in 0..6 {
        match random::usize(..4) {
            0 => {
                let answer = app.post(&format!("/login/{name}")).send().await;
                assert_eq!(answer.status(), 204);
                user.clone_from(&name);
            }
            1 => {
                assert_eq!(app.post("/logout").send().await.status(), 204);
                (visits, user) = (0, String::new());
            }
            // The first visit begins the session, so it is alone.
            _ if visits == 0 && user.is_empty() => {
                assert_eq!(visit().await, "1 ");
                (visits, sent) = (1, sent + 1);
            }
            _ => {
                let (one, other) = zip(visit(), visit()).await;
                let mut both = [one, other];
                both.sort();
                let mut expected = [visits + 1, visits + 2].map(|own| format!("{own} {user}"));
                expected.sort();
                assert_eq!(both, expected, "{name}");
                (visits, sent) = (visits + 2, sent + 2);
            }
        }
    }
    sent
}

#[test]
fn sessions_and_a_component_lose_nothing_in_any_order() {
    let seeds = std::env::var("KAMEA_SESSIONS").map_or(100, |count| count.parse().unwrap());
    for seed in 0..seeds {
        let mut graph = Graph::new("state");
        let total = Owned::add(&mut graph, "total", 0);
        let store = keep_in_memory(MemoryOptions::default());
        let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
        let sent = Arc::new(Mutex::new(0));
        let mut simulation = Simulation::seed(seed);
        for client in 0..2 {
            let app = App::with_state(total.clone())
                .post("/visits", visit)
                .post("/login/{name}", log_in)
                .post("/logout", log_out)
                .around("sessions", load_sessions(sessions.clone()), save_sessions())
                .test();
            let (total, sent) = (total.clone(), sent.clone());
            let name = format!("client-{client}");
            simulation = simulation.beside(&name.clone(), async move || {
                let own = be_a_client(app, name.clone()).await;
                let all = {
                    let mut sent = sent.lock().unwrap();
                    *sent += own;
                    *sent
                };
                assert!(total.with(|total| *total).await.unwrap() >= all);
            });
        }
        let (counted, last) = (total, Arc::new(Mutex::new(0)));
        let seen = last.clone();
        let expected = sent.clone();
        simulation = simulation.beside("at the end", async move || {
            sleep(Duration::from_secs(3600)).await;
            *seen.lock().unwrap() = counted.with(|total| *total).await.unwrap();
        });
        drop(sessions);
        simulation
            .run(graph)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert_eq!(
            *last.lock().unwrap(),
            *expected.lock().unwrap(),
            "seed {seed}"
        );
    }
}
