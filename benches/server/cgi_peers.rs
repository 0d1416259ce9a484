//! The peers that run programs: how they are configured and started. Each has a configuration of
//! its own, and ignores that of the system.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Stdio;

use super::{Kind, Server, free_address, nginx_config, pinned, run_folder};
use crate::Error;

/// How many programs fcgiwrap runs at once: the default of `spidey`.
const AT_ONCE: &str = "32";

/// nginx in front of fcgiwrap, which gets its socket from the harness, as its standard input.
pub(super) fn start_fcgiwrap(data: &Path) -> Result<Server, Error> {
    let (address, run) = (free_address()?, run_folder(data, "nginx-fcgiwrap")?);
    let socket = run.join("fcgiwrap.sock");
    // A socket of an earlier run.
    let _ = std::fs::remove_file(&socket);
    let listener = OwnedFd::from(UnixListener::bind(&socket)?);
    let mut command = pinned(Path::new("fcgiwrap"));
    let fcgiwrap = command
        .args(["-c", AT_ONCE])
        .stdin(Stdio::from(listener))
        .spawn()?;
    let config = run.join("nginx.conf");
    let more = nginx_location(&socket);
    std::fs::write(
        &config,
        nginx_config(&run, data, &address.to_string(), &more),
    )?;
    Server::start_with_nginx(Kind::Fcgiwrap, address, &config, vec![fcgiwrap])
}

/// The part of nginx that passes requests on, without the temporary file for slow clients.
fn nginx_location(socket: &Path) -> String {
    format!(
        "location /cgi-bin/ {{ fastcgi_pass unix:{}; fastcgi_buffers 16 64k; fastcgi_max_temp_file_size 0;
        fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; fastcgi_param SCRIPT_NAME $fastcgi_script_name;
        fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;
        fastcgi_param GATEWAY_INTERFACE CGI/1.1; fastcgi_param SERVER_PROTOCOL $server_protocol;
        fastcgi_param SERVER_NAME $server_name; fastcgi_param SERVER_PORT $server_port;
        fastcgi_param REMOTE_ADDR $remote_addr; fastcgi_param SERVER_SOFTWARE nginx; }}",
        socket.display()
    )
}

/// Apache with as many threads as there may be connections, and only the modules that it needs.
pub(super) fn start_apache(data: &Path) -> Result<Server, Error> {
    let (address, run) = (free_address()?, run_folder(data, "apache")?);
    let config = run.join("apache.conf");
    std::fs::write(&config, apache_config(&run, data, address))?;
    let mut command = pinned(Path::new("apache2"));
    command.args(["-D", "FOREGROUND", "-f"]).arg(&config);
    let ready = "resuming normal operations";
    Server::start_peer(Kind::Apache, address, command, ready, Vec::new())
}

fn apache_config(run: &Path, data: &Path, address: SocketAddr) -> String {
    // It serves nothing as root, so everybody must be able to read the data.
    let user = if rustix::process::geteuid().is_root() {
        "User nobody\nGroup nogroup\n"
    } else {
        ""
    };
    let (run, data) = (run.display(), data.display());
    format!(
        "{user}ServerRoot /usr/lib/apache2
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule alias_module modules/mod_alias.so
LoadModule cgid_module modules/mod_cgid.so
DefaultRuntimeDir {run}
PidFile {run}/apache.pid
ScriptSock {run}/cgid.sock
ErrorLog /dev/stderr
LogLevel notice
ServerName localhost
Listen {address}
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
MaxKeepAliveRequests 0
KeepAliveTimeout 3600
DocumentRoot {data}
<Directory {data}>
    Require all granted
    AllowOverride None
    Options FollowSymLinks
</Directory>
ScriptAlias /cgi-bin/ {data}/cgi-bin/
"
    )
}

/// lighttpd with its defaults: one process that starts the programs itself.
pub(super) fn start_lighttpd(data: &Path) -> Result<Server, Error> {
    let (address, run) = (free_address()?, run_folder(data, "lighttpd")?);
    let config = run.join("lighttpd.conf");
    std::fs::write(&config, lighttpd_config(data, address))?;
    let mut command = pinned(Path::new("lighttpd"));
    command.arg("-D").arg("-f").arg(&config);
    Server::start_peer(
        Kind::Lighttpd,
        address,
        command,
        "server started",
        Vec::new(),
    )
}

fn lighttpd_config(data: &Path, address: SocketAddr) -> String {
    format!(
        r#"server.document-root = "{}"
server.bind = "{}"
server.port = {}
server.modules = ("mod_cgi")
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 3600
mimetype.assign = (".txt" => "text/plain")
$HTTP["url"] =~ "^/cgi-bin/" {{ cgi.assign = ("" => "") }}
"#,
        data.display(),
        address.ip(),
        address.port()
    )
}
