//! Reports of `thor`: their contents, and their verdicts.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use kamea_components::net::testing::free_address;
use roxmltree::Document;
use serde_json::{Map, Value};

use super::devtools::Browser;
use super::server::Server;

/// Runs `thor` in a folder, with a short load.
fn thor(folder: &Path, url: &str, options: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.args([
        "60",
        env!("CARGO_BIN_EXE_thor"),
        "-q",
        "-c",
        "2",
        "-n",
        "300",
    ]);
    command
        .args(options)
        .arg(url)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// On a phone, also with names and numbers that are long, and in dark mode.
#[test]
fn the_page_does_not_scroll_sideways() {
    let (server, folder) = (Server::start(&[]), tempfile::tempdir().unwrap());
    let path = format!("/{}?{}", "long-name/".repeat(20), "x".repeat(300));
    let output = thor(folder.path(), &url(&server, &path), &["--html", "a.html"]);
    assert_eq!(status_and_stderr(&output).0, 0);
    let page = fs::read_to_string(folder.path().join("a.html")).unwrap();
    // Latencies with as many digits as there may be.
    let page = page.replace("<td>p99</td><td>", "<td>p99</td><td>999,999,9");
    fs::write(folder.path().join("a.html"), page).unwrap();
    for is_dark in [false, true] {
        let mut browser = Browser::open((1280, 900));
        browser.be_phone();
        if is_dark {
            browser.prefer_dark();
        }
        browser.go(&format!(
            "file://{}",
            folder.path().join("a.html").display()
        ));
        browser.wait_for("document.querySelectorAll('.charts svg').length > 0");
        browser.wait_for("document.documentElement.scrollWidth <= 390");
        // Each chart and each table begins within the phone, and no wider one is cut off.
        let cut = "[...document.querySelectorAll('figure, .tables > div')].filter((part) => part.getBoundingClientRect().right > 390).length";
        assert_eq!(browser.value(cut), 0);
        browser.assert_content();
    }
}

fn url(server: &Server, path: &str) -> String {
    format!("http://{}{path}", server.address)
}

fn status_and_stderr(output: &Output) -> (i32, &str) {
    (
        output.status.code().unwrap(),
        std::str::from_utf8(&output.stderr).unwrap(),
    )
}

fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect()
}

#[test]
fn json_has_the_keys_that_are_documented_and_nothing_stands_beside_it() {
    let (server, folder) = (Server::start(&[]), tempfile::tempdir().unwrap());
    let output = thor(folder.path(), &url(&server, "/"), &["--json"]);
    assert_eq!(status_and_stderr(&output), (0, ""));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let all = [
        "bytes",
        "client_busy",
        "connections",
        "duration_s",
        "error_examples",
        "errors",
        "histogram_us",
        "latency_us",
        "missed_schedule",
        "rate_asked_per_s",
        "rate_per_s",
        "requests",
        "series",
        "status",
        "thor",
        "threads",
        "urls",
    ];
    assert_eq!(keys(&json), all);
    assert_eq!(keys(&json["latency_us"]), ["corrected", "raw"]);
    for kind in ["raw", "corrected"] {
        let latency = &json["latency_us"][kind];
        assert_eq!(
            keys(latency),
            [
                "max", "mean", "min", "p50", "p75", "p90", "p99", "p99_9", "stdev"
            ]
        );
        let rising = ["min", "p50", "p75", "p90", "p99", "p99_9", "max"]
            .map(|key| latency[key].as_f64().unwrap());
        assert!(rising.is_sorted() && rising[0] > 0.0, "{latency}");
        let counts = json["histogram_us"][kind]
            .as_array()
            .unwrap()
            .iter()
            .map(|bin| bin[1].as_u64().unwrap());
        assert_eq!(counts.sum::<u64>(), 300);
    }
    assert_eq!(
        keys(&json["errors"]),
        ["connect", "protocol", "read", "status", "time_out", "write"]
    );
    assert_eq!(
        keys(&json["missed_schedule"]),
        ["held_up", "largest_us", "requests"]
    );
    assert_eq!(
        keys(&json["series"][0]),
        [
            "bytes", "errors", "max_us", "p50_us", "p75_us", "p90_us", "p99_9_us", "p99_us",
            "requests", "t_s"
        ]
    );
    assert_eq!(
        (json["requests"].as_u64(), json["status"]["2xx"].as_u64()),
        (Some(300), Some(300))
    );
    assert_eq!(json["rate_asked_per_s"], Value::Null);
    let number = |key: &str| json[key].as_f64().unwrap();
    assert!(
        (number("rate_per_s") * number("duration_s") - 300.0).abs() < 0.01,
        "{json}"
    );
    let book = fs::read_to_string(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../docs/src/reports.md"
    ))
    .unwrap();
    let documented = book
        .split("```json\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let documented: Map<_, _> = serde_json::from_str(documented).unwrap();
    assert_eq!(keys(&documented.into()), all);
}

#[test]
fn files_are_written_that_need_nothing_but_themselves() {
    let (server, folder) = (Server::start(&[]), tempfile::tempdir().unwrap());
    let files = ["--csv", "run.csv", "--svg", "run.svg", "--html", "run.html"];
    let output = thor(folder.path(), &url(&server, "/?a=1&b='"), &files);
    assert_eq!(status_and_stderr(&output), (0, ""));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let csv = read("run.csv");
    let rows: Vec<Vec<_>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows[0][..4], ["t_s", "requests", "bytes", "errors"]);
    assert_eq!(
        rows[1..]
            .iter()
            .map(|row| row[1].parse::<u64>().unwrap())
            .sum::<u64>(),
        300
    );
    let svg = read("run.svg");
    let document = Document::parse(&svg).unwrap();
    assert_eq!(document.root_element().tag_name().name(), "svg");
    assert!(svg.contains("@media (prefers-color-scheme: dark)"));
    let html = read("run.html");
    assert_eq!(html.matches("<svg ").count(), 4);
    assert!(
        html.contains("/?a=1&#38;b=&#39;") && !html.contains("b='"),
        "what was asked for is escaped"
    );
    for text in [&svg, &html] {
        for outside in ["src=", "href=", "url(", "@import", "<script", "<link"] {
            assert!(!text.contains(outside), "{outside}");
        }
    }
}

#[test]
fn conditions_fail_a_run_with_status_1_and_a_line_each() {
    let (server, folder) = (Server::start(&[]), tempfile::tempdir().unwrap());
    let conditions = |path: &str, conditions: &[&str]| {
        let options: Vec<_> = conditions
            .iter()
            .flat_map(|condition| ["--fail-if", condition])
            .collect();
        thor(folder.path(), &url(&server, path), &options)
    };
    let output = conditions("/", &["p99>60s", "raw.max>60s", "rate<0.1/s", "errors>0"]);
    assert_eq!(status_and_stderr(&output), (0, ""));
    let output = conditions(
        "/none",
        &["p50>0.001us", "p99>60s", "errors>99%", "errors > 299"],
    );
    let (status, stderr) = status_and_stderr(&output);
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!((status, lines.len()), (1, 3), "{stderr}");
    assert!(
        lines[0].starts_with("failed: p50>0.001us: it is "),
        "{stderr}"
    );
    assert_eq!(
        lines[1..],
        [
            "failed: errors>99%: it is 100.000 %",
            "failed: errors > 299: it is 300"
        ]
    );
    for (condition, complaint) in [
        ("p99>50", "column 7: the unit of a latency is us, ms or s"),
        (
            "p98>50ms",
            "column 1: `p98` is no figure; there are p50, p75, p90, p99, p99.9, max, mean, rate, errors",
        ),
    ] {
        let output = conditions("/", &[condition]);
        let (status, stderr) = status_and_stderr(&output);
        assert_eq!(status, 2);
        assert_eq!(
            stderr,
            format!(
                "error: invalid value '{condition}' for '--fail-if <CONDITION>': {complaint}\n"
            )
        );
    }
}

#[test]
fn a_run_is_compared_with_an_earlier_one() {
    let (server, folder) = (Server::start(&[]), tempfile::tempdir().unwrap());
    let first = thor(folder.path(), &url(&server, "/"), &["--json"]);
    fs::write(folder.path().join("old.json"), &first.stdout).unwrap();
    let output = thor(
        folder.path(),
        &url(&server, "/robots.txt"),
        &["--compare", "old.json"],
    );
    let said = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(status_and_stderr(&output), (0, ""));
    let comparison = said.split("Compared with old.json:\n").nth(1).unwrap();
    // A run of a fraction of a second cannot be compared.
    assert_eq!(
        comparison.matches("too short to tell").count(),
        6,
        "{comparison}"
    );
    assert!(
        comparison.contains("note: the runs differ in URLs"),
        "{comparison}"
    );
    let output = thor(
        folder.path(),
        &url(&server, "/"),
        &["--compare", "old.json", "--json"],
    );
    assert!(serde_json::from_slice::<Value>(&output.stdout).is_ok());
    assert!(
        status_and_stderr(&output)
            .1
            .starts_with("Compared with old.json:\n")
    );
}

#[test]
fn what_cannot_be_done_is_said_before_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    fs::write(folder.path().join("other.json"), "{\"name\": 1}").unwrap();
    for (options, complaint) in [
        (
            ["--compare", "none.json"],
            "error: cannot read none.json: No such file or directory (os error 2)\n",
        ),
        (
            ["--compare", "other.json"],
            "error: cannot read other.json: no summary of thor --json: missing field `requests` at line 1 column 11\n",
        ),
        (
            ["--svg", "none/run.svg"],
            "error: cannot write none/run.svg: No such file or directory (os error 2)\n",
        ),
    ] {
        let output = thor(folder.path(), &url, &options);
        assert_eq!(status_and_stderr(&output), (2, complaint));
    }
    assert!(listener.accept().is_err(), "nothing was asked");
}

#[test]
fn a_run_without_an_answer_has_a_report_too() {
    let folder = tempfile::tempdir().unwrap();
    let closed = free_address().unwrap();
    let options = [
        "--json",
        "--html",
        "run.html",
        "--svg",
        "run.svg",
        "--fail-if",
        "p99>1s",
    ];
    let output = thor(folder.path(), &format!("http://{closed}/"), &options);
    let (status, stderr) = status_and_stderr(&output);
    assert_eq!(status, 1);
    assert!(
        stderr.starts_with("failed: p99>1s: no response came\nerror: nothing was answered: "),
        "{stderr}"
    );
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        json["errors"]["connect"].as_u64().unwrap() > 0 && json["requests"] == 0,
        "{json}"
    );
    assert!(json["error_examples"]["connect"].is_string());
    let page = fs::read_to_string(folder.path().join("run.html")).unwrap();
    assert!(page.contains("No response came."));
    Document::parse(&fs::read_to_string(folder.path().join("run.svg")).unwrap()).unwrap();
}
