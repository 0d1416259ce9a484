//! Connections over TLS: their handshake, and what their graph has beside that of other ones.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use http::StatusCode;
use kamea::time::sleep;
use kamea::{Component, Graph, GraphError, PerSeed, Started, Template};

use super::connection::{Opened, Service, next_bytes};
use crate::net::{Admitted, Finish, Socket, WritePace, read_bytes, write_bytes};
use crate::tls::{
    ChallengeCertificates, DecryptPorts, EncryptPorts, Facts, ServerTls, Session, SharedSession,
    TlsError, accept_tls, decrypt, encrypt,
};
use crate::web::{FilterPorts, Request, Response, Scheme};

/// How a server speaks TLS.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::server::{Site, Tls, WebServer};
/// use kamea_components::tls::{ServerTls, TlsOptions, self_signed};
///
/// let server = ServerTls::new(TlsOptions::new(vec![self_signed(&["localhost"])?]))?;
/// let mut tls = Tls::new(server);
/// tls.strict_transport = Some(Duration::from_secs(365 * 24 * 60 * 60));
/// let server = WebServer::new(Site::new(".")).tls(tls);
/// # let _ = server;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Tls {
    /// The certificates, and what the server accepts.
    pub server: ServerTls,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// How long browsers use only TLS for this host: `Strict-Transport-Security` (RFC 6797).
    pub strict_transport: Option<Duration>,
    /// Where requests without TLS are redirected: to this port; `None` serves them.
    pub redirect: Option<u16>,
    /// Connections to this port are over TLS, and others are not; `None` for all. The addresses of
    /// [`Bound::tls`](super::Bound::tls) go before it.
    pub port: Option<u16>,
}

impl Tls {
    /// Speaks TLS. A handshake may take 10 s; requests without TLS are served too, at the
    /// addresses that are for them.
    #[must_use]
    pub fn new(server: ServerTls) -> Self {
        Self {
            server,
            handshake_timeout: Duration::from_secs(10),
            strict_transport: None,
            redirect: None,
            port: None,
        }
    }
}

/// What serves connections over TLS; it can be replaced while connections are open.
#[derive(Debug, Clone)]
pub struct SecureService {
    /// How TLS is spoken.
    pub tls: Tls,
    /// The graph of a handshake.
    pub handshake: Template<Greeting>,
    /// The graph of a connection after it.
    pub connection: Template<Opened>,
}

/// The seed of the graph of a handshake.
#[derive(Debug)]
pub struct Greeting {
    socket: Rc<Socket>,
    first: Bytes,
    session: SharedSession,
}

/// How long the peer may take to read each answer of a handshake.
const HANDSHAKE_PACE: WritePace = WritePace {
    stall: Duration::from_secs(10),
    rate: 0,
};

/// The graph of a handshake.
pub(super) fn handshake(within: Duration) -> Result<Template<Greeting>, GraphError> {
    let mut graph: Graph<PerSeed<Greeting>> = Graph::template("handshake");
    let reader = graph.add_seeded("reader", |greeting: &mut Greeting| {
        read_bytes(greeting.socket.clone(), std::mem::take(&mut greeting.first))
    });
    let accept = graph.add_seeded("accept", move |greeting: &mut Greeting| {
        accept_tls(greeting.session.clone(), within)
    });
    let writer = graph.add_seeded("writer", |greeting: &mut Greeting| {
        write_bytes(greeting.socket.clone(), HANDSHAKE_PACE)
    });
    graph
        .link(reader.outbox, accept.records)
        .measure(Bytes::len);
    graph.link(accept.answers, writer.pieces);
    graph.feedback(writer.sent, accept.sent);
    graph.into_template()
}

/// Makes the handshake of a connection. Returns its session; `None` if there is none: the peer has
/// been told, and the log says why.
pub(super) async fn greet(
    socket: &Rc<Socket>,
    service: &RefCell<Service>,
    admitted: Option<&Admitted>,
    mut first: Bytes,
) -> Option<SharedSession> {
    let tls = service.borrow().tls.clone()?;
    if first.is_empty() {
        first = next_bytes(socket, tls.tls.handshake_timeout, admitted).await?;
    }
    let session = SharedSession::new(Session::server(&tls.tls.server));
    let begun = tls.tls.server.census().begin();
    let flow = tls.handshake.start(Greeting {
        socket: socket.clone(),
        first,
        session: session.clone(),
    });
    let peer = socket.peer();
    if let Err(fault) = flow.await {
        log::error!("{peer} | {fault}");
        return None;
    }
    let made = {
        let mut made = session.lock();
        if let Some(next) = socket.take_next() {
            // A failure is in the session.
            let _ = made.receive(&next.untaken);
        }
        match (made.failure(), made.facts()) {
            (None, Some(facts)) => Ok(facts),
            (failure, _) => Err(failure.cloned().unwrap_or(TlsError::Left)),
        }
    };
    match made {
        Ok(facts) => {
            log::debug!("{peer} | {facts}");
            begun.end(Ok(facts.resumed));
            if facts.protocol.as_deref() == Some(ChallengeCertificates::PROTOCOL) {
                // The authority has seen the certificate: nothing is served by this protocol.
                farewell(socket, &session).await;
                return None;
            }
            Some(session)
        }
        Err(failure) => {
            log::debug!("{peer} | TLS handshake failed: {failure}");
            begun.end(Err(&failure));
            socket.finish(Finish::Linger);
            None
        }
    }
}

/// Tells the peer that the connection ends without a response (RFC 8446 section 6.1).
pub(super) async fn farewell(socket: &Socket, session: &SharedSession) {
    let mut records = Vec::new();
    if session.lock().close(&mut records).is_err() {
        return;
    }
    // A peer that reads nothing does not learn it.
    let written = async { socket.write(&records, false).await.map(drop) };
    let late = async {
        sleep(Duration::from_secs(1)).await;
        Ok(())
    };
    let _ = or(written, late).await;
}

/// Decrypts for a web server. A peer that breaks a rule ends its connection, and is no fault of the
/// server: the alert has been sent, and the parser sees the end of the requests.
pub(super) fn decrypt_requests(
    session: SharedSession,
    socket: Rc<Socket>,
) -> impl Component<DecryptPorts> {
    Quiet {
        inner: decrypt(session.clone()),
        session,
        socket,
    }
}

struct Quiet<C> {
    inner: C,
    session: SharedSession,
    socket: Rc<Socket>,
}

impl<C: Component<DecryptPorts>> Component<DecryptPorts> for Quiet<C> {
    fn start(self, ports: DecryptPorts) -> Started {
        let running = self.inner.start(ports);
        Box::pin(async move {
            // A failure is in the session too.
            let _ = running.await;
            let session = self.session.lock();
            if let Some(failure) = session.failure() {
                log::debug!("{} | TLS: {failure}", self.socket.peer());
            }
            // In a pause nobody takes the plaintext, and the peer is still there.
            if session.failure().is_some() || session.has_peer_closed() {
                self.socket.has_ended();
            }
            Ok(())
        })
    }
}

/// Encrypts for a web server. Once the peer has broken a rule there is nothing to send: the
/// connection is cut, and that is no fault of the server either.
pub(super) fn encrypt_responses(
    session: SharedSession,
    socket: Rc<Socket>,
) -> impl Component<EncryptPorts> {
    Cutting {
        inner: encrypt(session.clone()),
        session,
        socket,
    }
}

struct Cutting<C> {
    inner: C,
    session: SharedSession,
    socket: Rc<Socket>,
}

impl<C: Component<EncryptPorts>> Component<EncryptPorts> for Cutting<C> {
    fn start(self, ports: EncryptPorts) -> Started {
        let running = self.inner.start(ports);
        Box::pin(async move {
            let ended = running.await;
            if ended.is_err() && self.session.lock().failure().is_some() {
                self.socket.finish(Finish::Cut);
                return Ok(());
            }
            ended
        })
    }
}

/// Adds the [`Facts`] of the connection to its requests, for handlers: `Arc<Facts>` in their
/// extensions, and their scheme is `https`. Refuses requests for a host that the certificate does
/// not cover (421): a browser may use one connection for several hosts (RFC 9110 section 7.4).
pub(super) fn note_tls(session: &SharedSession) -> impl Component<FilterPorts> + use<> {
    let facts: Option<Arc<Facts>> = session.lock().facts().map(Arc::new);
    let asked = facts.as_ref().and_then(|facts| facts.server_name.clone());
    let certificate = facts.as_ref().and_then(|facts| facts.certificate.clone());
    let covers = move |host: &str| certificate.as_ref().is_some_and(|own| own.covers(host));
    async move |io: &mut FilterPorts| {
        while let Some(mut request) = io.requests.next().await {
            let host = request.head.host();
            let is_covered = match &asked {
                // A client without a name in its hello knows the server by its address.
                None => true,
                // So does a request without a host, of HTTP/1.0.
                Some(_) if host.is_empty() => true,
                Some(asked) => *asked == host || covers(&host),
            };
            if !is_covered {
                let why = "the certificate of this connection is not for this host";
                let failure = request.refuse(StatusCode::MISDIRECTED_REQUEST, why);
                io.refuse(request, failure).await?;
                continue;
            }
            request.exchange.scheme = Scheme::Https;
            if let Some(facts) = &facts {
                request.extensions.insert(facts.clone());
            }
            io.passed.send(request).await?;
        }
        Ok(())
    }
}

/// Redirects every request to the same target over TLS, at this port (308, RFC 9110 section
/// 15.4.9). The host must be known: without `Host` there is no such target (400).
pub(super) fn redirect_to_https(port: u16) -> impl Component<FilterPorts> + Clone + Send + Sync {
    async move |io: &mut FilterPorts| {
        while let Some(mut request) = io.requests.next().await {
            let Some(location) = secure_url(&request, port) else {
                let why = "this site is served over https, and the request names no host";
                let failure = request.refuse(StatusCode::BAD_REQUEST, why);
                io.refuse(request, failure).await?;
                continue;
            };
            match request.discard_content().await {
                Ok(()) => {
                    let response = Response::new(StatusCode::PERMANENT_REDIRECT);
                    let response = response.with("Location", &location);
                    io.responses.send(request.respond(response)).await?;
                }
                Err(failure) => io.failures.send(failure).await?,
            }
        }
        Ok(())
    }
}

/// The URL of the same target over TLS; `None` without a host.
fn secure_url(request: &Request, port: u16) -> Option<String> {
    let host = request.head.host();
    let target = String::from_utf8_lossy(request.head.target.as_bytes());
    let path = path_of(&target);
    (!host.is_empty()).then(|| match port {
        443 => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    })
}

/// The path and the query of a target, also of one in absolute-form (RFC 9112 section 3.2.2).
fn path_of(target: &str) -> &str {
    if target.starts_with('/') {
        return target;
    }
    let rest = target.split_once("://").map_or("", |(_, rest)| rest);
    rest.find('/').map_or("/", |begin| &rest[begin..])
}

#[cfg(test)]
mod tests;
