//! PUT (section 9.3.4) and DELETE (section 9.3.5).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::super::server::{Response, Server};

fn writable() -> Server {
    Server::start(&["--writable"])
}

fn put(server: &Server, path: &str, fields: &str, content: &str) -> Response {
    let length = content.len();
    server.ask(&format!(
        "PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n{fields}\r\n{content}"
    ))
}

/// Returns everything in a folder, hidden or not.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn put_creates_and_replaces() {
    // 9.3.4: "If the target resource does not have a current representation and the PUT
    // successfully creates one, then the origin server MUST inform the user agent by sending a 201
    // (Created) response. If the target resource does have a current representation and that
    // representation is successfully modified [...] then the origin server MUST send either a 200
    // (OK) or a 204 (No Content) response".
    let server = writable();
    let created = put(&server, "/new%20file.txt", "", "one");
    assert_eq!(created.status, 201);
    let read = server.get("/new%20file.txt");
    assert_eq!((read.status, read.text().as_str()), (200, "one"));
    assert_eq!(read.field("etag"), created.field("etag"));
    // After a change, the copy in memory is not trusted.
    for content in ["two", "three", ""] {
        let replaced = put(&server, "/new%20file.txt", "", content);
        assert_eq!(replaced.status, 204);
        let read = server.get("/new%20file.txt");
        assert_eq!(read.text(), content);
        assert_eq!(read.field("etag"), replaced.field("etag"));
    }
    assert_eq!(names(server.path()), ["hello.txt", "new file.txt"]);
}

#[test]
fn a_large_upload_in_chunks() {
    let server = writable();
    let mut client = server.connect();
    client.send("PUT /large HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut expected = Vec::new();
    for i in 0..300_u32 {
        let chunk: Vec<u8> = (0..10_000).map(|j| ((i + j) % 251) as u8).collect();
        client.send(format!("{:x}\r\n", chunk.len()));
        client.send(&chunk);
        client.send("\r\n");
        expected.extend(chunk);
    }
    client.send("0\r\n\r\n");
    assert_eq!(client.response(false).status, 201);
    assert_eq!(fs::read(server.path().join("large")).unwrap(), expected);
    client.send("GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response(false).text(), "hello\n", "and on it goes");
}

#[test]
fn half_an_upload_leaves_nothing() {
    let server = writable();
    for head in ["Content-Length: 1000000", "Transfer-Encoding: chunked"] {
        for path in ["/half.txt", "/hello.txt"] {
            let mut client = server.connect();
            client.send(format!("PUT {path} HTTP/1.1\r\nHost: a\r\n{head}\r\n\r\n"));
            client.send("400000\r\n");
            client.send(vec![b'x'; 600_000]);
            client.finish();
            // The response arrives when the upload and the part that had arrived are discarded.
            assert_eq!(client.response(false).status, 400);
            assert_eq!(names(server.path()), ["hello.txt"]);
        }
    }
    server.assert_well();
}

#[test]
fn preconditions_hold_for_changes() {
    // 13.1.1: "An origin server that evaluates an If-Match condition MUST NOT perform the requested
    // method if the condition evaluates to false."
    let server = writable();
    let tag = |path: &str| server.get(path).field("etag").unwrap().to_owned();
    let current = tag("/hello.txt");
    let rows = [
        ("/hello.txt", "If-Match: \"other\"\r\n".to_owned(), 412),
        ("/hello.txt", format!("If-Match: W/{current}\r\n"), 412),
        ("/hello.txt", "If-None-Match: *\r\n".to_owned(), 412),
        ("/hello.txt", format!("If-None-Match: {current}\r\n"), 412),
        (
            "/hello.txt",
            "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n".to_owned(),
            412,
        ),
        ("/missing", "If-Match: *\r\n".to_owned(), 412),
        ("/hello.txt", format!("If-Match: \"x\", {current}\r\n"), 204),
        ("/missing", "If-None-Match: *\r\n".to_owned(), 201),
        ("/missing", "If-None-Match: *\r\n".to_owned(), 412),
    ];
    for (path, fields, status) in rows {
        let response = put(&server, path, &fields, "hello\n");
        assert_eq!(response.status, status, "{path} {fields}");
    }
    let delete = |fields: &str| server.ask_with("DELETE", "/missing", fields).status;
    assert_eq!(delete("If-Match: \"other\"\r\n"), 412);
    assert_eq!(delete(&format!("If-Match: {}\r\n", tag("/missing"))), 204);
}

#[test]
fn who_was_sent_a_coded_file_can_change_it() {
    let server = writable();
    put(&server, "/page.html", "", &"<p>".repeat(2000));
    let coded = server.ask_with("GET", "/page.html", "Accept-Encoding: gzip\r\n");
    let tag = coded.field("etag").unwrap();
    assert!(tag.ends_with("-gzip\""), "{tag}");
    let replaced = put(
        &server,
        "/page.html",
        &format!("If-Match: {tag}\r\n"),
        "new",
    );
    assert_eq!(replaced.status, 204);
    let again = put(
        &server,
        "/page.html",
        &format!("If-Match: {tag}\r\n"),
        "newer",
    );
    assert_eq!(again.status, 412, "another one has come in between");
}

#[test]
fn delete_removes_a_file_and_nothing_else() {
    // 9.3.5: "If a DELETE method is successfully applied, the origin server SHOULD send [...] a 204
    // (No Content) status code".
    let server = writable();
    fs::create_dir(server.path().join("folder")).unwrap();
    symlink("hello.txt", server.path().join("link")).unwrap();
    let delete = |path: &str| server.ask_with("DELETE", path, "").status;
    for (path, status) in [
        ("/folder", 409),
        ("/folder/", 409),
        ("/", 409),
        ("/nothing", 404),
        ("/nowhere/nothing", 404),
        ("/link", 204),
    ] {
        assert_eq!(delete(path), status, "{path}");
    }
    assert_eq!(names(server.path()), ["folder", "hello.txt"]);
    assert_eq!(delete("/hello.txt"), 204);
    assert_eq!(server.get("/hello.txt").status, 404);
}

#[test]
fn nothing_is_written_outside_of_the_root() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    let server = writable();
    fs::create_dir(server.path().join("folder")).unwrap();
    symlink(outside.path(), server.path().join("out")).unwrap();
    symlink(outside.path().join("secret"), server.path().join("leak")).unwrap();
    for path in [
        "/../x",
        "/%2e%2e/x",
        "/folder/../../x",
        "/out/x",
        "/out/secret",
        "/folder/%2e%2e%2f%2e%2e/x",
        "/.hidden",
        "/.git/config",
        "/folder//.x",
        "//.hidden",
        "/.well-known/x",
        "/.well-known/acme-challenge/x",
        "/",
        "/folder",
        "/folder/",
        "/missing/x",
        "/hello.txt/x",
        "/a%00b",
        &format!("/{}", "n".repeat(256)),
    ] {
        let status = put(&server, path, "", "mine").status;
        assert!((400..500).contains(&status), "PUT {path}: {status}");
        let status = server.ask_with("DELETE", path, "").status;
        assert!((400..500).contains(&status), "DELETE {path}: {status}");
    }
    assert_eq!(names(outside.path()), ["secret"]);
    assert_eq!(names(server.path()), ["folder", "hello.txt", "leak", "out"]);
    // A link itself is replaced, never its target.
    assert!(put(&server, "/leak", "", "mine").status < 300);
    let secret = fs::read_to_string(outside.path().join("secret")).unwrap();
    assert_eq!(secret, "secret");
}

#[test]
fn what_cannot_be_stored_as_it_is_is_refused() {
    // 14.5: "An origin server that supports PUT on a given target resource MUST send a 400 (Bad
    // Request) response to a PUT request on that target resource that contains a Content-Range
    // header field" (as RFC 7231 had it; a SHOULD by now).
    let server = writable();
    let range = put(&server, "/x", "Content-Range: bytes 0-2/3\r\n", "abc");
    assert_eq!(range.status, 400);
    // 8.4: "An origin server MAY respond with a status code of 415 (Unsupported Media Type) if a
    // representation in the request message has a content coding that is not acceptable."
    let coded = put(&server, "/x", "Content-Encoding: gzip\r\n", "abc");
    assert_eq!(coded.status, 415);
    assert_eq!(names(server.path()), ["hello.txt"]);
}

#[test]
fn what_there_is_no_room_for_is_507_before_it_is_sent() {
    let server = Server::start(&["--writable", "--max-body", "18446744073709551615"]);
    let mut client = server.connect();
    let petabytes = 1_u64 << 62;
    client.send(format!(
        "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: {petabytes}\r\n\r\n"
    ));
    let response = client.response(false);
    assert_eq!((response.status, response.closes()), (507, true));
    assert_eq!(names(server.path()), ["hello.txt"]);
}

#[test]
fn files_can_be_written_only_if_it_is_switched_on() {
    let server = Server::start(&[]);
    let response = put(&server, "/x", "", "mine");
    assert_eq!(response.status, 405);
    assert_eq!(response.field("allow"), Some("GET, HEAD, OPTIONS"));
    assert_eq!(server.ask_with("DELETE", "/hello.txt", "").status, 405);
    server.assert_well();
    let options = writable().ask_with("OPTIONS", "/x", "");
    assert_eq!(
        options.field("allow"),
        Some("GET, HEAD, OPTIONS, PUT, DELETE")
    );
}

#[test]
fn of_two_who_change_the_same_state_one_wins() {
    let server = writable();
    let tag = server.get("/hello.txt").field("etag").unwrap().to_owned();
    let mut clients: Vec<_> = (0..8).map(|_| server.connect()).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        client.send(format!(
            "PUT /hello.txt HTTP/1.1\r\nHost: a\r\nIf-Match: {tag}\r\nContent-Length: 1\r\n\r\n{i}"
        ));
    }
    let statuses: Vec<_> = clients
        .iter_mut()
        .map(|client| client.response(false).status)
        .collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 204).count(),
        1,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 412).count(),
        7,
        "{statuses:?}"
    );
}
