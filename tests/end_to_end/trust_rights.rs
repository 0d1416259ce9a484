//! The privileges that the server drops, and those of the programs that it starts: user, new
//! privileges, descriptors, files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use super::programs::write_program;
use super::server::{PATIENCE, Server, built};

/// The user and the group of `nobody`, as most systems have them.
const NOBODY: (&str, &str) = ("65534", "65534");

const SHOW: &str = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\n\
    echo \"$(id -u) $(id -g) $(id -G)\"\ngrep NoNewPrivs /proc/self/status\nulimit -Sn\n";

/// A server with a program that shows its privileges; every user may enter its docroot.
fn showing(options: &[&str]) -> Server {
    let root = tempfile::tempdir().unwrap();
    fs::set_permissions(root.path(), Permissions::from_mode(0o755)).unwrap();
    fs::write(root.path().join("hello.txt"), "hello\n").unwrap();
    write_program(&root.path().join("cgi-bin/show"), SHOW);
    Server::start_in(root, options)
}

fn shown(server: &Server) -> Vec<String> {
    let response = server.get("/cgi-bin/show");
    assert_eq!(response.status, 200, "{}", response.text());
    response.text().lines().map(str::to_owned).collect()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The users of the threads of a server, by thread name.
fn users_of_threads(server: &Server) -> Vec<(String, String)> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.id())).unwrap();
    let statuses =
        tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("status")).ok());
    let field = |status: &str, name: &str| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        line.split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    statuses
        .map(|status| (field(&status, "Name:"), field(&status, "Uid:")))
        .collect()
}

#[test]
fn the_server_becomes_another_user_and_so_do_its_programs() {
    if !is_root() {
        return;
    }
    for mode in [&[][..], &["-f"], &["--mode", "single"]] {
        let options = [&["--user", NOBODY.0, "--group", NOBODY.1][..], mode].concat();
        let server = showing(&options);
        let secret = server.path().join("secret.txt");
        fs::write(&secret, "root's").unwrap();
        fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(shown(&server)[0], "65534 65534 65534", "{mode:?}");
        assert_eq!(server.get("/secret.txt").status, 403, "{mode:?}");
        server.assert_well();
        let users = users_of_threads(&server);
        assert!(
            users.iter().any(|(name, _)| name.starts_with("worker")),
            "{users:?}"
        );
        assert!(users.iter().all(|(_, user)| user == NOBODY.0), "{users:?}");
    }
}

#[test]
fn programs_run_as_a_user_of_their_own() {
    if !is_root() {
        return;
    }
    let server = showing(&["--cgi-user", NOBODY.0]);
    assert_eq!(shown(&server)[0].split(' ').next(), Some(NOBODY.0));
    let server = showing(&["--user", "1", "--cgi-user", NOBODY.0]);
    assert_eq!(shown(&server)[0].split(' ').next(), Some(NOBODY.0));
    let users = users_of_threads(&server);
    let of = |name: &'static str| {
        users
            .iter()
            .filter(move |(known, _)| known.starts_with(name))
    };
    assert!(
        of("worker").all(|(_, user)| user == "1") && of("worker").count() > 0,
        "{users:?}"
    );
    assert!(
        of("unconfined").all(|(_, user)| user == "0") && of("unconfined").count() > 0,
        "{users:?}"
    );
    // A program of another user ends with its connection.
    let pid = server.path().join("cgi-bin/pid");
    fs::write(&pid, "").unwrap();
    fs::set_permissions(&pid, Permissions::from_mode(0o666)).unwrap();
    let text = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\necho $$ > pid\necho begun\nexec sleep 1000\n";
    write_program(&server.path().join("cgi-bin/waits"), text);
    let mut client = server.connect();
    client.send("GET /cgi-bin/waits HTTP/1.0\r\n\r\n");
    assert_eq!(client.head().status, 200);
    drop(client);
    let number = fs::read_to_string(&pid).unwrap();
    let process = format!("/proc/{}", number.trim());
    let until = std::time::Instant::now() + super::server::PATIENCE;
    while fs::metadata(&process).is_ok() {
        assert!(std::time::Instant::now() < until, "{process} goes on");
        server.assert_well();
    }
}

#[test]
fn programs_gain_no_rights_and_have_the_limit_that_was_found() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("hello.txt"), "hello\n").unwrap();
    write_program(&root.path().join("cgi-bin/show"), SHOW);
    let mut command = Command::new("sh");
    let spidey = built("spidey");
    command
        .args(["-c", "ulimit -Sn 321 && exec \"$@\"", "sh"])
        .arg(spidey)
        .args(["-p", "0", "-b", "127.0.0.1", "-d"])
        .arg(root.path());
    let server = Server::start_with(root, command);
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let own = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .unwrap();
    assert!(
        !own.contains(" 321 "),
        "the server itself may have more: {own}"
    );
    let lines = shown(&server);
    assert_eq!(lines[1], "NoNewPrivs:\t1");
    assert_eq!(lines[2], "321");
}

#[test]
fn the_start_says_what_is_in_force() {
    let said = |options: &[&str], programs: bool| {
        let server = if programs {
            showing(options)
        } else {
            Server::start(options)
        };
        let lines = server.log_until("Sandbox");
        // It serves, programs too.
        server.assert_well();
        if programs {
            shown(&server);
        }
        (lines.join("\n"), server.path().display().to_string())
    };
    let (lines, root) = said(&[], false);
    assert!(
        lines.ends_with(&format!(
            "Sandbox: Landlock; the server reads {root} only; --no-sandbox turns it off"
        )),
        "{lines}"
    );
    let (lines, root) = said(&["--writable"], true);
    assert!(
        lines.contains(&format!(
            "the server reads and writes {root} only; programs are not confined"
        )),
        "{lines}"
    );
    assert_eq!(
        lines.contains("warning: programs run as root"),
        is_root(),
        "{lines}"
    );
    let (lines, _) = said(&["--no-sandbox"], false);
    assert!(lines.ends_with("Sandbox: off"), "{lines}");
}

#[test]
fn a_reload_does_not_leave_the_sandbox() {
    let (inside, outside) = (
        tempfile::tempdir_in(".").unwrap(),
        tempfile::tempdir_in(".").unwrap(),
    );
    for (folder, text) in [(&inside, "hello\n"), (&outside, "outside\n")] {
        fs::write(folder.path().join("hello.txt"), text).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spidey.toml");
    let configure = |root: &std::path::Path| {
        let root = fs::canonicalize(root).unwrap();
        fs::write(&file, format!("docroot = '{}'\n", root.display())).unwrap();
    };
    configure(inside.path());
    let mut command = Command::new(built("spidey"));
    command
        .args(["-p", "0", "-b", "127.0.0.1", "-c"])
        .arg(&file);
    let server = Server::start_with(folder, command);
    server.assert_well();
    configure(outside.path());
    server.signal("HUP");
    let told = server.logged("Not reloaded");
    assert!(
        told.contains("outside the sandbox") && told.contains("restart"),
        "{told}"
    );
    server.assert_well();
    // The configuration file can be read although no thread that serves requests could read it.
    configure(inside.path());
    server.signal("HUP");
    server.logged("Reloaded");
    server.assert_well();
}

#[test]
fn a_wrong_user_is_told_in_one_line() {
    let rows = [
        (
            &["--user", "no-such-user"][..],
            "there is no user no-such-user",
        ),
        (
            &["--cgi-user", "no-such-user"],
            "there is no user no-such-user",
        ),
        (
            &["--user", "0", "--group", "no-such-group"],
            "there is no group no-such-group",
        ),
        (&["--group", "0"], "--group needs --user"),
        (&["-f", "--user", "1", "--cgi-user", "2"], "mode forking"),
    ];
    for (options, expected) in rows {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(built("spidey"))
            .args(["-p", "0", "-b", "127.0.0.1"])
            .args(options)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{options:?}: {said}");
        let expected = if is_root() { expected } else { "needs root" };
        assert!(
            said.contains(expected) && said.starts_with("error: "),
            "{options:?}: {said}"
        );
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_deployment_that_repoints_its_link_stays_in_the_sandbox() {
    let folder = tempfile::tempdir_in(".").unwrap();
    for release in ["1", "2"] {
        fs::create_dir(folder.path().join(release)).unwrap();
        fs::write(folder.path().join(release).join("hello.txt"), "hello\n").unwrap();
    }
    let link = folder.path().join("current");
    symlink("1", &link).unwrap();
    let mut command = Command::new(built("spidey"));
    command
        .args(["-p", "0", "-b", "127.0.0.1", "-d"])
        .arg(&link);
    let root = tempfile::tempdir().unwrap();
    let server = Server::start_with(root, command);
    server.assert_well();
    fs::remove_file(&link).unwrap();
    symlink("2", &link).unwrap();
    server.signal("HUP");
    server.logged("Reloaded");
    server.assert_well();
}

/// A folder that the sandbox does not reach unless it is named. The project itself may lie in the
/// folder for temporary files.
fn unreached_folder() -> tempfile::TempDir {
    let reached = fs::canonicalize(std::env::temp_dir()).unwrap();
    let candidates = [".", "/var/tmp"].map(|path| fs::canonicalize(path).unwrap());
    let folder = candidates.iter().find(|path| !path.starts_with(&reached));
    tempfile::tempdir_in(folder.unwrap()).unwrap()
}

/// Releases 1 and 2, and a link to the first.
fn deployment() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = unreached_folder();
    for release in ["1", "2"] {
        let public = folder.path().join("releases").join(release).join("public");
        fs::create_dir_all(&public).unwrap();
        fs::write(public.join("hello.txt"), "hello\n").unwrap();
        fs::write(public.join("release.txt"), release).unwrap();
    }
    let link = folder.path().join("current");
    symlink("releases/1", &link).unwrap();
    (folder, link)
}

fn repoint(link: &std::path::Path, target: &str) {
    let new = link.with_extension("new");
    symlink(target, &new).unwrap();
    fs::rename(new, link).unwrap();
}

fn serve_folder(docroot: &std::path::Path, options: &[&str]) -> Server {
    let mut command = Command::new(built("spidey"));
    command
        .args(["-p", "0", "-b", "127.0.0.1", "-d"])
        .arg(docroot)
        .args(options);
    Server::start_with(tempfile::tempdir().unwrap(), command)
}

#[test]
fn a_new_release_is_served_without_a_signal() {
    for (below, options) in [
        ("public", &[][..]),
        ("", &[]),
        ("public", &["--writable"]),
        ("public", &["--mode", "single"]),
        ("public", &["-f"]),
    ] {
        let (folder, link) = deployment();
        let server = serve_folder(&link.join(below), options);
        let release = match below {
            "" => "/public/release.txt",
            _ => "/release.txt",
        };
        // In memory from now on, and on a connection that stays open.
        let mut kept = server.connect();
        let ask = format!("GET {release} HTTP/1.1\r\nHost: test\r\n\r\n");
        kept.send(&ask);
        assert_eq!(kept.response(false).text(), "1", "{options:?}");
        if options == ["--mode", "single"] {
            drop(kept);
            kept = server.connect();
        }
        repoint(&link, "releases/2");
        let begun = std::time::Instant::now();
        server.logged("leads to another folder, which is served now");
        let took = begun.elapsed();
        assert!(took.as_secs() < 5, "{took:?}");
        // The log says so a moment before the workers know.
        let shown = |answer: &mut dyn FnMut() -> String| {
            let until = std::time::Instant::now() + PATIENCE;
            while answer() != "2" {
                assert!(std::time::Instant::now() < until, "{options:?}");
            }
        };
        if options != ["-f"] {
            shown(&mut || {
                kept.send(&ask);
                kept.response(false).text()
            });
        }
        drop(kept);
        shown(&mut || server.get(release).text());
        if options == ["--writable"] {
            let put = "PUT /new HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\nhi";
            assert_eq!(server.ask(put).status, 201);
            let written = folder.path().join("releases/2/public/new");
            assert_eq!(fs::read_to_string(written).unwrap(), "hi");
        }
    }
}

#[test]
fn a_release_outside_of_the_sandbox_is_not_served() {
    let (_folder, link) = deployment();
    let elsewhere = unreached_folder();
    let public = elsewhere.path().join("public");
    fs::create_dir(&public).unwrap();
    fs::write(public.join("release.txt"), "elsewhere").unwrap();
    let server = serve_folder(&link.join("public"), &[]);
    let target = fs::canonicalize(elsewhere.path()).unwrap();
    repoint(&link, target.to_str().unwrap());
    let told = server.logged("but the old one is served");
    assert!(
        told.contains("outside the sandbox") && told.contains("restart"),
        "{told}"
    );
    assert_eq!(server.get("/release.txt").text(), "1");
    repoint(&link, "releases/2");
    server.logged("which is served now");
    assert_eq!(server.get("/release.txt").text(), "2");
    // A link that is missing for a while changes nothing.
    fs::remove_file(&link).unwrap();
    assert_eq!(server.get("/release.txt").text(), "2");
    let server = serve_folder(&public, &["--no-sandbox"]);
    assert_eq!(server.get("/release.txt").text(), "elsewhere");
}
