//! The server under many seeds.

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kamea::time::sleep;
use kamea::{Report, Simulation, link, random};
use kamea_components::server::{Site, WebServer};
use kamea_components::simulated::{Conditions, Network};

use crate::client::{Behaviour, Seen, check, converse};
use crate::exchange::Exchange;
use crate::handler::answer_in_any_order;

/// What happened in a simulation.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) report: Report,
    /// Whether connections may have been lost.
    is_lossy: bool,
    /// Whether the server was stopped at some time.
    is_stopped: bool,
    /// Whether a client that has sent everything still gets all its responses.
    half_close: bool,
    /// Whether there may be fewer connections than clients.
    is_narrow: bool,
    /// How many exchanges were logged, if there is a log.
    logged: Option<usize>,
    pub(crate) clients: Vec<Client>,
}

impl Outcome {
    /// Whether this client counts as gone once it has sent everything, and what was being made for
    /// it was cancelled. The stand-in for files is never cancelled.
    fn may_cancel(&self, client: &Client) -> bool {
        let is_post = |exchange: &Exchange| exchange.request.starts_with(b"POST");
        !self.half_close
            && client.behaviour == Behaviour::HalfClosing
            && client.exchanges.iter().any(is_post)
    }
}

/// A client: its requests and what it received.
#[derive(Debug, PartialEq)]
pub(crate) struct Client {
    behaviour: Behaviour,
    exchanges: Vec<Exchange>,
    seen: Seen,
}

/// Runs a server and some clients until everything has ended. The caller sets the probability that
/// the server is stopped meanwhile.
fn serve(mut simulation: Simulation, stop: f64) -> Result<Outcome, Box<dyn Error>> {
    let is_lossy = random::chance(0.3);
    let network = Network::new(move || match is_lossy {
        true => Conditions::drawn().and_lost(),
        false => Conditions::drawn(),
    });
    let address = "192.0.2.1:80".parse()?;
    let mut site = Site::new(".");
    let half_close = random::chance(0.5);
    site.half_close = half_close;
    // Networks are slow here, also below the minimum rate, which has tests of its own.
    site.patience.rate = 0;
    let is_narrow = random::chance(0.1);
    if is_narrow {
        site.connections = 1;
    }
    let mut server = WebServer::new(site)
        .files(answer_in_any_order)
        .method("POST", answer_in_any_order)?;
    let logged = random::chance(0.3).then(|| Arc::new(AtomicUsize::new(0)));
    if let Some(logged) = logged.clone() {
        let (log, mut entries) = link(1 + random::usize(..4));
        server = server.records(log);
        simulation = simulation.beside("log", async move || {
            while entries.next().await.is_some() {
                logged.fetch_add(1, Ordering::Relaxed);
                sleep(random::duration(Duration::from_millis(10))).await;
            }
        });
    }
    let server = server.over(network.accept(address))?;
    let clients = Arc::new(Mutex::new(Vec::new()));
    for index in 0..1 + random::usize(..3) {
        let behaviour = match random::chance(0.6) {
            true => Behaviour::Patient,
            false => Behaviour::ALL[random::usize(..Behaviour::ALL.len())],
        };
        let exchanges = Exchange::draw_some(index);
        let (network, clients) = (network.clone(), clients.clone());
        simulation = simulation.beside("client", async move || {
            let seen = converse(network, address, behaviour, &exchanges).await;
            clients.lock().unwrap().push(Client {
                behaviour,
                exchanges,
                seen,
            });
        });
    }
    // The acceptor ends once no possible client is left.
    drop(network);
    let is_stopped = random::chance(stop);
    if is_stopped {
        simulation = simulation.stop_after(random::duration(Duration::from_secs(4)));
    }
    let report = simulation.time_out(Duration::from_secs(3600)).run(server)?;
    let clients = std::mem::take(&mut *clients.lock().unwrap());
    Ok(Outcome {
        report,
        is_lossy,
        is_stopped,
        half_close,
        is_narrow,
        logged: logged.map(|logged| logged.load(Ordering::Relaxed)),
        clients,
    })
}

/// Every request is answered exactly once and in order, or its connection is closed; it is not
/// closed without a reason.
fn check_outcome(outcome: &Outcome) {
    assert!(
        outcome.report.faults().is_empty(),
        "{:?}",
        outcome.report.faults()
    );
    let mut whole = 0;
    for client in &outcome.clients {
        let may_cancel = outcome.may_cancel(client);
        let answers = check(&client.seen, &client.exchanges, may_cancel);
        whole += answers.whole;
        assert!(outcome.is_narrow || !answers.is_refused, "{client:?}");
        // Where there is one place, an idle connection makes room for another client.
        let may_be_displaced = outcome.is_narrow && outcome.clients.len() > 1;
        if !client.behaviour.is_good() || outcome.is_lossy || may_cancel || may_be_displaced {
            continue;
        }
        assert!(!answers.is_cut, "a response was cut: {client:?}");
        if !outcome.is_stopped && !answers.is_refused {
            assert_eq!(answers.whole, client.exchanges.len(), "{client:?}");
            assert_eq!(client.seen.end, Some(Ok(())), "{client:?}");
        }
    }
    assert!(
        outcome.logged.is_none_or(|logged| logged >= whole),
        "{whole} answers, {:?} records",
        outcome.logged
    );
}

pub(crate) fn serve_and_check(simulation: Simulation) -> Result<(), Box<dyn Error>> {
    check_outcome(&serve(simulation, 0.1)?);
    Ok(())
}

pub(crate) fn serve_stop_and_check(simulation: Simulation) -> Result<(), Box<dyn Error>> {
    check_outcome(&serve(simulation, 1.0)?);
    Ok(())
}

#[test]
fn every_request_is_answered_once_and_in_order_or_its_connection_is_closed() {
    Simulation::seeds(0..10_000).check(serve_and_check);
}

/// "To avoid the TCP reset problem, servers typically close a connection in stages" (RFC 9112
/// section 9.6).
#[test]
fn a_stop_loses_no_response_that_was_on_its_way() {
    Simulation::seeds(0..2_000).check(serve_stop_and_check);
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let run = |seed| {
        let outcome = Mutex::new(None);
        Simulation::seeds(seed..seed + 1).check(|simulation| {
            *outcome.lock().unwrap() = Some(serve(simulation.traced(), 0.1)?);
            Ok::<_, Box<dyn Error>>(())
        });
        outcome.into_inner().unwrap().unwrap()
    };
    for seed in 0..50 {
        let (first, second) = (run(seed), run(seed));
        assert!(
            first.report.trace() == second.report.trace(),
            "the traces of seed {seed} differ"
        );
        assert_eq!(first.clients, second.clients);
    }
}
