//! TLS around a protocol under many seeds: connections that fragment at every byte, are slow, or are
//! lost.

use std::error::Error;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use futures_lite::future::{or, zip};
use kamea::time::sleep;
use kamea::{Simulation, pipeline, random};
use kamea_components::chassis::inactivity_timeout;
use kamea_components::net::{Socket, serve_connections};
use kamea_components::simulated::{Conditions, Network};
use kamea_components::stream::echo;
use kamea_components::tls::{
    Certificate, ClientTls, ServerTls, Session, TlsOptions, self_signed, tls_server,
};

/// The certificate of the server: making one takes longer than a run.
static CERTIFICATE: LazyLock<Certificate> = LazyLock::new(|| self_signed(&["localhost"]).unwrap());

/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(60);

/// What a client has sent and seen.
#[derive(Debug, Default)]
struct Seen {
    sent: Vec<u8>,
    heard: Vec<u8>,
    /// Whether the server has said that this is all.
    is_complete: bool,
    /// Whether TLS itself has failed: no connection changes a byte.
    has_failed: bool,
}

/// Writes records in pieces of at most `most` bytes; `false` if the connection is lost.
async fn write(socket: &Socket, mut records: &[u8], most: usize) -> bool {
    while !records.is_empty() {
        let piece = most.min(records.len());
        match socket.write(&records[..piece], false).await {
            Ok(count) => records = &records[count..],
            Err(_) => return false,
        }
        if random::chance(0.02) {
            sleep(random::duration(Duration::from_millis(50))).await;
        }
    }
    true
}

/// Makes the handshake; `None` if the connection is lost. `first` is the length of the first piece of
/// the hello.
async fn greet(socket: &Socket, first: usize, most: usize) -> Option<Session> {
    let tls = ClientTls::trusting(&CERTIFICATE).unwrap();
    let mut session = Session::client(&tls, "localhost").unwrap();
    let hello = session.take_outgoing();
    let (begin, rest) = hello.split_at(first.min(hello.len()));
    if !write(socket, begin, most).await {
        return None;
    }
    sleep(Duration::from_millis(5)).await;
    if !write(socket, rest, most).await {
        return None;
    }
    let mut buffer = [0; 700];
    while session.is_handshaking() {
        let Ok(count @ 1..) = socket.read(&mut buffer).await else {
            return None;
        };
        session.receive(&buffer[..count]).unwrap();
        if !write(socket, &session.take_outgoing(), most).await {
            return None;
        }
    }
    Some(session)
}

/// Makes the handshake, sends a text and the end, and reads meanwhile until the server says that it
/// ends too.
async fn talk(socket: &Socket, first: usize, most: usize, seen: &mut Seen) {
    let Some(mut session) = greet(socket, first, most).await else {
        return;
    };
    let mut records = Vec::new();
    session.encrypt(&seen.sent, &mut records).unwrap();
    session.close(&mut records).unwrap();
    let listening = async {
        let mut buffer = [0; 700];
        while let Ok(count @ 1..) = socket.read(&mut buffer).await {
            if session.receive(&buffer[..count]).is_err() {
                seen.has_failed = true;
                return;
            }
            seen.heard.extend_from_slice(&session.take_plaintext());
            if session.has_peer_closed() {
                seen.is_complete = true;
                return;
            }
        }
    };
    zip(write(socket, &records, most), listening).await;
}

/// A client: the length of the first piece of its hello, and of all pieces at most.
type Client = (usize, usize);

/// Serves these clients, and returns what each has seen.
fn serve(
    mut simulation: Simulation,
    clients: impl IntoIterator<Item = Client>,
    conditions: impl Fn() -> Conditions + Send + Sync + 'static,
) -> Result<Vec<Seen>, Box<dyn Error>> {
    let network = Network::new(conditions);
    let address = "192.0.2.1:443".parse()?;
    let tls = ServerTls::new(TlsOptions::new(vec![CERTIFICATE.clone()]))?;
    // A lost connection may be silent for ever.
    let server = serve_connections(move || inactivity_timeout(SILENCE, tls_server(&tls, echo)));
    let graph = pipeline!(network.accept(address) => server);
    let all = Arc::new(Mutex::new(Vec::new()));
    for (first, most) in clients {
        let (network, all) = (network.clone(), all.clone());
        let length = random::usize(..10_000);
        simulation = simulation.beside("client", async move || {
            let mut seen = Seen {
                sent: (0..length).map(|index| (index % 251) as u8).collect(),
                ..Seen::default()
            };
            let socket = network.connect(address).await.unwrap();
            or(talk(&socket, first, most, &mut seen), sleep(10 * SILENCE)).await;
            drop(socket);
            all.lock().unwrap().push(seen);
        });
    }
    drop(network);
    simulation.run(graph)?;
    let all = std::mem::take(&mut *all.lock().unwrap());
    Ok(all)
}

#[test]
fn a_handshake_may_be_cut_at_every_byte() {
    let tls = ClientTls::trusting(&CERTIFICATE).unwrap();
    let hello = Session::client(&tls, "localhost").unwrap().take_outgoing();
    assert!(hello.len() < 400, "the hello has {} bytes", hello.len());
    // All have one address, which has a limit of connections. The last cuts are behind the hello.
    for cuts in [0..200, 200..400] {
        Simulation::seeds(0..1).check(move |simulation| {
            let clients = cuts.clone().map(|cut| (cut, usize::MAX));
            let all = serve(simulation, clients, Conditions::default)?;
            assert_eq!(all.len(), 200);
            for seen in all {
                assert!(seen.is_complete && !seen.has_failed);
                assert!(seen.heard == seen.sent);
            }
            Ok::<(), Box<dyn Error>>(())
        });
    }
}

#[test]
fn what_arrives_over_tls_is_what_was_sent() {
    Simulation::seeds(0..40).check(|simulation| {
        let is_lossy = random::chance(0.3);
        let count = 1 + random::usize(..3);
        let clients: Vec<_> = (0..count)
            .map(|_| {
                let most = [1, 100, usize::MAX][random::usize(..3)];
                (random::usize(..600), most)
            })
            .collect();
        let all = serve(simulation, clients, move || {
            let drawn = Conditions::drawn();
            match is_lossy {
                true => drawn.and_lost(),
                // Otherwise a handshake may take too long.
                false => Conditions {
                    latency: drawn.latency.min(Duration::from_millis(10)),
                    ..drawn
                },
            }
        })?;
        assert_eq!(all.len(), count);
        for seen in all {
            assert!(!seen.has_failed, "no byte was changed");
            assert!(seen.sent.starts_with(&seen.heard));
            // The end of TLS tells that nothing is missing.
            assert!(!seen.is_complete || seen.heard == seen.sent);
            assert!(is_lossy || seen.is_complete);
        }
        Ok::<(), Box<dyn Error>>(())
    });
}
