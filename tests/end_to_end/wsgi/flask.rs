//! A Flask application, with Flask from PyPI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::super::server::Server;
use super::post;

const APPLICATION: &str = r#"
from flask import Flask, Response, request, send_file, stream_with_context

app = Flask(__name__)

@app.get("/hello/<name>")
def hello(name):
    return f"hello {name}"

@app.post("/form")
def form():
    response = Response(f"{request.form['a']}, {request.files['b'].read().decode()}")
    response.set_cookie("seen", "yes")
    return response

@app.post("/stream")
def stream():
    def upper():
        while data := request.stream.read(4096):
            yield data.upper()
    return Response(stream_with_context(upper()), mimetype="text/plain")

@app.get("/file")
def file():
    return send_file(__file__, mimetype="text/plain")

@app.get("/fails")
def fails():
    return 1 / 0
"#;

/// A virtual environment with Flask, created once and kept beside cargo's build output.
fn environment() -> PathBuf {
    environment_with("flask", &["flask==3.1.*"])
}

/// The same, with these packages.
pub(super) fn environment_with(name: &str, packages: &[&str]) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (kept, made) = (
        target.join(name),
        target.join(format!("{name}.{}", std::process::id())),
    );
    // Tests of one process take turns.
    static MAKING: Mutex<()> = Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    if !kept.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&made));
        run(Command::new(made.join("bin/pip"))
            .args(["install", "-q"])
            .args(packages));
        // Another run may have been faster.
        if fs::rename(&made, &kept).is_err() {
            fs::remove_dir_all(&made).unwrap();
        }
    }
    kept
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_flask_application() {
    let environment = environment();
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("shop.py"), APPLICATION).unwrap();
    let path = root.path().to_str().unwrap().to_owned();
    let venv = environment.to_str().unwrap();
    let options = [
        "--wsgi",
        "shop:app",
        "--wsgi-path",
        &path,
        "--venv",
        venv,
        "--wsgi-threads",
        "2",
    ];
    let server = Server::start_in(root, &options);
    assert_eq!(
        server.get("/hello/K%C4%81%20mea").text(),
        "hello K\u{101} mea"
    );
    assert_eq!(server.get("/nowhere").status, 404);
    let content = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n\
        --x\r\nContent-Disposition: form-data; name=\"b\"; filename=\"b.txt\"\r\n\r\ntwo\r\n--x--\r\n";
    let request = post("/form", content);
    let request = request.replacen(
        "Host: test",
        "Host: test\r\nContent-Type: multipart/form-data; boundary=x",
        1,
    );
    let response = server.ask(&request);
    assert_eq!(response.text(), "one, two");
    assert_eq!(response.field("set-cookie"), Some("seen=yes; Path=/"));
    let content = "abc".repeat(100_000);
    assert_eq!(
        server.ask(&post("/stream", &content)).text(),
        content.to_uppercase()
    );
    let request = super::chunked("/stream", &["abc", "def"]);
    assert_eq!(server.ask(&request).text(), "ABCDEF");
    let response = server.get("/file");
    assert_eq!(response.text(), APPLICATION);
    let etag = response.field("etag").unwrap();
    let response = server.ask_with("GET", "/file", &format!("If-None-Match: {etag}\r\n"));
    assert_eq!((response.status, response.body.len()), (304, 0));
    assert_eq!(server.get("/fails").status, 500);
    assert!(server.logged("ZeroDivisionError").contains("WSGI"));
}
