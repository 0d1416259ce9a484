//! The proxy of the daemon: it picks a backend by the host of each request.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use futures_lite::future::or;
use http::Method;
use kamea::time::sleep;
use kamea::{Component, Graph, Scheduler, Sender, Sink, unblock};
use kamea_components::http::{Limits, Reply, ResponseDecoder};
use kamea_components::net::Socket;
use kamea_components::process::{Hangup, hangups};
use kamea_components::server::{LogEntry, Site, WebServer};
use kamea_proxy::backends::check_backends;
use kamea_proxy::config::parse_virtual_hosts;
use kamea_proxy::plan::Errors;
use kamea_proxy::{Plan, Proxy, serve_by_proxy};

use crate::{BackendError, run};

/// Makes a proxy of these virtual hosts, and runs it at an address until ctrl-c or SIGTERM.
///
/// # Errors
///
/// [`BackendError`] says why it cannot run.
///
/// # Examples
///
/// ```no_run
/// use kamea_daemon::create_proxy;
/// use kamea_proxy::config::parse_virtual_hosts;
///
/// create_proxy([127, 0, 0, 1], 8080, parse_virtual_hosts("config/proxy.conf")?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn create_proxy(ip: impl Into<IpAddr>, port: u16, routes: Plan) -> Result<(), BackendError> {
    run_proxy(Scheduler::new(), ip, port, &Proxy::new(routes))
}

/// Runs a proxy at an address until ctrl-c or SIGTERM, with the checks of its backends.
///
/// # Errors
///
/// [`BackendError`] says why it cannot run.
pub fn run_proxy(
    scheduler: Scheduler,
    ip: impl Into<IpAddr>,
    port: u16,
    proxy: &Proxy,
) -> Result<(), BackendError> {
    run_proxy_server(scheduler, proxy_server(proxy), ip, port, proxy)
}

/// Runs a server that forwards by a proxy: one made by [`proxy_server`], and configured further.
///
/// # Errors
///
/// [`BackendError`] says why it cannot run.
pub fn run_proxy_server(
    scheduler: Scheduler,
    server: WebServer,
    ip: impl Into<IpAddr>,
    port: u16,
    proxy: &Proxy,
) -> Result<(), BackendError> {
    let mut graph = Graph::new("checks of backends");
    graph.add("check", check_backends(proxy.clone()));
    let checking = scheduler.run(graph);
    checking.map_err(|error| BackendError::Stopped(error.to_string()))?;
    run(scheduler, server, ip.into(), port)
}

/// A web server that forwards every request by a proxy. Bodies have no limit but those of the
/// routes.
#[must_use]
pub fn proxy_server(proxy: &Proxy) -> WebServer {
    let mut site = Site::without_files();
    site.limits.body = u64::MAX;
    serve_by_proxy(WebServer::new(site), proxy)
}

/// Sends the bytes of one request to a backend, and returns the bytes of its response: a proxy in
/// its shortest form, without pool, retries and limits of time.
///
/// # Errors
///
/// If the backend is not reached, or its response is invalid or incomplete.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use kamea_daemon::forward_request;
///
/// let backend = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let port = backend.local_addr()?.port();
/// # let serving = std::thread::spawn(move || {
/// let (mut stream, _) = backend.accept()?;
/// stream.read(&mut [0; 100])?;
/// stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")?;
/// # std::io::Result::Ok(())
/// # });
/// let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/// let response = kamea::testing::block_on(forward_request("127.0.0.1", port, request))?;
/// assert!(response.ends_with(b"hello"));
/// # serving.join().unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub async fn forward_request(host: &str, port: u16, request: &[u8]) -> io::Result<Vec<u8>> {
    use std::net::ToSocketAddrs;

    let name = host.to_owned();
    let found = unblock(move || Ok::<_, io::Error>((name, port).to_socket_addrs()?.next()));
    let address: SocketAddr = found.await?.ok_or(io::ErrorKind::AddrNotAvailable)?;
    let socket = Socket::connect(address).await?;
    let mut left = request;
    while !left.is_empty() {
        left = &left[socket.write(left, false).await?..];
    }
    let method = request.split(|&byte| byte == b' ').next();
    let method = Method::from_bytes(method.unwrap_or_default()).map_err(io::Error::other)?;
    let limits = Limits {
        body: u64::MAX,
        ..Limits::default()
    };
    let mut decoder = ResponseDecoder::new(limits);
    decoder.expect(&method);
    let mut response = Vec::new();
    loop {
        let reply = match decoder.next().map_err(io::Error::other)? {
            None => {
                let bytes = socket.receive().await?;
                response.extend_from_slice(&bytes);
                match bytes.is_empty() {
                    true => decoder.finish().map_err(io::Error::other)?,
                    false => {
                        decoder.feed(bytes);
                        None
                    }
                }
            }
            reply => reply,
        };
        if let Some(Reply::End(_)) = reply {
            return Ok(response);
        }
    }
}

/// A configuration file, and what has precedence over it.
#[derive(Clone, Debug)]
pub struct ProxyFile {
    /// The file.
    pub path: PathBuf,
    /// The errors that clients see, if not those of the file.
    pub errors: Option<Errors>,
}

/// How often the file is looked at with `--watch`.
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

impl ProxyFile {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// All mistakes in it, each with its place.
    pub fn read(&self) -> Result<Plan, kamea_proxy::config::ConfigError> {
        let mut plan = parse_virtual_hosts(&self.path)?;
        plan.errors = self.errors.unwrap_or(plan.errors);
        Ok(plan)
    }

    /// When the file was changed last; `None` if it is not there.
    fn changed(&self) -> Option<SystemTime> {
        self.path.metadata().ok()?.modified().ok()
    }

    /// The graph that reloads the file at SIGHUP, and, if `watches`, when it changes. SIGHUP also
    /// begins a new file of the access log, if there is one.
    ///
    /// # Panics
    ///
    /// Never: the two components fit.
    #[must_use]
    pub fn reloads(self, proxy: Proxy, watches: bool, log: Option<Sender<LogEntry>>) -> Graph {
        let mut graph = Graph::new("reloads of the proxy");
        let hangups = graph.add("hangups", hangups());
        let reload = graph.add("reload", reload_proxy(self, proxy, watches, log));
        graph.link(hangups.outbox, reload.inbox);
        graph
    }
}

/// Reloads the configuration of a proxy at each hangup, and, if it `watches` the file, when that
/// has changed. If there is a mistake in it, everything stays as it was, and the log says why.
fn reload_proxy(
    file: ProxyFile,
    proxy: Proxy,
    watches: bool,
    log: Option<Sender<LogEntry>>,
) -> impl Component<Sink<Hangup>> + Send {
    let mut known = file.changed();
    async move |io: &mut Sink<Hangup>| {
        loop {
            let hangup = async { Some(io.inbox.next().await) };
            let look = async {
                match watches {
                    true => sleep(BETWEEN_LOOKS).await,
                    false => std::future::pending().await,
                }
                None
            };
            match or(hangup, look).await {
                Some(None) => return Ok(()),
                Some(Some(_)) => {
                    if let Some(log) = &log {
                        log.send(LogEntry::Reopen).await?;
                    }
                }
                None if file.changed() == known => continue,
                None => {}
            }
            known = file.changed();
            let reading = file.clone();
            match unblock(move || reading.read()).await {
                Ok(plan) => {
                    let (count, reloaded) = (plan.blocks().len(), proxy.reload(plan));
                    let (kept, retired) = (reloaded.kept, reloaded.retired);
                    log::info!("Reloaded {count} blocks: kept {kept}, retired {retired}");
                }
                Err(error) => log::error!("Not reloaded, all stays as it was:\n{error}"),
            }
        }
    }
}
