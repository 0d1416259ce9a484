//! Signals, sent to real processes: the tests start this program again, for one of the children
//! below.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use std::{env, thread};

use crate::{Graph, Scheduler, Sink};

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// A process that runs one of the children.
struct Program(Child, BufReader<std::process::ChildStdout>);

impl Program {
    fn start(child: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--ignored", "--nocapture"])
            .arg(format!("scheduler::signal::tests::{child}"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Self(process, stdout)
    }

    /// Waits until the process prints this.
    fn says(&mut self, word: &str) {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            let read = self.1.read_line(&mut line).unwrap();
            assert!(read > 0, "it ends and has not said {word:?}");
        }
    }

    fn signal(&self, signal: i32) {
        let killed = Command::new("kill")
            .args([format!("-{signal}"), self.0.id().to_string()])
            .status();
        assert!(killed.unwrap().success());
    }

    fn ended(mut self) -> ExitStatus {
        self.0.wait().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[expect(
    clippy::print_stdout,
    reason = "it is read by the test that has started it"
)]
fn say(word: &str) {
    println!("{word}");
}

#[test]
#[ignore = "a program for the tests below"]
fn drains_at_once() {
    let scheduler = Scheduler::with_workers(1);
    let watch = async {
        say("watching");
        std::future::pending().await
    };
    scheduler
        .until_ctrl_c_or(watch, Duration::from_secs(20))
        .unwrap();
    say("returned");
    loop {
        thread::park();
    }
}

#[test]
#[ignore = "a program for the tests below"]
fn blocks_its_worker() {
    let scheduler = Scheduler::with_workers(1);
    let (gate, opened) = crate::link::<()>(1);
    let mut graph = Graph::new("bad");
    let block = graph.add("block", async |io: &mut Sink<()>| {
        io.inbox.next().await;
        say("watching");
        while !crate::is_stopping() {
            thread::yield_now();
        }
        say("stopping");
        loop {
            thread::park();
        }
    });
    graph.feed_from(opened, block.inbox);
    scheduler.run(graph).unwrap();
    let watch = async {
        gate.send(()).await.unwrap();
        std::future::pending().await
    };
    let _ = scheduler.until_ctrl_c_or(watch, Duration::from_secs(1000));
}

#[test]
#[ignore = "a program for the tests below"]
fn leaves_messages() {
    let scheduler = Scheduler::with_workers(1);
    let mut graph = Graph::new("stubborn");
    let stall = graph.add("stall", async |_: &mut Sink<u32>| {
        std::future::pending().await
    });
    let numbers = graph.feed(stall.inbox);
    scheduler.run(graph).unwrap();
    (0..3).for_each(|n| numbers.send_blocking(n).unwrap());
    let watch = async {
        say("watching");
        std::future::pending().await
    };
    let error = scheduler
        .until_ctrl_c_or(watch, Duration::from_millis(10))
        .unwrap_err();
    say(&error.to_string());
    std::process::exit(1);
}

#[test]
fn after_it_has_returned_signals_do_what_they_do_by_default() {
    for second in [SIGINT, SIGTERM] {
        let mut program = Program::start("drains_at_once");
        program.says("watching");
        program.signal(SIGINT);
        program.says("returned");
        program.signal(second);
        assert_eq!(program.ended().signal(), Some(second));
    }
}

#[test]
fn a_second_signal_ends_the_process_also_if_a_component_blocks() {
    for signals in [[SIGINT, SIGINT], [SIGTERM, SIGINT], [SIGINT, SIGTERM]] {
        let mut program = Program::start("blocks_its_worker");
        program.says("watching");
        program.signal(signals[0]);
        program.says("stopping");
        program.signal(signals[1]);
        assert_eq!(program.ended().code(), Some(130));
    }
}

#[test]
fn what_is_dropped_at_the_deadline_is_an_error() {
    let mut program = Program::start("leaves_messages");
    program.says("watching");
    program.signal(SIGTERM);
    program.says("not everything has ended in time: 3 messages and graph `stubborn` were dropped");
    assert_eq!(program.ended().code(), Some(1));
}

#[test]
fn it_may_be_waited_for_inside_of_another_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(async {
        let scheduler = Scheduler::with_workers(1);
        let event = crate::time::sleep(Duration::from_millis(1));
        scheduler
            .until_ctrl_c_or(event, Duration::from_secs(20))
            .unwrap();
    });
}
