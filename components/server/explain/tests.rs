//! Explained requests, through the whole server.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use http::StatusCode;
use kamea::{Done, Scheduler};
use serde_json::Value;

use super::*;
use crate::server::{Listening, Site, WebServer};
use crate::web::{FilterPorts, HandlerPorts};

/// Refuses all requests for the drafts.
async fn guard(io: &mut FilterPorts) -> Done {
    while let Some(request) = io.requests.next().await {
        if request.head.target.path().starts_with("/drafts/") {
            let failure = request.refuse(StatusCode::FORBIDDEN, "not finished");
            io.failures.send(failure).await?;
        } else {
            io.passed.send(request).await?;
        }
    }
    Ok(())
}

fn serve(explanations: Option<Explanations>) -> (Scheduler, Listening) {
    let scheduler = Scheduler::with_workers(1);
    let panics = async |io: &mut HandlerPorts| {
        let request = io.requests.next().await;
        request.map_or(Ok(()), |request| {
            panic!("on purpose, at {}", request.head.target)
        })
    };
    let server = WebServer::new(Site::new(".")).filter("guard", guard).route(
        "panics",
        Route::path("/panic"),
        panics,
    );
    let server = match explanations {
        Some(explanations) => server.explain(explanations),
        None => server,
    };
    let listening = server.run(&scheduler, &["127.0.0.1:0".parse().unwrap()]);
    (scheduler, listening.unwrap())
}

fn ask(address: SocketAddr, requests: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let patience = Some(Duration::from_secs(10));
    stream.set_read_timeout(patience).unwrap();
    stream.write_all(requests.as_bytes()).unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    response
}

fn request(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n{lines}\r\n")
}

const EXPLAIN: &str = "Kamea-Explain: a secret of the test\r\n";
const CLOSE: &str = "Connection: close\r\n";

fn explained(address: SocketAddr, path: &str) -> Value {
    let response = ask(address, &request(path, &format!("{EXPLAIN}{CLOSE}")));
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
    assert!(
        response.contains("\r\nContent-Type: application/json\r\n"),
        "{response}"
    );
    let (_, json) = response.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(json).unwrap()
}

/// The verdict of each component.
fn verdicts(explanation: &Value) -> Vec<String> {
    let hops = explanation["hops"].as_array().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let verdict = |hop: &Value| format!("{} {}", text(&hop["component"]), text(&hop["verdict"]));
    hops.iter().map(verdict).collect()
}

#[test]
fn the_way_of_a_request_is_told_with_each_verdict() {
    let (_scheduler, listening) = serve(Some(Explanations::with_secret("a secret of the test")));
    let address = listening.addresses()[0];
    let file = explained(address, "/Cargo.toml");
    let way = [
        "parser passes it on to guard",
        "guard passes it on to router",
        "router passes it on to files",
        "files answers 200 OK",
    ];
    assert_eq!(verdicts(&file), way);
    let rules: Vec<_> = file["hops"][2]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| format!("{rule}"))
        .collect();
    let expected = [
        r#"{"rule":"panics: any method of /panic","verdict":"no: another path"}"#,
        r#"{"rule":"thumbnails: GET, HEAD of any path with ?thumbnail or ?thumbnail=large","verdict":"no: another query"}"#,
        r#"{"rule":"files: GET, HEAD of any path","verdict":"matches"}"#,
    ];
    assert_eq!(rules, expected);
    assert_eq!(file["request"]["target"], "/Cargo.toml");
    assert_eq!(
        file["response"]["length"],
        std::fs::metadata("Cargo.toml").unwrap().len()
    );
    let all = file["seconds"].as_f64().unwrap();
    let hops = file["hops"].as_array().unwrap();
    let sum: f64 = hops
        .iter()
        .map(|hop| hop["seconds"].as_f64().unwrap())
        .sum();
    assert!(all > 0.0 && (all - sum).abs() < 1e-6, "{all} is {sum}");

    let refused = [
        "parser passes it on to guard",
        "guard refuses it: 403 Forbidden, not finished",
        "errors answers 403 Forbidden",
    ];
    let draft = explained(address, "/drafts/1");
    assert_eq!(
        (verdicts(&draft), &draft["response"]["status"]),
        (refused.map(String::from).into(), &403.into())
    );
}

#[test]
fn a_component_that_fails_is_named_by_what_answers_for_it() {
    let (_scheduler, listening) = serve(Some(Explanations::with_secret("a secret of the test")));
    let failed = explained(listening.addresses()[0], "/panic");
    let expected = [
        "parser passes it on to guard",
        "guard passes it on to router",
        "router passes it on to panics",
        "faults refuses it: 500 Internal Server Error, a component of the server has failed",
        "errors answers 500 Internal Server Error",
    ];
    assert_eq!(verdicts(&failed), expected);
}

#[test]
fn requests_beside_it_are_answered_as_ever_and_in_order() {
    let (_scheduler, listening) = serve(Some(Explanations::with_secret("a secret of the test")));
    let requests = [
        request("/Cargo.toml", ""),
        request("/Cargo.toml", EXPLAIN),
        request("/none", CLOSE),
    ];
    let responses = ask(listening.addresses()[0], &requests.concat());
    let statuses: Vec<_> = responses
        .match_indices("HTTP/1.1 ")
        .map(|(at, _)| &responses[at + 9..at + 12])
        .collect();
    assert_eq!(statuses, ["200", "200", "404"], "{responses}");
    assert_eq!(responses.matches("passes it on to files").count(), 1);
}

#[test]
fn without_leave_the_field_means_nothing() {
    let (_scheduler, listening) = serve(None);
    let asked = request("/Cargo.toml", &format!("{EXPLAIN}{CLOSE}"));
    let response = ask(listening.addresses()[0], &asked);
    assert!(response.contains("[package]"), "{response}");
}

#[test]
fn a_picked_request_is_explained_and_its_client_notices_nothing() {
    let explanations = Explanations::with_secret("a secret of the test");
    let (_scheduler, listening) = serve(Some(explanations.clone()));
    let mut picked = explanations.pick("/drafts/*").unwrap();
    let other = ask(listening.addresses()[0], &request("/Cargo.toml", CLOSE));
    assert!(other.contains("[package]"), "{other}");
    let response = ask(listening.addresses()[0], &request("/drafts/1", CLOSE));
    assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
    let explanation = kamea::testing::block_on(picked.explanation()).unwrap();
    assert_eq!(explanation.status, StatusCode::FORBIDDEN);
    assert_eq!(explanation.hops.last().unwrap().component, "errors");
}
