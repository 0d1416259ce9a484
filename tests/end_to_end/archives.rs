//! A folder as a zip or tar archive, read by another program: Python.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use super::server::Server;

/// Reads an archive and prints each name, kind and content.
const READ: &str = "
import io, sys, tarfile, zipfile
data = open(sys.argv[1], 'rb').read()
if sys.argv[1].endswith('zip'):
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    found = {i.filename: None if i.is_dir() else archive.read(i) for i in archive.infolist()}
else:
    archive = tarfile.open(fileobj=io.BytesIO(data))
    found = {m.name + '/' * m.isdir(): None if m.isdir() else archive.extractfile(m).read() for m in archive}
for name in sorted(found):
    content = found[name]
    print(name, 'folder' if content is None else f'{len(content)} {content[:20]!r}')
";

pub(super) fn listed(archive: &[u8], format: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(format!("a.{format}"));
    fs::write(&file, archive).unwrap();
    let output = Command::new("python3")
        .args(["-c", READ])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{format}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

/// Songs, and what no listing shows.
fn fill(root: &Path) {
    let songs = root.join("songs");
    fs::create_dir_all(songs.join("old")).unwrap();
    fs::create_dir(songs.join("empty")).unwrap();
    fs::write(songs.join("F\u{e4}dchen.txt"), "spin").unwrap();
    fs::write(songs.join("old/one"), "1".repeat(300_000)).unwrap();
    let long = "long ".repeat(40);
    fs::write(songs.join(format!("old/{long}")), "").unwrap();
    fs::write(songs.join(".hidden"), "secret").unwrap();
    fs::create_dir(songs.join("page")).unwrap();
    fs::write(songs.join("page/index.html"), "<p>page").unwrap();
    fs::write(songs.join("page/draft"), "secret").unwrap();
    symlink("../hello.txt", songs.join("link")).unwrap();
    symlink("..", songs.join("circle")).unwrap();
    symlink("/etc/passwd", songs.join("outside")).unwrap();
}

#[test]
fn an_archive_contains_what_listings_and_index_pages_show() {
    let server = Server::start(&[]);
    fill(server.path());
    let long = "long ".repeat(40);
    let expected = format!(
        "songs/F\u{e4}dchen.txt 4 b'spin'\nsongs/empty/ folder\nsongs/link 6 b'hello\\n'\n\
         songs/old/ folder\nsongs/old/{long} 0 b''\n\
         songs/old/one 300000 b'11111111111111111111'\nsongs/page/ folder\n\
         songs/page/index.html 7 b'<p>page'\n"
    );
    for (format, media_type) in [("zip", "application/zip"), ("tar", "application/x-tar")] {
        let response = server.get(&format!("/songs/?download={format}"));
        assert_eq!(response.field("content-type"), Some(media_type));
        let name = format!("attachment; filename=\"songs.{format}\"");
        assert_eq!(response.field("content-disposition"), Some(&*name));
        let mut found: Vec<_> = listed(&response.body, format)
            .lines()
            .map(str::to_owned)
            .collect();
        let mut expected: Vec<_> = expected.lines().collect();
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{format}");
    }
}

#[test]
fn programs_and_folders_with_an_index_are_not_sent() {
    let server = Server::start(&["--cgi-interpreter", "*.py=python3"]);
    fill(server.path());
    fs::create_dir(server.path().join("cgi-bin")).unwrap();
    fs::write(server.path().join("cgi-bin/run"), "secret").unwrap();
    fs::write(server.path().join("run.py"), "secret").unwrap();
    for format in ["zip", "tar"] {
        let response = server.get(&format!("/?download={format}"));
        assert_eq!(response.status, 200);
        let found = listed(&response.body, format);
        assert!(found.contains("files/hello.txt"), "{found}");
        assert!(!found.contains("run"), "{found}");
        // Twice: the index may come from the cache.
        for _ in 0..2 {
            server.get("/songs/page/");
            let response = server.get(&format!("/songs/page/?download={format}"));
            assert_eq!(response.status, 404);
        }
    }
}

#[test]
fn a_large_folder_is_sent_with_little_memory() {
    const FILES: usize = 3000;
    let server = Server::start(&["--workers", "1"]);
    let folder = server.path().join("large");
    fs::create_dir(&folder).unwrap();
    for number in 0..FILES {
        fs::write(folder.join(format!("{number:0100}")), "x").unwrap();
    }
    let file = fs::File::create(folder.join("hole")).unwrap();
    file.set_len(300 << 20).unwrap();
    let before = server.peak_memory();
    // Clients that ask and do not read slow only themselves.
    let mut idle: Vec<_> = (2..10).map(|last| server.connect_from(last)).collect();
    for client in &mut idle {
        client.send("GET /large/?download=tar HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    let response = server.get("/large/?download=zip");
    assert!(response.body.len() > 300 << 20);
    let grown = server.peak_memory() - before;
    assert!(grown < 64 << 20, "{grown} bytes more");
    let found = listed(&response.body, "zip");
    assert_eq!(found.lines().count(), FILES + 1);
    server.assert_well();
}

#[test]
fn head_says_what_get_says() {
    let server = Server::start(&[]);
    fill(server.path());
    for path in [
        "/songs/?download=zip",
        "/songs/?download=tar",
        "/songs/?view=grid",
    ] {
        let get = server.get(path);
        let mut client = server.connect();
        client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let head = client.response(true);
        assert_eq!(head.status, get.status);
        for name in ["content-type", "content-disposition", "cache-control"] {
            assert_eq!(head.field(name), get.field(name), "{path} {name}");
        }
        assert!(head.body.is_empty());
    }
}

#[test]
fn one_client_does_not_hold_all_archives() {
    let server = Server::start(&[]);
    let file = fs::File::create(server.path().join("hole")).unwrap();
    file.set_len(300 << 20).unwrap();
    let get = "GET /?download=tar HTTP/1.1\r\nHost: a\r\n\r\n";
    let mut idle: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for client in &mut idle {
        client.send(get);
        assert_eq!(client.head().status, 200);
    }
    let refused = server.get("/?download=zip");
    assert_eq!(refused.status, 503);
    assert!(refused.field("retry-after").is_some());
    assert_eq!(server.get("/hello.txt").status, 200);
    let mut other = server.connect_from(2);
    other.send(get);
    assert_eq!(other.head().status, 200);
}
