//! One check protects the server's own files, hidden files and programs, under every name that
//! leads to them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use super::programs::write_program;
use super::server::Server;

const SECRET: &str = "inspect-token = 'correct horse battery'";

fn put(server: &Server, path: &str) -> u16 {
    let request = format!("PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    server.ask(&request).status
}

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Requests paths that must not exist for clients, in no listing either.
fn assert_absent(server: &Server, paths: &[&str]) {
    for path in paths {
        let response = server.get(path);
        assert_eq!(response.status, 404, "{path}: {}", response.text());
        let response = server.get(&format!("{path}?thumbnail"));
        assert_eq!(response.status, 404, "{path}?thumbnail");
    }
    for kind in ["text/html", "application/json", "text/plain"] {
        let listing = server
            .ask_with("GET", "/", &format!("Accept: {kind}\r\n"))
            .text();
        assert!(listing.contains("hello.txt"), "{listing}");
        for path in paths.iter().filter(|path| path.matches('/').count() == 1) {
            let name = path.trim_start_matches('/');
            assert!(!listing.contains(name), "{name} in {listing}");
        }
    }
}

#[test]
fn the_configuration_file_does_not_exist_for_clients() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "hello.txt", "hello\n");
    write(root.path(), "sub/x", "x");
    write(root.path(), "own.toml", &format!("# {SECRET}\n"));
    write(root.path(), "own.toml~", SECRET);
    write(root.path(), "own.toml.bak", SECRET);
    write(root.path(), "own.toml.gz", SECRET);
    fs::hard_link(root.path().join("own.toml"), root.path().join("hard.txt")).unwrap();
    symlink("own.toml", root.path().join("soft.txt")).unwrap();
    symlink("soft.txt", root.path().join("sub/chain.txt")).unwrap();
    symlink(".", root.path().join("sub/again")).unwrap();
    symlink("own.toml", root.path().join("x.txt.gz")).unwrap();
    write(root.path(), "x.txt", &"x".repeat(2000));
    let file = root.path().join("own.toml");
    let server = Server::start_in(root, &["-c", file.to_str().unwrap()]);
    let paths = [
        "/own.toml",
        "/own%2Etoml",
        "/%6Fwn.toml",
        "/own.toml~",
        "/own.toml.bak",
        "/own.toml.gz",
        "/hard.txt",
        "/soft.txt",
        "/sub/chain.txt",
    ];
    assert_absent(&server, &paths);
    let coded = server.ask_with("GET", "/x.txt", "Accept-Encoding: gzip\r\n");
    assert_eq!(coded.status, 200);
    assert!(!coded.text().contains("horse"));
    for (method, path) in [("HEAD", "/own.toml"), ("GET", "/sub/again/chain.txt")] {
        assert_eq!(
            server.ask_with(method, path, "").status,
            404,
            "{method} {path}"
        );
    }
}

#[test]
fn a_configuration_file_to_come_is_not_written_either() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "hello.txt", "hello\n");
    let server = Server::start_inside(root, &["--writable"]);
    symlink(".", server.path().join("alias")).unwrap();
    for path in [
        "/spidey.toml",
        "/SPIDEY.toml",
        "/spidey%2Etoml",
        "/alias/spidey.toml",
        "/spidey.toml~",
        "/spidey.toml.new",
    ] {
        assert_eq!(put(&server, path), 403, "{path}");
    }
    assert!(!server.path().join("spidey.toml").exists());
    // Another program creates it.
    write(server.path(), "spidey.toml", SECRET);
    assert_absent(&server, &["/spidey.toml"]);
    assert_eq!(server.ask_with("DELETE", "/spidey.toml", "").status, 403);
    assert_eq!(put(&server, "/other.toml"), 201);
}

#[test]
fn logs_and_error_pages_are_neither_read_nor_written() {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("hello.txt", "hello\n"),
        ("errors/404.html", "lost"),
        ("errors/picture.svg", "<svg/>"),
        ("access.log.1", "old"),
        ("access.log.2.gz", "old"),
        ("access-20261128.log", "old"),
        ("access-denied.txt", "public"),
    ] {
        write(root.path(), name, text);
    }
    fs::hard_link(
        root.path().join("errors/404.html"),
        root.path().join("page.html"),
    )
    .unwrap();
    let log = root.path().join("access.log");
    let pages = root.path().join("errors");
    let options = [
        "--access-log",
        log.to_str().unwrap(),
        "--error-pages",
        pages.to_str().unwrap(),
    ];
    let server = Server::start_in(root, &[&options[..], &["--writable", "-v"]].concat());
    let paths = [
        "/access.log",
        "/access.log.1",
        "/access.log.2.gz",
        "/access-20261128.log",
        "/page.html",
        "/errors",
        "/errors/",
        "/errors/404.html",
        "/errors/picture.svg",
    ];
    assert_absent(&server, &paths);
    assert_eq!(server.get("/access-denied.txt").status, 200);
    for path in paths.iter().filter(|path| !path.ends_with('/')) {
        assert_eq!(put(&server, path), 403, "PUT {path}");
        assert_eq!(
            server.ask_with("DELETE", path, "").status,
            403,
            "DELETE {path}"
        );
    }
    assert_eq!(put(&server, "/errors/new.html"), 403);
    // The log continues in a new file, and the old one keeps its inode.
    fs::rename(&log, server.path().join("moved")).unwrap();
    server.signal("HUP");
    server.logged("Reloaded");
    assert_eq!(server.get("/access.log").status, 404);
}

#[test]
fn what_is_kept_back_is_kept_back_under_every_name() {
    let root = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("hello.txt", &b"hello\n"[..]),
        ("cgi-bin/index.html", b"secret"),
        ("cgi-bin/sub/module.py", b"secret"),
        ("docs/cgi-bin/tool", b"secret"),
        (".env", b"secret"),
        (".git/config", b"secret"),
        ("page.txt", b"plain"),
    ] {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    let picture = image::RgbImage::new(2, 2);
    picture
        .save(root.path().join("cgi-bin/secret.png"))
        .unwrap();
    for (name, target) in [
        ("scripts", "cgi-bin"),
        ("scripts2", "docs/cgi-bin"),
        ("picture.png", "cgi-bin/secret.png"),
        ("envlink", ".env"),
        ("repository", ".git"),
        ("page.txt.gz", ".env"),
    ] {
        symlink(target, root.path().join(name)).unwrap();
    }
    symlink("../cgi-bin/index.html", root.path().join("docs/index.html")).unwrap();
    for options in [
        &[][..],
        &["--cgi", "off"],
        &["--writable"],
        &["--no-thumbnails"],
    ] {
        let root = clone_of(root.path());
        let server = Server::start_in(root, options);
        for (path, expected) in [
            ("/cgi-bin/secret.png", 403),
            ("/cgi-bin/secret.png?thumbnail", 403),
            ("/cgi-bin/", 403),
            ("/cgi-bin/sub/", 403),
            ("/cgi-bin/sub/module.py", 403),
            ("/docs/cgi-bin/", 403),
            ("/docs/cgi-bin/tool", 403),
            ("/docs/", 403),
            ("/scripts/", 403),
            ("/scripts/secret.png", 403),
            ("/scripts/secret.png?thumbnail", 403),
            ("/scripts/sub/module.py", 403),
            ("/scripts2/tool", 403),
            ("/picture.png", 403),
            ("/picture.png?thumbnail", 403),
            ("/envlink", 404),
            ("/envlink?thumbnail", 404),
            ("/repository/", 404),
            ("/repository/config", 404),
            ("/.env", 404),
        ] {
            let response = server.get(path);
            assert_eq!(response.status, expected, "{path} with {options:?}");
            assert!(!response.text().contains("secret\n"), "{path}");
        }
        let coded = server.ask_with("GET", "/page.txt", "Accept-Encoding: gzip\r\n");
        assert_eq!(coded.text(), "plain", "{options:?}");
        let listing = server.ask_with("GET", "/", "Accept: text/plain\r\n").text();
        assert_eq!(
            listing, "docs/\nhello.txt\npage.txt\npicture.png\n",
            "{options:?}"
        );
        if options == ["--writable"] {
            for path in [
                "/scripts/new",
                "/scripts2/new",
                "/repository/config",
                "/cgi-bin/new",
            ] {
                assert_eq!(put(&server, path), 403, "{path}");
            }
        }
    }
}

/// A copy of a folder, links included.
fn clone_of(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let source = folder.join(".");
    let copied = Command::new("cp")
        .arg("-a")
        .arg(source)
        .arg(copy.path())
        .status();
    assert!(copied.unwrap().success());
    copy
}

#[test]
fn a_folder_of_programs_that_is_a_link_is_kept_back_by_its_own_name() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "hello.txt", "hello\n");
    write_program(
        &root.path().join("tools/run"),
        "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\nran'\n",
    );
    symlink("tools", root.path().join("cgi-bin")).unwrap();
    let server = Server::start_in(root, &[]);
    assert_eq!(server.get("/cgi-bin/run").text(), "ran");
    assert_eq!(server.get("/tools/run").status, 403);
    assert_eq!(server.get("/tools/").status, 403);
}

fn started(folder: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_spidey"))
        .args(["-p", "0", "-b", "127.0.0.1"])
        .args(options)
        .current_dir(folder)
        .output()
        .unwrap()
}

#[test]
fn clients_do_not_write_where_configuration_or_code_lies() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "site/own.toml", "");
    write(folder, "site/app.py", "");
    write(folder, "site/venv/pyvenv.cfg", "");
    write(folder, "with-file/spidey.toml", "");
    symlink("site", folder.join("alias")).unwrap();
    for (inside, options) in [
        (".", &["-d", "site", "-c", "site/own.toml"][..]),
        (".", &["-d", "alias", "-c", "site/own.toml"]),
        (".", &["-d", ".", "-c", "site/own.toml"]),
        (
            ".",
            &["-d", "site", "--wsgi", "app:app", "--wsgi-path", "site"],
        ),
        ("site", &["--wsgi", "app:app"]),
        (
            ".",
            &[
                "-d",
                "site",
                "--wsgi",
                "x:y",
                "--wsgi-path",
                "/tmp",
                "--venv",
                "site/venv",
            ],
        ),
        ("with-file", &[]),
    ] {
        let output = started(&folder.join(inside), &[options, &["--writable"]].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{options:?}: {said}");
        assert!(
            said.starts_with("error: --writable") && said.lines().count() == 1,
            "{said}"
        );
    }
    let right = started(folder, &["-d", "site", "--writable", "--check"]);
    assert!(right.status.success(), "{right:?}");
}
