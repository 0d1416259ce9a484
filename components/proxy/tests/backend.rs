//! Backends that do what a test says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::{PATIENCE, read_head};

/// What a backend does next on a connection.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Reads the head of a request, and its body if it says its length.
    Read,
    /// Reads only the head.
    ReadHead,
    Write(&'static str),
    /// Writes each byte by itself.
    Trickle(&'static str),
    /// Repeats a text this often.
    Repeat(&'static str, usize),
    /// Says nothing until the other side has closed the connection.
    Hang,
    /// Resets the connection.
    Reset,
    /// Closes its sending side, and waits for the other.
    Finish,
}

/// A backend whose connections follow a script: the first one the first script, and so on; the
/// last script is repeated.
pub(super) struct Scripted {
    pub(super) address: SocketAddr,
    /// The heads and bodies of all requests.
    requests: Arc<Mutex<Vec<String>>>,
    connections: Receiver<()>,
}

impl Scripted {
    pub(super) fn new(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (accepted, connections) = channel();
        let heard = requests.clone();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(stream) = stream else { break };
                let script = scripts[number.min(scripts.len() - 1)].clone();
                let heard = heard.clone();
                thread::spawn(move || follow(stream, &script, &heard));
                if accepted.send(()).is_err() {
                    break;
                }
            }
        });
        Self {
            address,
            requests,
            connections,
        }
    }

    /// Answers every request of every connection like this.
    pub(super) fn always(answer: &'static str) -> Self {
        let once = [Step::Read, Step::Write(answer)];
        Self::new(vec![once.into_iter().cycle().take(2000).collect()])
    }

    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How many connections there were.
    pub(super) fn connections(&self) -> usize {
        self.connections.try_iter().count()
    }
}

fn follow(mut stream: TcpStream, script: &[Step], heard: &Mutex<Vec<String>>) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    for step in script {
        // The proxy may have gone, as the test expects.
        let done = match step {
            Step::Read => read_request(&mut stream, true, heard),
            Step::ReadHead => read_request(&mut stream, false, heard),
            Step::Write(text) => stream.write_all(text.as_bytes()).is_ok(),
            Step::Trickle(text) => text.bytes().all(|byte| {
                thread::sleep(Duration::from_millis(1));
                stream.write_all(&[byte]).is_ok()
            }),
            Step::Repeat(text, times) => {
                (0..*times).all(|_| stream.write_all(text.as_bytes()).is_ok())
            }
            Step::Hang => stream.read_to_end(&mut Vec::new()).is_err(),
            Step::Reset => {
                let linger = Some(Duration::ZERO);
                rustix::net::sockopt::set_socket_linger(&stream, linger).unwrap();
                false
            }
            Step::Finish => {
                let _ = stream.shutdown(std::net::Shutdown::Write);
                let _ = stream.read_to_end(&mut Vec::new());
                false
            }
        };
        if !done {
            break;
        }
    }
}

fn read_request(stream: &mut TcpStream, with_body: bool, heard: &Mutex<Vec<String>>) -> bool {
    let Some(mut request) = read_head(stream) else {
        return false;
    };
    if with_body {
        request += &read_body(stream, &request.to_lowercase());
    }
    heard.lock().unwrap().push(request);
    true
}

fn read_body(stream: &mut TcpStream, head: &str) -> String {
    let mut body = Vec::new();
    if let Some((_, rest)) = head.split_once("content-length: ") {
        let length = rest.split("\r\n").next().unwrap().parse().unwrap();
        body.resize(length, 0);
        let _ = stream.read_exact(&mut body);
    } else if head.contains("transfer-encoding: chunked") {
        let mut byte = [0];
        while !body.ends_with(b"0\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
            body.push(byte[0]);
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}
