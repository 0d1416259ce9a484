//! RFC 6266, `Content-Disposition`: a file that is saved under its own name.

use std::fs;

use super::server::Server;

#[test]
fn a_download_has_a_name() {
    let server = Server::start(&[]);
    let long = "x".repeat(100_000);
    for (name, content) in [
        ("a b.txt", "small"),
        ("Tschüß.txt", "small"),
        ("large.bin", &long),
    ] {
        fs::write(server.path().join(name), content).unwrap();
    }
    for (path, expected) in [
        (
            "/hello.txt?download",
            Some("attachment; filename=\"hello.txt\""),
        ),
        (
            "/a%20b.txt?download",
            Some("attachment; filename=\"a b.txt\""),
        ),
        // 4.3: "when both "filename" and "filename*" are present in a single header field value,
        // recipients SHOULD pick "filename*" and ignore "filename"".
        (
            "/Tsch%C3%BC%C3%9F.txt?download",
            Some("attachment; filename=\"Tsch__.txt\"; filename*=UTF-8''Tsch%C3%BC%C3%9F.txt"),
        ),
        (
            "/large.bin?download",
            Some("attachment; filename=\"large.bin\""),
        ),
        ("/hello.txt", None),
        ("/hello.txt?downloads", None),
        ("/?download", None),
    ] {
        for _ in 0..2 {
            let response = server.get(path);
            assert_eq!(response.status, 200);
            assert_eq!(response.field("content-disposition"), expected, "{path}");
        }
    }
    // A listing links to it.
    assert!(
        server
            .get("/")
            .text()
            .contains("href=\"a%20b.txt?download\"")
    );
}
