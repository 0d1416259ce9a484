//! A network of two halves: what goes from one to the other passes relays, and the test can cut
//! them. The answers of the tracker name the relays to the other half.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Passes bytes to the tracker, and keeps a copy of all of them.
pub(crate) struct Wire {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    pub(crate) fn to(tracker: SocketAddr) -> Self {
        Self::naming(tracker, Vec::new())
    }

    /// Names a relay in the place of the port of a peer: pairs of both.
    pub(crate) fn naming(tracker: SocketAddr, relays: Vec<(u16, u16)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let copy = seen.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(tracker)) else {
                    continue;
                };
                let (copy, relays) = (copy.clone(), relays.clone());
                pass_both(&client, &server, move |bytes| {
                    copy.lock().unwrap().extend_from_slice(bytes);
                    rename(bytes, &relays);
                });
            }
        });
        Self { address, seen }
    }

    pub(crate) fn has_seen(&self, text: &str) -> bool {
        let seen = self.seen.lock().unwrap();
        seen.windows(text.len())
            .any(|bytes| bytes == text.as_bytes())
    }
}

/// Replaces ports in addresses. All have five digits, so lengths stay the same.
fn rename(bytes: &mut [u8], relays: &[(u16, u16)]) {
    for (port, relay) in relays {
        let (port, relay) = (format!(":{port}\""), format!(":{relay}\""));
        assert_eq!(port.len(), relay.len());
        for start in 0..bytes.len().saturating_sub(port.len() - 1) {
            let found = &mut bytes[start..start + port.len()];
            if *found == *port.as_bytes() {
                found.copy_from_slice(relay.as_bytes());
            }
        }
    }
}

/// Passes the connections to one peer on, until it is cut.
#[derive(Clone)]
pub(crate) struct Relay(Arc<Mutex<Passing>>);

struct Passing {
    is_open: bool,
    streams: Vec<TcpStream>,
}

impl Relay {
    pub(crate) fn start(at: u16, to: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", at)).unwrap();
        let passing = Passing {
            is_open: true,
            streams: Vec::new(),
        };
        let relay = Self(Arc::new(Mutex::new(passing)));
        let own = relay.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut passing = own.0.lock().unwrap();
                // One that is not passed on is closed at once.
                let target = passing
                    .is_open
                    .then(|| TcpStream::connect(("127.0.0.1", to)));
                if let (Ok(client), Some(Ok(server))) = (client, target) {
                    pass_both(&client, &server, |_| {});
                    passing.streams.extend([client, server]);
                }
            }
        });
        relay
    }

    /// Ends all connections, and refuses others.
    pub(crate) fn cut(&self) {
        let mut passing = self.0.lock().unwrap();
        passing.is_open = false;
        for stream in passing.streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(crate) fn heal(&self) {
        self.0.lock().unwrap().is_open = true;
    }
}

/// Passes bytes on in both directions.
fn pass_both(
    client: &TcpStream,
    server: &TcpStream,
    change: impl Fn(&mut [u8]) + Clone + Send + 'static,
) {
    for (from, to) in [(client, server), (server, client)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        let change = change.clone();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = from.read(&mut buffer) {
                change(&mut buffer[..count]);
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}
