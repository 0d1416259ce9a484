//! The configuration file of `spidey`, and its reload by SIGHUP.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use super::server::{Client, Server};

fn check(folder: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spidey"))
        .args(options)
        .arg("--check")
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn a_file_says_what_options_say() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("errors")).unwrap();
    for (name, content) in [
        ("start.htm", "index"),
        ("a.foo", "foo"),
        (".dot", "dot"),
        ("errors/404.html", "lost"),
    ] {
        fs::write(root.path().join(name), content).unwrap();
    }
    // If clients may write, the configuration is not in the document root.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spidey.toml");
    let text = format!(
        "index = ['start.htm']\ntype = ['foo=text/x-foo']\nhidden = true\nwritable = true\n\
         cache-control = ['*.foo=max-age=5']\nheader = ['X-Frame-Options: DENY']\ntrace = true\n\
         error-pages = '{}/errors'\nerror-redirect = ['410=/gone', '403=/sorry']\nmax-body = 10\ncompress = 'off'\n\
         header-timeout = 0.5\nno-thumbnails = true\nworkers = 1\n",
        root.path().display()
    );
    fs::write(&file, text).unwrap();
    let server = Server::start_in(root, &["-c", file.to_str().unwrap()]);
    assert_eq!(server.get("/").text(), "index");
    let foo = server.get("/a.foo");
    assert_eq!(foo.field("content-type"), Some("text/x-foo"));
    assert_eq!(foo.field("cache-control"), Some("max-age=5"));
    assert_eq!(foo.field("vary"), None);
    assert_eq!(server.get("/.dot").text(), "dot");
    let lost = server.get("/lost");
    assert_eq!((lost.status, lost.text().as_str()), (404, "lost"));
    for response in [&foo, &lost] {
        assert_eq!(response.field("x-frame-options"), Some("DENY"));
    }
    let allow = server.ask_with("OPTIONS", "/", "");
    assert_eq!(
        allow.field("allow"),
        Some("GET, HEAD, OPTIONS, TRACE, PUT, DELETE")
    );
    let put = server.ask("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world");
    assert_eq!(put.status, 413);
    let slow = server.ask("GET / HTTP/1.1\r\nHost:");
    assert_eq!(slow.status, 408);
}

#[test]
fn an_error_leads_where_a_rule_says() {
    let server = Server::start(&["--error-redirect", "404=/hello.txt"]);
    let response = server.get("/missing");
    assert_eq!(
        (response.status, response.field("location")),
        (302, Some("/hello.txt"))
    );
    assert_eq!(server.ask_with("BREW", "/", "").status, 501);
}

#[test]
fn an_option_has_precedence_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("spidey.toml"),
        "docroot = '/no/such/folder'\n",
    )
    .unwrap();
    let output = check(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/folder"));
    assert!(check(folder.path(), &["-d", "."]).status.success());
}

#[test]
fn a_check_prints_the_graph() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("site")).unwrap();
    let graph = |text: &str| {
        fs::write(folder.path().join("spidey.toml"), text).unwrap();
        let output = check(folder.path(), &["-d", "site"]);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    let plain = graph("");
    assert!(plain.starts_with("connection\n"), "{plain}");
    let has = |graph: &str, from: &str, to: &str| {
        graph.lines().any(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            words[0] == from && words.last() == Some(&to)
        })
    };
    assert!(has(&plain, "reader.outbox", "parser.bytes"));
    assert!(has(&plain, "router.files", "files.requests"));
    assert!(!plain.contains("put."));
    let writable = graph("writable = true\nheader = ['A: b']\n");
    assert!(has(&writable, "router.routes", "put.requests"));
    assert!(has(&writable, "fields.passed", "encoder.responses"));
}

#[test]
fn a_mistake_names_file_line_key_and_what_would_be_right() {
    let folder = tempfile::tempdir().unwrap();
    for (text, expected) in [
        (
            "port = 80\nprot = 81\n",
            &["spidey.toml:2: ", "prot", "port"][..],
        ),
        (
            "\n\nport = 'http'\n",
            &["spidey.toml:3: port: ", "http", "from 0 to 65535"],
        ),
        ("port = 65536\n", &["spidey.toml:1: port: ", "65536"]),
        (
            "bind = ['nowhere']\n",
            &["spidey.toml:1: bind: ", "IP address"],
        ),
        (
            "cache-control = ['*.css']\n",
            &["spidey.toml:1: cache-control: ", "PATTERN=VALUE"],
        ),
        (
            "header = ['X']\n",
            &["spidey.toml:1: header: ", "NAME: VALUE"],
        ),
        (
            "header = ['Connection: close']\n",
            &["spidey.toml:1: header: ", "Connection"],
        ),
        (
            "type = ['wasm']\n",
            &["spidey.toml:1: type: ", "EXTENSION=TYPE"],
        ),
        (
            "error-redirect = ['200=/']\n",
            &["spidey.toml:1: error-redirect: ", "STATUS=LOCATION"],
        ),
        (
            "keep-alive = 0\n",
            &["spidey.toml:1: keep-alive: ", "above 0"],
        ),
        ("compress = 'yes'\n", &["spidey.toml:1: compress: ", "made"]),
        (
            "workers = 0\n",
            &["spidey.toml:1: workers: ", "from 1 to 65535"],
        ),
        (
            "workers = [1]\n",
            &["spidey.toml:1: workers: ", "not a list"],
        ),
        ("index = 'a'\n", &["spidey.toml:1: index: ", "a list"]),
        (
            "check = true\n",
            &["spidey.toml:1: check: ", "command line"],
        ),
        (
            "[xyzzy]\nport = 1\n",
            &["spidey.toml:1: xyzzy: ", "lists them"],
        ),
        (
            "inspect = 'here'\n",
            &["spidey.toml:1: inspect: ", "IP:PORT"],
        ),
        ("inspect = 70000\n", &["spidey.toml:1: inspect: ", "65535"]),
        (
            "index = [\n'a',\n[],\n]\n",
            &["spidey.toml:3: index: ", "not a list"],
        ),
        // The first of several.
        (
            "wrkers = 1\nport = 'x'\n= 3\n",
            &["spidey.toml:1: wrkers: ", "workers"],
        ),
        (
            "port = 1\nport = 2\nprot = 3\n",
            &["spidey.toml:2: ", "duplicate"],
        ),
        ("hidden = 'no'\n", &["spidey.toml:1: hidden: ", "boolean"]),
        ("port = \n", &["spidey.toml:1: port: a value is missing"]),
        ("port =", &["spidey.toml:1: port: a value is missing"]),
        (
            "port = 1\nwsgi = # none\nprot = 1\n",
            &["spidey.toml:2: wsgi: a value is missing"],
        ),
        (
            "log-format = common\n",
            &["spidey.toml:1: log-format: ", "in quotes: \"common\""],
        ),
        (
            "bind = [':65536']\n",
            &["spidey.toml:1: bind: ", "ports end at 65535"],
        ),
        ("error-pages = 'nowhere'\n", &["nowhere"]),
    ] {
        fs::write(folder.path().join("spidey.toml"), text).unwrap();
        let output = check(folder.path(), &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{text}: {said}");
        assert_eq!(said.lines().count(), 1, "{text}: {said}");
        assert!(said.starts_with("error: "), "{said}");
        for part in expected {
            assert!(said.contains(part), "{text} should name {part}: {said}");
        }
    }
    let missing = check(folder.path(), &["-c", "other.toml"]);
    assert!(String::from_utf8_lossy(&missing.stderr).contains("other.toml"));
}

#[test]
fn a_server_that_says_where_it_listens_heeds_a_hangup() {
    for _ in 0..20 {
        let server = Server::configured("header = ['X-Version: 1']\n", &[]);
        server.signal("HUP");
        server.logged("Reloaded");
        server.assert_well();
    }
}

#[test]
fn a_hangup_reloads_without_a_connection_lost() {
    let server = Server::configured(
        "header = ['X-Version: 1']\n",
        &[("large", &"x".repeat(5_000_000))],
    );
    let mut idle = server.connect();
    let version = |client: &mut Client| {
        client.send("GET /hello.txt HTTP/1.1\r\nHost: a\r\n\r\n");
        client
            .response(false)
            .field("x-version")
            .unwrap()
            .to_owned()
    };
    assert_eq!(version(&mut idle), "1");
    // One is in the middle of a response.
    let mut busy = server.connect();
    busy.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");

    fs::write(
        server.path().join("spidey.toml"),
        "header = ['X-Version: 2']\n",
    )
    .unwrap();
    server.signal("HUP");
    server.logged("Reloaded");
    assert_eq!(version(&mut server.connect()), "2");
    // The same connection continues; it may keep its old graph for one more request.
    version(&mut idle);
    assert_eq!(version(&mut idle), "2");
    assert_eq!(busy.response(false).body.len(), 5_000_000);

    // A mistake changes nothing, and is reported.
    fs::write(server.path().join("spidey.toml"), "header = 3\n").unwrap();
    server.signal("HUP");
    let told = server.logged("Not reloaded");
    assert!(told.contains("spidey.toml:1: header"), "{told}");
    assert_eq!(version(&mut idle), "2");
    assert_eq!(version(&mut server.connect()), "2");
}
