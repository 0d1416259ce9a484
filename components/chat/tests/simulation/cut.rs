//! A connection that can be cut, like a cable: from then on nothing arrives, and nobody says so.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use kamea_components::net::{Accepted, ByteStream, Transport};

/// Which peers cannot reach each other: pairs of their numbers, the lower one first.
#[derive(Debug, Clone, Default)]
pub(super) struct Cuts(Arc<Mutex<BTreeSet<(usize, usize)>>>);

impl Cuts {
    pub(super) fn cut(&self, one: usize, two: usize) {
        self.0.lock().unwrap().insert((one.min(two), one.max(two)));
    }

    pub(super) fn heal(&self) {
        self.0.lock().unwrap().clear();
    }

    pub(super) fn is_cut(&self, one: usize, two: usize) -> bool {
        let cuts = self.0.lock().unwrap();
        cuts.contains(&(one.min(two), one.max(two)))
    }

    /// A connection that is cut with this pair.
    pub(super) fn guard(&self, accepted: Accepted, one: usize, two: usize) -> Accepted {
        let Transport::Other(stream) = accepted.stream else {
            unreachable!("the network is simulated");
        };
        let stream = CutStream {
            stream,
            cuts: self.clone(),
            pair: (one, two),
        };
        Accepted {
            stream: Transport::Other(Box::new(stream)),
            peer: accepted.peer,
        }
    }
}

#[derive(Debug)]
struct CutStream {
    stream: Box<dyn ByteStream>,
    cuts: Cuts,
    pair: (usize, usize),
}

impl CutStream {
    fn is_cut(&self) -> bool {
        self.cuts.is_cut(self.pair.0, self.pair.1)
    }
}

/// Only the end that has connected is guarded: what it does not read or write is lost for both.
impl ByteStream for CutStream {
    fn local(&self) -> SocketAddr {
        self.stream.local()
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.is_cut() {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => self.stream.read(buffer),
        }
    }

    fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.is_cut() {
            true => Poll::Pending,
            false => self.stream.poll_readable(cx),
        }
    }

    fn has_input(&self) -> bool {
        !self.is_cut() && self.stream.has_input()
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.is_cut() {
            // The system takes the bytes, and they never arrive.
            true => Ok(bytes.len()),
            false => self.stream.write(bytes),
        }
    }

    fn send_file(&self, file: &File, offset: u64, count: usize) -> io::Result<usize> {
        self.stream.send_file(file, offset, count)
    }

    fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<()> {
        match self.is_cut() {
            true => Poll::Ready(()),
            false => self.stream.poll_writable(cx),
        }
    }

    fn shut_down_writing(&self) {
        if !self.is_cut() {
            self.stream.shut_down_writing();
        }
    }
}
