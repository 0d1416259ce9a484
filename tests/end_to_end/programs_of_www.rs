//! The programs that come with the document root: environment, fortune, guest book, survey, quiz.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::server::{Client, Response, Server};

const FORM: &str = "application/x-www-form-urlencoded";

fn www() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../www")
}

/// Starts a server of a copy of `www`, whose programs store their input in `data`.
fn start(data: &Path) -> Server {
    let root = TempDir::new().unwrap();
    let copied = Command::new("cp")
        .arg("-a")
        .arg(www().join("."))
        .arg(root.path())
        .status();
    assert!(copied.unwrap().success());
    std::fs::write(root.path().join("hello.txt"), "hello\n").unwrap();
    let setting = format!("*: KAMEA_DATA={}", data.display());
    Server::start_in(root, &["--cgi-env", &setting, "--max-body", "20000000"])
}

fn post(server: &Server, path: &str, content_type: &str, content: &[u8]) -> Response {
    post_on(&mut server.connect(), path, content_type, content)
}

fn post_on(client: &mut Client, path: &str, content_type: &str, content: &[u8]) -> Response {
    client.send(format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        content.len()
    ));
    client.send(content);
    client.response(false)
}

fn post_form(server: &Server, path: &str, form: &str) -> Response {
    post(
        server,
        path,
        "application/x-www-form-urlencoded",
        form.as_bytes(),
    )
}

#[test]
fn every_program_answers_get_and_head_and_refuses_what_it_has_no_use_for() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    for name in ["env.sh", "fortune", "guest-book", "survey", "quiz"] {
        let path = format!("/cgi-bin/{name}");
        let page = server.ask_with("GET", &path, "Accept: text/html\r\n");
        assert_eq!(page.status, 200, "{name}: {}", page.text());
        assert!(page.text().contains("<h1>"), "{name}");
        assert!(page.field("content-security-policy").is_some(), "{name}");
        assert_eq!(server.ask_with("HEAD", &path, "").status, 200, "{name}");
        let refused = server.ask_with("DELETE", &path, "");
        assert_eq!(refused.status, 405, "{name}");
        assert!(refused.field("allow").is_some(), "{name}");
    }
    assert_eq!(server.get("/cgi-bin/lib/web.py").status, 403);
    assert_eq!(server.get("/programs.html").status, 200);
    let text = server.ask_with("GET", "/cgi-bin/fortune", "Accept: text/plain\r\n");
    assert_eq!(text.text().lines().count(), 1);
}

#[test]
fn the_environment_is_shown_without_its_secrets_and_with_its_markup_escaped() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let text = post(
        &server,
        "/cgi-bin/env.sh?format=text",
        "text/plain",
        b"he\n<b>\0",
    )
    .text();
    assert!(
        text.contains("CONTENT_LENGTH=7\n") && text.ends_with("\n\nhe\n<b>?\n")
            || text.ends_with("<b>?"),
        "{text}"
    );
    let fields = "X-Evil: <img>\r\nCookie: secret\r\nAccept: text/html\r\n";
    let page = server.ask_with("GET", "/cgi-bin/env.sh", fields).text();
    assert!(page.contains("&lt;img&gt;") && !page.contains("<img>") && !page.contains("secret"));
}

#[test]
fn what_is_written_into_the_guest_book_stays_there() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let answer = post_form(
        &server,
        "/cgi-bin/guest-book",
        "name=%3Ci%3EKiri&message=hello+there",
    );
    assert_eq!(answer.status, 303, "{}", answer.text());
    drop(server);
    let server = start(data.path());
    let page = server.get("/cgi-bin/guest-book").text();
    assert!(page.contains("&lt;i&gt;Kiri") && page.contains("hello there"));
    for (content_type, form, status) in [
        (FORM, "name=&message=kept", 400),
        (FORM, "name=%zz&message=a", 400),
        (FORM, "name=%ff&message=a", 400),
        ("multipart/form-data; boundary=x", "--x--", 415),
        ("text/plain", "name=a&message=b", 415),
    ] {
        let answer = post(
            &server,
            "/cgi-bin/guest-book",
            content_type,
            form.as_bytes(),
        );
        assert_eq!(answer.status, status, "{form}");
        assert!(!form.contains("kept") || answer.text().contains("kept"));
    }
    // The program refuses most of it unread, and its answer still arrives.
    let much = vec![b'a'; 10_000_000];
    assert_eq!(
        post(&server, "/cgi-bin/guest-book", FORM, &much).status,
        413
    );
}

#[test]
fn a_hundred_who_write_at_once_are_all_in_the_guest_book() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    std::thread::scope(|scope| {
        for writer in 0..10 {
            let mut client = server.connect();
            scope.spawn(move || {
                for number in 0..10 {
                    let form = format!("name=w{writer}&message=n{number}");
                    let answer = post_on(&mut client, "/cgi-bin/guest-book", FORM, form.as_bytes());
                    assert_eq!(answer.status, 303);
                }
            });
        }
    });
    let kept = std::fs::read_to_string(data.path().join("guest-book.jsonl")).unwrap();
    assert_eq!(kept.lines().count(), 100);
    for (writer, number) in (0..100).map(|n| (n / 10, n % 10)) {
        let is_there = |line: &str| {
            line.contains(&format!("w{writer}\"")) && line.contains(&format!("n{number}\""))
        };
        assert!(kept.lines().any(is_there), "{writer} {number}");
    }
}

#[test]
fn survey_and_quiz_count() {
    let data = TempDir::new().unwrap();
    let server = start(data.path());
    let form = "arrived=rust&protocols=http&protocols=irc&graphs=4&gateway=cgi&wish=%3Cb%3E";
    let answer = post_form(&server, "/cgi-bin/survey", form);
    assert_eq!(answer.status, 303, "{}", answer.text());
    let results = server.get("/cgi-bin/survey?results=1").text();
    assert!(
        results.contains("One person") && results.contains("4.0 of 5") && !results.contains("<b>")
    );
    assert_eq!(
        post_form(&server, "/cgi-bin/survey", "arrived=rust").status,
        400
    );
    let right = "/cgi-bin/quiz?q1=1&q2=3&q3=0&q4=0&q5=3&q6=1&q7=2&q8=0&score=1";
    assert!(server.get(right).text().contains("8 of 8 right"));
    assert_eq!(server.get("/cgi-bin/quiz?q1=9").status, 400);
}

#[test]
fn a_place_that_cannot_be_written_to_is_named() {
    let server = start(Path::new("/dev/null/nowhere"));
    let page = server.get("/cgi-bin/guest-book");
    assert_eq!(page.status, 500);
    assert!(page.text().contains("/dev/null/nowhere"));
}
