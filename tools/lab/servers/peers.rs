//! The configurations of the peers. Each has a file of its own, and ignores the system's files.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::json;

/// The values in a configuration.
#[derive(Debug)]
pub(super) struct Settings<'a> {
    /// The folder that is served.
    pub(super) site: &'a Path,
    /// The folder for the server's own files.
    pub(super) run: &'a Path,
    pub(super) address: SocketAddr,
    /// The limit of processes or threads that serve.
    pub(super) workers: usize,
    /// The socket of the program that runs CGI scripts, for servers that cannot do so themselves.
    pub(super) fastcgi: Option<&'a Path>,
}

/// The name of a configuration, its text, and the arguments with which a server reads it and stays
/// in the foreground.
pub(super) type Configured = (&'static str, String, Vec<OsString>);

/// nginx set up for speed: sendfile, cached descriptors, no access log.
pub(super) fn nginx(settings: &Settings<'_>) -> Configured {
    let cgi = settings.fastcgi.map(nginx_fastcgi).unwrap_or_default();
    // Its workers must be able to read the files of the user that runs the experiments.
    let user = if is_root() { "user root root;\n" } else { "" };
    let (run, site) = (settings.run.display(), settings.site.display());
    let configuration = format!(
        "{user}daemon off; worker_processes {workers}; pid {run}/nginx.pid; error_log stderr;
events {{ worker_connections 1024; multi_accept on; }}
http {{
    sendfile on; tcp_nopush on; tcp_nodelay on;
    open_file_cache max=1000; access_log off; keepalive_requests 1000000000;
    types {{ text/plain txt; }} default_type application/octet-stream;
    client_body_temp_path {run}/body; proxy_temp_path {run}/proxy; fastcgi_temp_path {run}/fastcgi;
    uwsgi_temp_path {run}/uwsgi; scgi_temp_path {run}/scgi;
    autoindex on;
    server {{ listen {address} backlog=1024; root {site}; {cgi} }}
}}
",
        workers = settings.workers,
        address = settings.address,
    );
    let arguments = ["-e", "stderr", "-c"].map(OsString::from);
    ("nginx.conf", configuration, arguments.into())
}

fn nginx_fastcgi(socket: &Path) -> String {
    format!(
        "location /cgi-bin/ {{ fastcgi_pass unix:{};
        fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name; fastcgi_param SCRIPT_NAME $fastcgi_script_name;
        fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method;
        fastcgi_param GATEWAY_INTERFACE CGI/1.1; fastcgi_param SERVER_PROTOCOL $server_protocol;
        fastcgi_param SERVER_NAME $server_name; fastcgi_param SERVER_PORT $server_port;
        fastcgi_param REMOTE_ADDR $remote_addr; fastcgi_param SERVER_SOFTWARE nginx; }}",
        socket.display()
    )
}

/// Apache with its event MPM, as many threads as there may be connections, and only the modules
/// that it needs.
pub(super) fn apache(settings: &Settings<'_>) -> Configured {
    // It serves nothing as root.
    let user = if is_root() {
        "User nobody\nGroup #65534\n"
    } else {
        ""
    };
    let modules = [
        "mpm_event",
        "unixd",
        "authz_core",
        "alias",
        "dir",
        "autoindex",
        "cgid",
    ];
    // Each distribution has linked some of them statically.
    let modules = modules.map(|name| {
        format!("<IfModule !{name}_module>\nLoadModule {name}_module modules/mod_{name}.so\n</IfModule>\n")
    });
    let configuration = format!(
        "ServerRoot {root}
{modules}{user}DefaultRuntimeDir {run}
PidFile {run}/apache.pid
ScriptSock {run}/cgid.sock
ErrorLog /dev/stderr
ServerName localhost
Listen {address}
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
MaxKeepAliveRequests 0
DocumentRoot {site}
<Directory {site}>
    Require all granted
    AllowOverride None
    Options Indexes FollowSymLinks
</Directory>
ScriptAlias /cgi-bin/ {site}/cgi-bin/
",
        root = apache_root().display(),
        modules = modules.concat(),
        run = settings.run.display(),
        address = settings.address,
        site = settings.site.display(),
    );
    let arguments = ["-D", "FOREGROUND", "-f"].map(OsString::from);
    ("apache.conf", configuration, arguments.into())
}

/// The folder that contains the folder `modules`. It differs between distributions.
fn apache_root() -> PathBuf {
    let roots = [
        "/usr/lib/apache2",
        "/usr/lib64/httpd",
        "/usr/lib/httpd",
        "/etc/httpd",
        "/usr/local/apache2",
    ];
    let mut roots = roots.into_iter().map(PathBuf::from);
    let has_modules = |root: &PathBuf| root.join("modules/mod_cgid.so").is_file();
    roots
        .find(has_modules)
        .unwrap_or_else(|| "/etc/httpd".into())
}

/// lighttpd, which starts programs itself.
pub(super) fn lighttpd(settings: &Settings<'_>) -> Configured {
    // With one worker it needs no process that watches its workers.
    let workers = if settings.workers > 1 {
        settings.workers
    } else {
        0
    };
    let configuration = format!(
        r#"server.document-root = "{}"
server.bind = "{}"
server.port = {}
server.max-worker = {workers}
server.modules = ("mod_cgi", "mod_dirlisting")
server.max-keep-alive-requests = 65535
dir-listing.activate = "enable"
mimetype.assign = (".txt" => "text/plain")
$HTTP["url"] =~ "^/cgi-bin/" {{ cgi.assign = ("" => "") }}
"#,
        settings.site.display(),
        settings.address.ip(),
        settings.address.port()
    );
    let arguments = ["-D", "-f"].map(OsString::from);
    ("lighttpd.conf", configuration, arguments.into())
}

/// Caddy, without its features for public servers: TLS, an administration interface, a copy of its
/// configuration.
pub(super) fn caddy(settings: &Settings<'_>) -> Configured {
    let cgi = settings.fastcgi.map(|socket| {
        json!({
            "match": [{ "path": ["/cgi-bin/*"] }],
            "handle": [{
                "handler": "reverse_proxy",
                "upstreams": [{ "dial": format!("unix/{}", socket.display()) }],
                // The word that ends the name of a script.
                "transport": { "protocol": "fastcgi", "root": settings.site, "split_path": ["/hello"] },
            }],
        })
    });
    let files = json!({
        "handle": [{ "handler": "file_server", "root": settings.site, "browse": {} }],
    });
    let configuration = json!({
        "admin": { "disabled": true, "config": { "persist": false } },
        "storage": { "module": "file_system", "root": settings.run },
        "apps": { "http": { "servers": { "lab": {
            "listen": [settings.address],
            "automatic_https": { "disable": true },
            "routes": cgi.into_iter().chain([files]).collect::<Vec<_>>(),
        } } } },
    });
    let arguments = ["run", "--config"].map(OsString::from);
    ("caddy.json", configuration.to_string(), arguments.into())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
