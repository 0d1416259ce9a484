//! Each client sends the same form. The server says what it has read.

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Output};

use kamea::Scheduler;
use kamea_app::{App, Call, Html, Json, Multipart, Problem};
use kamea_components::server::Listening;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What was read of each part.
async fn parts(mut call: Call<(), Multipart>) -> Result<Json<Vec<Value>>, Problem> {
    let mut parts = Vec::new();
    while let Some(part) = call.body.next().await? {
        let bytes = call.body.bytes().await?;
        let mut shown = String::new();
        for byte in &bytes {
            let _ = write!(shown, "{byte:02x}");
        }
        parts.push(json!([part.name, part.file_name, shown]));
    }
    Ok(Json(parts))
}

/// The page of Chromium: it sends the form, and shows what the server has read.
const PAGE: &str = "<!DOCTYPE html><pre id=out></pre><script>
const form = new FormData();
FORM
fetch('/parts', {method: 'POST', body: form}).then((answer) => answer.text())
  .then((text) => { out.textContent = text; });
</script>";

/// The form, as JavaScript makes it.
const FORM: &str = r#"
form.append("text", "a\r\nb & \u00e4 \u20ac");
form.append("empty", "");
form.append("text", "again");
form.append('a "quoted" name', "--boundary\r\n--");
const bytes = Uint8Array.from({length: 256}, (_, i) => i);
form.append("file", new Blob([bytes]), 'all "bytes" \u00fc.bin');
form.append("file", new Blob([]), "empty.txt");
"#;

/// The same with requests, which the pip of a virtual environment contains.
const REQUESTS: &str = r#"
import sys
from pip._vendor import requests
parts = [
    ("text", (None, "a\r\nb & \u00e4 \u20ac".encode())),
    ("empty", (None, "")),
    ("text", (None, "again")),
    ('a "quoted" name', (None, "--boundary\r\n--")),
    ("file", ('all "bytes" \u00fc.bin', bytes(range(256)))),
    ("file", ("empty.txt", b"")),
]
print(requests.post(sys.argv[1], files=parts).text)
"#;

/// What the server must have read.
fn expected() -> Value {
    let hex = |text: &str| {
        text.bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let bytes: String = (0..=255_u8).map(|byte| format!("{byte:02x}")).collect();
    json!([
        ["text", null, hex("a\r\nb & \u{e4} \u{20ac}")],
        ["empty", null, ""],
        ["text", null, hex("again")],
        ["a \"quoted\" name", null, hex("--boundary\r\n--")],
        ["file", "all \"bytes\" \u{fc}.bin", bytes],
        ["file", "empty.txt", ""],
    ])
}

struct Server {
    listening: Listening,
    _scheduler: Scheduler,
}

impl Server {
    fn start() -> Self {
        let app = App::new()
            .get("/", async || Html(PAGE.replace("FORM", FORM)))
            .post("/parts", parts);
        let scheduler = Scheduler::with_workers(1);
        let server = app.server().unwrap();
        let listening = server.run(&scheduler, &["127.0.0.1:0".parse().unwrap()]);
        Self {
            listening: listening.unwrap(),
            _scheduler: scheduler,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.listening.addresses()[0])
    }
}

/// Runs a client for two minutes at most.
fn run(command: &mut Command) -> Output {
    let mut limited = Command::new("timeout");
    limited
        .arg("120")
        .arg(command.get_program())
        .args(command.get_args());
    limited.output().unwrap()
}

fn printed(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let parsed = serde_json::from_str(text.trim());
    parsed.unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

#[test]
fn curl() {
    let server = Server::start();
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name).display().to_string();
    fs::write(file("bytes"), (0..=255_u8).collect::<Vec<_>>()).unwrap();
    fs::write(file("empty"), "").unwrap();
    fs::write(file("text"), "a\r\nb & \u{e4} \u{20ac}").unwrap();
    let output = run(Command::new("curl").arg("-sS").args([
        "-F",
        &format!("text=<{}", file("text")),
        "-F",
        "empty=",
        "-F",
        "text=again",
        "-F",
        "a \"quoted\" name=--boundary\r\n--",
        "-F",
        &format!(
            "file=@{};filename=\"all \\\"bytes\\\" \u{fc}.bin\"",
            file("bytes")
        ),
        "-F",
        &format!("file=@{};filename=empty.txt", file("empty")),
        &server.url("/parts"),
    ]));
    assert_eq!(printed(&output), expected());
}

#[test]
fn requests() {
    let server = Server::start();
    let folder = TempDir::new().unwrap();
    let made = run(Command::new("python3")
        .args(["-m", "venv"])
        .arg(folder.path()));
    assert!(made.status.success(), "{made:?}");
    let python = folder.path().join("bin/python");
    let output = run(Command::new(python).args(["-c", REQUESTS, &server.url("/parts")]));
    assert_eq!(printed(&output), expected());
}

/// The `fetch` of Node is undici's.
#[test]
fn undici() {
    let server = Server::start();
    let script = format!(
        "const form = new FormData();{FORM}
        fetch(process.argv[1], {{method: 'POST', body: form}})
          .then((answer) => answer.text()).then(console.log);"
    );
    let output = run(Command::new("node").args(["-e", &script, &server.url("/parts")]));
    assert_eq!(printed(&output), expected());
}

#[test]
fn chromium() {
    let server = Server::start();
    let profile = TempDir::new().unwrap();
    let output = run(Command::new("chromium").args([
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--virtual-time-budget=60000",
        &format!("--user-data-dir={}", profile.path().display()),
        "--dump-dom",
        &server.url("/"),
    ]));
    let page = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = page
        .split("<pre id=\"out\">")
        .nth(1)
        .and_then(|rest| rest.split("</pre>").next());
    let text = text.unwrap_or_else(|| panic!("{output:?}"));
    let text = text.replace("&quot;", "\"").replace("&amp;", "&");
    let read: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{page}"));
    assert_eq!(read, expected());
}
