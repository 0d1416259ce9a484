//! Controls a real browser: headless Chromium, by its DevTools protocol over a pair of pipes.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use image::RgbImage;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::PATIENCE;

/// One page in its own browser.
pub(crate) struct Browser {
    child: Child,
    to: File,
    from: mpsc::Receiver<Value>,
    session: Value,
    next: u64,
    /// Errors and warnings of the page.
    complaints: Vec<String>,
    /// Its profile, and the pipes.
    _folder: TempDir,
}

impl Browser {
    /// Opens an empty page in a window of this size.
    pub(crate) fn open((width, height): (u32, u32)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pipe = |name| folder.path().join(name);
        let (to, from) = (pipe("to"), pipe("from"));
        let made = Command::new("mkfifo").args([&to, &from]).status();
        assert!(made.unwrap().success());
        let script = "exec chromium --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
            --disable-component-update --hide-scrollbars --remote-debugging-pipe \"$@\" about:blank 3<to 4>from";
        let child = Command::new("sh")
            .args(["-c", script, "sh"])
            .arg(format!("--window-size={width},{height}"))
            .arg(format!("--user-data-dir={}", pipe("profile").display()))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = OpenOptions::new().write(true).open(to).unwrap();
        let messages = BufReader::new(File::open(from).unwrap()).split(0);
        let (sender, from) = mpsc::channel();
        std::thread::spawn(move || {
            let messages = messages.map_while(Result::ok);
            let mut messages = messages.map_while(|message| serde_json::from_slice(&message).ok());
            messages.try_for_each(|message| sender.send(message))
        });
        let mut browser = Self {
            child,
            to,
            from,
            session: Value::Null,
            next: 0,
            complaints: Vec::new(),
            _folder: folder,
        };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = json!({"targetId": target["targetId"], "flatten": true});
        browser.session = browser.call("Target.attachToTarget", target)["sessionId"].clone();
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({}));
        }
        browser
    }

    /// Sends a command and returns its result.
    pub(crate) fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.next += 1;
        let mut message = json!({"id": self.next, "method": method, "params": parameters});
        if !self.session.is_null() {
            message["sessionId"] = self.session.clone();
        }
        self.to
            .write_all(format!("{message}\0").as_bytes())
            .unwrap();
        loop {
            let answer = self.from.recv_timeout(3 * PATIENCE);
            let answer = answer.expect("chromium, which `make test` installs, answers");
            if answer["id"] == self.next {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            let complains = ["Log.entryAdded", "Runtime.exceptionThrown"];
            if complains.iter().any(|event| answer["method"] == *event) {
                self.complaints.push(answer["params"].to_string());
            }
        }
    }

    /// Shows pages as in dark mode.
    pub(crate) fn prefer_dark(&mut self) {
        let dark = json!({"name": "prefers-color-scheme", "value": "dark"});
        self.call("Emulation.setEmulatedMedia", json!({"features": [dark]}));
    }

    /// Behaves like a phone from now on.
    pub(crate) fn be_phone(&mut self) {
        let phone = json!({"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": true});
        self.call("Emulation.setDeviceMetricsOverride", phone);
    }

    pub(crate) fn go(&mut self, address: &str) {
        self.call("Page.navigate", json!({"url": address}));
    }

    /// Returns the value of an expression in the page.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let evaluate = json!({"expression": expression, "returnByValue": true});
        self.call("Runtime.evaluate", evaluate)["result"]["value"].clone()
    }

    /// Waits until an expression is true in the page.
    pub(crate) fn wait_for(&mut self, expression: &str) {
        let until = Instant::now() + 3 * PATIENCE;
        while self.value(&format!("Boolean({expression})")) != true {
            let text = || self.complaints.join("\n");
            assert!(
                Instant::now() < until,
                "it never comes to {expression}: {}",
                text()
            );
            std::thread::sleep(PATIENCE / 200);
        }
    }

    /// Returns a screenshot of the page.
    pub(crate) fn picture(&mut self) -> RgbImage {
        let picture = self.call("Page.captureScreenshot", json!({}));
        let bytes = BASE64_STANDARD
            .decode(picture["data"].as_str().unwrap())
            .unwrap();
        image::load_from_memory(&bytes).unwrap().into_rgb8()
    }

    /// The page has thrown no error, and nothing in it was refused.
    pub(crate) fn assert_content(&self) {
        assert!(self.complaints.is_empty(), "{:#?}", self.complaints);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
