//! PEP 3333, sentence by sentence: applications good and bad, behind a started server.

mod flask;
mod processes;
mod sockets;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::server::{PATIENCE, Response, Server};

/// Starts a server with one of the applications of `apps.py`.
pub(crate) fn serving(application: &str, options: &[&str]) -> Server {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("apps.py"), include_str!("wsgi/apps.py")).unwrap();
    fs::write(root.path().join("hello.txt"), "hello from a file").unwrap();
    let path = root.path().to_str().unwrap().to_owned();
    let application = format!("apps:{application}");
    let mut all = vec!["--wsgi", &application, "--wsgi-path", &path];
    all.extend(
        ["--wsgi-workers", "1"]
            .iter()
            .filter(|_| !options.contains(&"--wsgi-workers")),
    );
    all.extend(options);
    Server::start_in(root, &all)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

pub(crate) fn post(path: &str, content: &str) -> String {
    let length = content.len();
    format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{content}")
}

pub(crate) fn chunked(path: &str, chunks: &[&str]) -> String {
    let chunks: Vec<_> = chunks
        .iter()
        .map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len()))
        .collect();
    let content = chunks.concat();
    format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n{content}0\r\n\r\n"
    )
}

/// Returns what an application has recorded, once it has.
pub(crate) fn noted(folder: &Path, name: &str) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        match fs::read_to_string(folder.join(name)) {
            Ok(text) if !text.is_empty() => return text,
            _ => assert!(Instant::now() < until, "{name} was not noted"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether the server still works: the same process serves the next request.
fn assert_serves(server: &Server) {
    assert_eq!(server.get("/hello").text(), "hello");
}

#[test]
fn good_applications() {
    let large = "x".repeat(200_000);
    let digits = "0123456789".repeat(20_000);
    let cases: Vec<(String, u16, &str)> = vec![
        (get("/hello"), 200, "hello"),
        (get("/empty"), 200, ""),
        (get("/several"), 200, "one two three"),
        (get("/tuple"), 200, "a tuple"),
        (get("/generator"), 200, "0 1 2 3 4 "),
        // "servers must not assume that start_response() has been called before they begin
        // iterating over the iterable."
        (get("/late"), 200, "late"),
        // "The start_response callable must return a write(body_data) callable"
        (get("/write"), 200, "written twice, and returned"),
        (get("/sized"), 200, "hello"),
        (get("/large"), 200, &large),
        (get("/nothing"), 204, ""),
        (get("/lost"), 404, "lost"),
        (get("/own"), 299, "own"),
        // "A server should allow read() to be called without an argument, and return the remainder
        // of the client's input stream."
        (post("/read", "content"), 200, "7 ent"),
        (post("/read", ""), 200, "0 "),
        (post("/read", &digits), 200, "200000 789"),
        (
            post("/lines", "one\ntwofour\nfive\nsix\n\nseven"),
            200,
            r"[b'one\n', b'two', b'four\n', b'five\n', b'six\n', b'\n', b'seven']",
        ),
        (get("/lines"), 200, "[b'', b'', b'']"),
        // "A server should [...] simulate an end-of-file condition"
        (post("/pieces", "0123456789"), 200, "0123456|789."),
        (chunked("/pieces", &["01234", "56789"]), 200, "0123456|789."),
        (get("/file"), 200, "hello from a file"),
        (get("/errors"), 200, "noted"),
        // "if exc_info is provided, and no HTTP headers have been output yet, start_response should
        // replace the currently-stored HTTP response headers"
        (get("/error_page"), 500, "an error page"),
        (get("/closing"), 200, "ab"),
    ];
    for application in ["plain", "valid"] {
        let server = serving(application, &[]);
        for (request, status, text) in &cases {
            // The validator allows less than the specification does: readline() without an
            // argument, and a late start_response().
            if application == "valid"
                && ["/lines", "/late"]
                    .iter()
                    .any(|path| request.contains(path))
            {
                continue;
            }
            let response = server.ask(request);
            let line = request.lines().next().unwrap();
            assert_eq!(response.status, *status, "{application} {line}");
            assert!(
                response.text() == *text,
                "{application} {line}: {:.200}",
                response.text()
            );
            assert!(response.field("x-first").is_none(), "replaced headers");
        }
        assert_eq!(noted(server.path(), "closing"), "closed\n", "{application}");
        assert_serves(&server);
    }
}

#[test]
fn the_head_of_a_response() {
    let server = serving("plain", &[]);
    // "if the application supplies several headers of the same name", all of them are sent.
    let response = server.ask_with("GET", "/cookies", "Cookie: c=3\r\nCookie: d=4\r\n");
    let cookies = response
        .fields
        .iter()
        .filter(|(name, _)| name == "Set-Cookie");
    let cookies: Vec<_> = cookies.map(|(_, value)| value.as_str()).collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(response.text(), "c=3; d=4");
    // "applications [...] are forbidden from using HTTP/1.1 "hop-by-hop" features or headers"
    let response = server.get("/hop_by_hop");
    assert!(!response.closes() && response.field("content-length") == Some("3"));
    // "It also must not [...] transmit more data than the Content-Length"
    for path in ["/too_long", "/too_long_stream"] {
        assert_eq!(server.get(path).text(), "long");
        server.logged("more than its Content-Length");
    }
    // "the server may [...] Content-Length [...] if len() of the iterable is 1"
    assert_eq!(server.get("/hello").field("content-length"), Some("5"));
    assert_eq!(
        server.get("/generator").field("transfer-encoding"),
        Some("chunked")
    );
    assert!(server.get("/not_modified").body.is_empty());
    for (path, length) in [("/hello", None), ("/sized", Some("5")), ("/write", None)] {
        let mut client = server.connect();
        client.send(format!(
            "HEAD {path} HTTP/1.1\r\nHost: test\r\n\r\n{}",
            get("/hello")
        ));
        let head = client.response(true);
        assert_eq!(
            (head.status, head.field("content-length")),
            (200, length),
            "{path}"
        );
        assert_eq!(client.response(false).text(), "hello", "{path}");
    }
}

#[test]
fn the_environ() {
    let server = serving("plain", &["--wsgi-mount", "/some/app"]);
    let names = "REQUEST_METHOD,SCRIPT_NAME,PATH_INFO,SERVER_PROTOCOL,SERVER_NAME,HTTP_X_A,CONTENT_TYPE,wsgi.version,\
        wsgi.url_scheme,wsgi.multithread,wsgi.multiprocess,wsgi.run_once,HTTP_AUTHORIZATION";
    let fields = "X-A: caf\u{e9}\r\nContent-Type: text/plain\r\nAuthorization: Basic YTpi\r\n";
    let response = server.ask_with(
        "GET",
        &format!("/some/app/environ/%C3%A9?names={names}"),
        fields,
    );
    // "all "strings" referred to in this specification must be [...] code points representable in
    // ISO-8859-1 encoding"
    let expected = "REQUEST_METHOD='GET'\nSCRIPT_NAME='/some/app'\nPATH_INFO='/environ/\u{c3}\u{a9}'\nSERVER_PROTOCOL='HTTP/1.1'\n\
        SERVER_NAME='test'\nHTTP_X_A='caf\u{c3}\u{a9}'\nCONTENT_TYPE='text/plain'\nwsgi.version=(1, 0)\nwsgi.url_scheme='http'\n\
        wsgi.multithread=False\nwsgi.multiprocess=True\nwsgi.run_once=False\nHTTP_AUTHORIZATION='Basic YTpi'";
    assert_eq!(response.text(), expected);
    assert_eq!(server.get("/some/app").text(), "no such application");
    // A path outside the mount is a file.
    assert_eq!(server.get("/hello.txt").text(), "hello from a file");
    assert_eq!(server.get("/some/apple").status, 404);
    assert_eq!(server.get("/some/app/%zz").status, 400);
}

#[test]
fn bad_applications_cost_their_own_request() {
    // "start_response(status, response_headers, exc_info=None)": what is wrong with a call is the
    // application's error.
    let server = serving("bad", &[]);
    let source = include_str!("wsgi/apps.py");
    let section = source.split("class Bad:").nth(1).unwrap();
    let section = section.split("class Breaking:").next().unwrap();
    let names = section
        .lines()
        .filter_map(|line| line.strip_prefix("    def "));
    let names: Vec<_> = names.filter_map(|line| line.split('(').next()).collect();
    assert!(names.len() > 15);
    for name in names {
        for request in [
            get(&format!("/{name}")),
            post(&format!("/{name}"), "content"),
        ] {
            let response = server.ask(&request);
            assert_eq!(response.status, 500, "{name}");
            assert!(
                !response.text().contains("Error:"),
                "{name}: the client learns nothing"
            );
        }
        server.logged("WSGI: ");
        assert_serves(&server);
    }
}

#[test]
fn what_breaks_off_is_not_taken_for_the_whole() {
    let server = serving("breaking", &["-v"]);
    for name in [
        "raises",
        "exc_info",
        "text",
        "short",
        "short_stream",
        "dies",
        "killed",
    ] {
        let mut client = server.connect();
        client.send(get(&format!("/{name}")));
        let head = client.head();
        let rest = String::from_utf8(client.rest()).unwrap();
        assert_eq!(head.status, 200, "{name}");
        match head.field("content-length") {
            Some(length) => assert!(rest.len() < length.parse().unwrap(), "{name}"),
            None => assert!(
                rest.contains("part") && !rest.ends_with("0\r\n\r\n"),
                "{name}"
            ),
        }
        assert_serves(&server);
    }
    // "if exc_info is provided, and the HTTP headers have already been sent, start_response must
    // raise an error"
    assert!(!server.path().join("exc_info").exists());
}

#[test]
fn close_is_called_once_whatever_happens() {
    // "If the iterable returned by the application has a close() method, the server or gateway must
    // call that method upon completion of the current request, whether the request was completed
    // normally, or terminated early due to an application error during iteration or an early
    // disconnect of the browser."
    let server = serving("plain", &[]);
    server.get("/closing");
    assert_eq!(noted(server.path(), "closing"), "closed\n");
    let mut client = server.connect();
    client.send(get("/breaks"));
    client.rest();
    assert_eq!(noted(server.path(), "breaks"), "closed\n");
    let mut client = server.connect();
    client.send(get("/endless"));
    client.head();
    drop(client);
    assert_eq!(noted(server.path(), "endless"), "closed\n");
    assert_serves(&server);
    for name in ["closing", "breaks", "endless"] {
        assert_eq!(noted(server.path(), name), "closed\n", "{name}");
    }
}

#[test]
fn a_client_that_reads_nothing_holds_the_application_up() {
    let options = ["--wsgi-buffering", "off", "--write-timeout", "2"];
    let server = serving("plain", &options);
    let mut client = server.connect();
    client.send(get("/endless"));
    client.head();
    // The connection is cut when the client has read nothing for two seconds; until then the
    // application waits.
    assert_eq!(noted(server.path(), "endless"), "closed\n");
    let count: u64 = noted(server.path(), "count").parse().unwrap();
    assert!(count < 1000, "{count} chunks of 64 KiB are somewhere");
    assert_serves(&server);
}

#[test]
fn content_travels_both_ways_at_once() {
    const SIZE: usize = 64 << 20;
    for buffering in ["on", "off"] {
        let options = ["--wsgi-buffering", buffering, "--max-body", "1000000000"];
        content_travels(&serving("plain", &options), SIZE);
    }
}

fn content_travels(server: &Server, size: usize) {
    let mut client = server.connect();
    let mut upload = client.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        use std::io::Write;
        let head = format!("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: {size}\r\n\r\n");
        upload.write_all(head.as_bytes()).unwrap();
        let block: Vec<u8> = (0..1 << 20).map(|i: u32| (i % 251) as u8).collect();
        for _ in 0..size >> 20 {
            upload.write_all(&block).unwrap();
        }
    });
    let response = client.response(false);
    sender.join().unwrap();
    assert_eq!(response.body.len(), size);
    assert!(
        response
            .body
            .chunks(1 << 20)
            .all(|block| block[..251] == response.body[..251])
    );
    assert!(
        server.peak_memory() < 48 << 20,
        "{} bytes",
        server.peak_memory()
    );
}

#[test]
fn content_that_is_not_read_or_does_not_come() {
    let server = serving("plain", &["--wsgi-buffering", "off"]);
    let mut client = server.connect();
    // The next request is found after a body that the application has not read.
    for _ in 0..3 {
        client.send(post("/unread", &"abc".repeat(100_000)));
        assert_eq!(client.response(false).text(), "abc");
        client.send(post("/hello", &"abc".repeat(100_000)));
        assert_eq!(client.response(false).text(), "hello");
    }
    let mut client = server.connect();
    client.send("POST /cut_off HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nabc");
    client.finish();
    // Which of the two it notices first depends on the socket.
    let said = noted(server.path(), "cut_off");
    let expected = [
        "the content of the request was cut off\n",
        "the client has gone\n",
    ];
    assert!(expected.contains(&&*said), "{said:?}");
    assert_serves(&server);
}

#[test]
fn what_the_application_says_goes_to_the_log() {
    let server = serving("plain", &[]);
    server.get("/errors");
    assert!(server.logged("this goes to the log").contains("WSGI "));
    server.logged("this too");
}

#[test]
fn requests_in_a_row_are_answered_in_their_order() {
    let server = serving("plain", &["--wsgi-threads", "4", "--wsgi-workers", "2"]);
    let mut client = server.connect();
    let requests: Vec<_> = (0..100)
        .map(|n| get(&format!("/environ?names=QUERY_STRING&n={n}")))
        .collect();
    client.send(requests.concat());
    for number in 0..100 {
        let Response { status, body, .. } = client.response(false);
        assert_eq!(
            (status, body),
            (
                200,
                format!("QUERY_STRING='names=QUERY_STRING&n={number}'").into_bytes()
            )
        );
    }
}

#[test]
fn the_rules_of_files_do_not_apply_to_applications() {
    // PEP 3333: "PATH_INFO: The remainder of the request URL's "path", designating the virtual
    // "location" of the request's target within the application."
    let server = serving("plain", &["--wsgi-mount", "/app"]);
    for (target, path_info) in [
        ("/app/paths/u/a%2Fb", "/paths/u/a/b"),
        ("/app/paths/%2e%2e/b", "/paths/../b"),
        ("/app/paths/../b", "/paths/../b"),
        ("/app/paths//b//", "/paths//b//"),
        ("/app/paths/.git/%2Eenv", "/paths/.git/.env"),
        ("//app/paths", "/paths"),
    ] {
        let response = server.ask(&get(target));
        let expected = format!("/app|{path_info}|{target}|GET");
        assert_eq!((response.status, response.text()), (200, expected));
    }
    assert_eq!(server.ask(&get("/app/paths/a%00b")).status, 400);
    // The rules still apply to files.
    for (target, status) in [
        ("/hello%2Ftxt", 400),
        ("/x/../hello.txt", 400),
        ("/.git/x", 404),
        ("/100%", 400),
    ] {
        assert_eq!(server.ask(&get(target)).status, status, "{target}");
    }
}

#[test]
fn an_application_is_not_asked_for_a_tunnel() {
    // RFC 9110, 9.3.6: "An origin server MAY accept a CONNECT request, but most origin servers do
    // not implement CONNECT."
    let server = serving("plain", &[]);
    let connect = "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n";
    let response = server.ask(connect);
    assert_eq!(response.status, 405);
    assert!(response.field("allow").is_some());
    assert_serves(&server);
}
