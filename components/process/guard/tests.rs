//! Programs do not outlive the one that has started them. The tests start this program once more,
//! for the child below, and end it. The program that the child has started holds its standard
//! output open for as long as it lives.

use std::env;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use kamea::{Graph, Scheduler, Sink};

use crate::process;

/// How long the started program runs, in seconds, and how much of that is left if it is not killed.
const SECONDS: u64 = 60;

struct Program {
    process: Child,
    stdout: BufReader<ChildStdout>,
    began: Instant,
}

impl Program {
    /// Starts the child, and waits until its program runs.
    fn start(child: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture"])
            .arg(format!("process::guard::tests::{child}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let began = Instant::now();
        let mut program = Self {
            process,
            stdout,
            began,
        };
        program.says("program runs");
        program
    }

    fn says(&mut self, words: &str) {
        let mut line = String::new();
        while !line.contains(words) {
            line.clear();
            let read = self.stdout.read_line(&mut line).unwrap();
            assert!(read > 0, "it has ended and has not said {words:?}");
        }
    }

    fn signal(&self, signal: &str) {
        let killed = Command::new("kill")
            .args([&format!("-{signal}"), &self.process.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
    }

    /// Waits until the child and its program have ended.
    fn gone(&mut self) -> ExitStatus {
        let status = self.process.wait().unwrap();
        let mut rest = Vec::new();
        self.stdout.read_to_end(&mut rest).unwrap();
        assert!(
            self.began.elapsed() < Duration::from_secs(SECONDS - 10),
            "its program has outlived it"
        );
        status
    }
}

/// Runs a program that starts another one, which ignores polite requests to end. It waits for a
/// line, which comes once the guard knows of it.
fn run_program() -> Scheduler {
    let line = format!(
        "read go; trap '' HUP INT QUIT TERM; sleep {SECONDS} & echo program runs; \
         while :; do wait; done"
    );
    let mut graph = Graph::new("program");
    let run = process::unix_process(process::Command::shell(line));
    let run = graph.add("run", run);
    let stdin = graph.feed(run.stdin);
    let scheduler = Scheduler::with_workers(1);
    scheduler.run(graph).unwrap();
    stdin.try_send("go\n".into()).unwrap();
    scheduler
}

#[test]
#[ignore = "a program for the tests below"]
fn runs_a_program() {
    let _ = run_program().until_ctrl_c(Duration::from_secs(1000));
}

/// On request, a component blocks the worker, so that nothing is dropped any more.
#[test]
#[ignore = "a program for the tests below"]
fn runs_a_program_and_blocks() {
    let scheduler = run_program();
    let mut graph = Graph::new("bad");
    let block = graph.add("block", async |io: &mut Sink<()>| {
        io.inbox.next().await;
        writeln!(io::stdout(), "blocks").unwrap();
        loop {
            std::thread::park();
        }
    });
    let gate = graph.feed(block.inbox);
    scheduler.run(graph).unwrap();
    let event = async {
        kamea::unblock(|| io::stdin().read_line(&mut String::new()))
            .await
            .unwrap();
        gate.send(()).await.unwrap();
        std::future::pending().await
    };
    let _ = scheduler.until_ctrl_c_or(event, Duration::from_secs(1000));
}

#[test]
fn a_program_does_not_outlive_the_one_that_has_started_it() {
    for signal in ["HUP", "QUIT", "KILL", "ABRT"] {
        let mut program = Program::start("runs_a_program");
        program.signal(signal);
        assert!(program.gone().signal().is_some());
    }
}

#[test]
fn a_second_signal_ends_it_and_its_program_also_if_its_worker_is_blocked() {
    let mut program = Program::start("runs_a_program_and_blocks");
    let mut stdin = program.process.stdin.take().unwrap();
    stdin.write_all(b"block\n").unwrap();
    program.says("blocks");
    program.signal("INT");
    program.signal("TERM");
    assert_eq!(program.gone().code(), Some(130));
}

/// Ended groups are forgotten: their numbers may be reused.
#[test]
fn the_guard_forgets_a_group_that_has_ended() {
    kamea::testing::block_on(async {
        let command = process::Command::new("sleep")
            .arg("1000")
            .stdin(process::Stdio::Null);
        let process = process::Process::start(&command).await.unwrap();
        let id = i32::try_from(process.id()).unwrap();
        assert!(super::lock().groups.contains(&id));
        drop(process);
        assert!(!super::lock().groups.contains(&id));
    });
}
