//! The PROXY protocol, from a load balancer before the proxy and to a backend behind it.

use std::io::{Read as _, Write as _};

use super::backend::{Scripted, Step::*};
use super::*;
use crate::plan::ProxyProtocol;
use crate::proxy_protocol::{ProxiedAddresses, write_proxy_header};

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const REQUEST: &str = "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 6.6.6.6\r\n\
                       Connection: close\r\n\r\n";

/// A proxy that trusts these peers, and expects the PROXY protocol of them.
fn expecting(backend: &Scripted, trusted: &str) -> Running {
    let mut plan = plan(route(&[backend.address]));
    plan.trusted = vec![trusted.parse().unwrap()];
    plan.accepts_proxy_protocol = true;
    run(plan)
}

fn header(version: ProxyProtocol, source: &str) -> Vec<u8> {
    let addresses = ProxiedAddresses::new(source.parse().unwrap(), "192.0.2.1:80".parse().unwrap());
    let mut bytes = Vec::new();
    write_proxy_header(&mut bytes, version, Some(addresses));
    bytes
}

/// Sends bytes in parts of this size.
fn send(running: &Running, bytes: &[u8], size: usize) -> String {
    let mut client = running.connect();
    for part in bytes.chunks(size) {
        // The proxy may have closed the connection.
        if client.write_all(part).is_err() {
            break;
        }
    }
    let mut answer = Vec::new();
    let _ = client.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn the_client_is_the_one_that_the_header_names() {
    for version in [ProxyProtocol::V1, ProxyProtocol::V2] {
        for size in [1, 20, 10_000] {
            let backend = Scripted::always(HELLO);
            let running = expecting(&backend, "127.0.0.0/8");
            let mut bytes = header(version, "198.51.100.7:5555");
            bytes.extend_from_slice(REQUEST.as_bytes());
            let answer = send(&running, &bytes, size);
            assert!(answer.ends_with("hello"), "{version:?} {size}: {answer}");
            let seen = &backend.requests()[0];
            assert!(seen.contains("X-Forwarded-For: 198.51.100.7\r\n"), "{seen}");
        }
    }
}

#[test]
fn a_header_of_its_own_connection_names_nobody() {
    let backend = Scripted::always(HELLO);
    let running = expecting(&backend, "127.0.0.1");
    let mut bytes = Vec::new();
    write_proxy_header(&mut bytes, ProxyProtocol::V2, None);
    bytes.extend_from_slice(REQUEST.as_bytes());
    assert!(send(&running, &bytes, 10_000).ends_with("hello"));
    // The load balancer is trusted, and so is what it forwards.
    let seen = &backend.requests()[0];
    assert!(
        seen.contains("X-Forwarded-For: 6.6.6.6, 127.0.0.1\r\n"),
        "{seen}"
    );
}

#[test]
fn a_trusted_peer_has_to_send_a_header() {
    let backend = Scripted::always(HELLO);
    let running = expecting(&backend, "127.0.0.1");
    assert_eq!(send(&running, REQUEST.as_bytes(), 10_000), "");
    assert_eq!(send(&running, b"PROXY TCP4 nobody\r\n", 10_000), "");
    assert!(backend.requests().is_empty());
}

#[test]
fn from_others_a_header_is_no_request() {
    let backend = Scripted::always(HELLO);
    let running = expecting(&backend, "10.0.0.0/8");
    let mut bytes = header(ProxyProtocol::V1, "198.51.100.7:5555");
    bytes.extend_from_slice(REQUEST.as_bytes());
    let answer = send(&running, &bytes, 10_000);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(send(&running, REQUEST.as_bytes(), 10_000).ends_with("hello"));
}

#[test]
fn a_backend_gets_a_header_and_a_connection_for_each_request() {
    let once = [ReadHead, Write(HELLO)];
    let backend = Scripted::new(vec![once.into_iter().cycle().take(10).collect()]);
    let mut route = route(&[backend.address]);
    route.backends[0].send_proxy_protocol = Some(ProxyProtocol::V1);
    let running = run(plan(route));
    let mut client = running.connect();
    let from = client.local_addr().unwrap();
    for _ in 0..3 {
        let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        client.write_all(request.as_bytes()).unwrap();
        assert!(read_head(&mut client).unwrap().starts_with("HTTP/1.1 200"));
        client.read_exact(&mut [0; 5]).unwrap();
    }
    assert_eq!(backend.connections(), 3);
    let (to, port) = (running.address, from.port());
    let line = format!(
        "PROXY TCP4 127.0.0.1 127.0.0.1 {port} {}\r\nGET / ",
        to.port()
    );
    for request in backend.requests() {
        assert!(request.starts_with(&line), "{request}");
        assert_eq!(request.matches("PROXY").count(), 1);
    }
}
