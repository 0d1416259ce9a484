//! Folders without an index.

use std::fs;

use super::server::Server;

#[test]
fn a_listing_comes_in_the_form_that_is_asked_for() {
    // RFC 9110, 12.5.1: "The Accept header field can be used by user agents to specify their
    // preferences regarding response media types."
    let server = Server::start(&[]);
    for (accept, media_type, begin) in [
        ("", "text/html", "<!DOCTYPE html>"),
        ("Accept: text/html\r\n", "text/html", "<!DOCTYPE html>"),
        (
            "Accept: application/json\r\n",
            "application/json",
            "{\"path\":\"/\"",
        ),
        ("Accept: text/plain\r\n", "text/plain", "hello.txt\n"),
    ] {
        let response = server.ask(&format!("GET / HTTP/1.1\r\nHost: a\r\n{accept}\r\n"));
        let expected = format!("{media_type}; charset=utf-8");
        assert_eq!(response.field("content-type"), Some(expected.as_str()));
        assert_eq!(response.field("vary"), Some("Accept, Accept-Encoding"));
        assert!(response.text().starts_with(begin), "{}", response.text());
    }
}

#[test]
fn a_long_listing_is_streamed_whole_and_holds_nobody_up() {
    let server = Server::start(&["--workers", "1"]);
    for number in 0..100_000 {
        let folder = server.path().join("long");
        if number == 0 {
            fs::create_dir(&folder).unwrap();
        }
        fs::write(
            folder.join(format!("{number:05} with a name that takes some space")),
            "",
        )
        .unwrap();
    }
    let ask = |version: &str| {
        format!(
            "GET /long/ HTTP/{version}\r\nHost: a\r\nAccept: text/plain\r\nConnection: close\r\n\r\n"
        )
    };
    // Many clients that send requests and read nothing slow only themselves.
    let mut idle: Vec<_> = (0..40).map(|_| server.connect()).collect();
    for client in &mut idle {
        client.send("GET /long/ HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    server.assert_well();
    let mut client = server.connect();
    client.send(ask("1.0"));
    let text = String::from_utf8(client.rest()).unwrap();
    let (head, names) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    assert_eq!(names.lines().count(), 100_000);
    assert!(names.lines().is_sorted());

    let mut client = server.connect();
    client.send(ask("1.1"));
    let text = String::from_utf8(client.rest()).unwrap();
    assert!(text.contains("\r\nTransfer-Encoding: chunked\r\n"));
    assert!(text.ends_with("\r\n0\r\n\r\n"));
    // All of them read the same entries, which are in memory once.
    assert!(
        server.peak_memory() < 200 << 20,
        "{} bytes",
        server.peak_memory()
    );
    drop(idle);
    server.assert_well();
}

#[test]
fn a_query_sorts_and_filters() {
    let server = Server::start(&[]);
    fs::write(server.path().join("large.bin"), [0; 5000]).unwrap();
    let names = |query: &str| {
        let ask = format!("GET /?{query} HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n\r\n");
        server.ask(&ask).text()
    };
    assert_eq!(names("sort=size"), "hello.txt\nlarge.bin\n");
    assert_eq!(names("sort=size&order=desc"), "large.bin\nhello.txt\n");
    assert_eq!(names("filter=LARGE"), "large.bin\n");
}
