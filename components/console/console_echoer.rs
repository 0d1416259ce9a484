//! Writes messages to the standard output.

use std::io::{self, Write};

use kamea::{Blocking, Done, Inbox, Message, Sink, blocking};

/// How many bytes are collected before they are written.
const BATCH: usize = 64 * 1024;

/// Writes messages to the standard output, on a thread that may wait.
///
/// It writes at once what has arrived, all of it together: a message that comes alone is not
/// delayed, and many that come together cost one system call.
///
/// # Faults
///
/// If writing fails, or if the standard output was closed when the program started. It ends quietly
/// if nobody reads the standard output any more.
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
        kamea::check_standard_output()?;
        // The lock is not held while it waits: other components may write too.
        let written = write_batches(&mut io.inbox, |bytes| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes)?;
            stdout.flush()
        });
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => Ok(written?),
        }
    })
}

/// Has what waits in the inbox written together, until the inbox ends.
fn write_batches<T: AsRef<[u8]>>(
    inbox: &mut Inbox<T>,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut batch = Vec::new();
    while let Some(first) = inbox.next_blocking() {
        let mut next = inbox.try_next();
        if next.is_none() || first.as_ref().len() >= BATCH {
            write(first.as_ref())?;
        } else {
            batch.extend_from_slice(first.as_ref());
        }
        while let Some(message) = next {
            batch.extend_from_slice(message.as_ref());
            next = if batch.len() < BATCH {
                inbox.try_next()
            } else {
                None
            };
        }
        if !batch.is_empty() {
            write(&batch)?;
            batch.clear();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_written_together_in_its_order() {
        for length in [0, 1, 80, BATCH - 1, BATCH, 3 * BATCH] {
            let count = 100;
            let (sender, receiver) = kamea::link(count);
            let message = |number: usize| vec![number as u8; length];
            (0..count).for_each(|number| sender.try_send(message(number)).unwrap());
            drop(sender);
            let (mut written, mut writes) = (Vec::new(), 0);
            let outcome = write_batches(&mut Inbox::from(receiver), |bytes| {
                written.extend_from_slice(bytes);
                writes += 1;
                Ok(())
            });
            outcome.unwrap();
            assert_eq!(written, (0..count).flat_map(message).collect::<Vec<_>>());
            let most = (count * length).div_ceil(BATCH) + 1;
            assert!(writes <= most, "{writes} writes of {length} bytes each");
        }
    }

    #[test]
    fn what_comes_alone_is_written_before_anything_else_comes() {
        let (sender, receiver) = kamea::link(16);
        let (tell, mut told) = kamea::link(16);
        let write = move |bytes: &[u8]| -> io::Result<()> {
            let line = String::from_utf8_lossy(bytes).into_owned();
            tell.send_blocking(line)
                .map_err(|_| io::ErrorKind::BrokenPipe.into())
        };
        let thread = std::thread::spawn(move || write_batches(&mut Inbox::from(receiver), write));
        for line in ["one", "two", "three"] {
            sender.send_blocking(line).unwrap();
            assert_eq!(told.next_blocking().as_deref(), Some(line));
        }
        drop(told);
        sender.send_blocking("nobody reads this").unwrap();
        let error = thread.join().unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
