//! `start_backend`: Task 1A and 1B of the assignment, files, and errors.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use super::started::{Answered, Started};

const BACKEND: &str = env!("CARGO_BIN_EXE_start_backend");

const FORM: &str = "Content-Type: application/x-www-form-urlencoded";

fn is_refused(answered: &Answered) {
    assert_eq!(answered.status(), 401, "{answered:?}");
    // RFC 9110, 15.5.2: "The server generating a 401 response MUST send a WWW-Authenticate header
    // field". A browser opens a dialog for the schemes that it knows.
    let challenge = answered.field("www-authenticate").to_lowercase();
    assert!(!challenge.is_empty(), "{answered:?}");
    for scheme in ["basic", "digest", "negotiate", "ntlm"] {
        assert!(!challenge.contains(scheme), "{challenge}");
    }
    assert!(answered.fields("set-cookie").is_empty(), "{answered:?}");
    assert!(answered.body().contains("401 Unauthorized"), "{answered:?}");
    assert_eq!(answered.field("content-type"), "text/html; charset=utf-8");
}

#[test]
fn task_1a_a_login_sets_the_cookie_and_anything_else_is_a_401() {
    let backend = Started::new(BACKEND, &[]);
    let head = format!("POST /login HTTP/1.1\r\n{FORM}");
    for body in [
        "username=admin&password=password",
        "password=password&username=admin",
        "username=%61dmin&password=pass%77ord&more=1",
    ] {
        let answered = backend.ask(&head, body);
        assert_eq!(answered.status(), 200, "{answered:?}");
        assert_eq!(answered.fields("set-cookie"), ["auth=true"]);
        assert!(answered.body().contains("<h1>Welcome</h1>"), "{answered:?}");
    }
    for body in [
        "",
        "username=admin",
        "password=password",
        "username=admin&password=",
        "username=admin&password=Password",
        "username=Admin&password=password",
        "username=admin&password=password%00",
        "username=admin&password=wrong&password=password",
        "username=admin&username=eve&password=password",
        "user=admin&pass=password",
        "{\"username\": \"admin\", \"password\": \"password\"}",
        "username=admin;password=password",
    ] {
        is_refused(&backend.ask(&head, body));
    }
    let large = format!("username=admin&password={}", "x".repeat(20_000));
    assert_eq!(backend.ask(&head, &large).status(), 413);
}

#[test]
fn task_1b_pages_require_the_cookie_and_other_files_do_not() {
    let backend = Started::new(BACKEND, &[]);
    let get =
        |path: &str, cookie: &str| backend.ask(&format!("GET {path} HTTP/1.1\r\n{cookie}"), "");
    for path in ["/", "/index.html", "//", "/%69ndex.html", "/?a=b"] {
        for cookie in ["auth=true", "a=1; auth=true", "auth=true; b=2"] {
            let answered = get(path, &format!("Cookie: {cookie}"));
            assert_eq!(answered.status(), 200, "{path} {answered:?}");
            assert!(answered.body().contains("<h1>Welcome</h1>"));
        }
        for cookie in [
            "auth=false",
            "auth=True",
            "auth=",
            "auth",
            "Auth=true",
            "xauth=true",
            "auth=true; auth=false",
            "a=auth=true",
            "auth=true,b=1",
        ] {
            is_refused(&get(path, &format!("Cookie: {cookie}")));
        }
        is_refused(&get(path, "Cookie:"));
        is_refused(&get(path, "X-Cookie: auth=true"));
    }
    for (path, media_type) in [
        ("/css/styles.css", "text/css; charset=utf-8"),
        ("/js/time.js", "text/javascript; charset=utf-8"),
        ("/images/welcome.svg", "image/svg+xml; charset=utf-8"),
        ("/login.html", "text/html; charset=utf-8"),
    ] {
        let answered = get(path, "Accept: */*");
        assert_eq!(answered.status(), 200, "{path} {answered:?}");
        assert_eq!(answered.field("content-type"), media_type, "{path}");
    }
    let head = backend.ask("HEAD / HTTP/1.1", "");
    assert_eq!((head.status(), head.body()), (401, ""));
    assert_eq!(get("/nothing.css", "Accept: */*").status(), 404);
    assert_eq!(get("/nothing.html", "Cookie: auth=true").status(), 404);
    for path in ["/../Cargo.toml", "/%2e%2e/Cargo.toml", "/css/../../lib.rs"] {
        assert!(
            [400, 404].contains(&get(path, "Cookie: auth=true").status()),
            "{path}"
        );
    }
}

#[test]
fn open_requires_no_login_and_the_site_may_be_anywhere() {
    let folder = tempfile::tempdir().unwrap();
    let pages = [
        ("www/index.html", "mine"),
        ("www/sub/index.html", "below"),
        ("static/a.txt", "text"),
    ];
    for (path, content) in pages {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    let site = folder.path().to_str().unwrap();
    let backend = Started::new(BACKEND, &["--open", "--site", site]);
    for (path, content) in [("/", "mine"), ("/sub/", "below"), ("/a.txt", "text")] {
        let answered = backend.ask(&format!("GET {path} HTTP/1.1"), "");
        assert_eq!(
            (answered.status(), answered.body()),
            (200, content),
            "{path}"
        );
    }
    // With the access control, the login answers with the index page of this site.
    let backend = Started::new(BACKEND, &["--site", site]);
    let login = format!("POST /login HTTP/1.1\r\n{FORM}");
    let answered = backend.ask(&login, "username=admin&password=password");
    assert_eq!((answered.status(), answered.body()), (200, "mine"));
}

#[test]
fn many_clients_are_served_at_once_and_a_slow_one_stops_nobody() {
    let backend = Started::new(BACKEND, &[]);
    let mut slow = backend.connect();
    slow.write_all(b"POST /login HTTP/1.1\r\nHost: a\r\nContent-Length: 32\r\n\r\nuser")
        .unwrap();
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                for _ in 0..10 {
                    let answered = backend.ask("GET / HTTP/1.1\r\nCookie: auth=true", "");
                    assert_eq!(answered.status(), 200);
                }
            });
        }
    });
    slow.write_all(b"name=admin&password=password").unwrap();
    let mut first = [0; 15];
    slow.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 200 OK");
}

#[test]
fn requests_that_are_none_are_answered_and_the_next_one_is_served() {
    let backend = Started::new(BACKEND, &[]);
    for (bytes, status) in [
        ("nonsense\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n", 400),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
            400,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            405,
        ),
        (
            "BREW / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
            501,
        ),
    ] {
        assert_eq!(backend.send(bytes).status(), status, "{bytes:?}");
        assert_eq!(
            backend
                .ask("GET / HTTP/1.1\r\ncookie: auth=true", "")
                .status(),
            200
        );
    }
}

#[test]
fn mistakes_are_told_in_a_line() {
    let run = |arguments: &[&str]| {
        let output = Command::new(BACKEND).args(arguments).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        (output.status.code(), stderr)
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let (status, error) = run(&["--server-ip", "127.0.0.1", "--server-port", &port]);
    assert!(
        status == Some(1) && error.contains("cannot listen on 127.0.0.1"),
        "{error}"
    );
    let (status, error) = run(&["--site", "/nonexistent", "--server-port", "0"]);
    assert!(
        status == Some(1) && error.contains("/nonexistent/www"),
        "{error}"
    );
    for wrong in [
        ["--server-port", "70000"],
        ["--server-ip", "here"],
        ["--port", "1"],
    ] {
        let (status, error) = run(&wrong);
        assert!(status == Some(2) && error.contains(wrong[0]), "{error}");
    }
}

/// The commands of docs/src/daemon.md.
#[test]
fn curl_shows_why_the_cookie_of_the_assignment_is_not_safe() {
    let backend = Started::new(BACKEND, &[]);
    let code = ["-o", "/dev/null", "-w", "%{http_code}"];
    assert_eq!(backend.curl("/", &code), "401");
    let forged = [&code[..], &["-b", "auth=true"]].concat();
    assert_eq!(backend.curl("/", &forged), "200", "nobody has logged in");
    let login = ["-i", "-d", "username=admin&password=password"];
    assert!(
        backend
            .curl("/login", &login)
            .contains("Set-Cookie: auth=true")
    );
}
