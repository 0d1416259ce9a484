//! The rows of TLS: requests, handshakes, a large file, and idle connections.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use kamea_benches::http::body;
use kamea_components::tls::{ClientTls, Session, self_signed};

use crate::idle::{CONNECTIONS, KIB, settled};
use crate::large::{GIB, LARGE_LEN};
use crate::load::{Ask, Reuse};
use crate::requests::{UNIT, cpu_per_request};
use crate::server::{ANSWER_TIME, Kind, Server};
use crate::table::{Figure, Row, Target};
use crate::{Error, Setting};

/// Those that serve files; HAProxy serves none.
const KINDS: [Kind; 2] = [Kind::KameaTls, Kind::NginxTls];

/// Writes the certificate of all servers, with an ECDSA P-256 key: `tls.pem`, `tls.key`, and both
/// in `tls-both.pem`.
pub(crate) fn write_certificate(data: &Path) -> Result<(), Error> {
    let certificate = self_signed(&["localhost", "127.0.0.1"])?;
    let key = certificate
        .key_to_pem()
        .ok_or("a certificate without key")?;
    std::fs::write(data.with_file_name("tls.pem"), certificate.to_pem())?;
    std::fs::write(data.with_file_name("tls.key"), &key)?;
    let both = certificate.to_pem() + &key;
    Ok(std::fs::write(data.with_file_name("tls-both.pem"), both)?)
}

/// One request after another on each connection.
pub(crate) fn keep_alive(setting: &Setting) -> Result<Vec<Row>, Error> {
    let kinds = [Kind::KameaTls, Kind::NginxTls, Kind::HaproxyTls];
    let contenders = kinds.map(|kind| (kind.name(), kind, Ask::SMALL));
    Ok(vec![Row {
        what: "1 KiB file over TLS 1.3, keep-alive",
        unit: UNIT,
        figures: cpu_per_request(setting, &contenders, Reuse::KeepAlive)?,
        targets: vec![Target::MostOf(0.85, "nginx")],
    }])
}

/// A connection for each request, with a full handshake or with one that resumes a session.
pub(crate) fn handshakes(setting: &Setting) -> Result<Vec<Row>, Error> {
    let kinds = [Kind::KameaTls, Kind::NginxTls, Kind::HaproxyTls];
    let servers = kinds.map(|kind| Server::start(kind, &setting.data));
    let servers = servers.into_iter().collect::<Result<Vec<_>, _>>()?;
    let figures = || kinds.map(|kind| Figure::new(kind.name()));
    let (mut full, mut resumed) = (figures(), figures());
    for _ in 0..setting.rounds {
        for (index, server) in servers.iter().enumerate() {
            for (option, figures) in [("-new", &mut full), ("-reuse", &mut resumed)] {
                let before = server.cpu_us()?;
                let count = connect_for(server, option, setting.seconds)?;
                let spent = server.cpu_us()? - before;
                figures[index].rounds.push(spent / count);
            }
        }
    }
    let row = |what, figures: [Figure; 3]| Row {
        what,
        unit: "us of CPU per connection",
        figures: figures.into(),
        targets: vec![Target::MostOf(1.0, "nginx")],
    };
    Ok(vec![
        row("1 KiB file over TLS 1.3, a full handshake each", full),
        row("1 KiB file over TLS 1.3, a resumed session each", resumed),
    ])
}

/// Makes connections one after another with a request each, and returns how many.
fn connect_for(server: &Server, option: &str, seconds: u32) -> Result<f64, Error> {
    let output = Command::new("openssl")
        .args(["s_time", "-tls1_3", option, "-www", "/small.txt", "-time"])
        .args([&seconds.to_string(), "-connect"])
        .arg(server.address.to_string())
        .stdin(Stdio::null())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    count_of(&text).ok_or_else(|| {
        let error = String::from_utf8_lossy(&output.stderr);
        format!("openssl s_time with {}: {text} {error}", server.kind.name()).into()
    })
}

/// The number before ` connections in `.
fn count_of(text: &str) -> Option<f64> {
    let (before, _) = text.split_once(" connections in ")?;
    let count = before.split_whitespace().last()?.parse().ok()?;
    (count > 0.0).then_some(count)
}

/// The large file, again and again, to one client.
pub(crate) fn large_file(setting: &Setting) -> Result<Vec<Row>, Error> {
    let mut throughput = KINDS.map(|kind| Figure::new(kind.name()));
    let mut work = KINDS.map(|kind| Figure::new(kind.name()));
    for round in 0..=setting.rounds {
        for (index, kind) in KINDS.into_iter().enumerate() {
            let server = Server::start(kind, &setting.data)?;
            let before = server.cpu_us()?;
            let seconds = download(&server)?;
            let gibibytes = LARGE_LEN as f64 / GIB;
            // The first round only brings the file into the page cache.
            if round > 0 {
                throughput[index].rounds.push(gibibytes / seconds);
                let spent = (server.cpu_us()? - before) / 1e6;
                work[index].rounds.push(spent / gibibytes);
            }
        }
    }
    Ok(vec![
        Row {
            what: "1 GiB file over TLS 1.3, one client",
            unit: "GiB/s",
            figures: throughput.into(),
            targets: vec![Target::LeastOf(1.0, "nginx")],
        },
        Row {
            what: "1 GiB file over TLS 1.3",
            unit: "seconds of CPU per GiB",
            figures: work.into(),
            targets: vec![Target::MostOf(1.0, "nginx")],
        },
    ])
}

/// Returns the seconds that curl needs for the file.
fn download(server: &Server) -> Result<f64, Error> {
    let output = Command::new("curl")
        .args([
            "--insecure",
            "--silent",
            "--show-error",
            "--output",
            "/dev/null",
        ])
        .args(["--write-out", "%{size_download} %{time_total}"])
        .arg(format!("https://{}/large.bin", server.address))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let wrong = || {
        let error = String::from_utf8_lossy(&output.stderr);
        format!("curl with {}: {text} {error}", server.kind.name())
    };
    let (size, seconds) = text.split_once(' ').ok_or_else(wrong)?;
    if size.parse() != Ok(LARGE_LEN) {
        return Err(wrong().into());
    }
    Ok(seconds.parse()?)
}

/// The memory of idle connections.
pub(crate) fn idle(setting: &Setting) -> Result<Vec<Row>, Error> {
    let mut memory = KINDS.map(|kind| Figure::new(kind.name()));
    for _ in 0..setting.rounds {
        for (index, kind) in KINDS.into_iter().enumerate() {
            let server = Server::start(kind, &setting.data)?;
            crate::load::run(&server, &Ask::SMALL, Reuse::KeepAlive, 1)?;
            let before = settled(&server)?;
            let open = || SecureStream::open(&server);
            let connections: Result<Vec<_>, Error> = (0..CONNECTIONS).map(|_| open()).collect();
            let connections = connections?;
            let growth = settled(&server)? - before;
            for connection in &connections {
                connection.check_open()?;
            }
            memory[index]
                .rounds
                .push(growth / connections.len() as f64 / KIB);
        }
    }
    Ok(vec![Row {
        what: "an idle connection over TLS 1.3, of 9,000",
        unit: "KiB resident",
        figures: memory.into(),
        targets: vec![Target::Most(6.0)],
    }])
}

/// A connection that has had one answer. It trusts every server.
pub(crate) struct SecureStream(TcpStream);

impl SecureStream {
    /// Connects, and checks that the answer is the one that all servers must give.
    pub(crate) fn open(server: &Server) -> Result<Self, Error> {
        let mut stream = TcpStream::connect(server.address)?;
        stream.set_read_timeout(Some(ANSWER_TIME))?;
        let tls = ClientTls::trusting_anyone()?.without_resumption();
        let mut session = Session::client(&tls, "localhost")?;
        let (mut answer, expected) = (Vec::new(), body());
        let mut has_asked = false;
        let mut records = vec![0; 16 * 1024];
        while !answer.ends_with(&expected) {
            stream.write_all(&session.take_outgoing())?;
            if !session.is_handshaking() && !has_asked {
                let mut request = Vec::new();
                session.encrypt(
                    b"GET /small.txt HTTP/1.1\r\nHost: localhost\r\n\r\n",
                    &mut request,
                )?;
                stream.write_all(&request)?;
                has_asked = true;
            }
            let count = stream.read(&mut records)?;
            if count == 0 {
                return Err(format!("{} closed a connection", server.kind.name()).into());
            }
            session.receive(&records[..count])?;
            answer.extend_from_slice(&session.take_plaintext());
        }
        match answer.starts_with(b"HTTP/1.1 200 ") {
            true => Ok(Self(stream)),
            false => Err(format!("{}: not a 200", server.kind.name()).into()),
        }
    }

    /// Fails if the server has closed it, or sent something.
    fn check_open(&self) -> Result<(), Error> {
        self.0.set_nonblocking(true)?;
        match self.0.peek(&mut [0]) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Ok(()),
            _ => Err("an idle connection did not stay open".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_openssl_is_understood() {
        let said = "Collecting connection statistics for 4 seconds\n****\n\n\
            2391 connections in 1.92s; 1245.31 connections/user sec, bytes read 2869200\n\
            2391 connections in 5 real seconds, 1200 bytes read per connection\n";
        assert_eq!(count_of(said), Some(2391.0));
        assert_eq!(
            count_of("0 connections in 4.00s; 0 connections/user sec"),
            None
        );
        assert_eq!(count_of("connect error"), None);
    }
}
