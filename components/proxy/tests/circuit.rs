//! The circuit breaker over real sockets: what clients get, and where it is shown.

use kamea_components::inspect::Access;
use kamea_components::server::Explanations;

use super::backend::{Scripted, Step::*};
use super::*;
use crate::plan::CircuitBreaker;
use crate::status_server;

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ERROR: &str = "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n";

/// A route with a breaker that opens at the third error.
fn breaking(backends: &[SocketAddr], pause: Duration) -> Route {
    let mut route = route(backends);
    route.retries.most = 0;
    route.circuit_breaker = Some(CircuitBreaker {
        errors_percent: 60,
        window: PATIENCE,
        requests: 3,
        pause,
        trials: 1,
    });
    route
}

fn status(answer: &str) -> &str {
    &answer["HTTP/1.1 ".len()..][..3]
}

#[test]
fn each_kind_of_error_opens_it() {
    let scripts = [
        (vec![Read, Write(ERROR), Finish], "500"),
        (vec![Read, Reset], "502"),
        (vec![Read, Write("garbage\r\n\r\n"), Finish], "502"),
    ];
    for (script, error) in scripts {
        let backend = Scripted::new(vec![script]);
        let mut plan = plan(breaking(&[backend.address], PATIENCE));
        // Also with the errors of the assignment.
        for errors in [Errors::Standard, Errors::Assignment] {
            plan.errors = errors;
            let before = backend.requests().len();
            let running = run(plan.clone());
            for _ in 0..3 {
                assert_eq!(status(&running.get()), error);
            }
            let answer = running.get();
            assert_eq!(status(&answer), "503");
            assert!(answer.contains("Retry-After: 60\r\n"), "{answer}");
            assert!(answer.contains("error=destination_unavailable"), "{answer}");
            assert_eq!(backend.requests().len() - before, 3, "it is left alone");
            let circuit = running.proxy.status()[0].circuit.clone().unwrap();
            assert_eq!((circuit.state, circuit.opened), ("open", 1));
        }
    }
}

/// Errors of clients are none of the backends'.
#[test]
fn other_answers_keep_it_closed() {
    let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    for answer in [FINE, missing] {
        let backend = Scripted::always(answer);
        let running = run(plan(breaking(&[backend.address], PATIENCE)));
        for _ in 0..10 {
            running.get();
        }
        let circuit = running.proxy.status()[0].circuit.clone().unwrap();
        assert_eq!(
            (circuit.state, circuit.requests, circuit.errors),
            ("closed", 10, 0)
        );
        assert_eq!(backend.requests().len(), 10);
    }
}

#[test]
fn a_trial_closes_it_again() {
    let mut scripts = vec![vec![Read, Write(ERROR), Finish]; 4];
    scripts.push(vec![Read, Write(FINE), Finish]);
    let backend = Scripted::new(scripts);
    let pause = Duration::from_millis(200);
    let running = run(plan(breaking(&[backend.address], pause)));
    for _ in 0..3 {
        assert_eq!(status(&running.get()), "500");
    }
    // The first trial fails, the second one succeeds.
    wait_until("the circuit is closed", || running.get().ends_with("ok"));
    let circuit = running.proxy.status()[0].circuit.clone().unwrap();
    assert_eq!((circuit.state, circuit.opened), ("closed", 2));
    assert_eq!(backend.requests().len(), 5);
    assert!(running.get().ends_with("ok"));
}

/// A client that leaves during a trial does not keep the circuit from closing.
#[test]
fn a_trial_that_nobody_waits_for_is_followed_by_another() {
    let error = vec![Read, Write(ERROR), Finish];
    let scripts = vec![
        error.clone(),
        error.clone(),
        error,
        vec![Read, Hang],
        vec![Read, Write(FINE), Finish],
    ];
    let backend = Scripted::new(scripts);
    let pause = Duration::from_millis(100);
    let running = run(plan(breaking(&[backend.address], pause)));
    for _ in 0..3 {
        assert_eq!(status(&running.get()), "500");
    }
    let mut trial = None;
    wait_until("a trial is at the backend", || {
        let mut client = running.connect();
        let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        std::io::Write::write_all(&mut client, request).unwrap();
        // Refused at once, or at the backend, which says nothing.
        client
            .set_read_timeout(Some(Duration::from_millis(300)))
            .unwrap();
        let is_refused = read_head(&mut client).is_some();
        trial = (!is_refused).then_some(client);
        trial.is_some() && backend.requests().len() == 4
    });
    assert_eq!(status(&running.get()), "503", "the only trial is under way");
    drop(trial);
    wait_until("another trial succeeds", || running.get().ends_with("ok"));
}

#[test]
fn it_is_shown_on_the_page_and_explained() {
    let backend = Scripted::new(vec![vec![Read, Write(ERROR), Finish]]);
    let plan = plan(breaking(&[backend.address], PATIENCE));
    let secret = "0123456789abcdef";
    let explanations = Explanations::with_secret(secret);
    let running = run_with(plan, |server| server.explain(explanations));
    let nowhere = ([127, 0, 0, 1], 0).into();
    let access = Access::new(nowhere, Some(secret)).unwrap();
    let server = status_server(&running.proxy, access);
    let page = server.run(&running.scheduler, &[nowhere]).unwrap();
    let get = |path: &str| {
        let mut client = TcpStream::connect(page.addresses()[0]).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {secret}\r\n\
             Connection: close\r\n\r\n",
            page.addresses()[0]
        );
        std::io::Write::write_all(&mut client, request.as_bytes()).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut client, &mut answer).unwrap();
        answer
    };
    running.get();
    let closed = r#""circuit":{"state":"closed","requests":1,"errors":1,"opened":0}"#;
    assert!(get("/status").contains(closed), "{}", get("/status"));
    let metric =
        |value| format!("kamea_proxy_route_circuit_state{{route=\"default /\"}} {value}\n");
    assert!(get("/metrics").contains(&metric(0)));
    running.get();
    running.get();
    assert!(get("/status").contains(r#""circuit":{"state":"open""#));
    let metrics = get("/metrics");
    let opened = "kamea_proxy_route_circuit_opened_total{route=\"default /\"} 1\n";
    assert!(
        metrics.contains(&metric(2)) && metrics.contains(opened),
        "{metrics}"
    );
    let explanation = running.ask(&format!(
        "GET / HTTP/1.1\r\nHost: a\r\nKamea-Explain: {secret}\r\nConnection: close\r\n\r\n"
    ));
    let said = "refuses the request: the circuit breaker is open for ";
    assert!(explanation.contains(said), "{explanation}");
}
