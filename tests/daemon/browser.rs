//! Cookies in Chromium: it takes what `set_cookie` sends, ignores what `set_cookie` refuses, and
//! keeps `SameSite` as the checks of origins assume.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use kamea_components::http::Fields;
use kamea_session::{Cookie, set_cookie};

/// How long a browser may take on a busy machine.
const AGES: Duration = Duration::from_secs(120);

/// What a browser has sent: the request line, and the fields by their names in lower case.
#[derive(Debug, Clone)]
struct Seen {
    line: String,
    fields: Vec<(String, String)>,
}

impl Seen {
    fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value)
    }

    fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    fn has_cookie(&self, name: &str) -> bool {
        let mut pairs = self.field("cookie").split("; ");
        pairs.any(|pair| pair.split('=').next() == Some(name))
    }
}

/// A server that answers by a function, and reports each request. It ends with the test.
fn serve(answer: impl Fn(&Seen) -> String + Send + Sync + 'static) -> (u16, mpsc::Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, seen) = mpsc::channel();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let (answer, sender) = (answer.clone(), sender.clone());
            // A browser opens connections that it does not use.
            thread::spawn(move || {
                if let Some(request) = read(&stream) {
                    let response = answer(&request);
                    // The test may have seen enough.
                    let _ = sender.send(request);
                    let _ = (&stream).write_all(response.as_bytes());
                }
            });
        }
    });
    (port, seen)
}

fn read(stream: &TcpStream) -> Option<Seen> {
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader
        .read_line(&mut line)
        .ok()
        .filter(|&count| count > 0)?;
    let mut fields = Vec::new();
    loop {
        let mut field = String::new();
        reader.read_line(&mut field).ok()?;
        let Some((name, value)) = field.split_once(':') else {
            break;
        };
        fields.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let seen = Seen { line, fields };
    let length = seen.field("content-length").parse().unwrap_or(0);
    reader.take(length).read_to_end(&mut Vec::new()).ok()?;
    Some(seen)
}

fn response(lines: &[String], page: &str) -> String {
    let lines: String = lines
        .iter()
        .map(|line| format!("Set-Cookie: {line}\r\n"))
        .collect();
    let length = page.len();
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{lines}Content-Length: {length}\r\n\
         Connection: close\r\n\r\n{page}"
    )
}

/// Opens a page in a browser. Returns what the browser sends, up to the request for `last`.
fn browse(url: &str, requests: &mpsc::Receiver<Seen>, last: &str) -> Vec<Seen> {
    let profile = tempfile::tempdir().unwrap();
    // With a port for debuggers it stays open. What it does is seen by its requests: how long its
    // scripts take is not known.
    let mut browser = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .args(["--no-first-run", "--disable-background-networking"])
        .arg("--remote-debugging-port=0")
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("make test installs chromium");
    let mut seen = Vec::new();
    while let Ok(request) = requests.recv_timeout(AGES) {
        seen.push(request);
        if seen.last().is_some_and(|request| request.path() == last) {
            break;
        }
    }
    browser.kill().unwrap();
    browser.wait().unwrap();
    seen
}

/// The request for a path.
fn of<'a>(seen: &'a [Seen], path: &str) -> &'a Seen {
    let found = seen.iter().find(|request| request.path() == path);
    found.unwrap_or_else(|| panic!("{path} is missing: {seen:?}"))
}

/// What `set_cookie` says of a line.
fn checked(line: &'static str) -> bool {
    set_cookie(&mut Fields::new(), &Cookie::parse(line).unwrap()).is_ok()
}

#[test]
fn chromium_takes_what_set_cookie_sends_and_ignores_what_it_refuses() {
    let long = &*format!("a-long={}", "x".repeat(4097)).leak();
    let lines = [
        ("a-plain=1", true),
        ("a-empty=", true),
        ("a-quoted=\"1\"", true),
        ("a-all=!#$%&'()*+-./09:<=>?@AZ[]^_`az{|}~", true),
        ("a-!#$%&'*+-.^_`|~=1", true),
        ("a-path=1; Path=/", true),
        ("a-lax=1; SameSite=Lax", true),
        ("a-strict=1; SameSite=Strict", true),
        ("a-age=1; Max-Age=60", true),
        // A page of this machine counts as one that came by TLS.
        ("__Host-a=1; Secure; Path=/", true),
        ("__Secure-a=1; Secure", true),
        ("a-none=1; SameSite=None; Secure", true),
        ("a-parted=1; Partitioned; Secure", true),
        ("__Host-insecure=1; Path=/", false),
        ("__Host-path=1; Secure; Path=/x", false),
        ("__Host-domain=1; Secure; Path=/; Domain=localhost", false),
        ("__hOST-case=1; Path=/", false),
        ("__Secure-insecure=1", false),
        ("a-foreign=1; SameSite=None", false),
        ("a-apart=1; Partitioned", false),
        (long, false),
    ];
    for (line, is_sent) in lines {
        assert_eq!(checked(line), is_sent, "{line}");
    }
    let all: Vec<_> = lines.iter().map(|(line, _)| (*line).to_owned()).collect();
    let (port, requests) = serve(move |seen| match seen.line.starts_with("GET / ") {
        true => response(&all, "<script>location = '/second'</script>"),
        false => response(&[], ""),
    });
    let seen = browse(&format!("http://localhost:{port}/"), &requests, "/second");
    let second = of(&seen, "/second");
    for (line, is_sent) in lines {
        let name = line.split('=').next().unwrap();
        assert_eq!(second.has_cookie(name), is_sent, "{line}: {second:?}");
    }
}

/// `localhost` and `127.0.0.1` are two sites.
#[test]
fn pages_of_other_sites_do_not_send_the_cookie_and_say_where_they_are_from() {
    let lines = ["lax=1; SameSite=Lax", "none=1; SameSite=None; Secure"].map(str::to_owned);
    let (port, requests) = serve(move |seen| {
        let port = seen.field("host").rsplit(':').next().unwrap_or_default();
        match seen.path() {
            "/" => {
                let target = format!("http://127.0.0.1:{port}/evil");
                response(&lines, &format!("<script>location = '{target}'</script>"))
            }
            "/evil" => response(
                &[],
                &format!(
                    "<form method=post action='http://localhost:{port}/form'></form><script>\
                 fetch('http://localhost:{port}/fetch', {{mode: 'no-cors', method: 'POST', \
                 credentials: 'include'}}).finally(() => document.forms[0].submit())</script>"
                ),
            ),
            "/form" => response(&[], "<script>fetch('/own', {method: 'POST'})</script>"),
            _ => response(&[], ""),
        }
    });
    let seen = browse(&format!("http://localhost:{port}/"), &requests, "/own");
    for path in ["/fetch", "/form"] {
        let foreign = of(&seen, path);
        assert!(!foreign.has_cookie("lax"), "{foreign:?}");
        assert_eq!(foreign.field("sec-fetch-site"), "cross-site", "{foreign:?}");
        assert!(
            foreign.field("origin").starts_with("http://127.0.0.1:"),
            "{foreign:?}"
        );
    }
    let form = of(&seen, "/form");
    assert!(form.has_cookie("none"), "{form:?}");
    let own = of(&seen, "/own");
    assert!(own.has_cookie("lax"), "{own:?}");
    assert_eq!(own.field("sec-fetch-site"), "same-origin");
    assert_eq!(own.field("origin"), format!("http://localhost:{port}"));
}
