//! The servers of the garden. Each writes a line for every request that it has understood: the
//! method, the target and the body in hexadecimal.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use kamea::Scheduler;
use kamea_components::net::testing::free_address;
use kamea_components::server::{Listening, Site, WebServer};
use kamea_components::web::{HandlerPorts, Response, Route};
use tempfile::TempDir;

/// The servers, by their names.
pub(super) const NAMES: [&str; 8] = [
    "nginx",
    "Apache",
    "lighttpd",
    "gunicorn",
    "uvicorn with h11",
    "uvicorn with httptools",
    "Node",
    "Kamea",
];

/// Longer than a server takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that runs.
pub(super) struct Server {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    /// Its configuration, and its record.
    folder: TempDir,
    _running: Running,
}

enum Running {
    Program(Child),
    Here {
        _listening: Listening,
        _scheduler: Scheduler,
    },
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Self::Program(child) = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A request as a server has understood it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) body: String,
}

impl Server {
    /// Starts the server with this name, and waits until it listens.
    pub(super) fn start(name: &'static str, environment: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Servers that are started by root run as other users.
        let anyone = fs::Permissions::from_mode(0o777);
        fs::set_permissions(folder.path(), anyone.clone()).unwrap();
        let record = folder.path().join("record");
        fs::write(&record, "").unwrap();
        fs::set_permissions(&record, anyone).unwrap();
        if name == "Kamea" {
            return here(name, folder, record);
        }
        let address = free_address().unwrap();
        let mut command = command(name, address, folder.path(), environment);
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name} is needed (`make test` installs it): {command:?}: {error}")
            });
        let mut server = Self {
            name,
            address,
            folder,
            _running: Running::Program(child),
        };
        server.wait();
        server
    }

    fn wait(&mut self) {
        let began = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            let log = fs::read_to_string(self.folder.path().join("log")).unwrap();
            assert!(
                began.elapsed() < PATIENCE,
                "{} does not listen: {log}",
                self.name
            );
            if let Running::Program(child) = &mut self._running
                && let Some(status) = child.try_wait().unwrap()
            {
                panic!("{} ended with {status}: {log}", self.name);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The requests that it has understood, in the order of the requests of a last connection.
    pub(super) fn record(&self) -> Vec<Seen> {
        let last = "GET /the-end HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(last.as_bytes()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        let began = Instant::now();
        loop {
            let record = fs::read_to_string(self.folder.path().join("record")).unwrap();
            let mut seen: Vec<_> = record.lines().map(parse).collect();
            let end = seen.iter().position(|seen| seen.target == "/the-end");
            if let Some(end) = end {
                seen.remove(end);
                return seen;
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{} writes nothing: {record}",
                self.name
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn parse(line: &str) -> Seen {
    let mut words = line.splitn(3, ' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let body = words.next().unwrap_or_default();
    // nginx writes JSON, the others hexadecimal.
    let body = match body.starts_with('"') {
        true => serde_json::from_str(body).unwrap(),
        false => {
            let digits = |at| u8::from_str_radix(&body[at..at + 2], 16).unwrap();
            let bytes = (0..body.len()).step_by(2).map(digits).collect();
            String::from_utf8(bytes).unwrap()
        }
    };
    Seen {
        method: method.to_owned(),
        target: target.to_owned(),
        body: if body == "-" { String::new() } else { body },
    }
}

/// The command of a server that keeps everything in `folder`.
fn command(name: &str, address: SocketAddr, folder: &Path, environment: &Path) -> Command {
    let (port, path) = (address.port(), folder.to_str().unwrap());
    let file = |name: &str, text: &str| {
        let file = folder.join(name);
        let text = text.replace("{folder}", path);
        fs::write(&file, text.replace("{port}", &port.to_string())).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    };
    let venv = |program: &str| {
        let mut command = Command::new(environment.join("bin/python"));
        command.args(["-m", program]);
        command
    };
    match name {
        "nginx" => {
            let mut command = Command::new("nginx");
            command.arg("-p").arg(folder).arg("-c");
            command.arg(file("nginx.conf", include_str!("nginx.conf")));
            command.args(["-e", "stderr"]);
            command
        }
        "Apache" => {
            file("echo.sh", include_str!("echo.sh"));
            let mut command = Command::new("apache2");
            command
                .arg("-f")
                .arg(file("apache.conf", include_str!("apache.conf")));
            command.arg("-DFOREGROUND");
            command
        }
        "lighttpd" => {
            file("echo.sh", include_str!("echo.sh"));
            let mut command = Command::new("lighttpd");
            command.arg("-D").arg("-f");
            command.arg(file("lighttpd.conf", include_str!("lighttpd.conf")));
            command
        }
        "Node" => {
            let mut command = Command::new("node");
            command.arg(file("echo.js", include_str!("echo.js")));
            command
        }
        "gunicorn" => {
            file("echo.py", include_str!("echo.py"));
            let mut command = venv("gunicorn");
            command.args(["--chdir", path, "-b", &address.to_string()]);
            command.args(["--keep-alive", "5", "--worker-tmp-dir", path, "echo:wsgi"]);
            command
        }
        _ => {
            file("echo.py", include_str!("echo.py"));
            let library = name.rsplit(' ').next().unwrap();
            let mut command = venv("uvicorn");
            command.args(["--app-dir", path, "--port", &port.to_string()]);
            command.args(["--http", library, "--lifespan", "off", "echo:asgi"]);
            command
        }
    }
}

/// A server of this project.
fn here(name: &'static str, folder: TempDir, record: PathBuf) -> Server {
    let echo = async move |io: &mut HandlerPorts| {
        while let Some(mut request) = io.requests.next().await {
            let body = match request.read_content(1 << 20).await {
                Ok(body) => body,
                Err(failure) => {
                    io.failures.send(failure).await?;
                    continue;
                }
            };
            let head = &request.head;
            let hex: String = body.iter().map(|byte| format!("{byte:02x}")).collect();
            let target = String::from_utf8_lossy(head.target.as_bytes());
            let line = format!("{} {target} {hex}\n", head.method);
            let mut file = fs::OpenOptions::new().append(true).open(&record)?;
            file.write_all(line.as_bytes())?;
            let response = Response::text("seen");
            io.responses.send(response.to(request.exchange)).await?;
        }
        Ok(())
    };
    let scheduler = Scheduler::with_workers(1);
    let server = WebServer::new(Site::new(".")).route("echo", Route::any_path(), echo);
    let listening = server
        .run(&scheduler, &[([127, 0, 0, 1], 0).into()])
        .unwrap();
    Server {
        name,
        address: listening.addresses()[0],
        folder,
        _running: Running::Here {
            _listening: listening,
            _scheduler: scheduler,
        },
    }
}
