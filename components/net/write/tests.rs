//! The writer over a stream that records each call.

use std::fs::File;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use kamea::Graph;
use kamea::testing::block_on;

use super::*;
use crate::net::{Accepted, ByteStream, Transport};

const PACE: WritePace = WritePace {
    stall: Duration::from_secs(10),
    rate: 500,
};

/// Accepts up to `most` bytes a call, and records them.
#[derive(Debug, Clone)]
struct Noting {
    most: usize,
    calls: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Noting {
    fn take(&self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.most);
        self.calls.lock().unwrap().push(bytes[..count].to_vec());
        Ok(count)
    }
}

impl ByteStream for Noting {
    fn local(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], 1))
    }

    fn read(&self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn poll_readable(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }

    fn has_input(&self) -> bool {
        false
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.take(bytes)
    }

    fn write_vectored(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        self.take(
            &slices
                .iter()
                .flat_map(|slice| slice.iter().copied())
                .collect::<Vec<_>>(),
        )
    }

    fn send_file(&self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        let mut bytes = vec![0; count.min(self.most)];
        let read = file.read_at(&mut bytes, offset)?;
        if read == 0 {
            Ok(0)
        } else {
            self.take(&bytes[..read])
        }
    }

    fn poll_writable(&self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn shut_down_writing(&self) {}
}

/// Returns the calls, the reported bytes, and how the connection ended, for pieces that are all
/// ready before the writer starts.
fn written(pieces: Vec<Output>, most: usize) -> (Vec<Vec<u8>>, u64, Option<Finish>) {
    let calls = Arc::default();
    let stream = Noting { most, calls };
    let noted = stream.clone();
    let mut graph = Graph::template("writing");
    let pieces = Mutex::new(Some(pieces));
    let (report, mut reports) = kamea::link(100);
    let driver = graph.add_seeded("driver", move |_: &mut Rc<Socket>| {
        let pieces = pieces.lock().unwrap().take().unwrap_or_default();
        let mut pieces = Some(pieces);
        async move |io: &mut kamea::Source<Output>| {
            for piece in pieces.take().unwrap_or_default() {
                io.outbox.send(piece).await?;
            }
            Ok(())
        }
    });
    let writer = graph.add_seeded("writer", |socket: &mut Rc<Socket>| {
        write_bytes(socket.clone(), PACE)
    });
    let collector = graph.add_seeded("collector", move |_: &mut Rc<Socket>| {
        let report = report.clone();
        async move |io: &mut kamea::Sink<u64>| {
            while let Some(count) = io.inbox.next().await {
                report.send(count).await?;
            }
            Ok(())
        }
    });
    graph.link(driver.outbox, writer.pieces).capacity(100);
    graph.link(writer.sent, collector.inbox);
    let template = graph.into_template().unwrap();
    let socket = socket(stream);
    block_on(template.start(socket.clone())).unwrap();
    let sent = std::iter::from_fn(|| reports.try_next()).sum();
    let calls = noted.calls.lock().unwrap().clone();
    (calls, sent, socket.finished())
}

fn buffer(text: &str) -> Output {
    let mut buffer = Buffer::new();
    buffer.extend_from_slice(text.as_bytes());
    Output::Buffer(buffer)
}

fn bytes(text: &'static str) -> Output {
    Output::Bytes(text.into())
}

fn file(text: &str, length: u64) -> Output {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Output::File(FileSlice {
        file: Arc::new(file.into()),
        offset: 1,
        length,
    })
}

#[test]
fn all_that_is_ready_goes_out_in_one_call() {
    let pieces = vec![buffer("head "), bytes("body"), buffer(" tail")];
    let (calls, sent, finish) = written(pieces, usize::MAX);
    assert_eq!(calls, [b"head body tail"]);
    assert_eq!((sent, finish), (4, None), "buffers are not reported");
    let many = (0..3 * GATHERED).map(|_| buffer("x")).collect();
    assert_eq!(written(many, usize::MAX).0.len(), 3);
}

#[test]
fn however_little_a_call_takes_all_arrives_in_order_and_is_counted() {
    for most in [1, 2, 3, 7, 1000] {
        let pieces = vec![
            buffer("one"),
            bytes("four"),
            buffer(""),
            buffer("five!"),
            file("-file-", 4),
            bytes("six"),
            Output::Finish(Finish::Linger),
            buffer("never"),
        ];
        let (calls, sent, finish) = written(pieces, most);
        assert_eq!(calls.concat(), b"onefourfive!filesix", "{most}");
        assert_eq!((sent, finish), (11, Some(Finish::Linger)), "{most}");
    }
}

#[test]
fn a_file_that_has_become_shorter_cuts_the_connection() {
    let (calls, sent, finish) = written(vec![file("-file", 9), buffer("never")], usize::MAX);
    assert_eq!(calls.concat(), b"file");
    assert_eq!((sent, finish), (4, Some(Finish::Cut)));
}

#[test]
fn reports_that_nobody_takes_hold_nothing_up_and_are_made_up_for() {
    let mut graph = Graph::template("writing");
    let driver = graph.add_seeded("driver", |_: &mut Rc<Socket>| {
        async |io: &mut DriverPorts| {
            for _ in 0..100 {
                io.pieces.send(bytes("1234567")).await?;
                // The writer writes it before another piece arrives.
                yield_now().await;
            }
            let mut sent = 0;
            while sent < 700 {
                sent += io.sent.next().await.unwrap();
            }
            Ok(())
        }
    });
    let writer = graph.add_seeded("writer", |socket: &mut Rc<Socket>| {
        write_bytes(socket.clone(), PACE)
    });
    graph.link(driver.pieces, writer.pieces).capacity(1);
    graph.feedback(writer.sent, driver.sent).capacity(1);
    let template = graph.into_template().unwrap();
    let stream = Noting {
        most: 5,
        calls: Arc::default(),
    };
    block_on(template.start(socket(stream))).unwrap();
}

#[derive(Debug, Ports)]
struct DriverPorts {
    sent: Inbox<u64>,
    pieces: Outbox<Output>,
}

fn socket(stream: Noting) -> Rc<Socket> {
    Rc::new(Socket::new(Accepted {
        peer: SocketAddr::from(([127, 0, 0, 1], 2)),
        stream: Transport::Other(Box::new(stream)),
    }))
}

/// A peer that takes a few bytes now and then has no more time than one that takes none.
#[test]
fn a_peer_that_reads_too_slowly_has_an_end() {
    let stall = Duration::from_millis(300);
    for (rate, count, ends) in [(1000, 1, true), (1000, 500, false), (0, 1, false)] {
        let mut progress = Progress::new(WritePace { stall, rate });
        let taken = block_on(async {
            for round in 0..30 {
                let write = async {
                    kamea::time::sleep(Duration::from_millis(25)).await;
                    Ok(count)
                };
                if let Err(error) = progress.of(write).await {
                    assert_eq!(error.to_string(), "the peer reads too slowly");
                    return round;
                }
            }
            30
        });
        // Fewer rounds on a busy machine.
        assert_eq!(taken < 20, ends, "{rate} {count}: {taken}");
        assert!(!ends || taken > 0);
    }
}
