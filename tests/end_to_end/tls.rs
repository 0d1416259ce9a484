//! `spidey` over TLS, as curl and OpenSSL see it.

use std::fs;
use std::io::BufRead as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::inspect::{get, inspected};
use super::server::{PATIENCE, Server, built};

/// A folder of certificates that OpenSSL has made.
pub(crate) struct Made(TempDir);

impl Made {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// Makes `NAME.pem` and `NAME.key`, signed by the authority `AUTHORITY.pem`.
    pub(crate) fn signed(&self, name: &str, authority: &str) {
        let path = |name: &str, end: &str| self.path(&format!("{name}.{end}"));
        let request = Command::new("openssl")
            .args([
                "req",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ])
            .args(["-nodes", "-subj", &format!("/CN={name}"), "-keyout"])
            .arg(path(name, "key"))
            .arg("-out")
            .arg(path(name, "csr"))
            .output()
            .unwrap();
        assert!(request.status.success(), "{request:?}");
        fs::write(path(name, "ext"), format!("subjectAltName=DNS:{name}\n")).unwrap();
        let signed = Command::new("openssl")
            .args(["x509", "-req", "-days", "30", "-CAcreateserial", "-in"])
            .arg(path(name, "csr"))
            .arg("-CA")
            .arg(path(authority, "pem"))
            .arg("-CAkey")
            .arg(path(authority, "key"))
            .arg("-extfile")
            .arg(path(name, "ext"))
            .arg("-out")
            .arg(path(name, "pem"))
            .output()
            .unwrap();
        assert!(signed.status.success(), "{signed:?}");
    }

    /// Makes `NAME.ocsp`: the authority's response about a certificate that it has signed, which is
    /// valid (`V`) or revoked (`R`).
    fn status(&self, name: &str, authority: &str, status: &str) {
        let script = format!(
            "serial=$(openssl x509 -in {name}.pem -noout -serial | cut -d= -f2)
             revoked=; [ {status} = R ] && revoked=250101000000Z
             printf '{status}\\t491231235959Z\\t%s\\t%s\\tunknown\\t/CN={name}\\n' \
                 \"$revoked\" \"$serial\" >index
             openssl ocsp -issuer {authority}.pem -cert {name}.pem -reqout request
             openssl ocsp -index index -CA {authority}.pem -rsigner {authority}.pem \
                 -rkey {authority}.key -reqin request -respout made -ndays 7 && mv made {name}.ocsp"
        );
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(self.0.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }

    /// Sets the end of `NAME.ocsp` to a time that has passed. The server does not check signatures.
    fn let_expire(&self, name: &str) {
        let path = self.path(&format!("{name}.ocsp"));
        let mut bytes = fs::read(&path).unwrap();
        // The last generalized time is that of the next update.
        let at = bytes
            .windows(4)
            .rposition(|it| it == b"\x18\x0f20")
            .unwrap();
        bytes[at + 2..at + 17].copy_from_slice(b"20200101000000Z");
        fs::write(path, bytes).unwrap();
    }

    /// Makes `NAME.pem` and `NAME.key` for a host.
    pub(crate) fn certificate(&self, name: &str, host: &str) {
        let output = Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
            ])
            .args(["-nodes", "-days", "30", "-subj", &format!("/CN={host}")])
            .args(["-addext", &format!("subjectAltName=DNS:{host}")])
            .arg("-keyout")
            .arg(self.path(&format!("{name}.key")))
            .arg("-out")
            .arg(self.path(&format!("{name}.pem")))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let key = self.path(&format!("{name}.key"));
        fs::set_permissions(key, fs::Permissions::from_mode(0o600)).unwrap();
    }
}

/// Asks with curl, for a host whose address is that of the server.
fn curl(server: &Server, host: &str, port: u16, options: &[&str]) -> Output {
    let resolved = format!("{host}:{port}:{}", server.address.ip());
    Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--max-time",
            "30",
            "--resolve",
            &resolved,
        ])
        .args(options)
        .arg(format!("https://{host}:{port}/hello.txt"))
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What OpenSSL says of a handshake.
fn handshake(server: &Server, options: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-connect", &server.address.to_string()])
        .args(options)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn start(made: &Made, certificates: &[&str], options: &[&str]) -> Server {
    let mut all = Vec::new();
    for name in certificates {
        all.extend(["--tls-cert".to_owned(), made.text(&format!("{name}.pem"))]);
        all.extend(["--tls-key".to_owned(), made.text(&format!("{name}.key"))]);
    }
    let options: Vec<_> = all
        .iter()
        .map(String::as_str)
        .chain(options.iter().copied())
        .collect();
    Server::start(&options)
}

#[test]
fn each_host_has_its_certificate() {
    let made = Made::new();
    made.certificate("one", "one.example");
    made.certificate("two", "two.example");
    let server = start(
        &made,
        &["one", "two"],
        &["--host", "one.example", "--host", "two.example"],
    );
    let port = server.address.port();
    for (name, host) in [("one", "one.example"), ("two", "two.example")] {
        let authority = made.text(&format!("{name}.pem"));
        let output = curl(&server, host, port, &["--cacert", &authority]);
        assert_eq!(text(&output), "hello\n", "{output:?}");
    }
    // The first one is for everybody else.
    let shown = handshake(&server, &["-noservername"]);
    assert!(shown.contains("subject=CN = one.example"), "{shown}");
    let said = server.logged("certificate for two.example");
    assert!(said.contains("days left"), "{said}");
}

#[test]
fn versions_and_protocols_are_agreed_on() {
    let made = Made::new();
    made.certificate("one", "one.example");
    let server = start(&made, &["one"], &[]);
    for (options, expected) in [
        (&["-tls1_3"][..], "TLSv1.3"),
        (&["-tls1_2"], "TLSv1.2"),
        (&["-alpn", "h2,http/1.1"], "ALPN protocol: http/1.1"),
    ] {
        let shown = handshake(&server, options);
        assert!(shown.contains(expected), "{options:?}: {shown}");
    }
    // RFC 8996: "TLS 1.0 MUST NOT be used", and 1.1 neither. RFC 7301 section 3.2: "the server
    // SHALL respond with a fatal "no_application_protocol" alert".
    for (options, expected) in [
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..], "alert"),
        (&["-alpn", "h2"], "alert number 120"),
    ] {
        let shown = handshake(&server, options);
        assert!(shown.contains(expected), "{options:?}: {shown}");
    }
    let strict = start(&made, &["one"], &["--tls-min", "1.3"]);
    let shown = handshake(&strict, &["-tls1_2"]);
    assert!(shown.contains("alert protocol version"), "{shown}");
}

#[test]
fn http_can_lead_to_https() {
    let made = Made::new();
    made.certificate("one", "one.example");
    let options = ["--tls-port", "0", "--redirect-http", "--hsts", "63072000"];
    // The port is not known before it is bound: that of this machine's choice is not redirected to.
    let mut server = start(&made, &["one"], &options);
    let mut line = String::new();
    server.stdout.read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("Listening on ").unwrap();
    let port: u16 = address.rsplit_once(':').unwrap().1.parse().unwrap();
    let redirected = server.get("/hello.txt");
    assert_eq!(redirected.status, 308);
    let location = redirected.field("location").unwrap();
    assert_eq!(location, format!("https://test:{port}/hello.txt"));
    let authority = made.text("one.pem");
    let output = curl(
        &server,
        "one.example",
        port,
        &["--cacert", &authority, "--include"],
    );
    let response = text(&output);
    assert!(
        response.contains("Strict-Transport-Security: max-age=63072000\r\n"),
        "{output:?}"
    );
    assert!(response.ends_with("\r\n\r\nhello\n"));
}

#[test]
fn a_certificate_that_another_program_renews_is_noticed() {
    let made = Made::new();
    made.certificate("one", "one.example");
    made.certificate("new", "one.example");
    let server = start(&made, &["one"], &["-v"]);
    let port = server.address.port();
    let serial = |shown: &str| {
        let begin = shown.find("-----BEGIN CERTIFICATE-----").unwrap();
        shown[begin..begin + 400].to_owned()
    };
    let before = serial(&handshake(&server, &[]));
    // The pair is half-written for a while: the last good one stays in force.
    fs::copy(made.path("new.pem"), made.path("one.pem")).unwrap();
    let refused = server.logged("Not reloaded");
    assert!(
        refused.contains("the key does not match the certificate"),
        "{refused}"
    );
    assert_eq!(serial(&handshake(&server, &[])), before);
    fs::copy(made.path("new.key"), made.path("one.key")).unwrap();
    server.logged("Reloaded");
    let authority = made.text("new.pem");
    // A worker may accept a connection before it takes the new configuration.
    let mut output = curl(&server, "one.example", port, &["--cacert", &authority]);
    for _ in 0..100 {
        if output.status.success() {
            break;
        }
        output = curl(&server, "one.example", port, &["--cacert", &authority]);
    }
    assert_eq!(text(&output), "hello\n", "{output:?}");
}

#[test]
fn clients_can_be_asked_for_a_certificate() {
    let made = Made::new();
    made.certificate("one", "one.example");
    for authority in ["ours", "theirs"] {
        made.certificate(authority, &format!("{authority}.example"));
    }
    made.signed("friend", "ours");
    made.signed("stranger", "theirs");
    let authorities = made.text("ours.pem");
    let (own, friend) = (made.text("one.pem"), made.text("friend.pem"));
    let (key, stranger) = (made.text("friend.key"), made.text("stranger.pem"));
    let strange_key = made.text("stranger.key");
    let nobody = ["--cacert", &own];
    let friendly = ["--cacert", &own, "--cert", &friend, "--key", &key];
    let strange = ["--cacert", &own, "--cert", &stranger, "--key", &strange_key];
    let required = start(&made, &["one"], &["--tls-client-ca", &authorities]);
    let optional = ["--tls-client-ca", &authorities, "--tls-client-optional"];
    let optional = start(&made, &["one"], &optional);
    for (server, options, is_served) in [
        (&required, &friendly[..], true),
        (&required, &nobody, false),
        (&required, &strange, false),
        (&optional, &friendly, true),
        (&optional, &nobody, true),
        (&optional, &strange, false),
    ] {
        let output = curl(server, "one.example", server.address.port(), options);
        assert_eq!(output.status.success(), is_served, "{options:?} {output:?}");
    }
}

#[test]
fn a_process_for_each_connection_speaks_tls_too() {
    let made = Made::new();
    made.certificate("one", "one.example");
    let server = start(&made, &["one"], &["-f"]);
    let authority = made.text("one.pem");
    for _ in 0..2 {
        let port = server.address.port();
        let output = curl(&server, "one.example", port, &["--cacert", &authority]);
        assert_eq!(text(&output), "hello\n", "{output:?}");
    }
}

/// Exchanges something with the server, so that the ticket has come. `options` are those of
/// `openssl s_client`; the result is its output.
fn exchange(server: &Server, options: &str) -> String {
    let command = format!(
        "printf 'GET /hello.txt HTTP/1.0\\r\\n\\r\\n' | openssl s_client -ign_eof -connect {} {options}",
        server.address
    );
    let output = Command::new("timeout")
        .args(["60", "sh", "-c", &command])
        .output();
    String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
}

#[test]
fn a_session_is_resumed_in_another_process_of_the_server() {
    let made = Made::new();
    made.certificate("one", "one.example");
    let server = start(&made, &["one"], &["-f", "-v"]);
    for version in ["-tls1_3", "-tls1_2"] {
        let session = made.text(&format!("session{version}"));
        let first = exchange(&server, &format!("{version} -sess_out {session}"));
        assert!(first.contains("New, TLSv1"), "{first}");
        for _ in 0..2 {
            let next = exchange(&server, &format!("{version} -sess_in {session}"));
            assert!(next.contains("Reused, TLSv1"), "{version}: {next}");
            assert!(next.contains("hello\n"), "{next}");
        }
    }
    // Another server has other keys.
    let other = start(&made, &["one"], &["-f"]);
    let session = made.text("session-tls1_3");
    let foreign = exchange(&other, &format!("-sess_in {session}"));
    assert!(foreign.contains("New, TLSv1.3"), "{foreign}");
}

#[test]
fn a_ticket_does_not_stand_in_for_a_certificate_that_a_reload_requires() {
    let made = Made::new();
    made.certificate("one", "one.example");
    made.certificate("ours", "ours.example");
    let configuration = |more: &str| {
        let text = format!(
            "tls-cert = [{:?}]\ntls-key = [{:?}]\n{more}",
            made.text("one.pem"),
            made.text("one.key")
        );
        fs::write(made.path("spidey.toml"), text).unwrap();
    };
    configuration("");
    let server = Server::start(&["-v", "-c", &made.text("spidey.toml")]);
    let session = made.text("session");
    exchange(&server, &format!("-sess_out {session}"));
    assert!(exchange(&server, &format!("-sess_in {session}")).contains("Reused"));
    configuration(&format!("tls-client-ca = {:?}\n", made.text("ours.pem")));
    server.signal("HUP");
    server.logged("Reloaded");
    // A worker may accept a connection before it takes the new configuration.
    let mut shown = exchange(&server, &format!("-sess_in {session}"));
    for _ in 0..100 {
        if shown.contains("New, ") {
            break;
        }
        shown = exchange(&server, &format!("-sess_in {session}"));
    }
    assert!(
        !shown.contains("Reused") && !shown.contains("hello\n"),
        "{shown}"
    );
}

#[test]
fn an_ocsp_response_is_sent_with_the_certificate_and_reloaded_with_it() {
    let made = Made::new();
    made.certificate("ours", "ours.example");
    made.signed("one", "ours");
    made.signed("two", "ours");
    made.status("one", "ours", "V");
    let options = ["--tls-ocsp", &made.text("one.ocsp"), "-v"];
    let server = start(&made, &["one"], &options);
    for version in ["-tls1_3", "-tls1_2"] {
        let shown = handshake(&server, &["-status", version]);
        assert!(
            shown.contains("OCSP Response Status: successful"),
            "{shown}"
        );
        assert!(shown.contains("Cert Status: good"), "{shown}");
        let shown = handshake(&server, &[version]);
        assert!(!shown.contains("OCSP Response Status"), "{shown}");
    }
    // What cannot be used does not replace what is good.
    fs::write(made.path("one.ocsp"), "nothing").unwrap();
    let refused = server.logged("Not reloaded");
    assert!(
        refused.contains("it is not an OCSP response in DER form"),
        "{refused}"
    );
    assert!(handshake(&server, &["-status"]).contains("Cert Status: good"));
    // One that is out of date is taken, and not sent.
    made.status("one", "ours", "V");
    made.let_expire("one");
    server.logged("Reloaded the certificates");
    let mut shown = handshake(&server, &["-status"]);
    for _ in 0..100 {
        if shown.contains("OCSP response: no response sent") {
            break;
        }
        shown = handshake(&server, &["-status"]);
    }
    assert!(shown.contains("OCSP response: no response sent"), "{shown}");
}

#[test]
fn an_ocsp_response_that_cannot_be_used_is_said_before_anything_is_served() {
    let made = Made::new();
    made.certificate("ours", "ours.example");
    made.signed("one", "ours");
    made.signed("two", "ours");
    made.status("two", "ours", "V");
    fs::copy(made.path("two.ocsp"), made.path("other.ocsp")).unwrap();
    made.status("one", "ours", "R");
    fs::copy(made.path("one.ocsp"), made.path("revoked.ocsp")).unwrap();
    // RFC 6960 section 4.2.1: "unauthorized (6)", without further bytes.
    fs::write(made.path("refused.ocsp"), b"\x30\x03\x0a\x01\x06").unwrap();
    made.status("one", "ours", "V");
    made.let_expire("one");
    let check = |options: &[&str]| {
        let output = Command::new(built("spidey"))
            .args(["-p", "0", "-b", "127.0.0.1", "--check"])
            .args(options)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (certificate, key) = (made.text("one.pem"), made.text("one.key"));
    let pair = ["--tls-cert", &certificate, "--tls-key", &key];
    for (file, expected) in [
        ("other.ocsp", "it is about another certificate"),
        ("revoked.ocsp", "it says that the certificate is revoked"),
        (
            "refused.ocsp",
            "the authority has answered with the error 6",
        ),
        ("one.pem", "it is not an OCSP response in DER form"),
        ("missing.ocsp", "cannot read"),
    ] {
        let file = made.text(file);
        let (status, _, said) = check(&[&pair[..], &["--tls-ocsp", &file]].concat());
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains(expected) && said.contains(&file), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    let ocsp = made.text("one.ocsp");
    let both = [&pair[..], &["--tls-ocsp", &ocsp, "--tls-ocsp", &ocsp]].concat();
    let (status, _, said) = check(&both);
    assert!(
        status == Some(2) && said.contains("1 certificates and 2 OCSP"),
        "{said}"
    );
    let (status, _, said) = check(&["--tls-ocsp", &ocsp]);
    assert!(
        status == Some(2) && said.contains("--tls-ocsp needs a certificate"),
        "{said}"
    );
    let (status, said, _) = check(&[&pair[..], &["--tls-ocsp", &ocsp]].concat());
    assert_eq!(status, Some(0), "{said}");
    assert!(
        said.contains("warning: the OCSP response for one is out of date"),
        "{said}"
    );
}

/// Starts a server with a certificate that it signs itself, and keeps in a folder.
fn start_self_signed(data: &Path) -> Server {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("hello.txt"), "hello\n").unwrap();
    let mut command = Command::new(built("spidey"));
    command
        .args(["-p", "0", "-b", "127.0.0.1", "--tls-self-signed", "-d"])
        .arg(root.path())
        .env("XDG_DATA_HOME", data);
    Server::start_with(root, command)
}

#[test]
fn a_self_signed_certificate_is_kept_and_can_be_trusted() {
    let data = tempfile::tempdir().unwrap();
    let server = start_self_signed(data.path());
    let first = server.logged("Fingerprint (SHA-256): ");
    let trust = server.logged("To trust it: ");
    let kept = data.path().join("spidey");
    assert!(trust.contains(kept.to_str().unwrap()), "{trust}");
    let mode = fs::metadata(kept.join("key.pem"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let authority = kept.join("certificate.pem");
    let trusting = ["--cacert", authority.to_str().unwrap()];
    let output = curl(&server, "localhost", server.address.port(), &trusting);
    assert_eq!(text(&output), "hello\n", "{output:?}");
    drop(server);
    let server = start_self_signed(data.path());
    assert_eq!(server.logged("Fingerprint (SHA-256): "), first);
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_before_anything_is_served() {
    let made = Made::new();
    made.certificate("one", "one.example");
    made.certificate("two", "two.example");
    let one = (made.text("one.pem"), made.text("one.key"));
    let two = made.text("two.key");
    let missing = made.text("missing.pem");
    for (options, expected) in [
        (
            &["--tls-cert", &one.0, "--tls-key", &two][..],
            "the key does not match the certificate",
        ),
        (&["--tls-cert", &missing], "missing.pem: No such file"),
        (&["--tls-cert", &one.0], "no private key in PEM form"),
        (
            &["--tls-cert", &one.1, "--tls-key", &one.1],
            "no certificate in PEM form",
        ),
        (
            &[
                "--tls-cert",
                &one.0,
                "--tls-cert",
                &one.0,
                "--tls-key",
                &one.1,
            ],
            "there are 2 certificates and 1 keys",
        ),
        (&["--tls-port", "8443"], "--tls-port needs a certificate"),
        (&["--redirect-http"], "--redirect-http needs a certificate"),
        (
            &["--tls-cert", &one.0, "--tls-key", &one.1, "--redirect-http"],
            "--redirect-http needs --tls-port",
        ),
        (
            &[
                "--tls-cert",
                &one.0,
                "--tls-key",
                &one.1,
                "--tls-min",
                "1.1",
            ],
            "1.2, 1.3",
        ),
        (
            &["--tls-self-signed", "--tls-cert", &one.0],
            "cannot be used with",
        ),
    ] {
        let output = Command::new(built("spidey"))
            .args(["-p", "0", "-b", "127.0.0.1", "--check"])
            .args(options)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{options:?} {said}");
        assert!(said.contains(expected), "{options:?} {said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn certificates_and_keys_are_never_served() {
    let made = Made::new();
    made.certificate("one", "one.example");
    let root = tempfile::tempdir().unwrap();
    for name in ["one.pem", "one.key"] {
        fs::copy(made.path(name), root.path().join(name)).unwrap();
    }
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = (path("one.pem"), path("one.key"));
    let options = [
        "--tls-cert",
        &certificate,
        "--tls-key",
        &key,
        "--tls-port",
        "0",
    ];
    let server = Server::start_in(root, &options);
    for name in ["/one.pem", "/one.key"] {
        assert_eq!(server.get(name).status, 404, "{name}");
    }
    assert!(!server.get("/").text().contains("one.key"));
}

/// The metrics of a server, once they have these texts.
fn metrics_with(inspector: SocketAddr, texts: &[&str]) -> String {
    let until = Instant::now() + PATIENCE;
    loop {
        let metrics = get(inspector, "/metrics").text();
        let missing = texts.iter().find(|text| !metrics.contains(**text));
        match missing {
            None => return metrics,
            Some(text) => assert!(Instant::now() < until, "{text} in {metrics}"),
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn handshakes_and_certificates_are_shown() {
    let made = Made::new();
    made.certificate("one", "one.example");
    let (certificate, key) = (made.text("one.pem"), made.text("one.key"));
    let options = ["--tls-cert", &certificate, "--tls-key", &key];
    let (server, inspector) = inspected(&options);
    let session = made.text("session");
    let handshake = |more: &[&str]| exchange(&server, &more.join(" "));
    assert!(handshake(&["-sess_out", &session]).contains("200 OK"));
    assert!(handshake(&["-sess_in", &session]).contains("200 OK"));
    // The server has nothing in common with this one, and this client trusts nobody.
    handshake(&["-tls1_2", "-cipher", "AES128-SHA"]);
    let output = curl(&server, "one.example", server.address.port(), &[]);
    assert!(!output.status.success());

    let expected = [
        "kamea_tls_handshakes_total{kind=\"full\"} 1",
        "kamea_tls_handshakes_total{kind=\"resumed\"} 1",
        "kamea_tls_handshakes_failed_total{ended_by=\"client\",reason=\"unknown_ca\"} 1",
        "kamea_tls_handshakes_failed_total{ended_by=\"server\",reason=\"handshake_failure\"} 1",
        "kamea_tls_handshakes_waiting 0",
    ];
    let metrics = metrics_with(inspector, &expected);
    let days = metrics.lines().find_map(|line| {
        line.strip_prefix("kamea_tls_certificate_days_left{names=\"one.example\",")
    });
    // It was made for 30 days, some moments ago.
    let days = days.and_then(|days| days.rsplit_once(' '));
    assert!(
        days.is_some_and(|(_, days)| matches!(days, "29" | "30")),
        "{metrics}"
    );
    assert!(
        metrics.contains("kamea_graphs{graph=\"handshake\"} "),
        "{metrics}"
    );
    let shown: serde_json::Value = serde_json::from_slice(&get(inspector, "/tls").body).unwrap();
    assert_eq!(
        (&shown["full"], &shown["resumed"]),
        (&1.into(), &1.into()),
        "{shown}"
    );
    let days = shown["certificates"][0]["days_left"].as_i64();
    assert!(matches!(days, Some(29 | 30)), "{shown}");

    // A renewal is shown too. A server without TLS shows nothing of it.
    made.certificate("one", "other.example");
    metrics_with(inspector, &["{names=\"other.example\","]);
    let (_server, inspector) = inspected(&[]);
    let metrics = get(inspector, "/metrics").text();
    assert!(
        metrics.contains("kamea_graphs") && !metrics.contains("kamea_tls"),
        "{metrics}"
    );
}
