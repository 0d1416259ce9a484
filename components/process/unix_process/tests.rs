use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Instant;

use futures_lite::future::block_on;
use kamea::{Graph, Receiver, Running, Scheduler, Sender};
use rustix::process::{Pid, test_kill_process};

use super::*;
use crate::process::Resource;

/// A process in a graph of its own.
struct Alone {
    stdin: Sender<Bytes>,
    stdout: Receiver<Bytes>,
    stderr: Receiver<Bytes>,
    status: Receiver<ExitStatus>,
    running: Running,
    _scheduler: Scheduler,
}

impl Alone {
    fn start(command: Command) -> Self {
        let mut graph = Graph::new("process alone");
        let process = graph.add("process", unix_process(command));
        let stdin = graph.feed(process.stdin);
        let (stdout, stderr) = (graph.take(process.stdout), graph.take(process.stderr));
        let status = graph.take(process.status);
        let scheduler = Scheduler::with_workers(1);
        Self {
            stdin,
            stdout,
            stderr,
            status,
            running: scheduler.run(graph).unwrap(),
            _scheduler: scheduler,
        }
    }

    /// Returns its whole output and its exit status, when its input is empty.
    fn finish(self) -> (String, String, Option<ExitStatus>, Result<(), String>) {
        drop(self.stdin);
        let (stdout, stderr) = (self.stdout, self.stderr);
        let complaints = std::thread::spawn(move || text(stderr));
        let (stdout, stderr) = (text(stdout), complaints.join().unwrap());
        let status = self.status.into_iter().last();
        let outcome = self.running.wait().map_err(|fault| fault.to_string());
        (stdout, stderr, status, outcome)
    }
}

fn text(bytes: Receiver<Bytes>) -> String {
    let bytes: Vec<_> = bytes.into_iter().collect();
    String::from_utf8(bytes.concat()).unwrap()
}

fn shell(line: &str) -> Command {
    Command::shell(line)
}

#[test]
fn a_process_says_what_it_has_to_say_and_how_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    let sh = folder.join("sh");
    fs::write(&sh, "#!/bin/sh\necho ${0##*/} $PATH $*\n").unwrap();
    fs::set_permissions(&sh, fs::Permissions::from_mode(0o755)).unwrap();
    let rows: Vec<(Command, String, &str, i32)> = vec![
        (Command::new("true"), String::new(), "", 0),
        (
            shell("echo out; echo err >&2; exit 3"),
            "out\n".into(),
            "err\n",
            3 << 8,
        ),
        (shell("kill -TERM $$"), String::new(), "", 15),
        (shell("cat; echo end"), "end\n".into(), "", 0),
        (
            shell("echo $A$B").env("A", "1").env("B", "2"),
            "12\n".into(),
            "",
            0,
        ),
        (
            Command::new("/usr/bin/env").clear_env().env("A", "1"),
            "A=1\n".into(),
            "",
            0,
        ),
        // It is searched for along the PATH that it receives, not along ours.
        (
            Command::new("sh")
                .clear_env()
                .env("PATH", &folder)
                .args(["-c", "x"]),
            format!("sh {} -c x\n", folder.display()),
            "",
            0,
        ),
        (
            shell("pwd").folder(&folder),
            format!("{}\n", folder.display()),
            "",
            0,
        ),
        (
            Command::new("printf").args(["%s,", "a b", "$HOME", "*"]),
            "a b,$HOME,*,".into(),
            "",
            0,
        ),
        (
            shell("read x; ulimit -n").limit(Resource::Nofile, 17),
            "17\n".into(),
            "",
            0,
        ),
        // A descendant that holds stdout open is waited for, but not for ever; then it is killed.
        (
            shell("(sleep 0.05; echo late) & echo early"),
            "early\nlate\n".into(),
            "",
            0,
        ),
        (
            shell("sleep 1000 & echo done").linger(Duration::from_millis(50)),
            "done\n".into(),
            "",
            0,
        ),
    ];
    for (command, stdout, stderr, raw) in rows {
        let what = format!("{command:?}");
        let (out, err, status, outcome) = Alone::start(command).finish();
        assert_eq!(out, stdout, "{what}");
        assert_eq!(err, stderr, "{what}");
        assert_eq!(status.unwrap().into_raw(), raw, "{what}");
        assert_eq!(outcome, Ok(()), "{what}");
    }
}

#[test]
fn what_cannot_be_started_is_a_fault_that_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    fs::write(&script, "#!/nowhere/interpreter\n").unwrap();
    let rows = [
        (
            Command::new("no-such-program"),
            "cannot start no-such-program: No such file or directory (os error 2): it is in no folder of PATH",
        ),
        (Command::from("sort -r"), "arguments go into Command::arg"),
        (Command::new(folder.path()), "Permission denied"),
        (Command::new(&script), "Permission denied"),
        (
            Command::new("true").folder("/no/such/folder"),
            "the folder /no/such/folder does not exist",
        ),
        (Command::new("true").env("A", "nul\0"), "cannot start true"),
    ];
    for (command, expected) in rows {
        let (.., status, outcome) = Alone::start(command).finish();
        let fault = outcome.unwrap_err();
        assert!(fault.contains(expected), "{fault}");
        assert!(status.is_none());
    }
}

#[test]
fn much_goes_through_both_ways_at_once_and_a_slow_end_holds_the_process_up() {
    let mut process = Alone::start(Command::new("cat"));
    let block = Bytes::from(vec![7; 1 << 20]);
    let stdin = process.stdin.clone();
    let writer = std::thread::spawn(move || {
        // How many blocks fit into the links and pipes before anything is read.
        let mut waiting = 0;
        while stdin.try_send(Bytes::from_static(&[7; 65536])).is_ok() {
            waiting += 1;
        }
        (0..64).for_each(|_| stdin.send_blocking(block.clone()).unwrap());
        waiting
    });
    drop(process.stdin);
    let mut total = 0;
    while let Some(bytes) = process.stdout.next_blocking() {
        total += bytes.len();
    }
    let waiting = writer.join().unwrap();
    assert_eq!(total, (64 << 20) + waiting * 65536);
    assert!(process.status.next_blocking().unwrap().success());
    process.running.wait().unwrap();
}

#[test]
fn a_process_that_reads_nothing_ends_when_it_wants() {
    let process = Alone::start(Command::new("true"));
    // More than the pipe holds.
    while process
        .stdin
        .send_blocking(Bytes::from_static(&[0; 65536]))
        .is_ok()
    {}
    process.running.wait().unwrap();
}

#[test]
fn a_process_past_its_deadline_is_killed_with_its_group() {
    let began = Instant::now();
    let command = shell("sleep 1000 & echo $!; wait").deadline(Duration::from_millis(100));
    let (out, _, status, outcome) = Alone::start(command).finish();
    assert!(outcome.unwrap_err().contains("it ran for more than 0.1 s"));
    assert!(status.is_none());
    assert_gone(out.trim());
    assert!(began.elapsed() < Duration::from_secs(100));
}

#[test]
fn a_process_whose_output_nobody_wants_or_whose_graph_is_dropped_is_killed_with_its_group() {
    let line = "echo $$; sleep 1000 & echo $!; wait";
    for how in ["nobody wants it", "dropped"] {
        let mut process = Alone::start(shell(line));
        let mut pids = String::new();
        while pids.lines().count() < 2 {
            let bytes = process.stdout.next_blocking().unwrap();
            pids.push_str(std::str::from_utf8(&bytes).unwrap());
        }
        match how {
            "dropped" => drop(process),
            _ => {
                drop(process.stdout);
                process.running.wait().unwrap();
            }
        }
        pids.lines().for_each(assert_gone);
    }
}

/// Waits until a process has ended and is not a zombie of ours.
fn assert_gone(pid: &str) {
    let number = Pid::from_raw(pid.parse().unwrap()).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    while test_kill_process(number).is_ok() {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let is_ours = stat.split(' ').nth(3) == Some(&std::process::id().to_string());
        if stat.contains(") Z ") && !is_ours {
            return; // An orphan that nobody here can wait for.
        }
        assert!(Instant::now() < until, "{pid} is still there: {stat}");
        std::thread::yield_now();
    }
}

/// Returns the descriptors and children of this process that belong to this test: those of parallel
/// tests do not change.
fn descriptors() -> HashSet<String> {
    let entries = fs::read_dir("/proc/self/fd").unwrap().map_while(Result::ok);
    entries
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .map(|link| link.display().to_string())
        .filter(|link| link.starts_with("pipe:") || link.contains("pidfd"))
        .collect()
}

#[test]
fn ten_thousand_starts_leave_no_descriptor_and_no_zombie() {
    // In a process of its own, where nothing else opens anything.
    const ALONE: &str = "KAMEA_TEN_THOUSAND";
    if std::env::var_os(ALONE).is_none() {
        let name =
            "process::unix_process::tests::ten_thousand_starts_leave_no_descriptor_and_no_zombie";
        let test = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env(ALONE, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&test.stdout);
        assert!(test.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let scheduler = Scheduler::with_workers(1);
    let start = || {
        let mut graph = Graph::new("true");
        let process = graph.add("process", unix_process(Command::new("/bin/true")));
        let stdout = graph.take(process.stdout);
        (stdout, scheduler.run(graph).unwrap())
    };
    let children = || {
        let task = Path::new("/proc/self/task");
        let tasks = fs::read_dir(task).unwrap().map_while(Result::ok);
        tasks
            .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
            .collect::<String>()
    };
    let (_, warm) = start();
    let _ = warm.wait();
    // One process stays for as long as this one: the guard.
    let until = Instant::now() + Duration::from_secs(10);
    while children().split_whitespace().count() > 1 {
        assert!(Instant::now() < until, "left: {:?}", children());
        std::thread::yield_now();
    }
    let (guard, before) = (children(), descriptors());
    for _ in 0..1000 {
        let batch: Vec<_> = (0..10).map(|_| start()).collect();
        for (number, (stdout, running)) in batch.into_iter().enumerate() {
            if number % 2 == 0 {
                // Nobody waits for its end.
                drop(stdout);
            }
            block_on(running.finished()).unwrap();
        }
    }
    drop(scheduler);
    let until = Instant::now() + Duration::from_secs(10);
    while children() != guard || descriptors().difference(&before).count() > 0 {
        assert!(
            Instant::now() < until,
            "left: {:?} {:?}",
            children(),
            descriptors().difference(&before)
        );
        std::thread::yield_now();
    }
}
