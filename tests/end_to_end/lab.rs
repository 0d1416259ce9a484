//! `lab run`: unattended experiments, which survive any interruption.

use std::collections::HashSet;
use std::fs::{self, Permissions};
use std::io::Read as _;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::programs::write_program;
use super::server::{PATIENCE, built, wait_for};
use super::wrong_values::assert_says_what_is_wanted;

/// A folder for the results, and for all other files of a lab.
struct WorkFolder(TempDir);

impl WorkFolder {
    fn new() -> Self {
        // Apache, and CGI scripts of http.server, are not run as root.
        let open = Permissions::from_mode(0o755);
        Self(
            tempfile::Builder::new()
                .permissions(open)
                .tempdir()
                .unwrap(),
        )
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn results(&self) -> PathBuf {
        self.path().join("results")
    }

    /// Starts `lab run` with these options, here.
    fn lab(&self, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
        command.args(["run", "results"]).args(options);
        command.current_dir(self.path()).env("TMPDIR", self.path());
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end; returns its status and its output.
    fn run(&self, options: &[&str]) -> (i32, String) {
        said(self.lab(options).output().unwrap())
    }

    /// Returns the complete lines of the journal.
    fn journal(&self) -> Vec<String> {
        let text = fs::read_to_string(self.results().join("journal.jsonl")).unwrap_or_default();
        let lines = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'));
        lines.map(str::to_owned).collect()
    }

    /// Returns the contents of the journal: the plan, and the samples.
    fn recorded(&self) -> (Value, Vec<Value>) {
        let lines = self.journal();
        let mut lines = lines
            .iter()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let plan = lines.next().unwrap()["plan"].clone();
        (plan, lines.map(|line| line["sample"].clone()).collect())
    }

    /// Returns the processes that run here.
    fn processes(&self) -> Vec<u32> {
        let entries = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap());
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let here = |id: &u32| {
            let folder = fs::read_link(format!("/proc/{id}/cwd"));
            folder.is_ok_and(|folder| folder.starts_with(self.path()))
        };
        ids.filter(here).collect()
    }

    fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + 2 * PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.journal());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn assert_nothing_runs(&self) {
        self.until("nothing is left running", |folder| {
            folder.processes().is_empty()
        });
    }
}

fn said(output: Output) -> (i32, String) {
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    (output.status.code().unwrap(), text)
}

/// Returns what a sample measures: experiment, server, mode and repetition.
fn cell(sample: &Value) -> String {
    ["experiment", "server", "mode", "repetition"]
        .map(|key| sample[key].to_string())
        .join(" ")
}

/// Each cell of the plan has exactly one sample.
fn assert_complete(folder: &WorkFolder) -> Vec<Value> {
    let (plan, samples) = folder.recorded();
    let mut wanted = HashSet::new();
    for asked in plan["experiments"].as_array().unwrap() {
        for contender in plan["contenders"].as_array().unwrap() {
            let is_out = |out: &Value| {
                out["server"] == contender["server"] && out["experiment"] == asked["experiment"]
            };
            if plan["left_out"].as_array().unwrap().iter().any(is_out) {
                continue;
            }
            for repetition in 1..=plan["repetitions"].as_u64().unwrap() {
                let mut sample = contender.clone();
                sample["experiment"] = asked["experiment"].clone();
                sample["repetition"] = repetition.into();
                wanted.insert(cell(&sample));
            }
        }
    }
    let taken: Vec<_> = samples.iter().map(cell).collect();
    assert_eq!(taken.len(), wanted.len(), "{taken:?}");
    assert_eq!(taken.into_iter().collect::<HashSet<_>>(), wanted);
    samples
}

fn signal(child: &Child, name: &str) {
    let status = Command::new("kill")
        .args(["-s", name, &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}

#[test]
fn a_quick_run_gives_a_sample_of_everything() {
    let folder = WorkFolder::new();
    let (status, text) = folder.run(&["--quick", "--servers", "spidey,python", "--seed", "7"]);
    assert_eq!(status, 0, "{text}");
    let samples = assert_complete(&folder);
    for mode in ["single", "forking", "pool"] {
        for experiment in ["listing", "file", "cgi", "1kb", "1mb", "1gb"] {
            let is_it =
                |sample: &&Value| sample["mode"] == mode && sample["experiment"] == experiment;
            let sample = samples.iter().find(is_it).unwrap();
            let summary = &sample["outcome"]["measured"];
            assert!(summary["requests"].as_u64().unwrap() > 0, "{sample}");
            assert!(
                summary["latency_us"]["raw"]["p50"].as_f64().unwrap() > 0.0,
                "{sample}"
            );
            assert!(
                summary["status"]["2xx"].as_u64() == summary["requests"].as_u64(),
                "{sample}"
            );
            let line = format!("spidey {mode}, 1 of 1: ");
            assert!(text.contains(&line), "{text}");
        }
    }
    let order: Vec<_> = samples.iter().map(cell).collect();
    assert!(!order.is_sorted(), "{order:?}");
    assert!(samples.iter().any(|sample| sample["server"] == "python"));
    let (plan, _) = folder.recorded();
    assert_eq!(plan["seed"], 7);
    assert!(plan["circumstances"]["machine"]["cores"].as_u64().unwrap() > 0);
    assert!(
        !folder.results().join("site").exists(),
        "the files are no result"
    );
    folder.assert_nothing_runs();
}

#[test]
fn each_peer_that_is_installed_takes_part() {
    let folder = WorkFolder::new();
    let (status, text) = folder.run(&["--quick", "--only", "listing,cgi", "--modes", "pool"]);
    assert_eq!(status, 0, "{text}");
    assert_complete(&folder);
    let (plan, samples) = folder.recorded();
    for server in ["spidey", "nginx", "apache", "lighttpd", "caddy", "python"] {
        let of_it = |value: &&Value| value["server"] == server;
        let out = plan["left_out"].as_array().unwrap().iter().find(of_it);
        assert!(
            samples.iter().find(of_it).is_some() || out.is_some(),
            "{server}"
        );
        if let Some(out) = out {
            assert!(text.contains(out["reason"].as_str().unwrap()), "{text}");
        }
    }
    folder.assert_nothing_runs();
}

#[test]
fn a_run_that_was_killed_goes_on() {
    let folder = WorkFolder::new();
    let options = [
        "--quick",
        "--servers",
        "spidey",
        "--modes",
        "pool,forking",
        "--only",
        "file,1kb",
        "--repetitions",
        "3",
    ];
    let mut child = folder.lab(&options).spawn().unwrap();
    folder.until("two samples", |folder| folder.journal().len() > 2);
    signal(&child, "KILL");
    wait_for(&mut child);
    folder.assert_nothing_runs();
    let before = folder.journal();
    assert!(
        before.len() < 13,
        "it was to be killed in the midst: {before:?}"
    );
    let (status, text) = folder.run(&[]);
    assert_eq!(status, 0, "{text}");
    assert_complete(&folder);
    assert_eq!(folder.journal()[..before.len()], before);
    let (status, text) = folder.run(&[]);
    assert_eq!(status, 0, "{text}");
    assert!(
        text.contains("All 12 samples are taken, 0 failed"),
        "{text}"
    );
}

#[test]
fn ctrl_c_leaves_no_process_and_a_second_lab_keeps_out() {
    for name in ["INT", "TERM"] {
        let folder = WorkFolder::new();
        let options = [
            "--seconds",
            "600",
            "--servers",
            "spidey",
            "--modes",
            "forking",
            "--only",
            "1kb",
        ];
        let mut child = folder.lab(&options).spawn().unwrap();
        // lab; a guard and the server; a guard and the load.
        folder.until("the load", |folder| folder.processes().len() >= 5);
        let (status, text) = folder.run(&[]);
        assert_eq!(status, 1, "{text}");
        assert!(text.contains("another lab is at work in"), "{text}");
        signal(&child, name);
        assert_eq!(wait_for(&mut child).code(), Some(130), "{name}");
        folder.assert_nothing_runs();
        let (_, text) = said(child.wait_with_output().unwrap());
        assert!(
            text.contains("Interrupted: 0 of 5 samples are taken; lab run "),
            "{text}"
        );
        assert_eq!(folder.recorded().1.len(), 0);
    }
}

#[test]
fn a_torn_journal_loses_one_sample_and_a_broken_one_nothing() {
    let folder = WorkFolder::new();
    let options = [
        "--quick",
        "--servers",
        "spidey",
        "--modes",
        "pool",
        "--only",
        "file",
        "--repetitions",
        "2",
    ];
    assert_eq!(folder.run(&options).0, 0);
    let (path, lines) = (folder.results().join("journal.jsonl"), folder.journal());
    for end in [1, 30, lines[2].len() - 1] {
        fs::write(
            &path,
            [&lines[0], &lines[1], &lines[2][..end]]
                .map(|part| part.to_owned())
                .concat(),
        )
        .unwrap();
        let (status, text) = folder.run(&[]);
        assert_eq!(status, 0, "{text}");
        assert!(
            text.contains("The last line of the journal was torn"),
            "{text}"
        );
        assert_complete(&folder);
        assert_eq!(folder.journal()[..2], lines[..2]);
    }
    // Cut within its first line it counts as a new one.
    fs::write(&path, &lines[0][..40]).unwrap();
    assert_eq!(folder.run(&options).0, 0);
    assert_complete(&folder);
    let broken = [lines[0].as_str(), "{\"sample\":{}}\n", &lines[2]].concat();
    for (text, wrong) in [
        (broken.as_str(), "line 2"),
        (&[lines[0].as_str(), &lines[0]].concat(), "a second plan"),
        (&lines[1], "begins without a plan"),
    ] {
        fs::write(&path, text).unwrap();
        let (status, said) = folder.run(&[]);
        assert_eq!(status, 1, "{said}");
        assert!(
            said.contains("journal.jsonl") && said.contains(wrong),
            "{said}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}

#[test]
fn wrong_values_are_told_what_is_wanted() {
    assert_says_what_is_wanted(built("lab"), &["run"]);
}

#[test]
fn wrong_usage_is_told_in_a_line() {
    let folder = WorkFolder::new();
    for (options, wrong) in [
        (&["--only", "speed"][..], "speed"),
        (&["--servers", "iis"], "iis"),
        (&["--modes", "fast"], "fast"),
        (&["--repetitions", "0"], "repetitions"),
        (
            &["--seconds", "0"],
            "a number of seconds is wanted, from 0.01 to 3600",
        ),
        (&["--connections", "-1"], "-1"),
        (&["another"], "another"),
    ] {
        let (status, text) = folder.run(options);
        assert_eq!(status, 2, "{options:?}: {text}");
        assert!(
            text.contains(wrong) && text.lines().count() == 1,
            "{options:?}: {text}"
        );
    }
    assert!(!folder.results().exists());
}

#[test]
fn a_run_goes_on_only_as_it_began() {
    let folder = WorkFolder::new();
    let options = [
        "--quick",
        "--servers",
        "spidey",
        "--modes",
        "pool",
        "--only",
        "file",
    ];
    assert_eq!(folder.run(&options).0, 0);
    assert_eq!(folder.run(&options).0, 0, "the same, said again");
    for (options, wrong) in [
        (
            &["--only", "cgi,file"][..],
            "--only: file when the run began, file,cgi now",
        ),
        (
            &["--servers", "spidey,python"],
            "--servers: spidey when the run began, spidey,python now",
        ),
        (
            &["--modes", "single"],
            "--modes: pool when the run began, single now",
        ),
        (
            &["--repetitions", "7"],
            "--repetitions: 1 when the run began, 7 now",
        ),
        (
            &["--seconds", "1.5"],
            "--seconds: 0.1 when the run began, 1.5 now",
        ),
        (
            &["--connections", "8"],
            "--connections: 16 when the run began, 8 now",
        ),
        (
            &["--keep-alive"],
            "--keep-alive: false when the run began, true now",
        ),
        (&["--seed", "1"], "--seed: "),
    ] {
        let (status, text) = folder.run(options);
        assert_eq!(status, 2, "{options:?}: {text}");
        assert!(
            text.contains("has another run") && text.contains(wrong),
            "{options:?}: {text}"
        );
    }
    let path = folder.results().join("journal.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, text.replacen("\"memory\":", "\"memory\":1", 1)).unwrap();
    let (status, text) = folder.run(&[]);
    assert_eq!(status, 2, "{text}");
    assert!(text.contains("Memory: "), "{text}");
}

#[test]
fn what_fails_is_recorded_and_the_run_goes_on() {
    let folder = WorkFolder::new();
    let programs = folder.path().join("programs");
    // A server that does not start, and one that gives a wrong answer.
    write_program(
        &programs.join("nginx"),
        "#!/bin/sh\n[ \"$1\" = -v ] && echo nginx/9.8.7 && exit\necho 'no licence' >&2\nexit 3\n",
    );
    write_program(
        &programs.join("lighttpd"),
        "#!/bin/sh\n[ \"$1\" = -v ] && echo lighttpd/9.8.7 && exit\nport=$(sed -n 's/^server.port = //p' \"$3\")\n\
        exec python3 -m http.server \"$port\" --bind 127.0.0.1 --directory /proc/self/fdinfo\n",
    );
    let path = std::env::var("PATH").unwrap();
    let mut lab = folder.lab(&[
        "--quick",
        "--servers",
        "spidey,nginx,lighttpd",
        "--modes",
        "pool",
        "--only",
        "file",
    ]);
    lab.env("PATH", format!("{}:{path}", programs.display()));
    let (status, text) = said(lab.output().unwrap());
    assert_eq!(status, 1, "{text}");
    assert!(text.contains("All 3 samples are taken, 2 failed"), "{text}");
    for (server, reason) in [
        ("nginx", "did not start: no licence"),
        (
            "lighttpd",
            "the answer to GET /1kb.txt is wrong: HTTP/1.0 404",
        ),
        ("spidey", ""),
    ] {
        let samples = assert_complete(&folder);
        let sample = samples
            .iter()
            .find(|sample| sample["server"] == server)
            .unwrap();
        let failed = sample["outcome"]["failed"].as_str().unwrap_or_default();
        assert!(
            failed.contains(reason) && failed.is_empty() == reason.is_empty(),
            "{sample}"
        );
    }
    folder.assert_nothing_runs();
}

#[test]
fn a_port_that_is_taken_is_not_the_end() {
    let folder = WorkFolder::new();
    let programs = folder.path().join("programs");
    // It finds its port taken twice, the second time by a server that answers.
    write_program(
        &programs.join("lighttpd"),
        "#!/bin/sh\n[ \"$1\" = -v ] && echo lighttpd/9.8.7 && exit\ncd \"$(dirname \"$0\")\"\n\
        port=$(sed -n 's/^server.port = //p' \"$3\"); root=$(sed -n 's/^server.document-root = \"\\(.*\\)\"/\\1/p' \"$3\")\n\
        echo once >> starts; starts=$(wc -l < starts)\n\
        [ $starts = 1 ] && echo 'Address already in use' >&2 && exit 1\n\
        [ $starts = 3 ] && exec python3 -m http.server $port --bind 127.0.0.1 --directory \"$root\"\n\
        mkdir empty; python3 -m http.server $port --bind 127.0.0.1 --directory empty 2> asked & other=$!\n\
        until grep -q 1kb.txt asked; do sleep 0.1; done\n\
        kill $other; wait $other; echo 'Address already in use' >&2; exit 1\n",
    );
    let path = std::env::var("PATH").unwrap();
    let mut lab = folder.lab(&["--quick", "--servers", "lighttpd", "--only", "file"]);
    lab.env("PATH", format!("{}:{path}", programs.display()));
    let (status, text) = said(lab.output().unwrap());
    assert_eq!(status, 0, "{text}");
    assert_complete(&folder);
    let starts = fs::read_to_string(programs.join("starts")).unwrap();
    assert_eq!(starts.lines().count(), 3);
    folder.assert_nothing_runs();
}

#[test]
fn a_guard_leaves_nothing_of_its_program() {
    let folder = WorkFolder::new();
    // It does not end on request; one of its children has left its group and its session, and is an
    // orphan.
    let program = "trap '' TERM; (setsid sleep 1000 &); echo begun; while :; do sleep 1000; done";
    let mut guard = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["guard", "--", "sh", "-c", program])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut begun = [0; 6];
    guard
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut begun)
        .unwrap();
    assert_eq!(&begun, b"begun\n");
    folder.until("all have begun", |folder| folder.processes().len() == 4);
    drop(guard.stdin.take());
    wait_for(&mut guard);
    assert_eq!(folder.processes(), [0; 0]);
}
