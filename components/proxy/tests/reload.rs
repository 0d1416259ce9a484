//! A new configuration while the proxy runs, and backends that are checked.

use std::io::{Read as _, Write as _};

use kamea::Graph;

use super::backend::{Scripted, Step::*};
use super::*;
use crate::backends::check_backends;
use crate::plan::ActiveCheck;

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n";

/// A block for each host.
fn hosts(all: &[(&str, SocketAddr)]) -> Plan {
    let block = |&(host, address): &(&str, SocketAddr)| {
        Block::new([host.parse().unwrap()], [route(&[address])])
    };
    let mut plan = Plan::new(all.iter().map(block));
    plan.errors = Errors::Standard;
    plan
}

fn ask_host(running: &Running, host: &str) -> String {
    running.ask(&format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    ))
}

#[test]
fn a_reload_counts_what_it_keeps_and_retires() {
    let (one, two) = (Scripted::always(FINE), Scripted::always(FINE));
    let running = run(hosts(&[("a", one.address), ("b", two.address)]));
    let rows: [(&[(&str, SocketAddr)], _); 5] = [
        (&[("a", one.address), ("b", two.address)], (2, 0, 0)),
        // The order does not matter.
        (&[("b", two.address), ("a", one.address)], (2, 0, 0)),
        (&[("b", one.address), ("a", one.address)], (1, 1, 1)),
        (&[("a", one.address)], (1, 0, 1)),
        (&[("c", two.address)], (0, 1, 1)),
    ];
    for (number, (all, expected)) in rows.into_iter().enumerate() {
        let reloaded = running.proxy.reload(hosts(all));
        let counts = (reloaded.kept, reloaded.added, reloaded.retired);
        assert_eq!(counts, expected, "{number}");
    }
    assert!(ask_host(&running, "c").ends_with("ok"));
    assert!(ask_host(&running, "a").starts_with("HTTP/1.1 404"));
}

/// Also on a connection of a client that was there before.
#[test]
fn a_reload_changes_the_next_request_and_keeps_what_is_known() {
    let (one, two) = (Scripted::always(FINE), Scripted::always(FINE));
    let running = run(hosts(&[("a", one.address)]));
    let mut client = running.connect();
    let mut ask = || {
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap();
        assert!(read_head(&mut client).unwrap().starts_with("HTTP/1.1 200"));
        client.read_exact(&mut [0; 2]).unwrap();
    };
    ask();
    running.proxy.reload(hosts(&[("a", two.address)]));
    ask();
    assert_eq!((one.requests().len(), two.requests().len()), (1, 1));

    // A changed block that still has the backend keeps its figures and its idle connections.
    let mut again = route(&[two.address]);
    again.timeouts.send *= 2;
    running.proxy.reload(plan(again));
    ask();
    let status = &running.proxy.status()[0].backends[0];
    assert_eq!((status.requests, two.connections()), (1, 2));
    let mut again = route(&[two.address]);
    again.timeouts.send *= 3;
    running.proxy.reload(plan(again));
    ask();
    let status = &running.proxy.status()[0].backends[0];
    assert_eq!((status.requests, two.connections()), (2, 0));
}

#[test]
fn a_tunnel_outlives_a_reload_that_does_not_change_its_block() {
    let echo = Scripted::new(vec![vec![Read, Write(SWITCH), Read, Write("heard"), Hang]]);
    let other = Scripted::always(FINE);
    let running = run(hosts(&[("ws", echo.address), ("other", other.address)]));
    let mut client = running.connect();
    let request = "GET / HTTP/1.1\r\nHost: ws\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    client.write_all(request.as_bytes()).unwrap();
    assert!(read_head(&mut client).unwrap().starts_with("HTTP/1.1 101"));
    let reloaded = running.proxy.reload(hosts(&[("ws", echo.address)]));
    assert_eq!((reloaded.kept, reloaded.retired), (1, 1));
    client.write_all(b"hello\r\n\r\n").unwrap();
    let mut heard = [0; 5];
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"heard");
    assert_eq!(running.proxy.status()[0].backends[0].open, 1);
    drop(client);
    let open = || running.proxy.status()[0].backends[0].open;
    wait_until("the tunnel has ended", || open() == 0);
}

/// Checks take a backend out, and bring it back.
#[test]
fn backends_are_checked() {
    let bad = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";
    let script = |answer| vec![Read, Write(answer), Finish];
    // Two bad answers, then good ones, with a hint before them.
    let hint =
        "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let backend = Scripted::new(vec![script(bad), script(bad), script(hint)]);
    let mut checked = route(&[backend.address]);
    checked.health = Some(ActiveCheck {
        path: "/health".to_owned(),
        interval: Duration::from_millis(100),
        unhealthy_after: 2,
        ..ActiveCheck::default()
    });
    let running = run(plan(checked));
    let mut graph = Graph::new("checks");
    graph.add("check", check_backends(running.proxy.clone()));
    running.scheduler.run(graph).unwrap();
    let health = || running.proxy.status()[0].backends[0].health;
    wait_until("the backend is down", || health() == "down");
    assert!(running.get().starts_with("HTTP/1.1 503"));
    wait_until("the backend is up", || health() == "up");
    assert!(running.get().ends_with("ok"));
    assert!(backend.requests()[0].starts_with("GET /health HTTP/1.1\r\nHost: 127.0.0.1:"));
}

#[test]
fn a_backend_at_a_unix_socket_answers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("backend.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let head = read_head(&mut stream).unwrap();
        stream.write_all(FINE.as_bytes()).unwrap();
        head
    });
    let backend = Backend::parse(&format!("http://unix:{}", path.display())).unwrap();
    let running = run(plan(Route::to([backend])));
    assert!(running.get().ends_with("ok"));
    assert!(
        serving
            .join()
            .unwrap()
            .starts_with("GET /x HTTP/1.1\r\nHost: a\r\n")
    );
}

/// The name of this machine has an address in any case.
#[test]
fn names_of_backends_are_looked_up() {
    let backend = Scripted::always(FINE);
    let port = backend.address.port();
    let named = |name: &str| Backend::parse(&format!("http://{name}:{port}")).unwrap();
    let running = run(plan(Route::to([named("localhost")])));
    assert!(running.get().ends_with("ok"));
    let running = run(plan(Route::to([named("no.such.name.invalid")])));
    let answer = running.get();
    assert!(answer.contains("error=dns_error"), "{answer}");
}
