use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::time::Duration;

use kamea::{Receiver, RunError, Running, Scheduler};

use super::*;
use crate::stream::echo;

const PATIENCE: Duration = Duration::from_secs(30);

fn serve(
    scheduler: &Scheduler,
    listen: impl Into<Listen<PathBuf>>,
) -> (Running, Receiver<PathBuf>) {
    let mut graph = Graph::new("server");
    let server = graph.add("server", unix_server(listen, || echo));
    let addresses = graph.take(server.addresses);
    (scheduler.run(graph).unwrap(), addresses)
}

fn ask(path: &Path, words: &str) -> String {
    let mut client = UnixStream::connect(path).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(words.as_bytes()).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

/// Returns the fault with which a server at `path` ends at once.
fn fault(scheduler: &Scheduler, path: &Path) -> RunError {
    serve(scheduler, path).0.wait().unwrap_err()
}

#[test]
fn only_the_user_may_connect_unless_it_is_said_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let scheduler = Scheduler::with_workers(1);
    let path = folder.path().join("own");
    for (listen, expected) in [
        (Listen::from(path.clone()), 0o600),
        (Listen::at(folder.path().join("shared")).mode(0o640), 0o640),
    ] {
        let (_, mut addresses) = serve(&scheduler, listen);
        let path = addresses.next_blocking().unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, expected);
        assert_eq!(ask(&path, "hello"), "hello");
    }
}

#[test]
fn a_socket_that_was_left_behind_is_replaced_and_the_own_one_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "dropping a listener leaves its file");
    let scheduler = Scheduler::with_workers(1);
    let (running, mut addresses) = serve(&scheduler, path.clone());
    addresses.next_blocking().unwrap();
    assert_eq!(ask(&path, "hello"), "hello");

    let refused = fault(&scheduler, &path).to_string();
    let expected = format!(
        "cannot listen on {}: another process listens there",
        path.display()
    );
    assert!(refused.contains(&expected), "{refused}");
    assert_eq!(ask(&path, "still"), "still");

    running.stop();
    running.wait().unwrap();
    assert!(!path.exists());
}

#[test]
fn the_name_of_another_socket_is_not_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let scheduler = Scheduler::with_workers(1);
    let (running, mut addresses) = serve(&scheduler, path.clone());
    addresses.next_blocking().unwrap();
    fs::remove_file(&path).unwrap();
    let _successor = UnixListener::bind(&path).unwrap();
    running.stop();
    running.wait().unwrap();
    assert!(path.exists());
}

#[test]
fn a_file_that_is_no_socket_and_a_path_that_cannot_be_are_faults() {
    let folder = tempfile::tempdir().unwrap();
    let scheduler = Scheduler::with_workers(1);
    let file = folder.path().join("diary");
    fs::write(&file, "dear diary").unwrap();
    let long = folder.path().join("x".repeat(200));
    let rows = [
        (file.clone(), "there is a file that is no socket"),
        (folder.path().join("no/folder"), "No such file or directory"),
        (long, "File name too long"),
    ];
    for (path, expected) in rows {
        let refused = fault(&scheduler, &path).to_string();
        let expected = format!("cannot listen on {}: {expected}", path.display());
        assert!(refused.contains(&expected), "{refused}");
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "dear diary");
}
