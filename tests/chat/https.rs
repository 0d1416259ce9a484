//! A tracker over https, and peers that trust it, or do not.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use kamea_components::tls::self_signed;
use serde_json::json;

use super::processes::{PEER, Peer, until};
use crate::started::Started;

const TRACKER: &str = env!("CARGO_BIN_EXE_start_tracker");

/// Writes a certificate and its key into one file.
fn certificate(folder: &Path, name: &str) -> PathBuf {
    let file = folder.join(name);
    let made = self_signed(&["localhost", "127.0.0.1"]).unwrap();
    let text = made.to_pem() + &made.key_to_pem().unwrap();
    std::fs::write(&file, text).unwrap();
    file
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn peers_find_each_other_by_a_tracker_over_https() {
    let folder = tempfile::tempdir().unwrap();
    let own = certificate(folder.path(), "own.pem");
    let tracker = Started::new(TRACKER, &["--tls-cert", text(&own)]);
    let url = format!("https://localhost:{}", tracker.address.port());
    let arguments = ["--tracker", &url, "--tracker-ca", text(&own)];
    let start = |name: &str| Peer::start(name, &folder.path().join(name), &arguments);
    let (ada, _bob) = (start("ada"), start("bob"));
    let mut page = ada.live();
    until("bob is found", || {
        let known = page.ask(json!({"do": "peers"})).unwrap();
        let mut peers = known["peers"].as_array().unwrap().iter();
        peers.find(|peer| peer["name"] == "bob" && peer["state"] == "direct")?;
        Some(())
    });
}

/// Starts a peer, and returns the first line on stderr that has a text.
fn said(folder: &Path, arguments: &[&str], wanted: &'static str) -> String {
    let mut child = Command::new(PEER)
        .args(["--name", "eve", "--ip", "127.0.0.1", "--data"])
        .arg(folder.join("eve"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let (sender, found) = mpsc::channel();
    thread::spawn(move || {
        let mut lines = lines.map_while(Result::ok);
        sender.send(lines.find(|line| line.contains(wanted)))
    });
    let found = found.recv_timeout(Duration::from_secs(60));
    let _ = child.kill();
    let _ = child.wait();
    found.unwrap().unwrap_or_default()
}

#[test]
fn a_tracker_that_is_not_trusted_learns_nothing_of_a_peer() {
    let folder = tempfile::tempdir().unwrap();
    let own = certificate(folder.path(), "own.pem");
    let other = certificate(folder.path(), "other.pem");
    let tracker = Started::new(TRACKER, &["--verbose", "--tls-cert", text(&own)]);
    let url = format!("https://127.0.0.1:{}", tracker.address.port());
    let line = said(
        folder.path(),
        &["--tracker", &url, "--tracker-ca", text(&other)],
        "the tracker: ",
    );
    assert!(line.contains("certificate"), "{line}");
    // One without TLS does not speak to one with it.
    let plain = url.replace("https", "http");
    let line = said(folder.path(), &["--tracker", &plain], "the tracker: ");
    assert!(!line.is_empty());
}

#[test]
fn authorities_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing.pem");
    let url = ["--tracker", "https://localhost:1", "--tracker-ca"];
    let arguments = [&url[..], &[text(&missing)]].concat();
    let line = said(folder.path(), &arguments, "");
    let expected = format!("--tracker-ca: cannot read {}", missing.display());
    assert!(line.contains(&expected), "{line}");
    // The option is about a tracker.
    let line = said(folder.path(), &["--tracker-ca", text(&missing)], "");
    assert!(line.contains("--tracker"), "{line}");
}
