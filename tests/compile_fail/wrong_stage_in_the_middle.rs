//! Stages that do not fit, each marked in its line: in the middle, and after a function.

use kamea::{Done, Pipe, Sink, Source, map, pipeline};

async fn words(io: &mut Source<String>) -> Done {
    Ok(io.outbox.send(String::new()).await?)
}

async fn double(io: &mut Pipe<u32, u32>) -> Done {
    io.inbox.next().await;
    Ok(())
}

async fn swallow(io: &mut Sink<u32>) -> Done {
    io.inbox.next().await;
    Ok(())
}

fn main() {
    pipeline!(words => double => swallow);
    pipeline!(words => map(|line: String| line.len()) => swallow);
}
