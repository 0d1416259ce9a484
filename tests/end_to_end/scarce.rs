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

/// How many descriptors of the server lead to this file.
fn open(server: &Server, name: &str) -> usize {
    let entries = std::fs::read_dir(format!("/proc/{}/fd", server.id())).unwrap();
    let links = entries.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    links.filter(|link| link.ends_with(name)).count()
}

/// Closed connections are read until their end.
fn is_closed(client: &mut Client) -> bool {
    let mut byte = [0];
    matches!(std::io::Read::read(&mut client.stream, &mut byte), Ok(0))
}

const ASK: &str = "GET /hello.txt HTTP/1.1\r\nHost: test\r\n\r\n";

/// Opens connections that are busy: each has a request whose body does not come.
fn busy(server: &Server, count: usize) -> Vec<Client> {
    let open = |number| {
        let mut client = server.connect();
        client.send(format!(
            "PUT /{number} HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        ));
        assert_eq!(client.head().status, 100);
        client
    };
    (0..count).map(open).collect()
}

#[test]
fn the_longest_idle_connection_makes_room_for_a_new_one() {
    for (mode, limit) in [
        ("pool", "--connections"),
        ("pool", "--connections-per-client"),
        ("forking", "--connections"),
    ] {
        let server = Server::start(&["--workers", "2", "--mode", mode, limit, "3"]);
        let mut idle: Vec<Client> = (0..3)
            .map(|_| {
                // The next one becomes idle later.
                let client = server.connect();
                std::thread::sleep(Duration::from_millis(20));
                client
            })
            .collect();
        for number in 0..6 {
            let mut new = server.connect();
            new.send(ASK);
            let response = new.response(false);
            assert_eq!(response.status, 200, "{mode} {limit}: client {number}");
            if mode == "forking" {
                break;
            }
            idle.push(new);
            // It rests once its peer is silent.
            std::thread::sleep(Duration::from_millis(100));
        }
        assert!(is_closed(&mut idle[0]), "{mode} {limit}");
        let mut last = idle.pop().unwrap();
        last.send(ASK);
        assert_eq!(
            last.response(false).status,
            200,
            "{mode} {limit}: the youngest stays"
        );
    }
}

#[test]
fn busy_connections_make_no_room() {
    for limit in ["--connections", "--connections-per-client"] {
        let server = Server::start(&["--writable", limit, "2"]);
        let mut busy = busy(&server, 2);
        let response = server.get("/hello.txt");
        assert_eq!(
            (response.status, response.field("retry-after")),
            (503, Some("1"))
        );
        assert!(server.logged("are refused").contains(limit));
        for client in &mut busy {
            client.send("123456789");
            assert_eq!(client.response(false).status, 201);
        }
    }
}

#[test]
fn a_client_has_256_connections_by_default() {
    let server = Server::start(&["--writable"]);
    let _busy = busy(&server, 256);
    assert_eq!(server.get("/hello.txt").status, 503);
}

#[test]
fn a_low_limit_of_open_files_is_said_and_kept() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("hello.txt"), "hello\n").unwrap();
    let mut command = std::process::Command::new("sh");
    command
        .args(["-c", "ulimit -n 128; exec \"$@\"", "sh"])
        .arg(super::server::built("spidey"))
        .args(["-p", "0", "-b", "127.0.0.1", "-d"])
        .arg(root.path());
    let server = Server::start_with(root, command);
    let told = server.logged("warning: at most");
    assert!(told.contains("at most 48 connections"), "{told}");
    assert!(told.contains("ulimit -n"), "{told}");
    // Silent ones make room, so that descriptors never run out.
    let _silent: Vec<Client> = (0..200).map(|_| server.connect()).collect();
    for _ in 0..20 {
        server.assert_well();
    }
}

#[test]
fn a_shortage_of_descriptors_is_logged_once() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};
    let mut server = Server::start(&["--workers", "1"]);
    let id = Pid::from_raw(server.id().cast_signed());
    let limit = |current: u64| {
        let limit = Rlimit {
            current: Some(current),
            maximum: Some(20_000),
        };
        prlimit(id, Resource::Nofile, limit).unwrap()
    };
    server.assert_well();
    let before = limit(3);
    let mut client = server.connect();
    client.send(ASK);
    server.logged("no connection can be accepted now");
    // The server tries again every 50 ms.
    std::thread::sleep(Duration::from_millis(600));
    limit(before.current.unwrap());
    assert_eq!(client.response(false).status, 200, "it goes on");
    drop(client);
    server.signal("TERM");
    server.wait();
    let more = server.rest_of_log();
    let more = more.iter().filter(|line| line.contains("accepted now"));
    assert_eq!(more.count(), 0);
}

#[test]
fn a_client_that_sends_many_requests_has_two_files_open() {
    let server = Server::start(&[]);
    let size = 3 << 20;
    std::fs::write(server.path().join("large.bin"), vec![7; size]).unwrap();
    let mut client = server.connect();
    client.send("GET /large.bin HTTP/1.1\r\nHost: test\r\n\r\n".repeat(40));
    let mut most = 0;
    for number in 0..40 {
        for _ in 0..5 {
            most = most.max(open(&server, "large.bin"));
            std::thread::sleep(Duration::from_millis(2));
        }
        let response = client.response(false);
        assert_eq!(response.body.len(), size, "response {number}");
    }
    assert!((1..=2).contains(&most), "{most} descriptors");
    drop(client);
    server.assert_well();
}

/// Returns how many processes the server has started that still run.
fn processes(server: &Server) -> usize {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    let children = tasks.map_while(Result::ok).map(|task| {
        let children = std::fs::read_to_string(task.path().join("children"));
        let children = children.unwrap_or_default();
        let ids = children.split_whitespace().filter_map(|id| id.parse().ok());
        ids.filter(|id| !super::server::is_guard(*id)).count()
    });
    children.sum()
}

#[test]
fn forking_starts_no_process_for_a_silent_client() {
    let server = Server::start(&["-f"]);
    let _silent: Vec<Client> = (0..20).map(|_| server.connect()).collect();
    let mut asks = server.connect();
    asks.send(ASK);
    assert_eq!(asks.response(false).status, 200);
    // All before it have been accepted by now, on its worker at least.
    assert_eq!(processes(&server), 1);
    let mut slow = server.connect();
    slow.send("GET /hel");
    let deadline = Instant::now() + super::server::PATIENCE;
    while processes(&server) < 2 {
        assert!(Instant::now() < deadline, "bytes start a process");
        std::thread::sleep(Duration::from_millis(5));
    }
    slow.send("lo.txt HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(slow.response(false).status, 200);
}

#[test]
fn forking_runs_so_many_processes_and_the_others_wait() {
    let server = Server::start(&["-f", "--processes", "2", "--header-timeout", "20"]);
    let mut slow: Vec<Client> = (0..2).map(|_| server.connect()).collect();
    for client in &mut slow {
        client.send(ASK);
        assert_eq!(client.response(false).status, 200);
    }
    let mut waiting: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    for client in &mut waiting {
        client.send(ASK.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    }
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(processes(&server), 2);
    drop(slow);
    for client in &mut waiting {
        assert_eq!(client.response(false).status, 200);
    }
}

#[test]
fn forking_refuses_after_a_while() {
    let server = Server::start(&["-f", "--processes", "1", "--header-timeout", "0.3"]);
    let mut first = server.connect();
    first.send(ASK);
    assert_eq!(first.response(false).status, 200);
    let response = server.get("/hello.txt");
    assert_eq!(
        (response.status, response.field("retry-after")),
        (503, Some("1"))
    );
}

/// A client that reads a few bytes now and then has no more time than one that reads nothing.
#[test]
fn a_response_that_trickles_is_cut() {
    let options = ["-v", "--write-timeout", "1", "--min-rate", "4000000000"];
    let server = Server::start(&options);
    let file = std::fs::File::create(server.path().join("large")).unwrap();
    file.set_len(1 << 30).unwrap();
    let mut client = server.connect();
    rustix::net::sockopt::set_socket_recv_buffer_size(&client.stream, 64 << 10).unwrap();
    client.send("GET /large HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut stream = client.stream.try_clone().unwrap();
    let reading = std::thread::spawn(move || {
        use std::io::Read;
        let (mut buffer, mut total) = (vec![0; 128 << 10], 0_u64);
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            total += count as u64;
            std::thread::sleep(Duration::from_millis(20));
        }
        total
    });
    server.logged("the peer reads too slowly");
    assert!(reading.join().unwrap() < 1 << 30, "it was cut");
    server.assert_well();
}

/// Clients that ask for a long encoded body, and read nothing of it.
#[test]
fn encoders_have_a_budget_of_memory() {
    for coding in ["br", "zstd", "gzip"] {
        let server = Server::start(&[]);
        let text: String = (0..600_000).map(|number| format!("{number} ")).collect();
        std::fs::write(server.path().join("large.txt"), text.repeat(4)).unwrap();
        server.assert_well();
        let before = server.peak_memory();
        let mut clients: Vec<Client> = (0..150)
            .map(|_| {
                let mut client = server.connect();
                client.send(format!(
                    "GET /large.txt HTTP/1.1\r\nHost: test\r\nAccept-Encoding: {coding}\r\n\r\n"
                ));
                client
            })
            .collect();
        let heads = clients.iter_mut().map(Client::head);
        let coded = heads.filter(|head| head.field("content-encoding") == Some(coding));
        let coded = coded.count();
        let grown = server.peak_memory() - before;
        // 128 MiB are promised; the chunks that wait for the clients come on top.
        assert!(
            grown < 190 << 20,
            "{coding}: {} MiB for {coded}",
            grown >> 20
        );
        assert!(coded > 10, "{coding}: {coded}");
        server.assert_well();
    }
}
