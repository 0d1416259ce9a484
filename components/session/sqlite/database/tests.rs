//! The database: the contract of stores, several processes, ends, and files that are no database.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use kamea::testing::block_on;
use kamea::{Asker, Graph, Scheduler};
use kamea_session::{Outcome, testing::hold_to_the_contract};

use super::*;
use crate::keep_in_sqlite;

const DAY: Duration = Duration::from_secs(24 * 3600);

const LIFETIMES: Lifetimes = Lifetimes {
    idle: DAY,
    absolute: Duration::from_secs(10 * 24 * 3600),
};

fn after(days: u32) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000) + DAY * days
}

fn named(answered: Answered) -> (SessionKey, SessionId) {
    match answered.answer {
        Answer::Named { key, id } => (key, id),
        other => panic!("{other:?}"),
    }
}

fn set(key: &SessionKey, name: &str) -> Command {
    Command::Set {
        key: key.clone(),
        name: name.to_owned(),
        value: "1".to_owned(),
    }
}

fn load(id: &SessionId) -> Command {
    Command::Load {
        id: id.clone(),
        cookies: Vec::new(),
    }
}

fn run(scheduler: &Scheduler, path: &Path) -> Asker<Command, Outcome> {
    let mut graph = Graph::new("sessions");
    let store = graph.ask("store", keep_in_sqlite(path, LIFETIMES).unwrap());
    scheduler.run(graph).unwrap();
    store
}

#[test]
fn it_keeps_the_contract_also_with_a_second_process_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    let scheduler = Scheduler::with_workers(1);
    let stores = [run(&scheduler, &path), run(&scheduler, &path)];
    thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| block_on(hold_to_the_contract(store)));
        }
    });
}

#[test]
fn two_processes_lose_no_update_and_see_each_others_logout() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    let mut first = Database::open(&path, LIFETIMES).unwrap();
    let (key, id) = named(first.apply(Command::Create, after(0)).unwrap());
    thread::scope(|scope| {
        for process in 0..2 {
            let (path, key) = (&path, &key);
            scope.spawn(move || {
                let mut database = Database::open(path, LIFETIMES).unwrap();
                for number in 0..100 {
                    let set = set(key, &format!("{process}-{number}"));
                    let answered = database.apply(set, after(0)).unwrap();
                    assert_eq!(answered.answer, Answer::Applied);
                }
            });
        }
    });
    let Answer::Loaded(Some(loaded)) = first.apply(load(&id), after(0)).unwrap().answer else {
        panic!("it is there");
    };
    assert_eq!(loaded.values.len(), 200);
    let mut second = Database::open(&path, LIFETIMES).unwrap();
    second
        .apply(Command::End { key: key.clone() }, after(0))
        .unwrap();
    let answered = first.apply(set(&key, "a"), after(0)).unwrap();
    assert_eq!(answered.answer, Answer::Ended);
}

#[test]
fn sessions_survive_a_restart_and_end_by_their_age() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    let open = || Database::open(&path, LIFETIMES).unwrap();
    let (key, id) = named(open().apply(Command::Create, after(0)).unwrap());
    open().apply(set(&key, "a"), after(0)).unwrap();
    let is_there = |at| match open().apply(load(&id), at).unwrap().answer {
        Answer::Loaded(loaded) => loaded.is_some(),
        other => panic!("{other:?}"),
    };
    // Used each half day, it lives until its absolute age.
    for half in 0..20 {
        assert!(is_there(after(0) + DAY / 2 * half), "{half}");
    }
    assert!(!is_there(after(10)));
    let (_, idle) = named(open().apply(Command::Create, after(20)).unwrap());
    let answer = open().apply(load(&idle), after(21)).unwrap().answer;
    assert_eq!(answer, Answer::Loaded(None));
    // What has expired is deleted, with its values.
    let mut database = open();
    database.apply(Command::Create, after(40)).unwrap();
    let count = |table: &str| -> i64 {
        let query = format!("SELECT count(*) FROM {table}");
        database
            .connection
            .query_row(&query, [], |row| row.get(0))
            .unwrap()
    };
    assert_eq!((count("session"), count("value")), (1, 0));
}

#[test]
fn the_file_is_private_and_holds_no_name_of_a_session() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.sqlite");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let mut database = Database::open(&path, LIFETIMES).unwrap();
    let (_, id) = named(database.apply(Command::Create, after(0)).unwrap());
    drop(database);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
    let bytes = fs::read(&path).unwrap();
    let name = id.as_str().as_bytes();
    assert!(!bytes.windows(name.len()).any(|window| window == name));
}

#[test]
fn what_is_no_database_of_ours_is_an_error_that_names_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    fs::write(&path, "this is a text and no database ".repeat(100)).unwrap();
    let error = Database::open(&path, LIFETIMES).unwrap_err().to_string();
    assert!(
        error.contains("text") && error.contains("not a database"),
        "{error}"
    );
    let missing = folder.path().join("missing/sessions");
    let error = Database::open(&missing, LIFETIMES).unwrap_err().to_string();
    assert!(error.contains("missing/sessions"), "{error}");
    let later = folder.path().join("later");
    let connection = Connection::open(&later).unwrap();
    connection.pragma_update(None, "user_version", 7).unwrap();
    drop(connection);
    let error = Database::open(&later, LIFETIMES).unwrap_err().to_string();
    assert!(error.contains("has version 7"), "{error}");
}
