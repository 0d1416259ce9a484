//! Programs in the document root of a server: how the tests write them, and how they check
//! responses.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::server::{Client, PATIENCE, Server};

/// Writes an executable file.
pub(crate) fn write_program(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}

impl Server {
    /// Starts a server with these programs in `cgi-bin`; each is a line for the shell, unless it
    /// begins with `#!`.
    pub(crate) fn with_programs(options: &[&str], programs: &[(&str, &str)]) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("hello.txt"), "hello\n").unwrap();
        for (name, text) in programs {
            let path = root.path().join("cgi-bin").join(name);
            if text.starts_with("#!") {
                write_program(&path, text);
            } else {
                write_program(&path, &format!("#!/bin/sh\n{text}\n"));
            }
        }
        Self::start_in(root, options)
    }
}

/// The outcome of a response.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is complete: its status and its body.
    Whole(u16, String),
    /// It began, and the connection was cut: its status, and the part of its body that arrived.
    Cut(u16, Vec<u8>),
}

impl Client {
    /// Reads a response, complete or not.
    pub(crate) fn outcome(&mut self) -> Outcome {
        let head = self.head();
        let rest = self.rest();
        let cut = |rest| Outcome::Cut(head.status, rest);
        let whole =
            |body: &[u8]| Outcome::Whole(head.status, String::from_utf8_lossy(body).into_owned());
        match head.field("content-length") {
            Some(length) if rest.len() == length.parse::<usize>().unwrap() => whole(&rest),
            Some(_) => cut(rest),
            None => match rest.strip_suffix(b"0\r\n\r\n") {
                Some(chunks) => whole(&unchunked(chunks)),
                None if head.field("transfer-encoding").is_some() => cut(unchunked(&rest)),
                None => whole(&rest),
            },
        }
    }
}

/// Returns the contents of the complete chunks.
fn unchunked(mut bytes: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") {
        let size = std::str::from_utf8(&bytes[..end]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        let Some(chunk) = bytes.get(end + 2..end + 2 + size) else {
            break;
        };
        content.extend_from_slice(chunk);
        bytes = &bytes[(end + size + 4).min(bytes.len())..];
    }
    content
}

/// Waits until all these processes have ended.
pub(crate) fn assert_gone(pids: &str) {
    let until = Instant::now() + PATIENCE;
    for pid in pids.split_whitespace() {
        let status = || fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let runs = |status: String| !status.is_empty() && !status.contains("State:\tZ");
        while runs(status()) {
            assert!(Instant::now() < until, "{pid} still runs: {}", status());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
