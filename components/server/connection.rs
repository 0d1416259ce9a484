//! A connection over its whole life. Between requests it is only a socket that waits. Its graph is
//! made when bytes arrive, and dropped again when the peer has been silent for a while.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use kamea::time::{Timer, sleep, turn};
use kamea::{Component, Flow, Ports, Template, is_stopping, stopping};

use super::Handover;
use super::explain::ExplainJob;
use super::preface::ReadPreface;
use super::secure::{SecureService, farewell, greet};
use super::until_gone::until_gone;
use crate::chassis::NoPorts;
use crate::documents::Files;
use crate::net::{Admitted, Finish, Limiter, NextProtocol, Socket};
use crate::tls::{SharedSession, add_tls};

/// The state of one connection: the seed of its graph.
#[derive(Debug)]
pub struct Opened {
    /// The socket.
    pub socket: Rc<Socket>,
    /// The bytes that were already read from it.
    pub first: Bytes,
    /// The TLS session, if the connection has one.
    pub session: Option<SharedSession>,
    /// The files of the site, as this worker sees them, if it has any.
    pub files: Option<Rc<Files>>,
    /// Those of further folders.
    pub folders: Rc<[Rc<Files>]>,
    /// Set once the configuration has changed: the graph ends at the next pause, and a new one
    /// continues.
    pub retiring: Arc<AtomicBool>,
    /// The request to explain, if this graph is made for one.
    pub(super) job: Option<ExplainJob>,
}

impl Opened {
    /// The address of this end; `None` if the connection is lost.
    pub fn local(&self) -> Option<SocketAddr> {
        self.socket.local().ok()
    }

    /// Whether the connection is over TLS.
    pub fn is_secure(&self) -> bool {
        self.session.is_some()
    }

    /// The files of the site.
    ///
    /// # Panics
    ///
    /// If it has none: the wiring adds the handlers of files only to a site that has some.
    pub(super) fn site_files(&self) -> Rc<Files> {
        self.files.clone().expect("the site has files")
    }

    /// Ends a component when its peer no longer waits for its results, at any point of its work.
    pub fn until_gone<P: Ports, C: Component<P>>(
        &self,
        component: C,
    ) -> impl Component<P> + use<P, C> {
        until_gone(component, self.found_gone())
    }

    /// Waits until nobody waits for the response any more: see [`Socket::gone`].
    pub(super) fn gone(&self) -> impl Future<Output = ()> + use<> {
        let socket = self.socket.clone();
        async move { socket.gone().await }
    }

    /// The same, without a closer check: see [`Socket::found_gone`].
    pub(super) fn found_gone(&self) -> impl Future<Output = ()> + use<> {
        let socket = self.socket.clone();
        async move { socket.found_gone().await }
    }

    /// The same connection, for one request to explain.
    pub(super) fn on(&self, job: ExplainJob) -> Self {
        Self {
            job: Some(job),
            ..self.without_job()
        }
    }

    /// The same connection, for the rest of its life.
    pub(super) fn without_job(&self) -> Self {
        Self {
            socket: self.socket.clone(),
            first: Bytes::new(),
            session: self.session.clone(),
            files: self.files.clone(),
            folders: self.folders.clone(),
            retiring: self.retiring.clone(),
            job: None,
        }
    }
}

/// How long a peer may continue to send after its last response, before its bytes are refused.
const LINGER: Duration = Duration::from_secs(2);

/// What serves a connection; it can be replaced while connections are open.
#[derive(Debug)]
pub struct Service {
    /// The files of the site, if it has any.
    pub files: Option<Rc<Files>>,
    /// Those of further folders.
    pub folders: Rc<[Rc<Files>]>,
    /// The graph of a connection.
    pub connection: Template<Opened>,
    /// The graph of a connection above the limit.
    pub refusal: Template<Opened>,
    /// How connections over TLS are served, if there are any.
    pub tls: Option<SecureService>,
    /// What comes before the protocol of a connection.
    pub(super) preface: Option<ReadPreface>,
    /// How a process serves the connection, if one does.
    pub handover: Option<Arc<Handover>>,
    /// The limit of processes, if processes serve the connections.
    pub(super) processes: Limiter,
    /// How long a connection that has begun a request waits for a process.
    pub(super) patience: Duration,
    /// The idle timeout between two requests.
    pub silence: Duration,
    /// How long a peer may leave its bytes unread.
    pub stall: Duration,
    /// Whether a peer that has shut down its side still gets its responses: see
    /// [`Site::half_close`](super::Site::half_close).
    pub half_close: bool,
    /// Set once another service has replaced this one.
    pub retiring: Arc<AtomicBool>,
}

impl Service {
    /// The seed of a connection's graph.
    fn open(&self, socket: &Rc<Socket>, first: Bytes, session: Option<SharedSession>) -> Opened {
        Opened {
            socket: socket.clone(),
            first,
            session,
            files: self.files.clone(),
            folders: self.folders.clone(),
            retiring: self.retiring.clone(),
            job: None,
        }
    }
}

/// Holds a connection until it ends. Whenever bytes arrive, it runs the graph that `service` has at
/// that time; first the handshake, if the connection `is_secure`. It ends while it is idle if its
/// place is needed.
pub fn hold_connection(
    socket: Rc<Socket>,
    service: Rc<RefCell<Service>>,
    is_secure: bool,
    admitted: Option<Admitted>,
) -> impl Component<NoPorts> {
    let mut parts = Some((socket, admitted));
    async move |_: &mut NoPorts| {
        let Some((socket, admitted)) = parts.take() else {
            return Ok(());
        };
        if service.borrow().half_close {
            socket.allow_half_close();
        }
        let peer = socket.peer();
        log::debug!("{peer} | Connect");
        let admitted = admitted.as_ref();
        let (preface, patience) = {
            let service = service.borrow();
            (service.preface.clone(), service.patience)
        };
        let first = match preface {
            // Boxed, because most servers have none.
            Some(preface) => Box::pin(preface.read(&socket, patience)).await,
            None => Some(Bytes::new()),
        };
        let Some(first) = first else {
            end(&socket).await;
            return Ok(());
        };
        if !is_secure {
            hold(socket, &service, None, admitted, first).await;
        } else if let Some(session) = greet(&socket, &service, admitted, first).await {
            // Boxed, so that a connection without TLS is small.
            Box::pin(hold(
                socket,
                &service,
                Some(session),
                admitted,
                Bytes::new(),
            ))
            .await;
        } else {
            end(&socket).await;
        }
        log::debug!("{peer} | Finish");
        Ok(())
    }
}

/// Runs a graph whenever bytes arrive, until the connection must end.
async fn hold(
    socket: Rc<Socket>,
    service: &RefCell<Service>,
    session: Option<SharedSession>,
    admitted: Option<&Admitted>,
    mut unread: Bytes,
) {
    let mut has_served = false;
    while socket.finished().is_none() {
        let silence = service.borrow().silence;
        let has_plaintext = session
            .as_ref()
            .is_some_and(|session| session.lock().has_plaintext());
        let first = match unread.is_empty() && !has_plaintext {
            true => next_bytes(&socket, silence, admitted).await,
            false => Some(std::mem::take(&mut unread)),
        };
        let Some(first) = first else {
            break;
        };
        let Some(flow) = service.borrow().start(&socket, first, session.clone()) else {
            break;
        };
        has_served = true;
        if let Err(fault) = flow.await {
            log::error!("{} | {fault}", socket.peer());
            break;
        }
        if socket.finished().is_none()
            && let Some(next) = socket.take_next()
        {
            let mut next = next;
            match &session {
                Some(session) => {
                    let mut session = session.lock();
                    session.put_back(&next.unread);
                    // The next component meets what is wrong with it.
                    let _ = session.receive(&next.untaken);
                }
                None => {
                    next.unread.extend_from_slice(&next.untaken);
                    unread = next.unread.freeze();
                }
            }
            if let Some(protocol) = next.protocol {
                let stall = service.borrow().stall;
                Box::pin(switch_protocol(socket, session, protocol, unread, stall)).await;
                return;
            }
        }
    }
    if socket.finished().is_none() {
        if let Some(session) = &session {
            farewell(&socket, session).await;
        }
        if has_served && is_stopping() {
            // The peer does not expect the end: a request may be in transit, and the last response
            // may be unread.
            socket.finish(Finish::Linger);
        }
    }
    end(&socket).await;
}

/// Continues a connection with its next protocol, until that ends.
async fn switch_protocol(
    socket: Rc<Socket>,
    session: Option<SharedSession>,
    protocol: NextProtocol,
    unread: Bytes,
    stall: Duration,
) {
    let peer = socket.peer();
    log::debug!("{peer} | Switch to {protocol:?}");
    let protocol = match session {
        Some(session) => protocol.within(move |graph, socket| add_tls(graph, &session, socket)),
        None => protocol,
    };
    // The graph that has ended had the only other owners.
    let graph = Rc::into_inner(socket).and_then(|socket| protocol.graph(socket, unread, stall));
    let Some(graph) = graph else {
        log::error!("{peer} | the connection is lost at its upgrade");
        return;
    };
    match graph.start() {
        // The policy of the graph has reported a fault.
        Ok(flow) => drop(flow.await),
        Err(error) => log::error!("{peer} | {error}"),
    }
}

impl Service {
    /// Starts the graph of a connection; `None` if connections over TLS are not served any more.
    fn start(
        &self,
        socket: &Rc<Socket>,
        first: Bytes,
        session: Option<SharedSession>,
    ) -> Option<Flow> {
        let template = match (&session, &self.tls) {
            (None, _) => &self.connection,
            (Some(_), Some(tls)) => &tls.connection,
            (Some(_), None) => return None,
        };
        Some(template.start(self.open(socket, first, session)))
    }
}

/// Refuses a connection above the limit.
pub fn refuse_connection(
    socket: Rc<Socket>,
    service: Rc<RefCell<Service>>,
    is_secure: bool,
) -> impl Component<NoPorts> {
    async move |_: &mut NoPorts| {
        log::debug!("{} | Too many connections", socket.peer());
        refuse(&socket, &service, is_secure).await;
        Ok(())
    }
}

/// Tells a peer that the server is at its limit, and ends the connection. A peer that expects TLS
/// is told nothing: a handshake costs more than the connection that is refused.
pub(super) async fn refuse(socket: &Rc<Socket>, service: &RefCell<Service>, is_secure: bool) {
    if is_secure {
        return;
    }
    let flow = {
        let service = service.borrow();
        service
            .refusal
            .start(service.open(socket, Bytes::new(), None))
    };
    if let Err(fault) = flow.await {
        log::error!("{} | {fault}", socket.peer());
    }
    end(socket).await;
}

/// The first bytes after a pause; `None` if the connection must end.
pub(super) async fn next_bytes(
    socket: &Socket,
    silence: Duration,
    admitted: Option<&Admitted>,
) -> Option<Bytes> {
    let bytes = async {
        let bytes = socket.receive().await.ok();
        bytes.filter(|bytes| !bytes.is_empty())
    };
    unless_idle(bytes, silence, admitted).await
}

/// What ends the pause of a connection; `None` if the connection must end: it is silent for too
/// long, its place is needed, or the server stops.
pub(super) async fn unless_idle<T>(
    end: impl Future<Output = Option<T>>,
    silence: Duration,
    admitted: Option<&Admitted>,
) -> Option<T> {
    let silent = async {
        let mut timer = Timer::new();
        timer.set(turn() + silence);
        timer.expired().await;
        None
    };
    let stopped = async {
        stopping().await;
        None
    };
    let displaced = async {
        match admitted {
            Some(admitted) => admitted.displaced().await,
            None => std::future::pending().await,
        }
        log::debug!("an idle connection makes room for a new one");
        None
    };
    or(end, or(silent, or(stopped, displaced))).await
}

async fn end(socket: &Socket) {
    match socket.finished() {
        Some(Finish::Cut) => {}
        Some(Finish::Close) if !socket.has_input() => {}
        None => {}
        // Closing with unread bytes would reset the connection, and the peer could lose its last
        // response.
        Some(Finish::Close | Finish::Linger) => {
            socket.shut_down_writing();
            let drain =
                async { while socket.receive().await.is_ok_and(|bytes| !bytes.is_empty()) {} };
            or(drain, sleep(LINGER)).await;
        }
    }
}
