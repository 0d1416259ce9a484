//! A server and its clients, for the tests of the gateway.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use kamea::Scheduler;

use crate::server::{Listening, Site, WebServer};

/// A server that runs until it is dropped.
pub(super) struct Served {
    pub(super) address: SocketAddr,
    _listening: Listening,
    _scheduler: Scheduler,
}

pub(super) fn serve(configure: impl FnOnce(WebServer) -> WebServer) -> Served {
    let scheduler = Scheduler::with_workers(1);
    let server = configure(WebServer::new(Site::new(".")));
    let any = "127.0.0.1:0".parse().unwrap();
    let listening = server.run(&scheduler, &[any]).unwrap();
    Served {
        address: listening.addresses()[0],
        _listening: listening,
        _scheduler: scheduler,
    }
}

impl Served {
    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        let patience = Some(Duration::from_secs(10));
        stream.set_read_timeout(patience).unwrap();
        stream.set_write_timeout(patience).unwrap();
        stream
    }

    /// Sends these bytes; returns everything until the server closes, without dates.
    pub(super) fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).unwrap();
        let response = String::from_utf8_lossy(&response).into_owned();
        let lines = response.split_inclusive("\r\n");
        lines.filter(|line| !line.starts_with("Date: ")).collect()
    }
}

/// Reads until the received bytes end with this.
pub(super) fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let mut byte = [0];
        let count = stream.read(&mut byte).unwrap();
        assert_eq!(count, 1, "ended behind {}", String::from_utf8_lossy(&text));
        text.push(byte[0]);
    }
    String::from_utf8(text).unwrap()
}

/// Reports when it is dropped.
#[derive(Clone)]
pub(super) struct Tells(mpsc::Sender<()>);

pub(super) struct Told(mpsc::Receiver<()>);

pub(super) fn tells() -> (Tells, Told) {
    let (sender, receiver) = mpsc::channel();
    (Tells(sender), Told(receiver))
}

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

impl Told {
    /// Waits until a reporter has been dropped.
    pub(super) fn wait(&self) {
        self.0.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}
