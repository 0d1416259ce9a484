//! `spidey --proxy`: paths that backends answer.

use std::fs;

use super::server::Server;

#[test]
fn a_path_is_forwarded_and_the_rest_is_served() {
    let backend = Server::start(&[]);
    fs::create_dir(backend.path().join("docs")).unwrap();
    fs::write(backend.path().join("docs/page.txt"), "a page\n").unwrap();
    let url = format!("http://{}", backend.address);
    let kept = format!("/docs={url}");
    let replaced = format!("/app={url}/docs/");
    let server = Server::start(&["--proxy", &kept, "--proxy", &replaced]);
    assert_eq!(server.get("/hello.txt").status, 200);
    // The backend sees the whole path, or the path of its URL in place of the prefix.
    for path in ["/docs/page.txt", "/app/page.txt"] {
        let answer = server.get(path);
        let got = (answer.status, answer.text());
        assert_eq!(got, (200, "a page\n".to_owned()), "{path}");
        assert!(answer.field("via").is_some(), "{path}");
    }
    for path in ["/application", "/docsx"] {
        assert_eq!(server.get(path).status, 404, "{path}");
        assert!(server.get(path).field("via").is_none(), "{path}");
    }
    // A path that two servers could understand in two ways is refused.
    assert_eq!(server.get("/docs/%2e%2e/hello.txt").status, 400);
}

#[test]
fn a_password_of_the_site_holds_for_its_backends() {
    let backend = Server::start(&[]);
    let hash = "$2y$04$wn9XSjpzHGj3UcudfwRSOeLyAIEeEn1aYdxcRJxpfUbo6g9TWbHAC";
    let path = format!("/hello.txt=http://{}", backend.address);
    let server = Server::start(&["--auth", &format!("ada:{hash}"), "--proxy", &path]);
    assert_eq!(server.get("/hello.txt").status, 401);
    let known = "Authorization: Basic YWRhOm9wZW4gc2VzYW1l\r\n";
    assert_eq!(server.ask_with("GET", "/hello.txt", known).status, 200);
}

#[test]
fn a_backend_that_is_not_there_is_a_bad_gateway() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let server = Server::start(&["--proxy", &format!("/api={url}")]);
    assert_eq!(server.get("/api/x").status, 502);
    server.assert_well();
}

/// The resolver reads files that the sandbox must allow.
#[test]
fn backends_may_have_names() {
    let backend = Server::start(&[]);
    let port = backend.address.port();
    let path = format!("/hello.txt=http://localhost:{port}");
    let server = Server::start(&["--proxy", &path]);
    assert_eq!(server.get("/hello.txt").status, 200);
}
