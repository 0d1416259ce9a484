//! Writes messages to the standard output.

use std::io::{self, Write};

use kamea::{Blocking, Done, Message, Sink, blocking};

/// Writes each message to the standard output at once, on a thread that may wait.
///
/// # Faults
///
/// If writing fails. It ends quietly if nobody reads the standard output any more.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, Source, pipeline};
/// use kamea_components::console::console_echoer;
///
/// let mut graph = Graph::new("greeting");
/// let greet = async |io: &mut Source<String>| Ok(io.outbox.send("hello\n".to_owned()).await?);
/// pipeline!(graph, greet => console_echoer());
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn console_echoer<T: Message + AsRef<[u8]>>()
-> Blocking<impl FnMut(&mut Sink<T>) -> Done + Send + 'static> {
    blocking(|io: &mut Sink<T>| {
        while let Some(message) = io.inbox.next_blocking() {
            // The lock is not held while it waits: other components may write too.
            let mut stdout = io::stdout().lock();
            let written = stdout.write_all(message.as_ref());
            match written.and_then(|()| stdout.flush()) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                written => written?,
            }
        }
        Ok(())
    })
}
