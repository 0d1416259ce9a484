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

/// A listing shows what a request would be given, also for links.
#[test]
fn a_listing_shows_where_links_lead() {
    let server = Server::start(&["--writable"]);
    let root = fs::canonicalize(server.path()).unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.join("real/sub")).unwrap();
    fs::write(root.join("real/file.txt"), "text").unwrap();
    fs::write(root.join(".env"), "secret").unwrap();
    fs::write(outside.path().join("secret.txt"), "secret").unwrap();
    let link = |target: &std::path::Path, name: &str| {
        std::os::unix::fs::symlink(target, root.join(name)).unwrap();
    };
    link(&root.join("real/file.txt"), "absolute.txt");
    link(&root.join("real"), "folder");
    link(&root.join(".env"), "env.txt");
    link(outside.path(), "outside");
    link(&outside.path().join("secret.txt"), "secret.txt");
    link(std::path::Path::new("/etc"), "etc");
    link(&root.join("missing"), "broken");
    let listed = server.ask_with("GET", "/", "Accept: text/plain\r\n").text();
    let names: Vec<&str> = listed.lines().collect();
    for (name, status) in [
        ("absolute.txt", 200),
        ("folder/", 200),
        ("hello.txt", 200),
        ("env.txt", 404),
        ("outside/", 404),
        ("outside", 404),
        ("secret.txt", 404),
        ("etc/", 404),
        ("broken", 404),
    ] {
        assert_eq!(server.get(&format!("/{name}")).status, status, "{name}");
        assert_eq!(names.contains(&name), status == 200, "{name}: {listed}");
    }
    assert_eq!(server.get("/folder").field("location"), Some("/folder/"));
    assert_eq!(server.get("/folder/file.txt").text(), "text");
    // Writing goes the same way.
    let put =
        server.ask("PUT /folder/sub/new HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(put.status, 201);
    assert_eq!(fs::read_to_string(root.join("real/sub/new")).unwrap(), "hi");
    let put = server.ask("PUT /outside/new HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(put.status, 403);
}
