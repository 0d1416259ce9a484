//! Live requests that are explained: how the route was found, what the policy considered, and what
//! each attempt cost.

use kamea_components::server::Explanations;

use super::backend::{Scripted, Step::*};
use super::*;

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const SECRET: &str = "a secret of the test";

fn explaining(plan: Plan) -> Running {
    let explanations = Explanations::with_secret(SECRET);
    run_with(plan, |server| server.explain(explanations))
}

/// Sends a request to explain, and returns its explanation.
fn explained(running: &Running, host: &str, path: &str) -> serde_json::Value {
    let answer = running.ask(&format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nKamea-Explain: {SECRET}\r\n\
         Connection: close\r\n\r\n"
    ));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

/// Each component and what it did, and below it what it considered. Times are left out.
fn lines(explanation: &serde_json::Value) -> Vec<String> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let mut lines = Vec::new();
    for hop in explanation["hops"].as_array().unwrap() {
        lines.push(format!(
            "{} {}",
            text(&hop["component"]),
            text(&hop["verdict"])
        ));
        if !text(&hop["component"]).starts_with("proxy") {
            continue;
        }
        for rule in hop["rules"].as_array().unwrap() {
            let line = format!("  {}: {}", text(&rule["rule"]), text(&rule["verdict"]));
            let without_times = line.split(" after ").next().unwrap();
            lines.push(match line.split_once(" ms: ") {
                Some((_, result)) => {
                    let result = result.split(" after ").next().unwrap();
                    format!("{without_times}: {result}")
                }
                None => without_times.to_owned(),
            });
        }
    }
    lines
}

#[test]
fn each_attempt_is_explained() {
    let broken = Scripted::new(vec![vec![Read, Reset]]);
    let fine = Scripted::always(FINE);
    let (a, b) = (broken.address, fine.address);
    let running = explaining(plan(route(&[a, b])));
    let explanation = explained(&running, "a", "/x");
    let expected = [
        "parser passes it on to router".to_owned(),
        "router passes it on to proxy".to_owned(),
        "proxy finds the route / of host default".to_owned(),
        "  host default: matches".to_owned(),
        "  route /: matches".to_owned(),
        format!("proxy policy chooses http://{a} by round-robin"),
        format!("  http://{a}: up, weight 1, 0 in flight: chosen"),
        format!("  http://{b}: up, weight 1, 0 in flight: a candidate"),
        format!("proxy policy chooses http://{b} by round-robin"),
        format!("  http://{a}: up, weight 1, 0 in flight: no: it has failed this request"),
        format!("  http://{b}: up, weight 1, 0 in flight: chosen"),
        format!("proxy exchange gets the response of http://{b} in 2 attempts"),
        format!("  attempt 1 at http://{a}, over a new connection, open: connection_terminated"),
        format!("  attempt 2 at http://{b}, over a new connection, open: 200 OK"),
        "proxy exchange answers 200 OK".to_owned(),
    ];
    assert_eq!(lines(&explanation), expected);
    assert_eq!(explanation["response"]["status"], 200);
    // The backends see a usual request, without the secret.
    let request = &fine.requests()[0];
    assert!(!request.contains("Kamea-Explain"), "{request}");
    // The next one goes over the connection that is idle now.
    let last = lines(&explained(&running, "a", "/x"));
    let attempts: Vec<_> = last
        .iter()
        .filter(|line| line.contains(&format!("at http://{b}")))
        .collect();
    assert!(
        attempts[0].contains("over an idle connection: 200 OK"),
        "{last:?}"
    );
}

#[test]
fn what_nearly_matched_is_explained() {
    let backend = Scripted::always(FINE);
    let mut api = route(&[backend.address]);
    api.prefix = "/api".to_owned();
    let host = |name: &str| name.parse().unwrap();
    let plan = Plan::new([
        Block::new([host("app1.local:1")], [api.clone()]),
        Block::new([host("*.example.org")], [api]),
    ]);
    let running = explaining(plan);
    let rows = [
        (
            "app1.local",
            "/api",
            "proxy finds no block of host app1.local",
            "  host app1.local:1: no: the port differs",
        ),
        (
            "a.example.org",
            "/apis",
            "proxy finds host *.example.org, and no route",
            "  route /api: no: a prefix ends at the end of a segment",
        ),
    ];
    for (host, path, verdict, near) in rows {
        let explanation = explained(&running, host, path);
        let lines = lines(&explanation);
        assert_eq!(lines[2], verdict, "{lines:?}");
        assert!(lines.iter().any(|line| line == near), "{lines:?}");
        assert_eq!(explanation["response"]["status"], 404, "{host}{path}");
    }
}

/// Why a backend is no candidate.
#[test]
fn each_reason_is_said() {
    let backends: Vec<_> = (0..5).map(|_| Scripted::always(FINE)).collect();
    let addresses: Vec<_> = backends.iter().map(|backend| backend.address).collect();
    let mut route = route(&addresses);
    route.backends[1].is_backup = true;
    route.backends[2].weight = 0;
    route.backends[4].most_connections = Some(0);
    let running = explaining(plan(route));
    let drained = format!("http://{}", addresses[3]);
    running.proxy.drain(&drained, true).unwrap();
    let lines = lines(&explained(&running, "a", "/"));
    let verdicts = [
        "up, weight 1, 0 in flight: chosen",
        "up, weight 1, 0 in flight: no: a backup is for when no other can take a request",
        "up, weight 0, 0 in flight: no: its weight is 0",
        "draining, weight 1, 0 in flight: no: it is taken out",
        "up, weight 1, 0 of at most 0 in flight: no: it is at its limit",
    ];
    for (address, verdict) in addresses.iter().zip(verdicts) {
        let line = format!("  http://{address}: {verdict}");
        assert!(lines.contains(&line), "{line}: {lines:?}");
    }
    for address in &addresses {
        running
            .proxy
            .drain(&format!("http://{address}"), true)
            .unwrap();
    }
    let lines = explained(&running, "a", "/");
    assert_eq!(lines["response"]["status"], 503);
    let text = lines.to_string();
    assert!(text.contains("finds no backend that is up"), "{text}");
    assert!(text.contains("asks no backend"), "{text}");
}

/// Without the secret, the request is like any other, and no remark is made.
#[test]
fn only_who_knows_the_secret_gets_an_explanation() {
    let backend = Scripted::always(FINE);
    let running = explaining(plan(route(&[backend.address])));
    let answer = running
        .ask("GET / HTTP/1.1\r\nHost: a\r\nKamea-Explain: guessed\r\nConnection: close\r\n\r\n");
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
}
