//! The lines of the standard input.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use bytes::Bytes;
use kamea::{Component, Done, Source, unblock};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::net::unix::pipe::Receiver;

use crate::stream::{LONGEST_LINE, LineSplitter};

/// How many bytes are read at a time.
const CHUNK: usize = 64 * 1024;

/// Why the standard input could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the standard input: {0}")]
struct Unreadable(#[from] io::Error);

/// Reads the standard input, line by line; the lines are as those of
/// [`lines`](crate::stream::lines), up to
/// [`LONGEST_LINE`](crate::stream::LONGEST_LINE).
///
/// It waits for input as long as needed, and nothing else waits with it. It ends with the input,
/// when nobody takes its lines, or when its graph stops, so a program need not wait for another
/// line before it ends.
///
/// # Faults
///
/// If the standard input cannot be read, or a line is too long.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, map, pipeline};
/// use kamea_components::console::{console_echoer, console_reader};
///
/// let mut graph = Graph::new("shouting");
/// pipeline!(graph, console_reader() => map(|line: String| line.to_uppercase() + "\n") => console_echoer());
/// # let scheduler = Scheduler::with_workers(1);
/// # let running = scheduler.run(graph)?;
/// # running.stop();
/// # running.wait()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn console_reader() -> impl Component<Source<String>> + Clone + Send + Sync {
    async |io: &mut Source<String>| {
        // A copy of the descriptor, which can be closed safely.
        let input = io::stdin().as_fd().try_clone_to_owned();
        read_lines(input.map_err(Unreadable)?, io).await
    }
}

async fn read_lines(input: OwnedFd, io: &Source<String>) -> Done {
    let input = Input::new(input).map_err(Unreadable)?;
    let mut splitter = LineSplitter::new(LONGEST_LINE);
    let lines = async {
        loop {
            let mut bytes = input.read().await.map_err(Unreadable)?;
            if bytes.is_empty() {
                break;
            }
            while let Some(line) = splitter.next(&mut bytes)? {
                io.outbox.send(line).await?;
            }
        }
        if let Some(line) = splitter.finish()? {
            io.outbox.send(line).await?;
        }
        Ok(())
    };
    io.outbox.while_open(lines).await?
}

/// The input. It stays blocking: other programs may have the same terminal open, and the flag would
/// apply to them too.
enum Input {
    /// It may have to be waited for.
    Watched(Receiver),
    /// A file: always readable, up to its end.
    File(OwnedFd),
}

impl Input {
    fn new(input: OwnedFd) -> io::Result<Self> {
        match Receiver::from_owned_fd_unchecked(input.try_clone()?) {
            Ok(watched) => Ok(Self::Watched(watched)),
            // The system refuses to watch files (epoll_ctl(2), EPERM).
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Self::File(input)),
            Err(error) => Err(error),
        }
    }

    /// The available bytes, at least one; empty at the end.
    async fn read(&self) -> io::Result<Bytes> {
        let input = match self {
            Self::Watched(watched) => {
                while !is_ready(watched)? {
                    watched.readable().await?;
                }
                watched.as_fd()
            }
            Self::File(input) => input.as_fd(),
        };
        let input = input.try_clone_to_owned()?;
        // On a thread that may wait: another program may have read the bytes first.
        unblock(move || {
            let mut bytes = vec![0; CHUNK];
            let count = rustix::io::retry_on_intr(|| rustix::io::read(&input, &mut bytes))?;
            bytes.truncate(count);
            Ok(bytes.into())
        })
        .await
    }
}

/// Whether a read would return at once.
fn is_ready(input: &Receiver) -> io::Result<bool> {
    let look = input.try_io(|| {
        let mut polled = [PollFd::new(input, PollFlags::IN)];
        let at_once = Timespec::default();
        match rustix::io::retry_on_intr(|| poll(&mut polled, Some(&at_once)))? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(()),
        }
    });
    match look {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        look => look.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use futures_lite::future::{poll_once, zip};
    use kamea::testing::block_on;
    use kamea::{Flow, Graph};

    use super::*;

    fn reading(input: impl Into<OwnedFd>) -> (Flow, kamea::Receiver<String>) {
        let mut input = Some(input.into());
        let mut graph = Graph::new("console");
        let reader = graph.add("reader", async move |io: &mut Source<String>| {
            read_lines(input.take().unwrap(), io).await
        });
        let lines = graph.take(reader.outbox);
        (graph.start().unwrap(), lines)
    }

    #[test]
    fn lines_come_as_soon_as_they_are_typed_and_then_the_end() {
        block_on(async {
            let (input, mut typed) = io::pipe().unwrap();
            let (flow, mut lines) = reading(input);
            let script = async move {
                typed.write_all(b"one\ntw").unwrap();
                assert_eq!(lines.next().await.unwrap(), "one");
                typed.write_all(b"o\r\n\nno end").unwrap();
                assert_eq!(lines.next().await.unwrap(), "two");
                assert_eq!(lines.next().await.unwrap(), "");
                drop(typed);
                assert_eq!(lines.next().await.unwrap(), "no end");
                assert!(lines.next().await.is_none());
            };
            zip(flow, script).await.0.unwrap();
        });
    }

    #[test]
    fn more_than_one_read_takes_comes_whole_from_a_pipe_and_from_a_file() {
        let text: String = (0..50_000)
            .map(|number| format!("line {number}\n"))
            .collect();
        assert!(text.len() > 4 * CHUNK);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        let (input, mut typed) = io::pipe().unwrap();
        let bytes = text.clone();
        let writer = std::thread::spawn(move || typed.write_all(bytes.as_bytes()).unwrap());
        for input in [OwnedFd::from(file), OwnedFd::from(input)] {
            block_on(async {
                let (flow, mut lines) = reading(input);
                let take = async {
                    for expected in text.lines() {
                        assert_eq!(lines.next().await.as_deref(), Some(expected));
                    }
                    assert!(lines.next().await.is_none());
                };
                zip(flow, take).await.0.unwrap();
            });
        }
        writer.join().unwrap();
    }

    #[test]
    fn it_ends_though_nobody_types_anything_and_takes_nothing_from_who_reads_next() {
        block_on(async {
            let (input, mut typed) = io::pipe().unwrap();
            let (mut flow, lines) = reading(input.try_clone().unwrap());
            assert!(poll_once(&mut flow).await.is_none(), "it waits");
            drop(lines);
            flow.await.unwrap();

            let (flow, mut lines) = reading(input);
            typed.write_all(b"for the second\n").unwrap();
            let script = async move {
                assert_eq!(lines.next().await.unwrap(), "for the second");
            };
            zip(flow, script).await.0.unwrap();
        });
    }

    #[test]
    fn what_cannot_be_read_is_a_fault_that_says_so() {
        let folder = std::fs::File::open("/").unwrap();
        let fault = block_on(reading(folder).0).unwrap_err().to_string();
        assert!(
            fault.contains("cannot read the standard input: Is a directory"),
            "{fault}"
        );
    }
}
