//! Clients that use scarce resources at no cost for themselves: processes, slots, memory.

use std::time::{Duration, Instant};

use super::server::{Client, Server};
use super::wsgi::{chunked, post, serving};

/// A body that has begun, and does not end.
fn uploads(path: &str) -> [String; 3] {
    let head = format!("POST {path} HTTP/1.1\r\nHost: test\r\n");
    [
        format!("{head}Content-Length: 100\r\n\r\nab"),
        format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"),
        // More than is kept in memory.
        format!(
            "{head}Content-Length: 900000\r\n\r\n{}",
            "x".repeat(400_000)
        ),
    ]
}

/// Clients that send a part of a request, or do not read their response.
fn slow_clients(server: &Server, upload: &str, download: &str, count: usize) -> Vec<Client> {
    let requests = uploads(upload).into_iter().cycle().take(count);
    let downloads = (0..count).map(|_| format!("GET {download} HTTP/1.1\r\nHost: test\r\n\r\n"));
    let open = |request: String| {
        let mut client = server.connect();
        client.send(request);
        client
    };
    requests.chain(downloads).map(open).collect()
}

/// Every request of an honest client is answered, long before a timeout would free anything.
fn assert_serves_beside(server: &Server, mut request: impl FnMut(usize) -> String) {
    let begun = Instant::now();
    for number in 0..20 {
        let response = server.ask(&request(number));
        assert_eq!(
            response.status,
            200,
            "request {number}: {}",
            response.text()
        );
    }
    assert!(
        begun.elapsed() < Duration::from_secs(15),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn slow_clients_hold_no_python_process() {
    let server = serving("plain", &["--wsgi-workers", "2"]);
    let _slow = slow_clients(&server, "/rest", "/big", 6);
    assert_serves_beside(&server, |number| match number % 2 {
        0 => "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n".to_owned(),
        _ => post("/rest", &"x".repeat(number * 10_000)),
    });
}

#[test]
fn slow_clients_hold_no_program() {
    let big = "printf 'Content-Type: text/plain\\n\\n'; exec head -c 20000000 /dev/zero";
    let read = "printf 'Content-Type: text/plain\\n\\n'; exec wc -c";
    let programs = [("big", big), ("read", read)];
    let server = Server::with_programs(&["--cgi-processes", "2"], &programs);
    let _slow = slow_clients(&server, "/cgi-bin/read", "/cgi-bin/big", 6);
    assert_serves_beside(&server, |number| {
        post("/cgi-bin/read", &"x".repeat(number * 20_000))
    });
}

#[test]
fn what_came_in_chunks_has_a_length() {
    let server = serving("plain", &[]);
    for length in [0, 3, 65_535, 65_536, 65_537, 262_144, 262_145, 900_000] {
        let body: String = "0123456789".chars().cycle().take(length).collect();
        let pieces: Vec<&str> = match length {
            0 => Vec::new(),
            _ => body
                .as_bytes()
                .chunks(50_001)
                .map(|piece| str::from_utf8(piece).unwrap())
                .collect(),
        };
        for request in [chunked("/whole", &pieces), post("/whole", &body)] {
            let response = server.ask(&request);
            assert_eq!(response.status, 200, "{length}");
            assert!(response.text() == body, "{length}");
            assert_eq!(response.field("x-coding"), Some("none"));
        }
    }
}

/// A client learns what happened to its body, whether it is buffered or streamed.
#[test]
fn a_body_that_goes_wrong_is_not_the_applications_fault() {
    for buffering in ["on", "off"] {
        let options = [
            "--max-body",
            "100000",
            "--body-timeout",
            "0.3",
            "--wsgi-buffering",
            buffering,
        ];
        let server = serving("plain", &options);
        let head = |path: &str| {
            format!("POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
        };
        let piece = format!("c350\r\n{}\r\n", "x".repeat(50_000));
        for (body, status) in [
            ("zz\r\n".to_owned(), 400),
            ("3\r\nabc\r\nzz\r\n".to_owned(), 400),
            ("3\r\nabcdef\r\n".to_owned(), 400),
            (format!("3;{}\r\nabc\r\n", "e".repeat(300)), 400),
            (piece.repeat(3), 413),
            ("3\r\na".to_owned(), 408),
        ] {
            let response = server.ask(&format!("{}{body}", head("/rest")));
            let shown = &body[..body.len().min(20)];
            assert_eq!(response.status, status, "{buffering}: {shown:?}");
            assert!(response.closes(), "{buffering}: {shown:?}");
        }
        server.logged("--max-body");
        let handled = server.ask(&format!("{}3\r\nabc\r\nzz\r\n", head("/handles")));
        let expected = if buffering == "on" { 400 } else { 200 };
        assert_eq!(
            handled.status, expected,
            "an application may handle what it sees"
        );
        assert_eq!(server.get("/hello").text(), "hello");
    }
}

#[test]
fn without_an_option_a_program_gets_what_a_form_uploads() {
    let server = serving("plain", &[]);
    let body = "x".repeat(5 << 20);
    assert_eq!(
        server.ask(&post("/rest", &body)).text(),
        body.len().to_string()
    );
    let head = "POST /rest HTTP/1.1\r\nHost: test\r\n";
    let too_large = format!("{head}Content-Length: {}\r\n\r\n", (100 << 20) + 1);
    assert_eq!(server.ask(&too_large).status, 413);
    assert!(server.logged("413").contains("--max-body"));
}

/// A client that sends a few bytes now and then has no more time than a silent one.
#[test]
fn a_body_that_trickles_is_408() {
    let options = [
        "--writable",
        "--body-timeout",
        "0.4",
        "--min-rate",
        "1000000",
    ];
    let server = Server::start(&options);
    for request in [
        "Content-Length: 1000000\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nfffff\r\n",
    ] {
        let mut client = server.connect();
        client.send(format!("PUT /new HTTP/1.1\r\nHost: test\r\n{request}"));
        let mut stream = client.stream.try_clone().unwrap();
        let trickle = std::thread::spawn(move || {
            use std::io::Write;
            // Until the server has closed.
            while stream.write_all(b"x").is_ok() {
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        assert_eq!(client.response(false).status, 408, "{request:?}");
        drop(client);
        trickle.join().unwrap();
    }
    assert_eq!(server.get("/new").status, 404, "nothing of it is left");
    server.assert_well();
}

#[test]
fn a_client_that_sends_empty_lines_is_not_kept() {
    let server = Server::start(&["--header-timeout", "0.3"]);
    for first in ["", "GET /hello.txt HTTP/1.1\r\nHost: test\r\n\r\n"] {
        let mut client = server.connect();
        client.send(first);
        if !first.is_empty() {
            assert_eq!(client.response(false).text(), "hello\n");
        }
        let mut stream = client.stream.try_clone().unwrap();
        let lines = std::thread::spawn(move || {
            use std::io::Write;
            for _ in 0..3 {
                let _ = stream.write_all(b"\r\n");
                std::thread::sleep(Duration::from_millis(30));
            }
        });
        assert_eq!(client.rest(), b"", "closed, and nothing said");
        lines.join().unwrap();
    }
    server.assert_well();
}
