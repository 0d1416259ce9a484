//! Hostile clients of many kinds, side by side, against one server with default options. Meanwhile
//! an honest client asks for files, programs and the Python application: it loses no request, and
//! its response times stay near those of a server without attackers.
//!
//! `KAMEA_HOSTILE_SECONDS=3600 cargo test -p kamea-recipes --test end_to_end hostile_client --
//! --nocapture` runs it for an hour and prints each round.

mod attacks;
mod honest;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::server::{Client, PATIENCE, Server, built};
use super::thumbnails::bomb;
use attacks::Attackers;
use honest::{KINDS, Latencies};

/// The limit of open files of the server, so that the attackers reach its limit of connections.
const FILES: usize = 1024;

/// How much slower the honest client may be beside attackers: its 99th percentile, as a multiple of
/// the one without them.
const SLOWER: u32 = 10;

/// A quiet server may be quicker than a loaded machine can measure.
const LEAST: Duration = Duration::from_millis(25);

/// How many rounds the test has. The machine may be busy with something else in one of them.
const ROUNDS: usize = 3;

/// How long the attack of a round lasts at least.
fn seconds() -> Option<Duration> {
    let seconds = std::env::var("KAMEA_HOSTILE_SECONDS").ok()?;
    Some(Duration::from_secs(seconds.parse().unwrap()))
}

/// A site with files, programs, images and an application.
fn serve() -> Server {
    let root = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write("hello.txt", b"hello\n");
    write("large.bin", &vec![7; 20 << 20]);
    write("bomb.png", &bomb());
    write("bomb.webp", &huge_webp());
    let modules = root.path().join("modules");
    write(
        "modules/hostile_site.py",
        include_bytes!("hostile_client/hostile_site.py"),
    );
    for (name, script) in [
        ("hello", "printf 'Content-Type: text/plain\\n\\nhello\\n'"),
        (
            "read",
            "printf 'Content-Type: text/plain\\n\\n'; exec wc -c",
        ),
        (
            "slow",
            "sleep 2; printf 'Content-Type: text/plain\\n\\nlate'",
        ),
        (
            "big",
            "printf 'Content-Type: text/plain\\n\\n'; exec head -c 20000000 /dev/zero",
        ),
    ] {
        let name = format!("cgi-bin/{name}");
        write(&name, format!("#!/bin/sh\n{script}\n").as_bytes());
        let executable = fs::Permissions::from_mode(0o755);
        fs::set_permissions(root.path().join(name), executable).unwrap();
    }
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -n {FILES}; exec \"$@\""), "sh"])
        .arg(built("spidey"))
        .args(["-p", "0", "-b", "127.0.0.1", "--wsgi-mount", "/app"])
        .args(["--wsgi", "hostile_site:application", "--wsgi-path"])
        .arg(modules)
        .arg("-d")
        .arg(root.path());
    Server::start_with(root, command)
}

/// A WebP image of 28 bytes that claims 16,384 by 16,384 pixels.
fn huge_webp() -> Vec<u8> {
    let mut image = b"RIFF\x14\0\0\0WEBPVP8L\x08\0\0\0\x2f".to_vec();
    image.extend([0xff, 0xff, 0xff, 0x0f, 0, 0, 0]);
    image
}

/// A table of one round, for those who run it for long.
#[expect(clippy::print_stdout, reason = "that is what it is for")]
fn print(round: usize, quiet: &Latencies, attacked: &Latencies, server: &Server) {
    for (index, kind) in KINDS.iter().enumerate() {
        println!(
            "round {round}: {:<16} 99 % within {:>9.1?} quiet, {:>9.1?} attacked ({} requests)",
            kind.path,
            quiet.percentile(index),
            attacked.percentile(index),
            attacked.count(index),
        );
    }
    let memory = server.peak_memory() >> 20;
    println!(
        "round {round}: {memory} MiB at most, {} descriptors",
        count(server)
    );
}

fn count(server: &Server) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.id()))
        .unwrap()
        .count()
}

#[test]
#[ignore = "it compares times: tests/all.sh runs it alone"]
fn an_honest_client_is_served_beside_hostile_ones() {
    let server = serve();
    let end = seconds().map(|seconds| Instant::now() + seconds);
    let mut is_near = [false; KINDS.len()];
    let mut round = 0;
    loop {
        round += 1;
        let quiet = honest::ask_often(&server, Duration::ZERO);
        let attackers = Attackers::start(server.address);
        let least = match end {
            None => Duration::from_secs(3),
            Some(_) => Duration::from_secs(60),
        };
        let attacked = honest::ask_often(&server, least);
        attackers.stop();
        print(round, &quiet, &attacked, &server);
        for (index, is_near) in is_near.iter_mut().enumerate() {
            let bound = quiet.percentile(index).max(LEAST) * SLOWER;
            *is_near |= attacked.percentile(index) < bound;
        }
        let is_over = match end {
            None => round == ROUNDS || is_near.iter().all(|is_near| *is_near),
            Some(end) => Instant::now() > end,
        };
        if is_over {
            break;
        }
    }
    let kinds = KINDS.iter().zip(is_near);
    let far: Vec<_> = kinds
        .filter(|(_, is_near)| !is_near)
        .map(|(kind, _)| kind.path)
        .collect();
    assert!(far.is_empty(), "much slower beside attackers: {far:?}");
    assert_left_nothing(server);
}

/// A client that was alone has all processes. Beside another client it gives half of them back,
/// although it always has more requests.
#[test]
fn a_client_that_had_all_processes_gives_half_of_them_back() {
    let server = serve();
    let (stop, done) = (AtomicBool::new(false), AtomicUsize::new(0));
    let address = server.address;
    let greedy = || {
        let mut client = Client::connect(address);
        while !stop.load(Ordering::Relaxed) {
            client.send("GET /app/slow HTTP/1.1\r\nHost: test\r\n\r\n");
            assert_eq!(client.response(false).status, 200);
            done.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(greedy);
        }
        while done.load(Ordering::Relaxed) < 8 {
            std::thread::sleep(Duration::from_millis(20));
        }
        let mut honest = attacks::connect_from(address, 2).unwrap();
        honest.set_nonblocking(false).unwrap();
        let mut ask = || {
            let request = b"GET /app/hello HTTP/1.1\r\nHost: test\r\n\r\n";
            honest.write_all(request).unwrap();
            let mut response = Vec::new();
            while !response.ends_with(b"hello\n") {
                let mut buffer = [0; 1024];
                let count = honest.read(&mut buffer).unwrap();
                assert_ne!(count, 0, "the connection stays open");
                response.extend_from_slice(&buffer[..count]);
            }
        };
        // Until the requests of the other client that were sent ahead are done.
        (0..8).for_each(|_| ask());
        let before = done.load(Ordering::Relaxed);
        (0..30).for_each(|_| ask());
        let meanwhile = done.load(Ordering::Relaxed) - before;
        stop.store(true, Ordering::Relaxed);
        assert!(
            meanwhile < 15,
            "30 requests waited for {meanwhile} slow ones"
        );
    });
}

/// What the attackers have used is free again, and was bounded.
fn assert_left_nothing(mut server: Server) {
    let peak = server.peak_memory() >> 20;
    assert!(peak < 1024, "{peak} MiB");
    let deadline = Instant::now() + PATIENCE;
    while count(&server) > 100 {
        assert!(Instant::now() < deadline, "{} descriptors", count(&server));
        std::thread::sleep(Duration::from_millis(50));
    }
    server.assert_well();
    server.signal("TERM");
    assert!(server.wait().success());
    assert!(!Path::new(&format!("/proc/{}", server.id())).exists());
    let log = server.rest_of_log();
    let panics = log.iter().filter(|line| line.contains("panicked"));
    assert_eq!(panics.count(), 0, "{log:#?}");
}
