//! `lab report`: what it writes, and that gnuplot can draw it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use roxmltree::Document;
use serde_json::{Value, json};
use tempfile::TempDir;

fn lab(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("timeout");
    command.args(["30", env!("CARGO_BIN_EXE_lab")]);
    command
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// A journal of five rounds with spidey in mode pool and nginx, which takes this many times as
/// long.
fn journal(slower: f64) -> TempDir {
    let contenders = [
        json!({"server": "spidey", "mode": "pool"}),
        json!({"server": "nginx", "mode": null}),
    ];
    let asked = |name: &str| json!({"experiment": name, "connections": 1, "length": 1024});
    let machine = json!({
        "processor": "<CPU> & Co", "cores": 2, "memory": 0, "kernel": "Linux 6", "system": "", "is_virtual": false,
        "governor": "", "date": "2016-04-10", "versions": {}
    });
    let plan = json!({
        "began_s": 0, "seed": 1, "repetitions": 5, "seconds": 3.0, "warm_up_s": 0.5, "connections": 16,
        "keep_alive": false, "quick": false, "experiments": (["file", "1kb"].map(asked)), "contenders": contenders,
        "left_out": [], "circumstances": {"server_cores": [0], "load_cores": [1], "machine": machine}
    });
    let mut lines = vec![json!({ "plan": plan })];
    for experiment in ["file", "1kb"] {
        for repetition in 1..=5 {
            for (contender, factor) in contenders.iter().zip([1.0, slower]) {
                let latency = factor * (100.0 + f64::from(repetition));
                let measured = json!({
                    "requests": 10, "duration_s": 1.0, "rate_per_s": 1e6 / latency, "bytes": 9, "errors": {},
                    "latency_us": {"raw": {}, "corrected": {"p50": latency}}, "missed_schedule": {}
                });
                let mut sample = contender.clone();
                sample["experiment"] = experiment.into();
                sample["repetition"] = repetition.into();
                sample["at_s"] = 0.into();
                sample["outcome"] = json!({ "measured": measured });
                lines.push(json!({ "sample": sample }));
            }
        }
    }
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("results")).unwrap();
    let text: String = lines
        .iter()
        .map(|line: &Value| format!("{line}\n"))
        .collect();
    fs::write(folder.path().join("results/journal.jsonl"), text).unwrap();
    folder
}

#[test]
fn a_report_is_a_page_tables_and_charts_that_gnuplot_draws() {
    // Dots on a logarithmic axis, and bars.
    for slower in [40.0, 2.0] {
        let folder = journal(slower);
        let output = lab(folder.path(), &["report", "results", "--out", "report"]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(output.stdout, b"report/report.html\n");
        let report = folder.path().join("report");
        let mut names: Vec<_> = fs::read_dir(&report)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        names.sort();
        let expected = [
            "1kb.dat",
            "1kb.gp",
            "file.dat",
            "file.gp",
            "report.html",
            "report.tex",
            "samples.csv",
        ];
        assert_eq!(names, expected);
        let page = fs::read_to_string(report.join("report.html")).unwrap();
        assert!(
            page.contains("spidey pool is faster than nginx")
                && page.contains("&#60;CPU&#62; &#38; Co")
        );
        for outside in ["src=", "href=", "url(", "@import", "<script", "<link"] {
            assert!(!page.contains(outside), "{outside}");
        }
        let samples = fs::read_to_string(report.join("samples.csv")).unwrap();
        assert_eq!(samples.lines().count(), 1 + 20);
        for name in ["file", "1kb"] {
            let mut gnuplot = Command::new("timeout");
            gnuplot
                .args(["30", "gnuplot"])
                .arg(format!("{name}.gp"))
                .current_dir(&report);
            let output = gnuplot.output().unwrap();
            assert!(
                output.status.success() && output.stderr.is_empty(),
                "gnuplot, which `make test` installs: {output:?}"
            );
            let svg = fs::read_to_string(report.join(format!("{name}.svg"))).unwrap();
            let document = Document::parse(&svg).unwrap();
            let texts: Vec<_> = document
                .descendants()
                .filter_map(|node| node.text())
                .map(str::trim)
                .collect();
            assert!(
                texts.contains(&"spidey pool") && texts.contains(&"nginx"),
                "{texts:?}"
            );
        }
    }
}

#[test]
fn there_is_no_report_without_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let output = lab(folder.path(), &["report", "nothing"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        output.stderr,
        b"error: there is no run in nothing; lab run makes one\n"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
