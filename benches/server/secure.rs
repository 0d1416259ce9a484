//! Servers over TLS. All have the same certificate.

use std::path::{Path, PathBuf};
use std::{fs, io};

use super::{Kind, Server, free_address, nginx_config, pinned, run_folder};
use crate::Error;

/// The files of the certificate, as `tls::write_certificate` has written them.
pub(super) fn certificate(data: &Path) -> (PathBuf, PathBuf) {
    let file = |name: &str| data.with_file_name(name);
    (file("tls.pem"), file("tls.key"))
}

pub(super) fn start_nginx(data: &Path) -> Result<Server, Error> {
    let (address, run) = (free_address()?, run_folder(data, "nginx-tls")?);
    let config = run.join("nginx.conf");
    let (certificate, key) = certificate(data);
    let more = format!(
        "ssl_certificate {}; ssl_certificate_key {}; ssl_protocols TLSv1.2 TLSv1.3;",
        certificate.display(),
        key.display()
    );
    let listen = format!("{address} ssl");
    fs::write(&config, nginx_config(&run, data, &listen, &more))?;
    Server::start_with_nginx(Kind::NginxTls, address, &config, Vec::new())
}

/// HAProxy answers by itself, with the small file from memory.
pub(super) fn start_haproxy(data: &Path) -> Result<Server, Error> {
    let (address, run) = (free_address()?, run_folder(data, "haproxy-tls")?);
    let config = run.join("haproxy.cfg");
    fs::write(&config, haproxy_config(data, &address.to_string()))?;
    let mut command = pinned(Path::new("haproxy"));
    command.args(["-db", "-q", "-f"]).arg(&config);
    let child = command
        .spawn()
        .map_err(|error: io::Error| format!("haproxy: {error}; apt-get install haproxy"))?;
    Server::once_it_listens(Kind::HaproxyTls, address, child)
}

fn haproxy_config(data: &Path, address: &str) -> String {
    format!(
        "global
    nbthread 1
    maxconn 4000
defaults
    mode http
    timeout connect 5s
    timeout client 3600s
    timeout server 60s
frontend clients
    bind {address} ssl crt {}
    http-request return status 200 content-type text/plain file {} if {{ path /small.txt }}
    http-request return status 404
",
        data.with_file_name("tls-both.pem").display(),
        data.join("small.txt").display()
    )
}
