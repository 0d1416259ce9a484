//! The garden: the same bytes go through the proxy to many servers, and each writes down what it
//! has understood. What can be understood in two ways never reaches them.

mod servers;
mod shapes;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::started::Started;
use servers::{NAMES, Seen, Server};
use shapes::{Expected, Shape};

const PROXY: &str = env!("CARGO_BIN_EXE_start_proxy");

/// Longer than a response takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn all_servers_understand_what_the_proxy_has_understood() {
    let environment = environment();
    let shapes = shapes::all();
    let disagreements: Vec<_> = std::thread::scope(|scope| {
        let gardens = NAMES.map(|name| {
            let (shapes, environment) = (&shapes, &environment);
            scope.spawn(move || {
                let server = Server::start(name, environment);
                check(&server, shapes)
            })
        });
        let found = gardens.into_iter().map(|garden| garden.join().unwrap());
        found.flatten().collect()
    });
    assert!(disagreements.is_empty(), "{}", disagreements.join("\n"));
}

/// Sends all shapes through a proxy of its own to a server; returns the disagreements.
fn check(server: &Server, shapes: &[Shape]) -> Vec<String> {
    let (_folder, proxy) = proxy_before(server);
    let mut disagreements = Vec::new();
    let mut disagree = |shape: &Shape, what: String| {
        let bytes = shape.bytes.escape_debug();
        disagreements.push(format!("{}: {what}\n    {bytes}", server.name));
    };
    let mut expected = BTreeSet::new();
    for shape in shapes {
        let answer = exchange(&proxy, &shape.bytes);
        let statuses = statuses(&answer);
        match shape.expected {
            Expected::Refused(status) if statuses == [status] => {}
            Expected::Refused(status) => {
                disagree(shape, format!("{statuses:?} instead of {status}"));
            }
            Expected::Passed(requests) => {
                if statuses.len() != requests.len() {
                    disagree(
                        shape,
                        format!("{statuses:?} to {} requests", requests.len()),
                    );
                }
                let answered = requests.iter().zip(&statuses);
                for (request, _) in answered.filter(|(_, status)| **status == 200) {
                    expected.insert(Seen {
                        method: request.0.to_owned(),
                        target: request.1.replace('@', &shape.name),
                        body: request.2.to_owned(),
                    });
                }
                if let Some(status) = statuses.iter().find(|status| **status != 200) {
                    disagree(shape, format!("status {status}"));
                }
            }
        }
    }
    let record = server.record();
    let seen: BTreeSet<_> = record.iter().cloned().collect();
    if seen.len() != record.len() {
        disagreements.push(format!("{}: a request came twice", server.name));
    }
    for seen in seen.symmetric_difference(&expected) {
        let whose = if expected.contains(seen) {
            "the proxy"
        } else {
            "it"
        };
        disagreements.push(format!("{}: only {whose} has seen {seen:?}", server.name));
    }
    disagreements
}

/// A proxy before a server, and the folder of its configuration.
fn proxy_before(server: &Server) -> (tempfile::TempDir, Started) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proxy.conf");
    let address = server.address;
    let text = format!("host \"default\" {{ proxy_pass http://{address}; }}\n");
    fs::write(&file, text).unwrap();
    let arguments = ["--errors", "standard", "--workers", "1", "--config"];
    let file = file.to_str().unwrap();
    let proxy = Started::new(PROXY, &[&arguments[..], &[file]].concat());
    (folder, proxy)
}

/// Sends bytes, and returns all that comes back.
fn exchange(proxy: &Started, bytes: &str) -> Vec<u8> {
    let mut stream = proxy.connect();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may be refused before all of it is sent.
    let _ = stream.write_all(bytes.as_bytes());
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    // A reset ends it too.
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// The statuses of the final responses in an answer.
fn statuses(mut answer: &[u8]) -> Vec<u16> {
    let mut statuses = Vec::new();
    while let Some(end) = find(answer, b"\r\n\r\n") {
        let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
        answer = &answer[end + 4..];
        let status = head.strip_prefix("http/1.1 ").unwrap_or("0");
        let status: u16 = status.split(' ').next().unwrap().parse().unwrap();
        if status < 200 {
            continue;
        }
        statuses.push(status);
        if head.contains("\r\ntransfer-encoding: chunked") {
            let end = find(answer, b"0\r\n\r\n").map_or(answer.len(), |end| end + 5);
            answer = &answer[end..];
        } else if let Some((_, rest)) = head.split_once("\r\ncontent-length: ") {
            let length: usize = rest.lines().next().unwrap().parse().unwrap();
            answer = answer.get(length..).unwrap_or_default();
        }
    }
    statuses
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// A virtual environment with the Python servers, created once and kept beside cargo's build
/// output.
fn environment() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let kept = target.join("garden");
    let made = target.join(format!("garden.{}", std::process::id()));
    if !kept.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&made));
        let packages = [
            "gunicorn==23.*",
            "uvicorn==0.*",
            "h11==0.*",
            "httptools==0.*",
        ];
        run(Command::new(made.join("bin/python"))
            .args(["-m", "pip", "install", "-q"])
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
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}
