//! The circuit breaker in a simulated world: backends that fail for a while, and one client that
//! asks again and again.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::{now, sleep};
use kamea::{Done, Graph, Simulation, random, spawn};
use kamea_components::chassis::NoPorts;
use kamea_components::net::{Accepted, Socket};
use kamea_components::server::{Site, WebServer};
use kamea_components::simulated::Network;
use tokio::sync::watch;

use super::message::Reader;
use super::{plan, route, seeds, world};
use crate::backends::Connector;
use crate::plan::CircuitBreaker;
use crate::{Proxy, serve_by_proxy};

/// Times since the start, each with a status.
type Events = Arc<Mutex<Vec<(Duration, u16)>>>;

const SECOND: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_secs(3);
const LEAST: usize = 5;
/// How long the client asks.
const WHOLE: Duration = Duration::from_secs(45);
/// More than any message takes on the way.
const WAY: Duration = Duration::from_millis(500);

#[test]
fn a_circuit_breaker_spares_backends_that_fail_and_finds_that_they_are_well() {
    // Each of these worlds has ten times the requests of one of the others.
    Simulation::seeds(0..seeds().end / 10).check(run);
}

fn run(mut simulation: Simulation) -> Result<(), Box<dyn Error>> {
    let (inside, outside) = (Network::new(world::good), Network::new(world::good));
    let (over, _) = watch::channel(false);
    let (asked, answered) = (Events::default(), Events::default());
    let addresses: Vec<_> = (1..=random::usize(1..=3))
        .map(|number| SocketAddr::from(([192, 0, 2, number as u8], 80)))
        .collect();
    // They fail together, as when the database behind them is gone.
    let well_at = 5 * SECOND + random::duration(15 * SECOND);
    for &address in &addresses {
        let (network, asked, over) = (inside.clone(), asked.clone(), over.subscribe());
        simulation = simulation.beside("backend", async move || {
            serve(network, address, well_at, asked, over).await;
        });
    }
    let mut route = route(&addresses);
    route.retries.most = 0;
    route.circuit_breaker = Some(CircuitBreaker {
        errors_percent: 50,
        window: 10 * SECOND,
        requests: LEAST as u32,
        pause: PAUSE,
        trials: 2,
    });
    let connector = Connector::by(move |address| {
        let network = inside.clone();
        async move { network.connect(address).await }
    });
    let proxy = Proxy::over(plan(route), connector);
    let server = serve_by_proxy(WebServer::new(Site::new(".")), &proxy);
    let address = "198.51.100.99:80".parse()?;
    let server = server.over(outside.accept(address))?;
    let seen = answered.clone();
    simulation = simulation.beside("client", async move || {
        ask(&outside, address, &seen).await;
        over.send_replace(true);
    });
    let report = simulation.time_out(Duration::from_secs(3600)).run(server)?;
    assert!(report.faults().is_empty(), "{:?}", report.faults());
    let circuit = proxy.status()[0].circuit.clone().unwrap();
    assert_eq!(circuit.state, "closed", "{circuit:?}");
    assert!(circuit.opened >= 1, "{circuit:?}");
    check(&asked.lock().unwrap(), &answered.lock().unwrap(), well_at);
    Ok(())
}

/// Checks what the backends got, and what the client got.
fn check(asked: &[(Duration, u16)], answered: &[(Duration, u16)], well_at: Duration) {
    let failed: Vec<_> = asked.iter().filter(|(_, status)| *status == 500).collect();
    // Those that open the circuit, and then one trial after each pause.
    let most = LEAST + (well_at.as_secs() / PAUSE.as_secs()) as usize + 2;
    assert!(failed.len() >= LEAST && failed.len() <= most, "{failed:?}");
    for pair in failed[LEAST - 1..].windows(2) {
        let gap = pair[1].0 - pair[0].0;
        assert!(gap + WAY >= PAUSE, "a pause of {gap:?}: {failed:?}");
    }
    assert!(
        answered
            .iter()
            .all(|(_, status)| [200, 500, 503].contains(status))
    );
    assert!(answered.iter().any(|(_, status)| *status == 503));
    // One pause after they are well, and the trials.
    let late = answered
        .iter()
        .filter(|(at, _)| *at > well_at + PAUSE + 2 * SECOND);
    let late: Vec<_> = late.collect();
    assert!(
        late.len() > 20 && late.iter().all(|(_, status)| *status == 200),
        "{late:?}"
    );
}

/// Asks four times a second, each time on a new connection.
async fn ask(network: &Network, address: SocketAddr, seen: &Events) {
    let began = now();
    while now() - began < WHOLE {
        let socket = network.connect(address).await.unwrap();
        let mut reader = Reader::new(socket);
        reader
            .write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await;
        let head = reader.until(b"\r\n\r\n").await.expect("an answer");
        let status = head["HTTP/1.1 ".len()..][..3].parse().unwrap();
        assert_eq!(status == 503, head.contains("Retry-After: "), "{head}");
        seen.lock().unwrap().push((now() - began, status));
        sleep(Duration::from_millis(250)).await;
    }
}

async fn serve(
    network: Network,
    address: SocketAddr,
    well_at: Duration,
    asked: Events,
    mut over: watch::Receiver<bool>,
) {
    let began = now();
    let mut graph = Graph::new("listener");
    let accept = graph.add("accept", network.accept(address));
    let mut accepted = graph.take(accept.outbox);
    spawn(graph.start().unwrap());
    let accepting = async {
        while let Some(connection) = accepted.next().await {
            let asked = asked.clone();
            let mut connection = Some(connection);
            let mut graph = Graph::new("connection of a backend");
            graph.add("serve", async move |_: &mut NoPorts| -> Done {
                if let Some(connection) = connection.take() {
                    answer(connection, began, well_at, &asked).await;
                }
                Ok(())
            });
            spawn(graph.start().unwrap());
        }
    };
    let ends = async {
        let _ = over.wait_for(|is_over| *is_over).await;
    };
    or(ends, accepting).await;
}

async fn answer(
    connection: Accepted,
    began: std::time::Instant,
    well_at: Duration,
    asked: &Events,
) {
    let mut reader = Reader::new(Socket::new(connection));
    while reader.until(b"\r\n\r\n").await.is_some() {
        let at = now() - began;
        let (status, reason) = match at < well_at {
            true => (500, "Internal Server Error"),
            false => (200, "OK"),
        };
        asked.lock().unwrap().push((at, status));
        let answer = format!("HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\n\r\n");
        if !reader.write(answer.as_bytes()).await {
            return;
        }
    }
}
