//! The store with a real Redis, which is killed and started again; and with a server that is none.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command as Process, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use kamea::testing::block_on;
use kamea::{Asker, Graph, Scheduler};
use kamea_components::net::testing::free_address;
use kamea_session::{Answer, StoreError, testing::hold_to_the_contract};

use super::*;
use crate::keep_in_redis;

/// How long anything may take on a busy machine.
const AGES: Duration = Duration::from_secs(120);

/// A Redis on a port of its own; `make test` installs it.
struct Redis {
    child: Child,
    address: SocketAddr,
}

impl Redis {
    fn start(folder: &Path, address: SocketAddr, more: &[&str]) -> Self {
        let port = address.port().to_string();
        let child = Process::new("redis-server")
            .args(["--port", &port, "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "yes", "--appendfsync", "always", "--dir"])
            .arg(folder)
            .args(more)
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed: make test does it");
        let redis = Self { child, address };
        let start = Instant::now();
        // It answers once it has read its file.
        while !redis.answers() {
            assert!(start.elapsed() < AGES, "redis-server does not answer");
            thread::sleep(Duration::from_millis(20));
        }
        redis
    }

    fn answers(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address) else {
            return false;
        };
        let mut answer = [0; 5];
        stream.write_all(b"PING\r\n").is_ok()
            && stream.read_exact(&mut answer).is_ok()
            // With a password: "-NOAUTH".
            && (&answer == b"+PONG" || &answer == b"-NOAU")
    }

    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn store(
    scheduler: &Scheduler,
    address: SocketAddr,
    options: RedisOptions,
) -> Asker<Command, Outcome> {
    let mut graph = Graph::new("sessions");
    let store = graph.ask("store", keep_in_redis([address], options));
    scheduler.run(graph).unwrap();
    store
}

fn ask(store: &Asker<Command, Outcome>, command: Command) -> Result<Answer, StoreError> {
    let outcome = block_on(store.ask(command)).unwrap();
    outcome.map(|answered| answered.answer)
}

#[test]
fn it_keeps_the_contract_from_two_machines_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(folder.path(), free_address().unwrap(), &[]);
    let scheduler = Scheduler::with_workers(2);
    let stores = [(); 2].map(|()| store(&scheduler, redis.address, RedisOptions::default()));
    thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| block_on(hold_to_the_contract(store)));
        }
    });
    redis.kill();
}

#[test]
fn sessions_expire() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(folder.path(), free_address().unwrap(), &[]);
    let scheduler = Scheduler::with_workers(1);
    let mut options = RedisOptions::default();
    options.lifetimes.idle = Duration::from_millis(300);
    let store = store(&scheduler, redis.address, options);
    let Ok(Answer::Named { key, id }) = ask(&store, Command::Create) else {
        panic!("a session");
    };
    let load = || Command::Load {
        id: id.clone(),
        cookies: Vec::new(),
    };
    let start = Instant::now();
    while ask(&store, load()) != Ok(Answer::Loaded(None)) {
        assert!(start.elapsed() < AGES, "it does not expire");
        thread::sleep(Duration::from_millis(400));
    }
    let (name, value) = ("a".to_owned(), "1".to_owned());
    let set = Command::Set { key, name, value };
    assert_eq!(ask(&store, set), Ok(Answer::Ended));
    redis.kill();
}

/// The number of Ada's sessions that Redis believes to live for at least so many seconds.
fn count(redis: &Redis, seconds: u64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let until = (now + Duration::from_secs(seconds)).as_millis();
    let from = if seconds == 0 { 0 } else { until };
    let mut stream = TcpStream::connect(redis.address).unwrap();
    write!(stream, "ZCOUNT kamea:l:ada {from} +inf\r\n").unwrap();
    let mut answer = String::new();
    while !answer.ends_with("\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(char::from(byte[0]));
    }
    let number = answer.strip_prefix(':');
    let number = number.and_then(|rest| rest.trim().parse().ok());
    number.unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn sessions_that_have_expired_are_forgotten_with_the_next_login() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(folder.path(), free_address().unwrap(), &[]);
    let scheduler = Scheduler::with_workers(1);
    let store_of = |idle: Duration| {
        let mut options = RedisOptions::default();
        options.lifetimes.idle = idle;
        store(&scheduler, redis.address, options)
    };
    let short = store_of(Duration::from_millis(300));
    let (medium, long) = (store_of(AGES), store_of(10 * AGES));
    let log_in = |store: &Asker<Command, Outcome>| {
        let Ok(Answer::Named { key, .. }) = ask(store, Command::Create) else {
            panic!("a session");
        };
        let user = Some("ada".to_owned());
        let rotated = ask(store, Command::Rotate { key, user });
        let Ok(Answer::Named { id, .. }) = rotated else {
            panic!("{rotated:?}");
        };
        id
    };
    let used = log_in(&medium);
    let load = |store, id| {
        let cookies = Vec::new();
        ask(store, Command::Load { id, cookies })
    };
    assert_eq!(
        [count(&redis, 1), count(&redis, 5 * AGES.as_secs())],
        [1, 0]
    );
    // A use keeps it for as long as this store says.
    assert!(matches!(
        load(&long, used.clone()),
        Ok(Answer::Loaded(Some(_)))
    ));
    assert_eq!(count(&redis, 5 * AGES.as_secs()), 1);
    (0..5).for_each(|_| drop(log_in(&short)));
    let start = Instant::now();
    loop {
        let new = log_in(&long);
        let known = count(&redis, 0);
        if known == 2 {
            let user = "ada".to_owned();
            // All others have expired. This reaches both.
            assert_eq!(ask(&long, Command::EndAll { user }), Ok(Answer::Ended));
            assert_eq!(load(&long, used), Ok(Answer::Loaded(None)));
            assert_eq!(load(&long, new), Ok(Answer::Loaded(None)));
            assert_eq!(count(&redis, 0), 0);
            break;
        }
        assert!(start.elapsed() < AGES, "{known} are known");
        let Ok(Answer::Loaded(Some(loaded))) = load(&long, new) else {
            panic!("the session is lost");
        };
        assert_eq!(
            ask(&long, Command::End { key: loaded.key }),
            Ok(Answer::Ended)
        );
        thread::sleep(Duration::from_millis(100));
    }
    redis.kill();
}

#[test]
fn a_redis_that_is_killed_loses_nothing_that_was_applied() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address().unwrap();
    let redis = Redis::start(folder.path(), address, &[]);
    let scheduler = Scheduler::with_workers(1);
    let store = store(&scheduler, address, RedisOptions::default());
    let Ok(Answer::Named { key, id }) = ask(&store, Command::Create) else {
        panic!("a session");
    };
    let set = |number: u32| Command::Set {
        key: key.clone(),
        name: format!("v{number}"),
        value: number.to_string(),
    };
    let (mut applied, mut failed) = (Vec::new(), 0);
    let mut redis = Some(redis);
    for number in 0..300 {
        match ask(&store, set(number)) {
            Ok(Answer::Applied) => applied.push(format!("v{number}")),
            Err(StoreError::Unavailable(_)) => failed += 1,
            other => panic!("{other:?}"),
        }
        match number {
            100 => redis.take().unwrap().kill(),
            104 => redis = Some(Redis::start(folder.path(), address, &[])),
            _ => {}
        }
    }
    assert!(failed >= 3, "it was not there: {failed}");
    assert!(applied.len() > 150, "it came back: {}", applied.len());
    let (id, cookies) = (id.clone(), Vec::new());
    let Ok(Answer::Loaded(Some(loaded))) = ask(&store, Command::Load { id, cookies }) else {
        panic!("the session is lost");
    };
    for name in applied {
        assert!(loaded.values.contains_key(&name), "{name} is lost");
    }
    redis.unwrap().kill();
}

#[test]
fn a_password_is_given_on_each_connection_and_a_wrong_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let redis = Redis::start(
        folder.path(),
        free_address().unwrap(),
        &["--requirepass", "open sesame"],
    );
    let scheduler = Scheduler::with_workers(1);
    let with = |password: &str| RedisOptions {
        password: Some(password.to_owned()),
        ..RedisOptions::default()
    };
    let right = store(&scheduler, redis.address, with("open sesame"));
    for _ in 0..3 {
        let answer = ask(&right, Command::Create);
        assert!(matches!(answer, Ok(Answer::Named { .. })), "{answer:?}");
    }
    let wrong = store(&scheduler, redis.address, with("guess"));
    let Err(StoreError::Unavailable(why)) = ask(&wrong, Command::Create) else {
        panic!("it must not work");
    };
    assert!(why.contains("refuses the password"), "{why}");
    redis.kill();
}

/// A server that answers nothing, or nonsense.
#[test]
fn a_server_that_is_no_redis_is_told_and_holds_nobody_up() {
    for answer in [
        None,
        Some("HTTP/1.1 400 Bad Request\r\n\r\n"),
        Some("+OK\r\n+OK\r\n+OK\r\n"),
    ] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let serving = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.read_exact(&mut [0; 10]).unwrap();
            if let Some(answer) = answer {
                stream.write_all(answer.as_bytes()).unwrap();
            }
            // Until the client gives the connection up.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
        });
        let scheduler = Scheduler::with_workers(1);
        let options = RedisOptions {
            patience: Duration::from_millis(500),
            ..RedisOptions::default()
        };
        let store = store(&scheduler, address, options);
        let answered = ask(&store, Command::Create);
        assert!(
            matches!(answered, Err(StoreError::Unavailable(_))),
            "{answered:?}"
        );
        drop(store);
        drop(scheduler);
        serving.join().unwrap();
    }
}
