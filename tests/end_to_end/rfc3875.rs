//! RFC 3875, The Common Gateway Interface (CGI) Version 1.1.

use std::collections::HashMap;
use std::process::Command;

use super::programs::{Outcome, write_program};
use super::server::Server;

/// Shows its environment, its arguments and its input.
const SHOW: &str = r#"#!/bin/sh
printf 'Content-Type: text/plain\n\n'
env
for word in "$@"; do echo "ARG=$word"; done
echo "PWD=$(pwd)"
echo "INPUT=$(cat | tr '\0' '0')"
"#;

/// Returns the output of `SHOW`.
struct Shown(HashMap<String, String>, String);

impl Shown {
    fn of(server: &Server, request: &str) -> Self {
        let response = server.ask(request);
        let text = response.text();
        assert_eq!(response.status, 200, "{text}");
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self(pairs.collect(), text)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

#[test]
fn section_4_1_meta_variables() {
    let server = Server::with_programs(&[], &[("show", SHOW)]);
    let (port, root) = (
        server.address.port().to_string(),
        server.path().canonicalize().unwrap(),
    );
    let root = root.to_str().unwrap();
    let shown = Shown::of(
        &server,
        "POST /cgi-bin/show/a%20b/c?d=%20e&f HTTP/1.1\r\nHost: example.org:81\r\nContent-Type: text/x\r\nContent-Length: 5\r\n\
         X-One: 1\r\nX-Two: 2\r\nX-Two: 3\r\nCookie: a=b\r\nCookie: c=d\r\nProxy: http://evil/\r\nX_One: false\r\n\
         Authorization: Basic c2VjcmV0\r\nConnection: close\r\nUser-Agent: (x) { :; }; echo\r\n\r\nhello",
    );
    let translated = format!("{root}/a b/c");
    let script = format!("{root}/cgi-bin/show");
    let rows = [
        // 4.1.2: "If, and only if, a request body is present, this variable contains the size of
        // the message-body".
        ("CONTENT_LENGTH", Some("5")),
        ("CONTENT_TYPE", Some("text/x")),
        ("GATEWAY_INTERFACE", Some("CGI/1.1")),
        // 4.1.5: "Unlike a URI path, the PATH_INFO is not URL-encoded".
        ("PATH_INFO", Some("/a b/c")),
        ("PATH_TRANSLATED", Some(&translated)),
        // 4.1.7: "A URL-encoded search or parameter string".
        ("QUERY_STRING", Some("d=%20e&f")),
        ("REMOTE_ADDR", Some("127.0.0.1")),
        ("REMOTE_HOST", Some("127.0.0.1")),
        ("REQUEST_METHOD", Some("POST")),
        ("SCRIPT_NAME", Some("/cgi-bin/show")),
        ("SERVER_NAME", Some("example.org")),
        ("SERVER_PORT", Some(&port)),
        ("SERVER_PROTOCOL", Some("HTTP/1.1")),
        ("REQUEST_URI", Some("/cgi-bin/show/a%20b/c?d=%20e&f")),
        ("DOCUMENT_ROOT", Some(root)),
        ("SCRIPT_FILENAME", Some(&script)),
        // 4.1.18: "Meta-variables with names beginning with "HTTP_" contain values read from the
        // client request header fields".
        ("HTTP_HOST", Some("example.org:81")),
        ("HTTP_X_ONE", Some("1")),
        ("HTTP_X_TWO", Some("2, 3")),
        ("HTTP_COOKIE", Some("a=b; c=d")),
        ("HTTP_USER_AGENT", Some("(x) { :; }; echo")),
        // "the server SHOULD remove any header fields carrying authentication information".
        ("HTTP_AUTHORIZATION", None),
        ("HTTP_CONTENT_LENGTH", None),
        ("HTTP_CONNECTION", None),
        // A client must not choose the proxy of a program.
        ("HTTP_PROXY", None),
        // Nothing of the server's own environment, except the PATH.
        ("CARGO", None),
        ("HOME", None),
        // 4.2: "A request-body is supplied with the request if the CONTENT_LENGTH is not NULL."
        ("INPUT", Some("hello")),
    ];
    for (name, value) in rows {
        assert_eq!(shown.get(name), value, "{name}\n{}", shown.1);
    }
    assert!(shown.get("SERVER_SOFTWARE").unwrap().starts_with("Kamea/"));
    assert!(shown.get("REMOTE_PORT").unwrap().parse::<u16>().is_ok());
    // 7.2: "The current working directory for the script SHOULD be set to the directory containing
    // the script."
    assert_eq!(shown.get("PWD"), Some(&*format!("{root}/cgi-bin")));
}

#[test]
fn section_4_1_without_content_query_and_path() {
    let server = Server::with_programs(&["--cgi-authorization"], &[("show", SHOW)]);
    let shown = Shown::of(
        &server,
        "GET /cgi-bin/show HTTP/1.0\r\nAuthorization: Basic c2VjcmV0\r\n\r\n",
    );
    // 4.1.7: "The server MUST set this variable; if the Script-URI does not include a query
    // component, the QUERY_STRING MUST be defined as an empty string".
    assert!(shown.1.contains("QUERY_STRING=\n"));
    assert_eq!(shown.get("CONTENT_LENGTH"), None);
    assert_eq!(shown.get("PATH_TRANSLATED"), None);
    assert_eq!(shown.get("SERVER_PROTOCOL"), Some("HTTP/1.0"));
    assert_eq!(shown.get("SERVER_NAME"), Some("127.0.0.1"));
    assert_eq!(shown.get("HTTP_AUTHORIZATION"), Some("Basic c2VjcmV0"));
}

#[test]
fn section_4_4_the_command_line() {
    let server = Server::with_programs(&[], &[("show", SHOW)]);
    // "If the query-string does not contain any unencoded "=" characters, the server SHOULD treat
    // the query-string as a search-string and parse it into words".
    for (query, words) in [
        ("one+two%20three+%2B", vec!["one", "two three", "+"]),
        ("a%3Db", vec!["a=b"]),
        ("a=b+c", vec![]),
        // A client must not be able to pass an option.
        ("-n+/etc/passwd", vec![]),
        ("a+-v", vec![]),
        ("%2Dv", vec![]),
        ("a%00b", vec![]),
        ("", vec![]),
    ] {
        let request = format!("GET /cgi-bin/show?{query} HTTP/1.1\r\nHost: a\r\n\r\n");
        let shown = Shown::of(&server, &request);
        let found: Vec<_> = shown
            .1
            .lines()
            .filter_map(|line| line.strip_prefix("ARG="))
            .collect();
        assert_eq!(found, words, "{query}");
    }
    let post = "POST /cgi-bin/show?word HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(Shown::of(&server, post).get("ARG"), None);
}

#[test]
fn section_4_2_the_request_body_in_chunks_has_a_length_or_is_refused() {
    let request = "POST /cgi-bin/show HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
    let server = Server::with_programs(&[], &[("show", SHOW)]);
    let shown = Shown::of(&server, request);
    assert_eq!(shown.get("CONTENT_LENGTH"), Some("5"));
    assert_eq!(shown.get("INPUT"), Some("hello"));
    let server = Server::with_programs(&["--cgi-chunked", "refuse"], &[("show", SHOW)]);
    assert_eq!(server.ask(request).status, 411);
    server.assert_well();
}

#[test]
fn section_4_2_content_and_response_stream_at_once() {
    let echo = "printf 'Content-Type: text/plain\\n\\n'; exec cat";
    let server = Server::with_programs(&["--cgi-buffering", "off"], &[("echo", echo)]);
    let mut client = server.connect();
    let block = vec![b'x'; 100_000];
    client.send(format!(
        "POST /cgi-bin/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        block.len() * 100
    ));
    client.send(&block);
    // The head arrives before the body is complete.
    let head = client.head();
    assert_eq!(head.status, 200);
    let mut stream = client.stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        use std::io::Write;
        (0..99).for_each(|_| stream.write_all(&block).unwrap());
    });
    let rest = client.rest();
    writer.join().unwrap();
    assert!(rest.ends_with(b"0\r\n\r\n"));
    assert!(rest.len() > 10_000_000);
}

#[test]
fn section_4_3_3_head() {
    let program = "printf 'Content-Type: text/plain\\nX-Method: %s\\n\\nbody' $REQUEST_METHOD";
    let server = Server::with_programs(&[], &[("program", program)]);
    let mut client = server.connect();
    client.send("HEAD /cgi-bin/program HTTP/1.1\r\nHost: a\r\n\r\n");
    // "the script MUST NOT provide a response message-body"; "the server MUST discard" it if it
    // does.
    let response = client.response(true);
    assert_eq!(
        (response.status, response.field("x-method")),
        (200, Some("HEAD"))
    );
    client.send("GET /cgi-bin/program HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.response(false).text(), "body");
}

#[test]
fn section_5_non_parsed_header_output_goes_out_as_it_is() {
    let odd = "printf 'HTTP/1.1 299 Odd\\r\\nServer: script\\r\\nContent-Length: 3\\r\\n\\r\\nodd'";
    let server = Server::with_programs(
        &[],
        &[
            ("nph-odd", odd),
            ("nph-dies", "printf HTT; sleep 0.05; kill -9 $$"),
        ],
    );
    let mut client = server.connect();
    client.send("GET /cgi-bin/nph-odd HTTP/1.1\r\nHost: a\r\n\r\n");
    // "the server MUST ensure that the script output is sent directly to the client unmodified."
    let rest = String::from_utf8(client.rest()).unwrap();
    assert_eq!(
        rest,
        "HTTP/1.1 299 Odd\r\nServer: script\r\nContent-Length: 3\r\n\r\nodd"
    );
    let mut client = server.connect();
    client.send("GET /cgi-bin/nph-dies HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.rest(), b"HTT");
    server.assert_well();
}

#[test]
fn section_6_2_the_kinds_of_response() {
    let programs = [
        (
            "document",
            "printf 'Content-Type: text/plain\\nStatus: 418 Teapot\\n\\ntea'",
        ),
        ("local", "printf 'Location: /hello.txt?x\\n\\n'"),
        (
            "local-program",
            "printf 'Location: /cgi-bin/document/info?query\\n\\n'",
        ),
        ("local-route", "printf 'Location: /images/\\n\\n'"),
        ("away", "printf 'Location: http://a.example/b\\n\\n'"),
        (
            "away-document",
            "printf 'Status: 303 Other\\nLocation: /hello.txt\\nContent-Type: text/plain\\n\\nthere'",
        ),
        ("none", "printf 'Status: 204 None\\n\\nignored'"),
        (
            "unchanged",
            "printf 'Status: 304 Same\\nETag: \"x\"\\n\\nignored'",
        ),
    ];
    let server = Server::with_programs(&[], &programs);
    std::fs::create_dir(server.path().join("images")).unwrap();
    std::fs::write(server.path().join("images/a.txt"), "").unwrap();
    let mut client = server.connect();
    let mut get = |program: &str| {
        client.send(format!(
            "GET /cgi-bin/{program} HTTP/1.1\r\nHost: a\r\n\r\n"
        ));
        client.response(false)
    };
    let document = get("document");
    assert_eq!((document.status, document.text()), (418, "tea".into()));
    // 6.2.2: "the server MUST generate the response that it would have produced in response to a
    // request containing the URL".
    let local = get("local");
    assert_eq!((local.status, local.text()), (200, "hello\n".into()));
    assert!(local.field("etag").is_some());
    assert_eq!(get("local-program").text(), "tea");
    assert!(get("local-route").text().contains("a.txt"));
    // 6.2.3: "the server MUST ... generate a 302 'Found' HTTP response".
    let away = get("away");
    assert_eq!(
        (away.status, away.field("location")),
        (302, Some("http://a.example/b"))
    );
    let document = get("away-document");
    assert_eq!(
        (document.status, document.field("location")),
        (303, Some("/hello.txt"))
    );
    assert_eq!(document.text(), "there");
    for (program, status) in [("none", 204), ("unchanged", 304)] {
        let response = get(program);
        assert_eq!(
            (response.status, response.field("content-length")),
            (status, None)
        );
    }
    assert_eq!(
        get("document").text(),
        "tea",
        "the connection is still in step"
    );
}

#[test]
fn a_redirect_after_the_last_request_of_a_connection_is_followed_too() {
    let server = Server::with_programs(
        &["--half-close"],
        &[(
            "local",
            "cat >/dev/null; printf 'Location: /hello.txt\\n\\n'",
        )],
    );
    for request in [
        "GET /cgi-bin/local HTTP/1.0\r\n\r\n",
        "POST /cgi-bin/local HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
    ] {
        let mut client = server.connect();
        client.send(request);
        client.finish();
        assert_eq!(client.outcome(), Outcome::Whole(200, "hello\n".into()));
    }
}

#[test]
fn which_files_run_is_the_users_choice() {
    let program = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nran %s %s' \"$SCRIPT_NAME\" \"$PATH_INFO\"\n";
    let lua = "print('not sent')";
    let files = |options: &[&str]| {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("hello.txt"), "hello\n").unwrap();
        for path in ["cgi-bin/a", "tool", "folder/index.run"] {
            write_program(&root.path().join(path), program);
        }
        std::fs::write(root.path().join("page.show"), lua).unwrap();
        Server::start_in(root, options)
    };
    let rows: [(&[&str], &str, u16, &str); 14] = [
        (&[], "/cgi-bin/a/x", 200, "ran /cgi-bin/a /x"),
        (&[], "/tool", 200, program),
        (&[], "/page.show", 200, lua),
        (
            &["--cgi", "executable"],
            "/cgi-bin/a",
            200,
            "ran /cgi-bin/a ",
        ),
        (&["--cgi", "executable"], "/tool/x/y", 200, "ran /tool /x/y"),
        (&["--cgi", "executable"], "/page.show", 200, lua),
        (
            &["--cgi", "executable", "--index", "index.run"],
            "/folder/",
            200,
            "ran /folder/index.run ",
        ),
        (&["--cgi", "executable"], "/hello.txt", 200, "hello\n"),
        // A source file is not sent, even if nothing runs it.
        (&["--cgi", "off"], "/cgi-bin/a", 403, ""),
        (&["--cgi", "off"], "/tool", 200, program),
        (&["--cgi-interpreter", "*.show=cat"], "/page.show", 502, ""),
        (
            &["--cgi-interpreter", "*.show=echo Status: 200\n\n"],
            "/hello.txt",
            200,
            "hello\n",
        ),
        (
            &["--cgi-interpreter", "/page.*=false"],
            "/page.show",
            502,
            "",
        ),
        (
            &["--cgi", "off", "--cgi-interpreter", "*.show=cat"],
            "/page.show",
            403,
            "",
        ),
    ];
    for (options, path, status, text) in rows {
        let server = files(options);
        let response = server.get(path);
        assert_eq!(response.status, status, "{options:?} {path}");
        if status == 200 {
            assert_eq!(response.text(), text, "{options:?} {path}");
        }
        assert!(status == 200 || !response.text().contains("not sent"));
    }
    let server = files(&["--cgi", "executable", "--writable"]);
    // A file that a client writes is not run; and a program receives the request, it is not
    // replaced.
    let put = |path| {
        let length = program.len();
        server.ask(&format!(
            "PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{program}"
        ))
    };
    assert_eq!(put("/new").status, 201);
    assert_eq!(server.get("/new").text(), program);
    assert_eq!(put("/tool").text(), "ran /tool ");
}

#[test]
fn an_interpreter_runs_files_that_may_not_be_executed_and_has_its_own_environment() {
    let root = tempfile::tempdir().unwrap();
    let script = "import os, sys\nprint('Content-Type: text/plain\\n')\nprint(os.environ['A'], os.environ.get('B'), sys.argv[1:], sys.flags.no_site)\n";
    std::fs::write(root.path().join("page.py"), script).unwrap();
    std::fs::write(root.path().join("hello.txt"), "hello\n").unwrap();
    std::fs::write(
        root.path().join("spidey.toml"),
        "cgi-interpreter = [\"*.py=python3 -S\"]\ncgi-env = [\"*.py: A=a\", \"/other/*: B=b\"]\n\
         cgi-limit = [\"files=64\", \"cpu-seconds=60\"]\ncgi-timeout = 20\n",
    )
    .unwrap();
    let file = root.path().join("spidey.toml").to_str().unwrap().to_owned();
    let server = Server::start_in(root, &["-c", &file]);
    assert_eq!(server.get("/page.py?word").text(), "a None ['word'] 1\n");
    server.assert_well();
    let check = Command::new(env!("CARGO_BIN_EXE_spidey"))
        .args(["-c", &file, "--check"])
        .output()
        .unwrap();
    let graph = String::from_utf8(check.stdout).unwrap();
    assert!(
        graph.contains("cgi.passed") && graph.contains("router.requests"),
        "{graph}"
    );
    for (option, said) in [
        (
            "--cgi-limit=nonsense=1",
            "the resources are cpu-seconds, memory-mib",
        ),
        ("--cgi-interpreter=*.py", "such as *.py=python3"),
        ("--cgi-env=A=b", "such as *.py: PYTHONUTF8=1"),
        ("--cgi=perhaps", "invalid value 'perhaps'"),
    ] {
        let wrong = Command::new(env!("CARGO_BIN_EXE_spidey"))
            .arg(option)
            .output()
            .unwrap();
        let line = String::from_utf8(wrong.stderr).unwrap();
        assert_eq!(wrong.status.code(), Some(2), "{option}");
        assert!(line.contains(said) && line.lines().count() == 1, "{line}");
    }
}
