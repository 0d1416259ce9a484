//! The attacks. Each has a thread and an address of its own, and opens its connections again when
//! the server has closed them.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with, sockopt};

use crate::end_to_end::server::PATIENCE;

/// How many connections an attack has at the same time, if it holds them.
const HELD: usize = 12;

/// Connections that are silent: more than the server has places for.
const SILENT: usize = 500;

/// The attackers, until they are stopped.
pub(super) struct Attackers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// What an attack knows.
struct Target {
    server: SocketAddr,
    /// The last byte of the attacker's address.
    address: u8,
    stop: Arc<AtomicBool>,
    /// Told when all connections are open for the first time.
    begun: Sender<()>,
}

type Attack = Box<dyn FnOnce(&Target) + Send>;

impl Attackers {
    /// Starts all attacks; returns once all have begun.
    pub(super) fn start(server: SocketAddr) -> Self {
        let (stop, (begun, begins)) = (Arc::new(AtomicBool::new(false)), mpsc::channel());
        let attacks = attacks().into_iter().zip(2..);
        let threads: Vec<_> = attacks
            .map(|(attack, address)| {
                let (stop, begun) = (stop.clone(), begun.clone());
                std::thread::spawn(move || {
                    attack(&Target {
                        server,
                        address,
                        stop,
                        begun,
                    });
                })
            })
            .collect();
        for _ in &threads {
            begins
                .recv_timeout(PATIENCE)
                .expect("an attack has not begun");
        }
        Self { stop, threads }
    }

    pub(super) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().unwrap();
        }
    }
}

fn attacks() -> Vec<Attack> {
    let slowly = Duration::from_millis(200);
    let post =
        |path: &str| format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: 99999\r\n\r\n");
    let chunked = |path: &str| {
        format!("POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
    };
    let extension = format!("1;{}\r\nx\r\n", "e".repeat(200));
    vec![
        trickle("GET / HTTP/1.1\r\nX: ".to_owned(), "a".to_owned(), slowly),
        trickle(post("/app/read"), "x".to_owned(), slowly),
        trickle(chunked("/app/read"), "1\r\nx\r\n".to_owned(), slowly),
        trickle(post("/cgi-bin/read"), "x".to_owned(), slowly),
        trickle(chunked("/cgi-bin/read"), "1\r\nx\r\n".to_owned(), slowly),
        trickle(String::new(), "\r\n".to_owned(), slowly),
        trickle(chunked("/app/read"), extension, Duration::from_millis(20)),
        // Readers that do not read.
        trickle(get("/large.bin"), String::new(), slowly),
        trickle(get("/app/big"), String::new(), slowly),
        trickle(get("/cgi-bin/big"), String::new(), slowly),
        Box::new(stay_silent),
        Box::new(pipeline_files),
        vanish(get("/app/slow"), Duration::from_millis(40)),
        vanish(get("/cgi-bin/slow"), Duration::from_millis(100)),
        ask_for_images(),
    ]
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

impl Target {
    /// A connection; `None` if the server has refused it.
    fn connect(&self) -> Option<TcpStream> {
        connect_from(self.server, self.address)
    }

    /// Waits; returns whether the attack goes on.
    fn goes_on(&self, pause: Duration) -> bool {
        let _ = self.begun.send(());
        sleep(pause);
        !self.stop.load(Ordering::Relaxed)
    }
}

/// Connects from an address of the machine, in non-blocking mode.
pub(super) fn connect_from(server: SocketAddr, address: u8) -> Option<TcpStream> {
    let from = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, address), 0);
    // Programs that other tests start must not have it.
    let stream = socket_with(
        AddressFamily::INET,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    );
    let stream = stream.ok()?;
    bind(&stream, &from).ok()?;
    connect(&stream, &server).ok()?;
    let stream = TcpStream::from(stream);
    stream.set_nonblocking(true).ok()?;
    Some(stream)
}

/// Sends `first`, and then `piece` again and again, over several connections.
fn trickle(first: String, piece: String, pause: Duration) -> Attack {
    Box::new(move |target| {
        let mut held: Vec<Option<TcpStream>> = (0..HELD).map(|_| None).collect();
        loop {
            for stream in &mut held {
                if stream.as_mut().is_none_or(|stream| !goes(stream, &piece)) {
                    *stream = target.connect();
                    let _ = stream.as_mut().map(|stream| goes(stream, &first));
                }
            }
            if !target.goes_on(pause) {
                return;
            }
        }
    })
}

/// Sends bytes; returns whether the connection is open, as far as that shows.
fn goes(stream: &mut TcpStream, piece: &str) -> bool {
    use std::io::ErrorKind::WouldBlock;
    match stream.write(piece.as_bytes()) {
        Err(error) if error.kind() != WouldBlock => return false,
        _ => {}
    }
    match stream.peek(&mut [0]) {
        Ok(count) => count > 0,
        Err(error) => error.kind() == WouldBlock,
    }
}

/// Opens connections without end, and sends nothing.
fn stay_silent(target: &Target) {
    let mut silent = VecDeque::new();
    let addresses = (100..104).cycle();
    for address in addresses {
        let target = Target {
            address,
            stop: target.stop.clone(),
            begun: target.begun.clone(),
            ..*target
        };
        silent.extend(target.connect());
        if silent.len() > SILENT {
            silent.pop_front();
            if !target.goes_on(Duration::from_millis(5)) {
                return;
            }
        }
    }
}

/// Asks for many large files at once, and reads slowly.
fn pipeline_files(target: &Target) {
    let requests = get("/large.bin").repeat(64);
    let mut held: Vec<Option<TcpStream>> = (0..4).map(|_| None).collect();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        for stream in &mut held {
            let is_open = stream.as_mut().is_some_and(|stream| {
                let read = stream.read(&mut buffer);
                !matches!(read, Ok(0))
            });
            if !is_open {
                *stream = target.connect();
                let _ = stream.as_mut().map(|stream| goes(stream, &requests));
            }
        }
        if !target.goes_on(Duration::from_millis(50)) {
            return;
        }
    }
}

/// Sends requests, and breaks their connections at once (RST).
fn vanish(request: String, pause: Duration) -> Attack {
    Box::new(move |target| {
        let mut last = VecDeque::new();
        loop {
            if let Some(mut stream) = target.connect() {
                goes(&mut stream, &request);
                sockopt::set_socket_linger(stream.as_fd(), Some(Duration::ZERO)).unwrap();
                last.push_back(stream);
            }
            // The request has arrived by the time at which the client leaves.
            if last.len() > 4 {
                last.pop_front();
            }
            if !target.goes_on(pause) {
                return;
            }
        }
    })
}

/// Asks for thumbnails of images that claim to be huge.
fn ask_for_images() -> Attack {
    Box::new(|target| {
        let mut paths = ["/bomb.webp?thumbnail", "/bomb.png?thumbnail"]
            .into_iter()
            .cycle();
        while target.goes_on(Duration::from_millis(20)) {
            let (Some(mut stream), Some(path)) = (target.connect(), paths.next()) else {
                continue;
            };
            goes(&mut stream, &get(path));
            let _ = stream.set_nonblocking(false);
            let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
            let _ = stream.read(&mut [0; 4096]);
        }
    })
}
