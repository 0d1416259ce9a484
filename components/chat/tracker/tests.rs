//! The client of the tracker, against a tracker that fails as its script says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use kamea::{Graph, Scheduler, Sink, link};

use super::*;

/// How long anything may take on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A request: its path, and its cookie.
type Asked = (String, String);

/// Serves one request for each status; a later one gets the last status. Each answer to a login
/// has a cookie with its number.
fn tracker(script: Vec<u16>) -> (SocketAddr, mpsc::Receiver<Asked>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, asked) = mpsc::channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let status = script.get(number).or(script.last()).copied().unwrap();
            let mut stream = stream.unwrap();
            let request = read(&mut stream);
            let cookie = match request.0.as_str() {
                "/login/" => format!("Set-Cookie: sid={number}; Path=/\r\n"),
                _ => String::new(),
            };
            let body = r#"{"nonce": "00", "peers": []}"#;
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} X\r\n{cookie}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).unwrap();
            if seen.send(request).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

fn read(stream: &mut TcpStream) -> Asked {
    let mut reader = BufReader::new(stream);
    let (mut path, mut cookie, mut length) = (String::new(), String::new(), 0);
    for line in reader.by_ref().lines() {
        let line = line.unwrap();
        if line.is_empty() {
            break;
        }
        match line.split_once(": ") {
            Some(("Cookie", value)) => value.clone_into(&mut cookie),
            Some(("Content-Length", value)) => length = value.parse().unwrap(),
            Some(_) => {}
            None => line.split(' ').nth(1).unwrap().clone_into(&mut path),
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (path, cookie)
}

/// Runs the client against a script, until it has sent so many requests.
fn requests(script: Vec<u16>, count: usize) -> Vec<Asked> {
    let (address, asked) = tracker(script);
    let options = TrackerOptions {
        url: format!("http://{address}").parse().unwrap(),
        tls: None,
        addresses: vec!["127.0.0.1:9101".parse().unwrap()],
        identity: Identity::from_secret([1; 32]),
        name: "ada".parse().unwrap(),
    };
    let (node, inputs) = link(16);
    let mut graph = Graph::new("test");
    graph.add("tracker", track_peers(options, node));
    // A node that has nothing to say.
    let silent = graph.add("node", async |io: &mut Sink<Input>| {
        while let Some(input) = io.inbox.next().await {
            drop(input);
        }
        Ok(())
    });
    graph.feed_from(inputs, silent.inbox);
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    let asked = (0..count).map(|_| asked.recv_timeout(PATIENCE).unwrap());
    asked.collect()
}

/// What fails is done again, and nothing is left out.
#[test]
fn the_commands_keep_their_order_whatever_fails() {
    let asked = requests(vec![200, 503, 200, 200, 503, 200, 502, 200, 200, 200], 10);
    let asked: Vec<_> = asked
        .iter()
        .map(|(path, cookie)| format!("{path} {cookie}"))
        .collect();
    let expected = [
        // The cookie of the first step is no session.
        "/login/ ",
        "/login/ ",
        "/login/ ",
        "/login/ ",
        "/submit-info/ sid=3",
        "/submit-info/ sid=3",
        "/add-list/ sid=3",
        "/submit-info/ sid=3",
        "/add-list/ sid=3",
        "/get-list/ sid=3",
    ];
    assert_eq!(asked, expected);
}

#[test]
fn a_session_that_has_ended_begins_again_with_the_login_and_the_list() {
    let asked = requests(vec![200, 200, 200, 401, 200], 9);
    let paths: Vec<_> = asked.iter().map(|(path, _)| path.as_str()).collect();
    let expected = [
        "/login/",
        "/login/",
        "/submit-info/",
        "/add-list/",
        "/login/",
        "/login/",
        "/submit-info/",
        "/add-list/",
        "/get-list/",
    ];
    assert_eq!(paths, expected);
    assert_eq!(asked[4].1, "", "the old session is forgotten");
}

#[test]
fn a_tracker_that_ends_every_session_is_not_asked_all_the_time() {
    let out = || Err::<(), _>(Trouble::LoggedOut);
    assert_eq!(after(&out(), false), (true, LOG_IN_AGAIN));
    assert_eq!(after(&out(), true), (true, HEARTBEAT));
    assert_eq!(after(&Ok(()), true), (true, HEARTBEAT));
    let away = Err::<(), _>(Trouble::Away(String::new()));
    assert_eq!(after(&away, false), (false, AWAY));
}

/// A tracker that answers so many requests on each connection, and then closes it without a word.
/// Returns its address, and the connection of each request.
fn closing(after: usize) -> (SocketAddr, mpsc::Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, asked) = mpsc::channel();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            for _ in 0..after {
                read(&mut stream);
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
                stream.write_all(answer.as_bytes()).unwrap();
                if seen.send(number).is_err() {
                    return;
                }
            }
        }
    });
    (address, asked)
}

/// Sends requests, one after another.
fn ask(address: SocketAddr, count: usize) {
    let url = format!("http://{address}").parse().unwrap();
    kamea::testing::block_on(async {
        let mut kept = None;
        for _ in 0..count {
            let asked = TrackerRequest {
                url: &url,
                tls: None,
                method: "POST",
                path: "/submit-info/",
                cookie: None,
                body: Some(&json!({})),
            };
            let answered = exchange(&mut kept, asked).await.unwrap();
            assert_eq!((answered.status, answered.body), (200, json!({})));
        }
    });
}

#[test]
fn requests_share_a_connection_as_long_as_the_tracker_keeps_it() {
    for (after, expected) in [
        (9, vec![0, 0, 0, 0, 0, 0]),
        (3, vec![0, 0, 0, 1, 1, 1]),
        (1, vec![0, 1, 2, 3, 4, 5]),
    ] {
        let (address, connections) = closing(after);
        ask(address, expected.len());
        let next = |_: &usize| connections.recv_timeout(PATIENCE).unwrap();
        let seen: Vec<_> = expected.iter().map(next).collect();
        assert_eq!(seen, expected, "{after} requests on a connection");
    }
}
