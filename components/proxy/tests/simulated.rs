//! The proxy in a simulated world: clients that pipeline and leave, backends that die, stall,
//! answer half, lie about lengths, and close idle connections at any moment.
//!
//! ```text
//!  clients ──network──▶ proxy ──network──▶ backends
//!     └───────────── World: what was asked, and what became of it ──┘
//! ```

mod backend;
mod circuit;
mod client;
mod message;
mod world;

use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kamea::time::sleep;
use kamea::{Sender, Simulation, link, random};
use kamea_components::server::{Site, WebServer};
use kamea_components::simulated::{Conditions, Network};

use super::{plan, route};
use crate::backends::Connector;
use crate::plan::Route;
use crate::{Proxy, serve_by_proxy};
use client::{Answers, Behaviour, converse};
use message::Asked;
use world::{Client, RECOVERED, World};

/// How many seeds: a few hundred in each run of the tests, 10,000 by `make forwards`.
fn seeds() -> std::ops::Range<u64> {
    0..std::env::var("KAMEA_FORWARDS").map_or(300, |count| count.parse().unwrap())
}

/// The limits of the routes here: shorter than what backends take to answer, and what clients wait.
const LIMIT: Duration = Duration::from_secs(2);

/// Longer than any pause of an ejected backend.
const RECOVERY: Duration = Duration::from_secs(100);

#[test]
fn each_request_is_answered_once_or_fails_with_the_right_status() {
    Simulation::seeds(seeds()).check(|simulation| run(simulation, World::draw()));
}

/// Backends that only close idle connections at any moment: no client notices.
#[test]
fn idle_connections_that_end_are_never_the_problem_of_a_client() {
    Simulation::seeds(seeds()).check(|simulation| run(simulation, World::draw_calm()));
}

fn run(mut simulation: Simulation, world: World) -> Result<(), Box<dyn Error>> {
    let world = Arc::new(world);
    let (inside, outside) = (world.network(), Network::new(world::good));
    let addresses = (1..=world.backends).map(|number| SocketAddr::from(([192, 0, 2, number], 80)));
    let addresses: Vec<_> = addresses.collect();
    for (index, &address) in addresses.iter().enumerate() {
        let (network, world) = (inside.clone(), world.clone());
        simulation = simulation.beside(&format!("backend {index}"), async move || {
            backend::live(network, address, index, world).await;
        });
    }
    let route = draw_route(&addresses, &world);
    let connector = Connector::by(move |address| {
        let network = inside.clone();
        async move { network.connect(address).await }
    });
    let proxy = Proxy::over(plan(route.clone()), connector);
    let groups = Arc::new(Mutex::new(proxy.groups()));
    let mut site = Site::new(".");
    site.limits.body = u64::MAX;
    let server = serve_by_proxy(WebServer::new(site), &proxy);
    let address = "198.51.100.99:80".parse()?;
    let server = server.over(outside.accept(address))?;
    let (gate, open) = link::<()>(1);
    for number in 0..random::u64(1..6) {
        simulation = start_client(simulation, number, &outside, address, &world, &gate);
    }
    drop(gate);
    if random::chance(0.2) {
        let (proxy, groups, mut route) = (proxy.clone(), groups.clone(), route);
        simulation = simulation.beside("reload", async move || {
            sleep(random::duration(Duration::from_secs(3))).await;
            route.keep_idle = random::usize(..3);
            proxy.reload(plan(route));
            groups.lock().unwrap().extend(proxy.groups());
        });
    }
    drop(proxy);
    if world.is_stopped {
        simulation = simulation.stop_after(random::duration(Duration::from_secs(4)));
    }
    let last = world.clone();
    simulation = simulation.beside("end", async move || end(outside, address, last, open).await);
    let report = simulation.time_out(Duration::from_secs(3600)).run(server)?;
    assert!(report.faults().is_empty(), "{:?}", report.faults());
    world.check(&groups.lock().unwrap());
    Ok(())
}

fn draw_route(addresses: &[SocketAddr], world: &World) -> Route {
    let mut route = route(addresses);
    (route.timeouts.connect, route.timeouts.send) = (LIMIT, LIMIT);
    route.timeouts.first_byte = LIMIT;
    route.ejection.failures = world.ejection;
    route.ejection.pause = Duration::from_secs(1);
    route.ejection.longest = Duration::from_secs(20);
    route.keep_idle = random::usize(..4);
    route.idle_time = Duration::from_secs(1) + random::duration(Duration::from_secs(60));
    for backend in &mut route.backends {
        backend.most_connections = world.most_connections;
    }
    route.queue.most = random::usize(..4);
    route
}

/// A client with a few requests. It holds `gate` until it has ended.
fn start_client(
    simulation: Simulation,
    number: u64,
    network: &Network,
    address: SocketAddr,
    world: &Arc<World>,
    gate: &Sender<()>,
) -> Simulation {
    let (network, world, gate) = (network.clone(), world.clone(), gate.clone());
    let behaviour = Behaviour::draw();
    let count = random::u64(1..6);
    let requests: Vec<_> = (0..count).map(|i| Asked::draw(10 * number + i)).collect();
    for request in &requests {
        world.ask(request.clone());
    }
    simulation.beside("client", async move || {
        sleep(random::duration(Duration::from_secs(3))).await;
        let answers = converse(network, address, behaviour, &requests).await;
        world.note(Client {
            behaviour,
            requests,
            answers,
        });
        drop(gate);
    })
}

/// When all clients have ended and all backends are well: each backend gets requests again, and
/// each request is answered.
async fn end(
    network: Network,
    address: SocketAddr,
    world: Arc<World>,
    mut clients: kamea::Receiver<()>,
) {
    assert_eq!(clients.next().await, None);
    world.heal();
    sleep(RECOVERY).await;
    let count = RECOVERED as u64 * u64::from(world.backends);
    let requests: Vec<_> = (1000..1000 + count).map(Asked::get).collect();
    for request in &requests {
        world.ask(request.clone());
    }
    let answers = converse(network, address, Behaviour::Sequential, &requests).await;
    world.check_recovery(&requests, &answers);
    world.end();
}
