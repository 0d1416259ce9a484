//! The connections of one worker: accepted and counted, then held or refused.

use std::cell::RefCell;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_lite::future::or;
use kamea::{
    Component, Composite, Done, Flows, Graph, GraphError, Inbox, Outbox, Ports, Sender, Sink,
    SinkHandles, Source, Template,
};

use super::connection::{Opened, Service, hold_connection, refuse_connection};
use super::hand_over::hand_over_connection;
use super::preface::ReadPreface;
use super::secure::SecureService;
use super::{Mode, Site};
use crate::documents::{Docroot, FileOptions, Files, Thumbnails};
use crate::net::{
    Accepted, Admission, Admitted, Limiter, Permit, Socket, accept, accept_permitted, bind,
};

/// One listening socket for each worker: the system distributes the connections over them.
pub(super) fn listeners(address: SocketAddr, count: usize) -> io::Result<Vec<TcpListener>> {
    // A socket that shares its address would silently share it with another server too; one that
    // does not share gets an error.
    let address = bind(address, false)?.local_addr()?;
    (0..count).map(|_| bind(address, true)).collect()
}

/// What runs on one worker: acceptors, and the connections that they accept. Returns the sender for
/// new configurations.
pub(super) fn server_graph(
    listeners: Vec<TcpListener>,
    connections: Connections,
) -> (Graph, Sender<Configuration>) {
    let mut graph = Graph::new("server");
    let is_single = matches!(connections.configuration.mode, Mode::Single);
    let connections = graph.add("connections", serve_connections(connections));
    if is_single {
        let acceptor = graph.add("acceptor", accept_permitted(listeners));
        graph.link(acceptor.accepted, connections.accepted);
        graph.feedback(connections.permits, acceptor.permits);
    } else {
        let mut accepted = Vec::new();
        for listener in listeners {
            let name = listener
                .local_addr()
                .map_or("acceptor".to_owned(), |address| {
                    format!("acceptor {address}")
                });
            accepted.push(graph.add(&name, accept(listener)).outbox);
        }
        graph.merge(accepted, connections.accepted);
    }
    let configurations = graph.feed(connections.configurations);
    (graph, configurations)
}

/// The graph that serves the connections from `acceptor`.
pub(super) fn graph_over(
    acceptor: impl Component<Source<Accepted>> + Send,
    connections: Connections,
) -> Graph {
    let mut graph = Graph::new("server");
    let connections = graph.add("connections", serve_connections(connections));
    let acceptor = graph.add("acceptor", acceptor);
    // Nobody else sends configurations: this end is dropped with this function.
    graph.feed(connections.configurations);
    graph.link(acceptor.outbox, connections.accepted);
    graph
}

/// The component that serves the connections sent to it.
pub(super) fn part(connections: Connections) -> Composite<Sink<Accepted>> {
    let mut graph = Graph::new("server");
    let connections = graph.add("connections", serve_connections(connections));
    // Nobody else sends configurations: this end is dropped with this function.
    graph.feed(connections.configurations);
    graph.expose(SinkHandles {
        inbox: connections.accepted,
    })
}

/// The graph that serves a connection that was accepted elsewhere.
pub(super) fn connection_graph(accepted: Accepted, connections: Connections) -> Graph {
    let mut graph = Graph::new("server");
    let connections = graph.add("connections", serve_connections(connections));
    // Nobody else sends anything: both ends are dropped with this function.
    graph.feed(connections.configurations);
    // A new link has space.
    let _ = graph.feed(connections.accepted).try_send(accepted);
    graph
}

/// The site's own folder, if it has one, and the others.
pub(super) type Docroots = (
    Option<(Docroot, FileOptions)>,
    Arc<[(Docroot, FileOptions)]>,
);

/// How connections are served.
#[derive(Clone, Debug)]
pub(super) struct Configuration {
    pub(super) site: Arc<Site>,
    pub(super) mode: Mode,
    pub(super) docroots: Docroots,
    pub(super) thumbnails: Thumbnails,
    pub(super) connection: Template<Opened>,
    pub(super) refusal: Template<Opened>,
    /// The limit of processes, in mode forking.
    pub(super) processes: Limiter,
    pub(super) tls: Option<SecureService>,
    /// What comes before the protocol of a connection.
    pub(super) preface: Option<ReadPreface>,
}

impl Configuration {
    /// Which connections are over TLS, unless the addresses were bound for it.
    pub(super) fn secure(&self) -> Secure {
        match self.tls.as_ref().map(|service| service.tls.port) {
            Some(Some(port)) => Secure::Ports([port].into()),
            Some(None) => Secure::All,
            None => Secure::None,
        }
    }

    /// The service of one worker.
    fn service(&self) -> Service {
        let files = |(docroot, options): &(Docroot, FileOptions)| {
            let (docroot, thumbnails) = (docroot.clone(), self.thumbnails.clone());
            Rc::new(Files::new(docroot, options, thumbnails))
        };
        let (own, folders) = &self.docroots;
        Service {
            files: own.as_ref().map(files),
            folders: folders.iter().map(files).collect(),
            connection: self.connection.clone(),
            refusal: self.refusal.clone(),
            tls: self.tls.clone(),
            preface: self.preface.clone(),
            handover: match &self.mode {
                Mode::Forking(handover) => Some(handover.clone()),
                Mode::Pool | Mode::Single => None,
            },
            processes: self.processes.clone(),
            patience: self.site.patience.head,
            silence: self.site.keep_alive,
            stall: self.site.write_stall,
            half_close: self.site.half_close,
            retiring: Arc::default(),
        }
    }
}

/// Which connections are over TLS.
#[derive(Clone, Debug)]
pub(super) enum Secure {
    None,
    All,
    /// Those to these ports.
    Ports(Arc<[u16]>),
}

impl Secure {
    /// Whether a connection is over TLS.
    fn has(&self, socket: &Socket) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Ports(_) => socket
                .local()
                .is_ok_and(|local| self.has_port(local.port())),
        }
    }

    /// Whether connections to this port are over TLS.
    pub(super) fn has_port(&self, port: u16) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Ports(ports) => ports.contains(&port),
        }
    }
}

/// What the workers need to serve connections.
#[derive(Clone)]
pub(super) struct Connections {
    admission: Arc<Admission>,
    configuration: Configuration,
    /// Which connections are over TLS.
    secure: Secure,
    /// Holds an admitted connection.
    holder: Template<Arrival>,
    /// Refuses a connection above the limit.
    refuser: Template<Arrival>,
}

impl Connections {
    pub(super) fn new(
        admission: Arc<Admission>,
        configuration: Configuration,
        secure: Secure,
    ) -> Result<Self, GraphError> {
        let mut held = Graph::template("held connection");
        let parts = |arrival: &mut Arrival| {
            let (socket, service) = (arrival.socket.clone(), arrival.service.clone());
            (socket, service, arrival.is_secure, arrival.admitted.take())
        };
        match configuration.mode {
            Mode::Pool | Mode::Single => held.add_seeded("holder", move |arrival| {
                let (socket, service, is_secure, admitted) = parts(arrival);
                hold_connection(socket, service, is_secure, admitted)
            }),
            Mode::Forking(_) => held.add_seeded("process", move |arrival| {
                let (socket, service, is_secure, admitted) = parts(arrival);
                hand_over_connection(socket, service, is_secure, admitted)
            }),
        };
        let mut refused = Graph::template("refused connection");
        refused.add_seeded("refuser", |arrival: &mut Arrival| {
            let (socket, service) = (arrival.socket.clone(), arrival.service.clone());
            refuse_connection(socket, service, arrival.is_secure)
        });
        Ok(Self {
            admission,
            configuration,
            secure,
            holder: held.into_template()?,
            refuser: refused.into_template()?,
        })
    }
}

/// How many refusals each worker sends at the same time. Further connections are closed without a
/// response.
const REFUSALS: usize = 64;

/// The ports of [`serve_connections`].
#[derive(Debug, Ports)]
struct ConnectionsPorts {
    accepted: Inbox<Accepted>,
    /// The configurations for new requests.
    configurations: Inbox<Configuration>,
    /// For an acceptor that waits for each connection to end before it accepts another one.
    permits: Option<Outbox<Permit>>,
}

enum News {
    Accepted(Accepted),
    Configuration(Box<Configuration>),
    /// The acceptor waits for a permit, and no connection is left.
    Free,
}

/// Holds each accepted connection until it ends. At the limit, the connection that has been idle
/// longest makes room for a new one; if none is idle, the new one gets 503.
fn serve_connections(
    connections: Connections,
) -> impl AsyncFnMut(&mut ConnectionsPorts) -> Done + Send + 'static {
    async move |io: &mut ConnectionsPorts| {
        let service = Rc::new(RefCell::new(connections.configuration.service()));
        let (held, refused) = (Flows::new(), Flows::new());
        let mut owes_turn = io.permits.is_some();
        while let Some(news) = next_news(io, owes_turn.then_some([&held, &refused])).await {
            let accepted = match news {
                News::Accepted(accepted) => accepted,
                News::Free => {
                    if let Some(permits) = &io.permits {
                        permits.send(Permit).await?;
                    }
                    owes_turn = false;
                    continue;
                }
                News::Configuration(configuration) => {
                    let old = service.replace(configuration.service());
                    old.retiring.store(true, Ordering::Relaxed);
                    continue;
                }
            };
            owes_turn = io.permits.is_some();
            let admitted = connections.admission.admit(accepted.peer.ip());
            let socket = Rc::new(Socket::new(accepted));
            let arrival = Arrival {
                is_secure: connections.secure.has(&socket),
                admitted,
                socket,
                service: service.clone(),
            };
            if arrival.admitted.is_some() {
                held.spawn(connections.holder.start(arrival));
            } else if refused.count() < REFUSALS {
                refused.spawn(connections.refuser.start(arrival));
            }
        }
        held.finished().await;
        refused.finished().await;
        Ok(())
    }
}

/// The next event; `None` when no more connections can arrive. `before` is what must end before the
/// acceptor's next permit.
async fn next_news(io: &mut ConnectionsPorts, before: Option<[&Flows; 2]>) -> Option<News> {
    let accepted = async { io.accepted.next().await.map(News::Accepted) };
    let configuration = async {
        match io.configurations.next().await {
            Some(configuration) => Some(News::Configuration(Box::new(configuration))),
            // Nobody is left to send one.
            None => std::future::pending().await,
        }
    };
    let free = async {
        let Some([held, refused]) = before else {
            return std::future::pending().await;
        };
        held.finished().await;
        refused.finished().await;
        Some(News::Free)
    };
    or(accepted, or(configuration, free)).await
}

/// A new connection: the seed of the component that holds or refuses it.
struct Arrival {
    socket: Rc<Socket>,
    service: Rc<RefCell<Service>>,
    is_secure: bool,
    admitted: Option<Admitted>,
}
