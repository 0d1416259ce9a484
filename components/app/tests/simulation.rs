//! An application whose state is a component, under many seeds.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kamea::time::sleep;
use kamea::{Asker, Call as Question, Done, Graph, Simulation, Sink};

use crate::{App, Call, Problem, State};

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
