//! Bugs that users of other servers have reported, tested here.

use std::fs;
use std::io::Read;

use super::programs::write_program;
use super::server::{Response, Server};

fn ask(server: &Server, path: &str, fields: &str) -> Response {
    server.ask_with("GET", path, fields)
}

#[test]
fn a_doubled_slash_is_one() {
    let server = Server::start(&[]);
    fs::create_dir_all(server.path().join("a/b")).unwrap();
    fs::write(server.path().join("a/b/c.css"), "p {}").unwrap();
    for path in ["//a/b/c.css", "/a//b/c.css", "///a/b///c.css?x"] {
        let response = ask(&server, path, "");
        assert_eq!(
            (response.status, &*response.text()),
            (200, "p {}"),
            "{path}"
        );
    }
    // RFC 3986, 4.2: "A relative reference that begins with two slash characters is termed a
    // network-path reference": a redirect must not be one.
    for path in ["//a", "///a/b", "//a//b"] {
        let response = ask(&server, path, "");
        assert_eq!(response.status, 301, "{path}");
        let location = response.field("location").unwrap();
        assert!(location.starts_with("/a"), "{path}: {location}");
        assert_eq!(ask(&server, location, "").status, 200, "{location}");
    }
}

#[test]
fn of_the_names_with_a_dot_only_well_known_is_served() {
    // RFC 8615, 3: "A well-known URI is a URI whose path component begins with the characters
    // "/.well-known/"".
    let server = Server::start(&[]);
    let root = server.path();
    for folder in [
        ".well-known/acme-challenge",
        ".well-known/.git",
        ".git",
        "a/.well-known",
    ] {
        fs::create_dir_all(root.join(folder)).unwrap();
        fs::write(root.join(folder).join("file"), "text").unwrap();
    }
    fs::write(root.join(".well-known/security.txt"), "Contact: a").unwrap();
    fs::write(root.join(".well-known/.env"), "secret").unwrap();
    fs::write(root.join(".well-knownx"), "secret").unwrap();
    for (path, status) in [
        ("/.well-known/security.txt", 200),
        ("//.well-known//security.txt", 200),
        ("/.well-known/acme-challenge/file", 200),
        ("/.well-known/.env", 404),
        ("/.well-known/.git/file", 404),
        ("/.well-knownx", 404),
        ("/.git/file", 404),
        ("/a/.well-known/file", 404),
    ] {
        assert_eq!(ask(&server, path, "").status, status, "{path}");
    }
}

#[test]
fn a_304_has_none_of_the_fields_that_describe_content() {
    // RFC 9110, 15.4.5: "Since the goal of a 304 response is to minimize information transfer when
    // the recipient already has one or more cached representations, a sender SHOULD NOT generate
    // representation metadata other than the above listed fields".
    let server = Server::start(&["--header", "X-Own: kept", "--cache-control", "*=max-age=60"]);
    fs::write(server.path().join("long.txt"), "text ".repeat(1000)).unwrap();
    fs::write(server.path().join("large.txt"), "text ".repeat(100_000)).unwrap();
    fs::write(server.path().join("photo.png"), "no image").unwrap();
    for (path, fields) in [
        ("/long.txt", "Accept-Encoding: gzip\r\n"),
        ("/large.txt", "Accept-Encoding: br\r\n"),
        ("/long.txt", ""),
        ("/long.txt?download", ""),
        ("/", "Accept-Encoding: gzip\r\n"),
        ("/photo.png?thumbnail", ""),
    ] {
        let whole = ask(&server, path, fields);
        assert_eq!(whole.status, 200, "{path}");
        let etag = whole.field("etag").unwrap();
        let unchanged = ask(&server, path, &format!("{fields}If-None-Match: {etag}\r\n"));
        assert_eq!(unchanged.status, 304, "{path}");
        for name in ["etag", "vary", "cache-control", "x-own"] {
            assert_eq!(unchanged.field(name), whole.field(name), "{path} {name}");
        }
        let known = [
            "cache-control",
            "connection",
            "content-location",
            "date",
            "etag",
            "expires",
            "vary",
            // What all responses say about the server.
            "server",
            "x-own",
            "x-content-type-options",
        ];
        for (name, value) in &unchanged.fields {
            let name = name.to_lowercase();
            assert!(
                known.contains(&&*name),
                "{path} {fields:?}: {name}: {value}"
            );
        }
    }
}

#[test]
fn all_of_nothing_is_no_error() {
    // RFC 9110, 15.5.17: "many implementations will respond with the entire selected representation
    // in a 200 (OK) response".
    let server = Server::start(&[]);
    fs::write(server.path().join("empty"), "").unwrap();
    for range in ["0-", "0-0", "0-65535", "-1", "-65536"] {
        let response = ask(&server, "/empty", &format!("Range: bytes={range}\r\n"));
        assert_eq!(response.status, 200, "{range}");
        assert_eq!(response.field("content-length"), Some("0"), "{range}");
    }
    assert_eq!(ask(&server, "/empty", "Range: bytes=1-\r\n").status, 416);
}

#[test]
fn a_client_that_prefers_no_coding_gets_none() {
    let server = Server::start(&[]);
    let text = "text ".repeat(1000);
    fs::write(server.path().join("long.txt"), &text).unwrap();
    for (accept, coding) in [
        ("identity;q=1, gzip;q=0.5", None),
        ("br;q=0.9, gzip;q=0.8, identity", None),
        ("identity, *;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", Some("gzip")),
        ("identity;q=0.5, gzip;q=0.6", Some("gzip")),
        ("gzip;q=0.1", Some("gzip")),
    ] {
        let response = ask(
            &server,
            "/long.txt",
            &format!("Accept-Encoding: {accept}\r\n"),
        );
        assert_eq!(response.field("content-encoding"), coding, "{accept}");
        let mut decoded = String::new();
        match coding {
            None => decoded = response.text(),
            Some(_) => {
                let mut decoder = flate2::read::GzDecoder::new(&response.body[..]);
                decoder.read_to_string(&mut decoded).map(drop).unwrap();
            }
        }
        assert_eq!(decoded, text, "{accept}");
    }
}

#[test]
fn a_later_minor_version_is_answered_as_1_1() {
    // RFC 9110, 2.5: "A recipient that receives a message with a major version number that it
    // implements and a minor version number higher than what it implements SHOULD process the
    // message as if it was in the highest minor version within that major version to which the
    // recipient is conformant."
    let server = Server::start(&[]);
    let mut client = server.connect();
    for version in ["1.2", "1.9", "1.1"] {
        client.send(format!("GET /hello.txt HTTP/{version}\r\nHost: a\r\n\r\n"));
        let response = client.response(false);
        assert_eq!(
            (response.status, &*response.text()),
            (200, "hello\n"),
            "{version}"
        );
    }
    for version in ["2.0", "0.9", "3.2"] {
        let response = server.ask(&format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n"));
        assert_eq!(response.status, 505, "{version}");
    }
}

#[test]
fn what_a_program_says_beside_a_local_redirect_is_sent() {
    // RFC 3875, 6.2.2: "The CGI script can return a URI path and query-string ('local-pathquery')
    // for a local resource in a Location header field. This indicates to the server that it should
    // reprocess the request using the path specified."
    let programs = [
        (
            "login",
            "#!/bin/sh\nprintf 'Set-Cookie: s=1\\nSet-Cookie: t=2\\nX-A: b\\nCache-Control: no-store\\nETag: \"x\"\\nLocation: /hello.txt\\n\\n'",
        ),
        (
            "again",
            "#!/bin/sh\nprintf 'Set-Cookie: u=3\\nLocation: /cgi-bin/login\\n\\n'",
        ),
        (
            "lost",
            "#!/bin/sh\nprintf 'Set-Cookie: v=4\\nLocation: /no/such\\n\\n'",
        ),
        (
            "to-program",
            "#!/bin/sh\nprintf 'Set-Cookie: w=5\\nLocation: /cgi-bin/last\\n\\n'",
        ),
        (
            "last",
            "#!/bin/sh\nprintf 'Content-Type: text/plain\\nSet-Cookie: z=6\\n\\nlast'",
        ),
        (
            "twice",
            "#!/bin/sh\nprintf 'Content-Type: a/b\\nStatus: 201\\nContent-Type: text/plain\\nStatus: 404\\n\\ngone'",
        ),
    ];
    let server = Server::with_programs(&["--cache-control", "*.txt=max-age=60"], &programs);
    let cookies = |response: &Response| {
        let is_cookie = |(name, _): &&(String, String)| name.eq_ignore_ascii_case("set-cookie");
        let cookies = response.fields.iter().filter(is_cookie);
        cookies.map(|(_, value)| value.clone()).collect::<Vec<_>>()
    };
    for (program, status, text, expected) in [
        ("login", 200, "hello\n", &["s=1", "t=2"][..]),
        ("again", 200, "hello\n", &["u=3", "s=1", "t=2"]),
        ("lost", 404, "", &["v=4"]),
        ("to-program", 200, "last", &["z=6", "w=5"]),
        ("twice", 404, "gone", &[]),
    ] {
        let response = server.get(&format!("/cgi-bin/{program}"));
        assert_eq!(response.status, status, "{program}");
        assert_eq!(cookies(&response), expected, "{program}");
        assert!(
            text.is_empty() || response.text() == text,
            "{program}: {}",
            response.text()
        );
    }
    let response = server.get("/cgi-bin/login");
    assert_eq!(response.field("x-a"), Some("b"));
    assert_eq!(response.field("cache-control"), Some("no-store"));
    assert_ne!(response.field("etag"), Some("\"x\""));
    // Only the redirected one has them, in any order of the responses.
    let mut client = server.connect();
    client.send(
        "GET /cgi-bin/login HTTP/1.1\r\nHost: a\r\n\r\nGET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert_eq!(cookies(&client.response(false)).len(), 2);
    assert!(cookies(&client.response(false)).is_empty());
}

#[test]
fn php_runs_by_the_option_alone() {
    let server = Server::start(&["--cgi-interpreter", "*.php=php-cgi", "--index", "index.php"]);
    let root = server.path();
    fs::write(
        root.join("show.php"),
        "<?php setcookie('a', 'b'); header('X-Own: yes'); \
         echo $_SERVER['REQUEST_METHOD'], '|', $_SERVER['SCRIPT_NAME'], '|', $_SERVER['PATH_INFO'] ?? '', '|', \
         $_GET['q'] ?? '', '|', $_POST['p'] ?? '', '|', basename(__FILE__), '|', basename(getcwd());",
    )
    .unwrap();
    fs::create_dir(root.join("sub")).unwrap();
    fs::write(
        root.join("sub/index.php"),
        "<?php http_response_code(404); echo 'index';",
    )
    .unwrap();
    fs::write(
        root.join("moved.php"),
        "<?php header('Location: http://example.org/');",
    )
    .unwrap();
    let folder = root.file_name().unwrap().to_str().unwrap();

    let shown = server.get("/show.php?q=one%20two");
    let expected = format!("GET|/show.php||one two||show.php|{folder}");
    assert_eq!((shown.status, shown.text()), (200, expected));
    assert_eq!(shown.field("x-own"), Some("yes"));
    assert_eq!(shown.field("set-cookie"), Some("a=b"));
    let more = server.get("/show.php/more/x");
    assert_eq!(
        more.text(),
        format!("GET|/show.php|/more/x|||show.php|{folder}")
    );
    let posted = server.ask(
        "POST /show.php HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: 5\r\n\r\np=two",
    );
    assert_eq!(
        posted.text(),
        format!("POST|/show.php|||two|show.php|{folder}")
    );
    let index = server.get("/sub/");
    assert_eq!((index.status, &*index.text()), (404, "index"));
    let moved = server.get("/moved.php");
    assert_eq!(
        (moved.status, moved.field("location")),
        (302, Some("http://example.org/"))
    );
}

#[test]
fn the_log_says_what_is_wrong_with_a_first_line() {
    let programs = [
        ("cr", "#!/bin/sh\r\necho\r\n", "Unix line ends (LF)"),
        (
            "env",
            "#!/usr/bin/env sh\r\necho\r\n",
            "Unix line ends (LF)",
        ),
        (
            "missing",
            "#!/no/such/python\n",
            "names /no/such/python, which does not exist",
        ),
        (
            "without",
            "print('hello')\n",
            "must be one such as #!/usr/bin/python3",
        ),
    ];
    let named = programs.map(|(name, text, _)| (name, text));
    let server = Server::with_programs(&[], &named);
    write_program(&server.path().join("cgi-bin/without"), "print('hello')\n");
    for (name, _, reason) in programs {
        let response = server.get(&format!("/cgi-bin/{name}"));
        assert!(response.status >= 500, "{name}");
        let line = server.logged(reason);
        assert!(line.contains(&format!("cgi-bin/{name}")), "{line}");
        assert!(!response.text().contains(reason), "only the log says so");
    }
}

#[test]
fn the_log_says_which_option_raises_a_limit() {
    let server = Server::start(&[
        "--writable",
        "--max-body",
        "100",
        "--max-request-line",
        "200",
        "--max-header",
        "1000",
        "--max-fields",
        "5",
    ]);
    let long = "x".repeat(200);
    for (request, status, option) in [
        (
            "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n".to_owned(),
            413,
            "--max-body",
        ),
        (
            format!(
                "PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nc8\r\n{long}\r\n"
            ),
            413,
            "--max-body",
        ),
        (
            format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
            414,
            "--max-request-line",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nA: {}\r\n\r\n", long.repeat(6)),
            431,
            "--max-header",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(6)),
            431,
            "--max-fields",
        ),
    ] {
        let response = server.ask(&request);
        assert_eq!(response.status, status, "{option}");
        let line = server.logged("raises the limit");
        assert!(line.contains(option), "{line}");
        assert!(!response.text().contains(option), "only the log says so");
    }
}

#[test]
fn a_file_that_is_named_by_its_coding_is_sent_in_it() {
    let server = Server::start(&["--coding", "*.wasm.br=br", "--coding", "/data/*.gz=gzip"]);
    let root = server.path();
    fs::create_dir(root.join("data")).unwrap();
    for name in [
        "pic.svgz",
        "app.wasm.br",
        "data/a.json.gz",
        "archive.gz",
        "PIC.SVGZ",
    ] {
        fs::write(root.join(name), "stored").unwrap();
    }
    for (path, media_type, coding) in [
        ("/pic.svgz", "image/svg+xml; charset=utf-8", Some("gzip")),
        ("/PIC.SVGZ", "image/svg+xml; charset=utf-8", Some("gzip")),
        ("/app.wasm.br", "application/wasm", Some("br")),
        (
            "/data/a.json.gz",
            "application/json; charset=utf-8",
            Some("gzip"),
        ),
        ("/archive.gz", "application/gzip", None),
    ] {
        // It is stored in no other coding, whatever the client accepts.
        for accept in [
            "",
            "Accept-Encoding: zstd, br, gzip\r\n",
            "Accept-Encoding: identity\r\n",
        ] {
            let response = ask(&server, path, accept);
            assert_eq!(
                (response.status, &*response.text()),
                (200, "stored"),
                "{path}"
            );
            assert_eq!(response.field("content-type"), Some(media_type), "{path}");
            assert_eq!(response.field("content-encoding"), coding, "{path}");
        }
    }
}

#[test]
fn what_is_no_audio_and_no_video_has_no_player() {
    let server = Server::start(&[]);
    let root = server.path();
    let mut stream = vec![0; 376];
    (stream[0], stream[188]) = (0x47, 0x47);
    fs::write(root.join("part.ts"), stream).unwrap();
    for name in ["x.rpm", "x.ts", "x.mts", "x.smi", "go.mod"] {
        fs::write(root.join(name), "const a = 1;\n".repeat(30)).unwrap();
    }
    for (path, media_type) in [
        ("/x.rpm", "application/x-rpm"),
        ("/x.ts", "text/plain; charset=utf-8"),
        ("/x.mts", "text/plain; charset=utf-8"),
        ("/part.ts", "video/mp2t"),
        ("/go.mod", "text/plain; charset=utf-8"),
        ("/x.smi", "application/smil+xml; charset=utf-8"),
    ] {
        assert_eq!(
            ask(&server, path, "").field("content-type"),
            Some(media_type),
            "{path}"
        );
    }
    let listing = ask(&server, "/", "").text();
    assert!(
        !listing.contains("<audio") && !listing.contains("<video"),
        "{listing}"
    );
}
