//! `kamea`: graphs that are written as text.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc;

use kamea::Scheduler;
use kamea_components::server::{Site, Tls, WebServer};
use kamea_components::stream::echo;
use kamea_components::tls::{ServerTls, TlsOptions, self_signed};
use tempfile::TempDir;

use super::server::PATIENCE;
use super::sessions::{is_like, root, sessions};

const KAMEA: &str = env!("CARGO_BIN_EXE_kamea");

fn kamea(arguments: &[&str]) -> Output {
    Command::new("timeout")
        .args(["30", KAMEA])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// A graph that runs until it is stopped.
struct Server {
    child: Child,
    address: String,
    stderr: BufReader<ChildStderr>,
}

impl Server {
    fn start(text: &str, folder: &Path) -> Self {
        let mut child = Command::new(KAMEA)
            .arg(text)
            .current_dir(folder)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let (started, starts) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            stderr.read_line(&mut line).unwrap();
            started.send((line, stderr))
        });
        let (line, stderr) = starts.recv_timeout(3 * PATIENCE).unwrap();
        let address = line.trim().split("Listening on ").nth(1);
        let address = address.unwrap_or_else(|| panic!("{text}: {line:?}"));
        Self {
            child,
            address: address.to_owned(),
            stderr,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    fn interrupt(mut self) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args(["-s", "INT", &pid]).status();
        assert!(killed.unwrap().success());
        let mut said = String::new();
        self.stderr.read_to_string(&mut said).unwrap();
        (self.child.wait().unwrap().code(), said)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_session_of_the_chapter_goes_as_written() {
    let chapter = fs::read_to_string(root().join("docs/src/notation.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let blocks: Vec<_> = chapter.split("```console\n").skip(1).collect();
    assert!(blocks.len() > 8);
    for block in blocks {
        let mut server = None;
        for (command, expected) in sessions(&format!("```console\n{block}")) {
            if let Some(text) = command.strip_suffix(" &") {
                let text = text
                    .strip_prefix("kamea '")
                    .and_then(|text| text.strip_suffix('\''));
                let text = text.unwrap().replace(":9000", "127.0.0.1:0");
                server = Some(Server::start(&text, folder.path()));
                continue;
            }
            let command = match &server {
                None => command,
                Some(server) => command.replace("localhost:9000", &server.address),
            };
            let printed = shell(&command, &folder);
            assert!(
                is_like(&printed, &expected),
                "$ {command}\n{printed}\n(expected)\n{expected}"
            );
        }
        if let Some(server) = server {
            assert_eq!(server.interrupt().0, Some(0));
        }
    }
}

/// Returns the output of a command, in a shell that finds `kamea`.
fn shell(command: &str, folder: &TempDir) -> String {
    let programs = Path::new(KAMEA).parent().unwrap().display();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap());
    let output = Command::new("timeout")
        .args(["30", "bash", "-c", command])
        .current_dir(folder.path())
        .env("PATH", path)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn mistakes_are_status_2_and_failures_status_1_and_both_one_block() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "# two lines\nread_file x => nowhere\n").unwrap();
    let path = file.path().to_str().unwrap();
    let place = format!("error: {path}:2:16: there is no component `nowhere`\n");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let listen = format!("tcp {address} => each(echo)");
    for (arguments, status, beginning, lines) in [
        (
            &["read_file"][..],
            2,
            "error: column 1: `read_file` lacks",
            4,
        ),
        (&["-f", path], 2, &place, 3),
        (
            &["-f", "/no/such/file"],
            2,
            "error: cannot read /no/such/file",
            1,
        ),
        (&[], 2, "error: there is no graph", 1),
        (&["--no-such-option"], 2, "error: unexpected argument", 1),
        (
            &["show"],
            2,
            "error: the following required arguments were not provided: <NAME>",
            1,
        ),
        (
            &["--inspect", "0.0.0.0:0", "one_shot x => console_echoer"],
            2,
            "error: anybody could look",
            1,
        ),
        (
            &["--inspect", &address, "one_shot x => console_echoer"],
            1,
            "error: cannot listen on 127.0.0.1:",
            1,
        ),
        (
            &["show", "pars"],
            2,
            "error: there is no component `pars`",
            1,
        ),
        (
            &["draw", "=>"],
            2,
            "error: column 1: a component is wanted",
            3,
        ),
        (&["run", "a", "b"], 2, "error: unexpected argument 'b'", 1),
        (
            &["read_file /no/such/file => console_echoer"],
            1,
            "error: component `read_file`",
            1,
        ),
        (
            &[&listen],
            1,
            "error: column 1: cannot listen on 127.0.0.1:",
            3,
        ),
    ] {
        let output = kamea(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {said}");
        assert!(said.starts_with(beginning), "{arguments:?}: {said}");
        assert_eq!(said.lines().count(), lines, "{arguments:?}: {said}");
    }
}

#[test]
fn bytes_go_through_as_they_are_and_a_reader_that_leaves_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(1 << 20).collect();
    fs::write(folder.path().join("all"), &bytes).unwrap();
    let command = "kamea 'read_file /dev/stdin => console_echoer' <all | cmp - all && echo same";
    assert_eq!(shell(command, &folder), "same\n");
    let command =
        "kamea 'read_file all => unix_process cat => write_file copy' && cmp copy all && echo same";
    assert_eq!(shell(command, &folder), "same\n");
    for text in [
        "kamea 'read_file /dev/zero => console_echoer'",
        "kamea list",
    ] {
        let command =
            format!("{text} 2>said | head -c 1 >/dev/null; echo ${{PIPESTATUS[0]}}; cat said");
        assert_eq!(shell(&command, &folder), "0\n", "{text}");
    }
}

#[test]
fn a_server_says_where_it_listens_and_stops_gracefully() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start("tcp 127.0.0.1:0 => each(echo)", folder.path());
    let mut client = server.connect();
    client.write_all(b"\x00\xffhello").unwrap();
    let mut heard = [0; 7];
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"\x00\xffhello");
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(&mut heard).unwrap(), 0);
    let (status, said) = server.interrupt();
    assert_eq!((status, said.contains("error")), (Some(0), false), "{said}");
}

#[test]
fn a_line_serves_clients_over_tls_and_a_silent_one_blocks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
        -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
        -extensions usr_cert -keyout key -out cert 2>/dev/null && cat cert key > both && echo made";
    assert_eq!(shell(make, &folder), "made\n");
    assert_eq!(
        shell(&make.replace("key -out cert", "k -out other"), &folder),
        "made\n"
    );
    let server = Server::start("tls 127.0.0.1:0 both => each(echo)", folder.path());
    let address = &server.address;
    let _silent = server.connect();
    let openssl = format!(
        "mkfifo heard; (echo hello; read heard <heard) | openssl s_client -quiet -connect {address} \
         -CAfile cert -verify_return_error -no_ign_eof 2>/dev/null | (head -n 1; echo >heard)"
    );
    assert_eq!(shell(&openssl, &folder), "hello\n");
    let line = |option: &str| {
        let line = "console_reader => unlines => tls_client";
        format!("echo hello | kamea '{line} {address} {option} => console_echoer' 2>&1")
    };
    assert_eq!(shell(&line("ca=cert"), &folder), "hello\n");
    assert_eq!(shell(&line("insecure=yes"), &folder), "hello\n");
    // Neither another authority nor those of the system have signed it.
    for option in ["ca=other", ""] {
        let said = shell(&line(option), &folder);
        assert!(said.contains("invalid peer certificate"), "{said}");
        assert!(!said.contains("hello"), "{said}");
    }
    for (text, expected) in [
        (
            "tls :0 cert => each(echo)",
            "cert: no private key in PEM form",
        ),
        ("tls :0 cert k => each(echo)", "the key does not match"),
        ("tls :0 nothing key => each(echo)", "cannot read nothing:"),
        (
            "one_shot x => unlines => tls_client localhost:1 ca=key => console_echoer",
            "key: no certificate in PEM form",
        ),
    ] {
        let command = format!("kamea '{text}' 2>&1; echo $?");
        let said = shell(&command, &folder);
        assert!(said.contains(expected), "{text}: {said}");
        assert!(said.ends_with("\n1\n"), "{text}: {said}");
    }
    assert_eq!(server.interrupt().0, Some(0));
}

#[test]
fn two_who_chat_hear_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let chat = "tcp 127.0.0.1:0 => each(lines => publish_to chat => subscribe_to chat => unlines)";
    let server = Server::start(chat, folder.path());
    let (mut ada, mut bob) = (server.connect(), server.connect());
    // Messages sent before a client joined may or may not arrive.
    let hear = |client: &mut TcpStream, expected: &[u8]| {
        let (mut heard, mut byte) = (Vec::new(), [0]);
        while !heard.ends_with(expected) {
            client.read_exact(&mut byte).unwrap();
            heard.push(byte[0]);
        }
    };
    // The server echoes what each of them sends, once it has subscribed them.
    ada.write_all(b"I am here\n").unwrap();
    hear(&mut ada, b"I am here\n");
    bob.write_all(b"so am I\n").unwrap();
    hear(&mut bob, b"so am I\n");
    hear(&mut ada, b"so am I\n");
}

#[test]
fn a_websocket_client_speaks_over_tls() {
    let own = self_signed(&["localhost"]).unwrap();
    let tls = ServerTls::new(TlsOptions::new(vec![own.clone()])).unwrap();
    let scheduler = Scheduler::with_workers(1);
    let server = WebServer::new(Site::new(".")).tls(Tls::new(tls));
    let server = server.websocket("/echo", || echo);
    let listening = server.run(&scheduler, &["127.0.0.1:0".parse().unwrap()]);
    let listening = listening.unwrap();
    let port = listening.addresses()[0].port();
    let folder = tempfile::tempdir().unwrap();
    let (right, wrong) = (
        folder.path().join("own.pem"),
        folder.path().join("other.pem"),
    );
    fs::write(&right, own.to_pem()).unwrap();
    fs::write(&wrong, self_signed(&["localhost"]).unwrap().to_pem()).unwrap();
    let run = |options: &str| {
        kamea(&[&format!(
            "one_shot hello => websocket_client wss://localhost:{port}/echo {options} => console_echoer"
        )])
    };
    let output = run(&format!("authorities={}", right.display()));
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "hello\n",
        "{output:?}"
    );
    for (options, status, why) in [
        (
            format!("authorities={}", wrong.display()),
            1,
            "no authority",
        ),
        (String::new(), 1, "no authority"),
        ("authorities=/no/such.pem".to_owned(), 1, "`authorities`"),
    ] {
        let output = run(&options);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{options}: {said}");
        assert!(said.contains(why), "{options}: {said}");
    }
}

#[test]
fn a_picture_has_every_component_and_link() {
    let text = "read_file <a&b> => lines => tee(counter => console_echoer) => null_sink";
    let svg = String::from_utf8(kamea(&["draw", text]).stdout).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<rect ").count(), 4);
    assert_eq!(svg.matches("marker-end").count(), 3);
    assert!(svg.contains(">read_file &lt;a&amp;b&gt;</text>"), "{svg}");
}

#[test]
fn a_misspelt_command_is_recognised() {
    for (text, command) in [("lsit", "list"), ("shwo", "show"), ("drw", "draw")] {
        let output = kamea(&[text]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(&format!("`kamea {command}`")), "{said}");
    }
    let said = String::from_utf8(kamea(&["zzzz"]).stderr).unwrap();
    assert!(!said.contains("the command"), "{said}");
}

#[test]
fn help_explains_itself() {
    let output = kamea(&["--help"]);
    let text = String::from_utf8(output.stdout).unwrap();
    for word in [
        "list",
        "show",
        "draw",
        "--file",
        "--check",
        "--verbose",
        "--workers",
    ] {
        assert!(text.contains(word), "{word} in {text}");
    }
}
