//! Serving a folder never runs a file only because it is there, and a program that runs is the file
//! that was checked.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::programs::write_program;
use super::server::Server;

fn check(folder: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spidey"))
        .args(options)
        .arg("--check")
        .current_dir(folder)
        .output()
        .unwrap()
}

const PROGRAM: &str = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nran'\n";

#[test]
fn programs_run_only_in_the_folder_at_the_top() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("hello.txt"), "hello\n").unwrap();
    for name in [
        "cgi-bin/a",
        "cgi-bin/sub/b",
        "docs/cgi-bin/c",
        "a/b/cgi-bin/d",
        "cgi-bin-2/e",
    ] {
        write_program(&root.path().join(name), PROGRAM);
    }
    fs::write(root.path().join("cgi-bin/data"), "x").unwrap();
    symlink("docs/cgi-bin", root.path().join("alias")).unwrap();
    let server = Server::start_in(root, &[]);
    assert_eq!(
        server.logged("CGI"),
        "CGI: /cgi-bin/ (2 programs); --cgi off turns it off"
    );
    for path in ["/cgi-bin/a", "/cgi-bin/sub/b"] {
        assert_eq!(server.get(path).text(), "ran", "{path}");
    }
    for path in ["/docs/cgi-bin/c", "/a/b/cgi-bin/d", "/alias/c"] {
        assert_eq!(server.get(path).status, 403, "{path}");
    }
    assert_eq!(server.get("/cgi-bin-2/e").text(), PROGRAM);
}

#[test]
fn a_configuration_file_of_somebody_else_is_not_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spidey.toml");
    fs::write(folder.path().join("hello.txt"), "hello\n").unwrap();
    fs::write(&file, "header = ['X-From: file']\n").unwrap();
    let server = Server::start_inside(folder, &[]);
    assert_eq!(server.logged("Configured"), "Configured by ./spidey.toml");
    assert_eq!(server.get("/hello.txt").field("x-from"), Some("file"));

    let is_root = rustix::process::geteuid().is_root();
    for (mode, owner, said) in [
        (0o646, None, "others may write"),
        (0o664, None, "others may write"),
        (0o644, Some(12345), "12345"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("spidey.toml");
        fs::write(folder.path().join("hello.txt"), "hello\n").unwrap();
        fs::write(&file, "header = ['X-From: file']\n").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
        if mode == 0o664 || owner.is_some() {
            // Only root can change the owner of a file.
            if !is_root {
                continue;
            }
            chown(&file, owner, Some(54321)).unwrap();
        }
        let server = Server::start_inside(folder, &[]);
        let line = server.logged("spidey.toml");
        assert!(
            line.contains("is not used") && line.contains(said),
            "{line}"
        );
        assert_eq!(server.get("/hello.txt").field("x-from"), None);
        // If it is named, it is used.
        let file = server.path().join("spidey.toml");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("hello.txt"), "hello\n").unwrap();
        let named = Server::start_in(folder, &["-c", file.to_str().unwrap()]);
        assert_eq!(named.get("/hello.txt").field("x-from"), Some("file"));
    }
}

#[test]
fn a_configuration_file_that_runs_code_or_leads_out_must_be_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("inside")).unwrap();
    symlink("/etc", folder.path().join("outside")).unwrap();
    let rows = [
        ("wsgi = 'app:app'\n", Some("wsgi")),
        ("\nvenv = 'venv'\n", Some("venv")),
        ("cgi-interpreter = ['*.txt=sh']\n", Some("cgi-interpreter")),
        ("cgi-env = ['*: LD_PRELOAD=x.so']\n", Some("cgi-env")),
        ("cgi = 'executable'\n", Some("cgi")),
        ("proxy = ['/a=http://127.0.0.1:1']\n", Some("proxy")),
        ("docroot = '/etc'\n", Some("docroot")),
        ("docroot = '..'\n", Some("docroot")),
        ("docroot = 'inside/../..'\n", Some("docroot")),
        ("docroot = 'outside'\n", Some("docroot")),
        ("access-log = '../log'\n", Some("access-log")),
        ("access-log = 'outside/log'\n", Some("access-log")),
        ("error-pages = '/etc'\n", Some("error-pages")),
        ("cgi = 'off'\ndocroot = 'inside'\naccess-log = '-'\n", None),
        ("cgi = 'cgi-bin'\ndocroot = '.'\naccess-log = 'log'\n", None),
    ];
    for (text, key) in rows {
        fs::write(folder.path().join("spidey.toml"), text).unwrap();
        let output = check(folder.path(), &[]);
        let said = String::from_utf8(output.stderr).unwrap();
        let Some(key) = key else {
            assert!(output.status.success(), "{text}: {said}");
            continue;
        };
        let line = text.lines().count();
        assert_eq!(output.status.code(), Some(2), "{text}: {said}");
        assert!(
            said.starts_with(&format!("error: spidey.toml:{line}: {key}: ")),
            "{said}"
        );
        assert!(
            said.contains("-c spidey.toml") && said.lines().count() == 1,
            "{said}"
        );
    }
    fs::write(folder.path().join("spidey.toml"), "cgi = 'executable'\n").unwrap();
    assert!(
        check(folder.path(), &["-c", "spidey.toml"])
            .status
            .success()
    );
    assert!(
        check(folder.path(), &["--cgi", "off"]).status.success(),
        "an option has precedence"
    );
}

/// Swaps two names again and again while requests are sent; returns what the programs wrote.
fn raced(options: &[&str], name: &str, program: &str, other: &str) -> Vec<(u16, String)> {
    let folder = tempfile::tempdir().unwrap();
    let outside = folder.path().join("outside");
    write_program(&outside.join(name), other);
    let root = tempfile::tempdir().unwrap();
    let cgi = root.path().join("cgi-bin");
    fs::write(root.path().join("hello.txt"), "hello\n").unwrap();
    write_program(&cgi.join(name), program);
    symlink(outside.join(name), cgi.join("other")).unwrap();
    let server = Server::start_in(root, options);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (one, two) = (cgi.join(name), cgi.join("other"));
            while !done.load(Ordering::Relaxed) {
                let swap = rustix::fs::RenameFlags::EXCHANGE;
                let _ =
                    rustix::fs::renameat_with(rustix::fs::CWD, &one, rustix::fs::CWD, &two, swap);
            }
        });
        let answers = (0..200).map(|_| {
            let response = server.get(&format!("/cgi-bin/{name}"));
            (response.status, response.text())
        });
        let answers = answers.collect();
        done.store(true, Ordering::Relaxed);
        answers
    })
}

#[test]
fn a_program_that_runs_is_the_file_that_was_judged() {
    let inside = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\ninside'\n";
    let outside = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\noutside'\n";
    for (options, name) in [
        (&[][..], "program"),
        (&["--cgi-interpreter", "*.x=sh"], "program.x"),
    ] {
        let answers = raced(options, name, inside, outside);
        assert!(
            answers
                .iter()
                .any(|(status, text)| *status == 200 && text == "inside")
        );
        for (status, text) in answers {
            assert!(status != 200 || text == "inside", "{status} {text}");
        }
    }
}

#[test]
fn a_script_finds_itself_its_folder_and_nothing_of_the_server() {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("hello.txt"), "hello\n").unwrap();
    let cgi = root.path().join("cgi-bin");
    let shell = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\npwd -P\ncat part\ncmp -s \"$SCRIPT_FILENAME\" \"$0\" && echo same\n\
                 for file in /proc/$$/fd/*; do readlink $file; done\n";
    write_program(&cgi.join("shell"), shell);
    fs::write(cgi.join("part"), "part\n").unwrap();
    fs::write(cgi.join("helper.py"), "WORD = 'helped'\n").unwrap();
    let python = "#!/usr/bin/env python3\nimport os, helper\nprint('Content-Type: text/plain')\nprint()\nprint(helper.WORD, os.path.realpath(__file__))\n";
    write_program(&cgi.join("python"), python);
    fs::copy("/bin/pwd", cgi.join("binary")).unwrap();
    fs::write(
        root.path().join("x.sh"),
        "printf 'Content-Type: text/plain\\n\\n%s' \"$1\"\n",
    )
    .unwrap();
    let server = Server::start_in(root, &["--cgi-interpreter", "*.sh=sh"]);
    let path = fs::canonicalize(server.path()).unwrap();
    let path = path.display();
    let text = server.get("/cgi-bin/shell").text();
    let files = text.strip_prefix(&format!("{path}/cgi-bin\npart\nsame\n"));
    let files = files.unwrap_or_else(|| panic!("{text}"));
    assert!(files.contains(&format!("{path}/cgi-bin/shell")), "{files}");
    for file in files.lines() {
        // The server passes on the pipes that the tests themselves were started with.
        let is_known = file.ends_with("/cgi-bin/shell")
            || ["pipe:", "/dev/"]
                .iter()
                .any(|known| file.starts_with(known));
        assert!(is_known, "{file} in {files}");
    }
    let python = server.get("/cgi-bin/python").text();
    assert_eq!(python, format!("helped {path}/cgi-bin/python\n"));
    assert_eq!(server.get("/x.sh?word").text(), "word");
    // This program does not speak CGI, but it runs: its output is not a header.
    assert_eq!(server.get("/cgi-bin/binary").status, 502);
}
