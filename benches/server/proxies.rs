//! Proxies in front of backends that answer every request alike.

use std::fmt::Write as _;
use std::io::{BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};

use super::{Kind, Server, drain, free_address, pinned, pinned_to, program, run_folder, wait_for};
use crate::Error;

/// The core of the load, on which the backends run too.
pub(super) const OTHER_CORE: &str = "1";

/// Starts backends: floor servers, beside the load.
pub(crate) fn start_backends(count: usize) -> Result<(Vec<Child>, Vec<SocketAddr>), Error> {
    let (mut children, mut addresses) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let mut command = pinned_to(OTHER_CORE, &program("floor")?);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let lines = BufReader::new(child.stdout.take().ok_or("a backend without stdout")?);
        children.push(child);
        let kind = Kind::Floor { close: false };
        let (address, lines) = wait_for(lines, kind, "Listening on ")?;
        drain(lines);
        addresses.push(address.parse()?);
    }
    Ok((children, addresses))
}

impl Server {
    /// Starts a proxy in front of these backends, and checks that it answers.
    pub(crate) fn start_proxy(
        kind: Kind,
        data: &Path,
        backends: &[SocketAddr],
    ) -> Result<Self, Error> {
        let mut server = match kind {
            Kind::KameaProxy => start_ours(data, backends)?,
            Kind::NginxProxy => start_nginx(data, backends)?,
            _ => start_haproxy(data, backends)?,
        };
        server.find_processes()?;
        Ok(server)
    }
}

fn start_ours(data: &Path, backends: &[SocketAddr]) -> Result<Server, Error> {
    let config = run_folder(data, "kamea-proxy")?.join("proxy.conf");
    let mut text = String::from("host default {\n");
    for backend in backends {
        writeln!(text, "proxy_pass http://{backend};")?;
    }
    text.push_str("}\n");
    std::fs::write(&config, text)?;
    let mut command = pinned(&program("start_proxy")?);
    command.args(["--server-ip", "127.0.0.1", "--server-port", "0"]);
    command.args(["--workers", "1", "--config"]).arg(&config);
    Server::start_program(Kind::KameaProxy, command)
}

fn start_nginx(data: &Path, backends: &[SocketAddr]) -> Result<Server, Error> {
    let (address, run) = (free_address()?, run_folder(data, "nginx-proxy")?);
    let config = run.join("nginx.conf");
    let mut servers = String::new();
    for backend in backends {
        write!(servers, "server {backend}; ")?;
    }
    let shown = run.display();
    let text = format!(
        "daemon off; worker_processes 1; worker_rlimit_nofile 20000;
pid {shown}/nginx.pid; error_log stderr notice;
events {{ worker_connections 19000; multi_accept on; use epoll; }}
http {{
    access_log off; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 3600s;
    client_body_temp_path {shown}/body; proxy_temp_path {shown}/proxy;
    fastcgi_temp_path {shown}/fastcgi; uwsgi_temp_path {shown}/uwsgi; scgi_temp_path {shown}/scgi;
    upstream backends {{ {servers} keepalive 64; keepalive_requests 1000000000; }}
    server {{
        listen {address} backlog=1024;
        location / {{
            proxy_pass http://backends; proxy_http_version 1.1;
            proxy_set_header Connection \"\"; proxy_set_header Host $host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
        }}
    }}
}}
"
    );
    std::fs::write(&config, text)?;
    Server::start_with_nginx(Kind::NginxProxy, address, &config, Vec::new())
}

fn start_haproxy(data: &Path, backends: &[SocketAddr]) -> Result<Server, Error> {
    let (address, run) = (free_address()?, run_folder(data, "haproxy")?);
    let config = run.join("haproxy.cfg");
    let mut text = format!(
        "global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout connect 5s
    timeout client 3600s
    timeout server 60s
    http-reuse always
    option forwardfor
frontend clients
    bind {address}
    default_backend backends
backend backends
    balance roundrobin
"
    );
    for (number, backend) in backends.iter().enumerate() {
        writeln!(text, "    server b{number} {backend}")?;
    }
    std::fs::File::create(&config)?.write_all(text.as_bytes())?;
    let mut command = pinned(Path::new("haproxy"));
    command.args(["-db", "-q", "-f"]).arg(&config);
    let child = command.spawn()?;
    Server::once_it_listens(Kind::Haproxy, address, child)
}
