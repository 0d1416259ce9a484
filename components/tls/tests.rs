//! TLS without a socket, and over one.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use kamea::{Graph, Scheduler, pipeline};
use time::OffsetDateTime;

use super::self_signed::made_for;
use super::*;
use crate::net::tcp_server;
use crate::stream::{echo, one_shot};

mod refused;

fn certificate(names: &[&str]) -> Certificate {
    self_signed(names).unwrap()
}

fn server_of(certificates: &[&Certificate]) -> ServerTls {
    let certificates = certificates.iter().map(|&it| it.clone()).collect();
    ServerTls::new(TlsOptions::new(certificates)).unwrap()
}

/// Makes the handshake, with `cut` bytes at a time; otherwise returns what the two ends say.
fn greet(
    server: &mut Session,
    client: &mut Session,
    cut: usize,
) -> Result<(), (Option<TlsError>, Option<TlsError>)> {
    for _ in 0..10 {
        let (mut server_says, mut client_says) = (None, None);
        for part in client.take_outgoing().chunks(cut) {
            server_says = server_says.or(server.receive(part).err());
        }
        for part in server.take_outgoing().chunks(cut) {
            client_says = client_says.or(client.receive(part).err());
        }
        if server_says.is_some() || client_says.is_some() {
            for part in client.take_outgoing().chunks(cut) {
                server_says = server_says.or(server.receive(part).err());
            }
            return Err((server_says, client_says));
        }
        if !server.is_handshaking() && !client.is_handshaking() {
            return Ok(());
        }
    }
    panic!("the handshake does not end");
}

#[test]
fn records_may_be_cut_anywhere() {
    let own = certificate(&["localhost"]);
    let (server, client) = (server_of(&[&own]), ClientTls::trusting(&own).unwrap());
    let text: Vec<u8> = (0..100_000_u32)
        .map(|number| (number % 251) as u8)
        .collect();
    for cut in [1, 2, 3, 5, 7, 100, 1_000, usize::MAX] {
        let mut server = Session::server(&server);
        let mut client = Session::client(&client, "localhost").unwrap();
        greet(&mut server, &mut client, cut).unwrap();
        let mut records = Vec::new();
        client.encrypt(&text, &mut records).unwrap();
        for part in records.chunks(cut) {
            server.receive(part).unwrap();
        }
        assert!(server.take_plaintext() == text, "cut at {cut}");
        let mut back = Vec::new();
        server.encrypt(b"and back", &mut back).unwrap();
        server.close(&mut back).unwrap();
        for part in back.chunks(cut) {
            client.receive(part).unwrap();
        }
        assert_eq!(client.take_plaintext(), "and back");
        assert!(client.has_peer_closed());
    }
}

#[test]
fn the_name_chooses_the_certificate_and_a_valid_one_is_preferred() {
    let first = certificate(&["first.example", "127.0.0.1"]);
    let now = OffsetDateTime::now_utc();
    let (long_ago, yesterday) = (
        now - Duration::from_secs(900_000),
        now - Duration::from_secs(90_000),
    );
    let expired = made_for(&["second.example"], long_ago, yesterday).unwrap();
    let renewed = certificate(&["second.example"]);
    let wild = certificate(&["*.wild.example"]);
    let tls = server_of(&[&first, &expired, &renewed, &wild]);
    for (name, expected) in [
        ("first.example", &first),
        ("SECOND.example", &renewed),
        ("a.wild.example", &wild),
        // Nothing covers these.
        ("wild.example", &first),
        ("a.b.wild.example", &first),
        ("third.example", &first),
        // An address is no name of SNI (RFC 6066 section 3).
        ("127.0.0.1", &first),
    ] {
        let mut server = Session::server(&tls);
        let client = ClientTls::trusting_anyone().unwrap();
        let mut client = Session::client(&client, name).unwrap();
        greet(&mut server, &mut client, usize::MAX).unwrap();
        let shown = &client.facts().unwrap().peer_certificates[0];
        assert_eq!(*shown, expected.chain()[0], "{name}");
        let asked = server.facts().unwrap().server_name;
        let is_address = name.starts_with("127");
        assert_eq!(asked, (!is_address).then(|| name.to_lowercase()), "{name}");
    }
}

#[test]
fn a_client_refuses_a_certificate_that_it_does_not_trust_or_that_is_for_another_name() {
    let (own, other) = (certificate(&["localhost"]), certificate(&["other.example"]));
    let tls = server_of(&[&own]);
    for (trusted, name, reason, alert) in [
        (&other, "localhost", "certificate", "unknown_ca"),
        (&own, "elsewhere.example", "certificate", "bad_certificate"),
    ] {
        let client = ClientTls::trusting(trusted).unwrap();
        let mut client = Session::client(&client, name).unwrap();
        let mut server = Session::server(&tls);
        let (server_says, client_says) = greet(&mut server, &mut client, 100).unwrap_err();
        assert!(client_says.unwrap().to_string().contains(reason));
        let said = server_says.unwrap().to_string();
        assert_eq!(said, format!("the peer sent the alert {alert}"));
    }
}

#[test]
fn a_certificate_of_the_client_can_be_required() {
    let (own, friend) = (certificate(&["localhost"]), certificate(&["friend"]));
    let mut options = TlsOptions::new(vec![own.clone()]);
    options.client_auth = ClientAuth::Required(vec![friend.clone()]);
    let required = ServerTls::new(options.clone()).unwrap();
    options.client_auth = ClientAuth::Optional(vec![friend.clone()]);
    let optional = ServerTls::new(options).unwrap();
    let nobody = ClientTls::trusting(&own).unwrap();
    let friendly = nobody.identity(&friend).unwrap();
    let stranger = nobody.identity(&certificate(&["stranger"])).unwrap();
    for (tls, client, is_taken, shown) in [
        (&required, &friendly, true, Some("CN=friend")),
        (&required, &nobody, false, None),
        (&required, &stranger, false, None),
        (&optional, &friendly, true, Some("CN=friend")),
        (&optional, &nobody, true, None),
        (&optional, &stranger, false, None),
    ] {
        let mut server = Session::server(tls);
        let mut client = Session::client(client, "localhost").unwrap();
        let made = greet(&mut server, &mut client, usize::MAX);
        assert_eq!(made.is_ok(), is_taken, "{made:?}");
        if is_taken {
            let certificate = server.facts().unwrap().peer_certificate();
            assert_eq!(certificate.as_ref().map(Certificate::subject), shown);
        }
    }
}

#[test]
fn an_application_protocol_is_agreed_on_or_the_handshake_fails() {
    let own = certificate(&["localhost"]);
    let tls = server_of(&[&own]);
    let client = ClientTls::trusting(&own).unwrap();
    for (protocols, agreed) in [
        (&["h2", "http/1.1"][..], Some(Some("http/1.1"))),
        (&[], Some(None)),
        // RFC 7301 section 3.2: no fallback.
        (&["h2"], None),
    ] {
        let mut server = Session::server(&tls);
        let mut client = Session::client(&client.protocols(protocols), "localhost").unwrap();
        let made = greet(&mut server, &mut client, usize::MAX);
        assert_eq!(made.is_ok(), agreed.is_some(), "{protocols:?}");
        if let Some(agreed) = agreed {
            assert_eq!(server.facts().unwrap().protocol.as_deref(), agreed);
        } else {
            let (_, client_says) = made.unwrap_err();
            let said = client_says.unwrap().to_string();
            assert_eq!(said, "the peer sent the alert no_application_protocol");
        }
    }
}

/// Makes a handshake and exchanges a byte, so that the client gets its tickets. Says whether the
/// session was resumed.
fn resumes(server: &ServerTls, client: &ClientTls) -> bool {
    let mut server = Session::server(server);
    let mut client = Session::client(client, "localhost").unwrap();
    greet(&mut server, &mut client, usize::MAX).unwrap();
    let mut records = Vec::new();
    server.encrypt(b"a", &mut records).unwrap();
    client.receive(&records).unwrap();
    assert_eq!(client.take_plaintext(), "a");
    server.facts().unwrap().resumed
}

#[test]
fn sessions_are_resumed_on_every_worker_and_after_a_reload() {
    let own = certificate(&["localhost"]);
    let tls = server_of(&[&own]);
    let client = ClientTls::trusting(&own).unwrap();
    assert!(!resumes(&tls, &client));
    assert!(resumes(&tls, &client));
    assert!(resumes(&tls.clone(), &client));
    let reloaded = server_of(&[&own]).with_tickets_of(&tls);
    assert!(resumes(&reloaded, &client));
    // Another process has the same keys; whom clients must show a certificate of is part of them.
    let keys = TicketKeys::new().unwrap();
    let other_process = TicketKeys::import(&keys.export()).unwrap();
    let client = ClientTls::trusting(&own).unwrap();
    assert!(!resumes(
        &server_of(&[&own]).with_ticket_keys(&keys),
        &client
    ));
    let tls = server_of(&[&own]).with_ticket_keys(&other_process);
    assert!(resumes(&tls, &client));
    let mut options = TlsOptions::new(vec![own.clone()]);
    options.client_auth = ClientAuth::Optional(vec![certificate(&["friend"])]);
    let asking = ServerTls::new(options).unwrap().with_tickets_of(&tls);
    assert!(!resumes(&asking, &client));
    // A replacement keeps the keys, and what clients must show counts.
    let tls = server_of(&[&own]);
    let client = ClientTls::trusting(&own).unwrap();
    assert!(!resumes(&tls, &client));
    tls.replace(TlsOptions::new(vec![own.clone()])).unwrap();
    assert!(resumes(&tls, &client));
    let mut options = TlsOptions::new(vec![own.clone()]);
    options.client_auth = ClientAuth::Optional(vec![certificate(&["friend"])]);
    tls.replace(options).unwrap();
    assert!(!resumes(&tls, &client));
    // The keys are new.
    assert!(!resumes(&server_of(&[&own]), &client));
    let without = server_of(&[&own]).without_tickets();
    let client = ClientTls::trusting(&own).unwrap();
    assert!(!resumes(&without, &client) && !resumes(&without, &client));
    let client = ClientTls::trusting(&own).unwrap().without_resumption();
    assert!(!resumes(&tls, &client) && !resumes(&tls, &client));
}

#[test]
fn a_pair_that_does_not_match_is_refused_and_the_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (own, other) = (certificate(&["localhost"]), certificate(&["localhost"]));
    std::fs::write(path("own.pem"), own.to_pem()).unwrap();
    std::fs::write(path("own.key"), own.key_to_pem().unwrap()).unwrap();
    std::fs::write(path("other.key"), other.key_to_pem().unwrap()).unwrap();
    std::fs::write(path("empty"), "").unwrap();
    let both = own.to_pem() + &own.key_to_pem().unwrap();
    std::fs::write(path("both.pem"), both).unwrap();
    let broken = own.to_pem().replace("MII", "AAA");
    std::fs::write(path("broken.pem"), broken).unwrap();
    let read = |certificate: &str, key: &str| Certificate::read(&path(certificate), &path(key));
    assert!(read("own.pem", "own.key").unwrap().covers("localhost"));
    assert!(read("both.pem", "both.pem").is_ok());
    for (certificate, key, expected) in [
        (
            "own.pem",
            "other.key",
            "the key does not match the certificate",
        ),
        ("own.pem", "own.pem", "own.pem: no private key in PEM form"),
        ("own.key", "own.key", "own.key: no certificate in PEM form"),
        ("empty", "own.key", "empty: no certificate in PEM form"),
        ("own.pem", "missing", "missing: No such file or directory"),
        ("broken.pem", "own.key", "the certificate is invalid"),
    ] {
        let error = read(certificate, key).unwrap_err().to_string();
        assert!(error.contains(expected), "{error} for {expected}");
    }
}

#[test]
fn what_arrives_when_nobody_takes_it_stays_in_the_session() {
    let own = certificate(&["localhost"]);
    let mut server = Session::server(&server_of(&[&own]));
    let client = ClientTls::trusting(&own).unwrap();
    let mut client = Session::client(&client, "localhost").unwrap();
    greet(&mut server, &mut client, usize::MAX).unwrap();
    let mut records = Vec::new();
    client.encrypt(b"a request", &mut records).unwrap();

    let session = SharedSession::new(server);
    let mut graph = Graph::new("decrypting");
    let decrypt = graph.add("decrypt", decrypt(session.clone()));
    let records: Bytes = records.into();
    graph.feed(decrypt.records).try_send(records).unwrap();
    drop(graph.take(decrypt.bytes));
    let _answers = graph.take(decrypt.answers);
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap().wait().unwrap();
    assert_eq!(session.lock().take_plaintext(), "a request");
}

#[test]
fn a_server_and_a_client_over_tcp() {
    let own = certificate(&["localhost", "127.0.0.1"]);
    let tls = server_of(&[&own]);
    let mut graph = Graph::new("echoes");
    let server = graph.add(
        "server",
        tcp_server("127.0.0.1:0", move || tls_server(&tls, echo)),
    );
    let mut addresses = graph.take(server.addresses);
    let scheduler = Scheduler::with_workers(2);
    scheduler.run(graph).unwrap();
    let address = addresses.next_blocking().unwrap().to_string();

    let text: Bytes = vec![b'x'; 300_000].into();
    let client = ClientTls::trusting(&own).unwrap();
    let client = tls_client(&client, &address, Duration::from_secs(20)).unwrap();
    let mut graph = Graph::new("asking");
    let (_, answer) = pipeline!(graph, one_shot(text.clone()) => client);
    let answer = graph.take(answer);
    let asking = scheduler.run(graph).unwrap();
    assert!(answer.into_iter().collect::<Vec<_>>().concat() == text);
    asking.wait().unwrap();
}

#[test]
fn a_connection_that_ends_without_close_notify_is_truncated() {
    let own = certificate(&["localhost"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tls = server_of(&[&own]);
    // A server that sends half of an answer, and vanishes.
    let serving = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut session = Session::server(&tls);
        let mut buffer = [0; 4096];
        while session.is_handshaking() {
            let count = socket.read(&mut buffer).unwrap();
            session.receive(&buffer[..count]).unwrap();
            socket.write_all(&session.take_outgoing()).unwrap();
        }
        let mut records = Vec::new();
        session.encrypt(b"half", &mut records).unwrap();
        socket.write_all(&records).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
        while socket.read(&mut buffer).is_ok_and(|count| count > 0) {}
    });
    let client = ClientTls::trusting(&own).unwrap();
    let port = address.rsplit_once(':').unwrap().1;
    let client = tls_client(
        &client,
        &format!("localhost:{port}"),
        Duration::from_secs(20),
    )
    .unwrap();
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("asking");
    let (_, answer) = pipeline!(graph, one_shot(Bytes::from("question")) => client);
    let answer = graph.take(answer);
    let asking = scheduler.run(graph).unwrap();
    assert_eq!(answer.into_iter().collect::<Vec<_>>().concat(), b"half");
    let fault = asking.wait().unwrap_err().to_string();
    assert!(fault.contains("without close_notify"), "{fault}");
    serving.join().unwrap();
    let _ = TcpStream::connect(address);
}

#[test]
fn a_client_whose_answer_nobody_takes_any_more_ends() {
    let own = certificate(&["localhost"]);
    let tls = server_of(&[&own]);
    let mut graph = Graph::new("echoes");
    let part = move || tls_server(&tls, echo);
    let server = graph.add("server", tcp_server("127.0.0.1:0", part));
    let mut addresses = graph.take(server.addresses);
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    let port = addresses.next_blocking().unwrap().port();
    let client = ClientTls::trusting(&own).unwrap();
    let server = format!("localhost:{port}");
    let client = tls_client(&client, &server, Duration::from_secs(20)).unwrap();
    let mut graph = Graph::new("asking");
    let client = graph.add("client", client);
    let (questions, mut answer) = (graph.feed(client.inbox), graph.take(client.outbox));
    let asking = scheduler.run(graph).unwrap();
    questions.send_blocking("question".into()).unwrap();
    assert_eq!(answer.next_blocking().unwrap(), "question");
    drop(answer);
    asking.wait().unwrap();
    assert!(questions.send_blocking("another".into()).is_err());
}
