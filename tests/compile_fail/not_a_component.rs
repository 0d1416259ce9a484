//! A function that takes no ports.

use kamea::{Done, Graph, Pipe, Sink, Source};

async fn words(io: &mut Source<String>) -> Done {
    Ok(io.outbox.send(String::new()).await?)
}

async fn numbers(io: &mut Sink<u32>) -> Done {
    io.inbox.next().await;
    Ok(())
}

async fn shout(io: &mut Pipe<String, String>) -> Done {
    io.inbox.next().await;
    Ok(())
}

fn main() {
    let mut graph = Graph::new("g");
    let _ = (words, numbers, shout);
    graph.add("string", String::new());
}
