//! A counter that a component owns: without a lock, and drawn in the live view with its queue.

use kamea::{Asker, Call as Question, Done, Graph, Sink};
use kamea_app::{App, AppError, Call, Problem, State};

/// Counts. Questions of all workers wait in one queue.
async fn count(io: &mut Sink<Question<u64, u64>>) -> Done {
    let mut total = 0;
    while let Some(Question { request, reply }) = io.inbox.next().await {
        total += request;
        reply.send(total);
    }
    Ok(())
}

type Counter = State<Asker<u64, u64>>;

async fn add(call: Call<u64, (), Counter>) -> Result<String, Problem> {
    let total = call.with.ask(call.params).await?;
    Ok(format!("{total}\n"))
}

fn main() -> Result<(), AppError> {
    let mut graph = Graph::new("counter");
    let counter = graph.ask("counter", count);
    App::with_state(counter)
        .post("/count/{number}", add)
        .beside(graph)
        .main("127.0.0.1:8000")
}
