//! `start_peer`: in the terminal, in pipes, and two pages side by side.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc;

use serde_json::json;

use crate::devtools::Browser;
use crate::server::PATIENCE;
use crate::started::Started;

const TRACKER: &str = env!("CARGO_BIN_EXE_start_tracker");
const PEER: &str = env!("CARGO_BIN_EXE_start_peer");

/// A peer that runs until the end of its test.
struct Peer {
    child: Child,
    stdin: Option<ChildStdin>,
    /// What it prints.
    lines: mpsc::Receiver<String>,
    /// The address of its page, with the token.
    page: String,
}

impl Peer {
    fn start(name: &str, tracker: &Started, folder: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(PEER)
            .args(["--name", name, "--ip", "127.0.0.1"])
            .args(["--tracker", &format!("http://{}", tracker.address)])
            .arg("--data")
            .arg(folder.join(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            stdout
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(line))
        });
        let first = lines.recv_timeout(PATIENCE).unwrap();
        let page = first.rsplit(' ').next().unwrap().to_owned();
        assert!(
            first.starts_with(&format!("{name} listens on 127.0.0.1:")),
            "{first}"
        );
        let stdin = child.stdin.take();
        Self {
            child,
            stdin,
            lines,
            page,
        }
    }

    fn terminal(name: &str, tracker: &Started, folder: &Path) -> Self {
        Self::start(name, tracker, folder, &["--terminal"])
    }

    fn types(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Waits for a line, and returns those before it.
    fn says(&mut self, wanted: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            match self.lines.recv_timeout(2 * PATIENCE) {
                Ok(line) if line == wanted => return before,
                Ok(line) => before.push(line),
                Err(error) => panic!("{error}: no line `{wanted}` after {before:#?}"),
            }
        }
    }

    /// Waits for its end.
    fn ends(&mut self) -> ExitStatus {
        // Its output ends with it.
        loop {
            match self.lines.recv_timeout(2 * PATIENCE) {
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => return self.child.wait().unwrap(),
                Err(error) => panic!("{error}: it does not end"),
            }
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn two_terminals_talk_in_lines() {
    let (tracker, folder) = (Started::new(TRACKER, &[]), tempfile::tempdir().unwrap());
    let mut ada = Peer::terminal("ada", &tracker, folder.path());
    ada.types("nobody hears this");
    ada.says("! there is no current channel: /join or /create one");
    ada.types("/create my garden");
    ada.says("* joined #my garden");
    let mut bob = Peer::terminal("bob", &tracker, folder.path());
    // It does not know the channel yet, and waits for it.
    bob.types("/join my garden");
    bob.says("* joined #my garden");
    bob.types("hello \u{1b}[31mred\u{202e} ada");
    ada.says("#my garden bob: hello \\u{1b}[31mred\\u{202e} ada");
    ada.types("/msg bob just for you");
    bob.says("@ada ada: just for you");
    for (line, answer) in [
        (
            "/nonsense",
            "! there is no command /nonsense: /help lists them",
        ),
        ("/msg bob", "! /msg needs a name and a text: /msg bob hello"),
        ("/search just", "@ada ada: just for you"),
        ("//not a command", "#my garden bob: /not a command"),
    ] {
        bob.types(line);
        bob.says(answer);
    }
    ada.says("#my garden bob: /not a command");
    bob.types("/history 2");
    bob.says("#my garden bob: /not a command");
    bob.types("/search snow");
    bob.says("* no message has these words");
    bob.types("/leave");
    bob.says("* left #my garden");
    bob.types("/people");
    let tracker_key = bob.lines.recv_timeout(PATIENCE).unwrap();
    assert!(
        tracker_key.starts_with("  ada: connected, fingerprint "),
        "{tracker_key}"
    );
    bob.types("/quit");
    assert!(bob.ends().success());
}

#[test]
fn a_pipe_says_what_it_has_and_ends() {
    let (tracker, folder) = (Started::new(TRACKER, &[]), tempfile::tempdir().unwrap());
    let mut bob = Peer::terminal("bob", &tracker, folder.path());
    let mut pipe = Peer::terminal("pipe", &tracker, folder.path());
    for i in 0..20 {
        pipe.types(&format!("/msg bob line {i}"));
    }
    pipe.stdin = None;
    assert!(pipe.ends().success());
    for i in 0..20 {
        bob.says(&format!("@pipe pipe: line {i}"));
    }
    // Nobody reads its output any more: it ends.
    let script = "yes /help | { timeout 60 \"$0\" \"$@\" --terminal 2>/dev/null; echo \"ended $?\" >&2; } \
                  | head -n 3";
    let output = Command::new("sh")
        .args(["-c", script, PEER, "--name", "eve", "--data"])
        .arg(folder.path().join("eve"))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "ended 0\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 3);
}

/// The text of the last message.
const LAST: &str = "[...document.querySelectorAll('#messages .text')].at(-1)?.textContent";

fn open(peer: &Peer) -> Browser {
    let mut browser = Browser::open((1280, 850));
    browser.go(&peer.page);
    browser.wait_for("document.querySelector('#link')?.className === 'open'");
    browser
}

fn enter(browser: &mut Browser, text: &str) {
    browser.call("Input.insertText", json!({"text": text}));
    let enter = json!({"key": "Enter", "windowsVirtualKeyCode": 13});
    for kind in ["keyDown", "keyUp"] {
        let mut event = enter.clone();
        event["type"] = kind.into();
        if kind == "keyDown" {
            event["text"] = "\r".into();
        }
        browser.call("Input.dispatchKeyEvent", event);
    }
}

fn say(browser: &mut Browser, text: &str) {
    browser.value("document.querySelector('#text').focus()");
    enter(browser, text);
}

fn hears(browser: &mut Browser, text: &str) {
    browser.wait_for(&format!("{LAST} === {}", json!(text)));
}

fn click(browser: &mut Browser, selector: &str) {
    browser.wait_for(&format!("document.querySelector({})", json!(selector)));
    browser.value(&format!(
        "document.querySelector({}).click()",
        json!(selector)
    ));
}

#[test]
fn two_pages_side_by_side_outlive_the_tracker_and_a_peer_that_is_killed() {
    let (tracker, folder) = (Started::new(TRACKER, &[]), tempfile::tempdir().unwrap());
    let ada = Peer::start("ada", &tracker, folder.path(), &[]);
    let mut bob = Peer::start("bob", &tracker, folder.path(), &[]);
    let (mut left, mut right) = (open(&ada), open(&bob));
    click(&mut left, "#create");
    enter(&mut left, "general");
    left.wait_for("document.querySelector('#room-name').textContent === '# general'");
    right.wait_for("document.querySelectorAll('#people .state.direct').length === 1");
    let offered = "(document.querySelector('#dialog').close(), document.querySelector('#find').click(), \
                   document.querySelector('#dialog li button'))";
    right.wait_for(offered);
    click(&mut right, "#dialog li button");
    right.wait_for("document.querySelector('#room-name').textContent === '# general'");
    say(&mut left, "hello bob");
    hears(&mut right, "hello bob");
    say(&mut right, "hello ada");
    hears(&mut left, "hello ada");
    let states = "[...document.querySelectorAll('.sent')].map((each) => each.className).join()";
    left.wait_for(&format!("{states} === 'sent read'"));
    // The same fingerprint on both sides.
    let mine = left.value("document.querySelector('#my-fingerprint').textContent");
    assert_eq!(
        right.value("document.querySelector('.message:not(.mine) .key').textContent"),
        mine
    );

    // One is killed; what it misses it gets when it is back.
    drop(right);
    bob.child.kill().unwrap();
    left.wait_for("document.querySelectorAll('#people .state.direct').length === 0");
    say(&mut left, "are you still there?");
    hears(&mut left, "are you still there?");
    drop(bob);
    bob = Peer::start("bob", &tracker, folder.path(), &[]);
    right = open(&bob);
    click(&mut right, "#channels button");
    hears(&mut right, "are you still there?");
    left.wait_for("[...document.querySelectorAll('.sent')].at(-1).classList.contains('read')");

    // The tracker is killed in the midst of the conversation.
    drop(tracker);
    for i in 0..5 {
        say(&mut left, &format!("left {i}"));
        hears(&mut right, &format!("left {i}"));
        say(&mut right, &format!("right {i}"));
        hears(&mut left, &format!("right {i}"));
    }
    left.assert_content();
    right.assert_content();
}

#[test]
fn a_tab_keeps_the_token_and_one_without_it_asks_for_the_address() {
    let (tracker, folder) = (Started::new(TRACKER, &[]), tempfile::tempdir().unwrap());
    let ada = Peer::start("ada", &tracker, folder.path(), &[]);
    let (address, token) = ada.page.split_once("#token=").unwrap();
    let mut browser = Browser::open((390, 780));
    browser.go(address);
    browser
        .wait_for("document.querySelector('#lost').textContent.includes('start_peer has printed')");
    browser.wait_for("document.querySelector('#link').textContent === 'Not connected'");
    // The printed address in the same tab.
    browser.value(&format!("location.href = {}", json!(ada.page)));
    let is_open = "document.querySelector('#lost').hidden
                   && document.querySelector('#link')?.className === 'open'";
    browser.wait_for(is_open);
    // It is nowhere that other ports of this machine, or the history, could know it from.
    assert_eq!(browser.value("location.hash + document.cookie"), "");
    browser.value("window.isOld = true; location.reload()");
    browser.wait_for(&format!("!window.isOld && {is_open}"));
    assert_eq!(browser.value("Object.values(sessionStorage).join()"), token);
    browser.assert_content();
}
