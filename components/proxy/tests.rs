//! The proxy between real sockets: backends of any behaviour on one side, clients on the other.

mod authorization;
mod backend;
mod circuit;
mod explained;
mod faults;
mod https;
mod interim;
mod limits;
mod passing;
mod preface;
mod recorded;
mod reload;
mod scripts;
mod simulated;
mod status;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use kamea::Scheduler;
use kamea_components::server::{Listening, Site, WebServer};

use crate::plan::{Backend, Block, Errors, Plan, Route};
use crate::{Proxy, serve_by_proxy};

/// Longer than anything takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A proxy that runs.
struct Running {
    proxy: Proxy,
    address: SocketAddr,
    _listening: Listening,
    scheduler: Scheduler,
}

fn run(plan: Plan) -> Running {
    run_with(plan, |server| server)
}

/// Runs a proxy in a web server that is configured further.
fn run_with(plan: Plan, configure: impl FnOnce(WebServer) -> WebServer) -> Running {
    let proxy = Proxy::new(plan);
    let scheduler = Scheduler::with_workers(1);
    let mut site = Site::new(".");
    site.limits.body = u64::MAX;
    let server = configure(serve_by_proxy(WebServer::new(site), &proxy));
    let listening = server
        .run(&scheduler, &[([127, 0, 0, 1], 0).into()])
        .unwrap();
    Running {
        proxy,
        address: listening.addresses()[0],
        _listening: listening,
        scheduler,
    }
}

/// Waits until something is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "it never comes about that {what}");
        std::thread::yield_now();
    }
}

/// A proxy in front of these backends, which it never ejects.
fn before(backends: &[SocketAddr]) -> Running {
    run(plan(route(backends)))
}

fn route(backends: &[SocketAddr]) -> Route {
    let backend = |address: &SocketAddr| Backend::parse(&format!("http://{address}")).unwrap();
    let mut route = Route::to(backends.iter().map(backend));
    route.ejection.failures = 0;
    route
}

fn plan(route: Route) -> Plan {
    let mut plan = Plan::new([Block::new(["default".parse().unwrap()], [route])]);
    plan.errors = Errors::Standard;
    plan
}

impl Running {
    fn connect(&self) -> TcpStream {
        let client = TcpStream::connect(self.address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client
    }

    /// Sends a request, and reads until the connection ends.
    fn ask(&self, request: &str) -> String {
        let mut client = self.connect();
        client.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        // A reset ends the answer too.
        let _ = client.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self) -> String {
        self.ask("GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    }
}

/// Reads a head from a stream, with the empty line.
fn read_head(stream: &mut impl Read) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return None,
        }
    }
    Some(String::from_utf8(head).unwrap())
}
