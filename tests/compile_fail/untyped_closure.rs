//! A closure that does not say which ports it has.

use kamea::{Done, Graph, Source};

async fn words(io: &mut Source<String>) -> Done {
    Ok(io.outbox.send(String::new()).await?)
}

fn main() {
    let mut graph = Graph::new("g");
    kamea::pipeline!(graph, words => async |io| {
        io.inbox.next().await;
        Ok(())
    });
}
