//! An inbox instead of an outbox.

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
    let words = graph.add("words", words);
    let shout = graph.add("shout", shout);
    graph.link(shout.inbox, words.outbox);
}
