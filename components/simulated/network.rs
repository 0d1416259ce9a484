//! A network without sockets: it replaces the network of the system in a simulation.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kamea::time::sleep;
use kamea::{Component, Sender, Source, link, random};

use super::{Conditions, Endpoint};
use crate::net::{Accepted, Socket, Transport};

/// How many connections may wait to be accepted.
const BACKLOG: usize = 128;

/// A network: all its clones share it.
///
/// Its [`Conditions`] decide what goes wrong, separately for each connection.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Simulation, Sink};
/// use kamea_components::net::{Accepted, Socket};
/// use kamea_components::simulated::{Conditions, Network};
///
/// Simulation::seeds(0..20).check(|simulation| {
///     let network = Network::new(Conditions::drawn);
///     let address = "192.0.2.1:80".parse().unwrap();
///     let mut graph = Graph::new("one greeting");
///     let acceptor = graph.add("acceptor", network.accept(address)); // replaces net::accept
///     let greeter = graph.add("greeter", async |io: &mut Sink<Accepted>| {
///         while let Some(accepted) = io.inbox.next().await {
///             let socket = Socket::new(accepted);
///             let mut left = &b"hello"[..];
///             while !left.is_empty() {
///                 left = &left[socket.write(left, false).await?..];
///             }
///         }
///         Ok(())
///     });
///     graph.link(acceptor.outbox, greeter.inbox);
///     simulation
///         .beside("client", async move || {
///             let socket = network.connect(address).await.unwrap();
///             let (mut heard, mut buffer) = (Vec::new(), [0; 100]);
///             while let count @ 1.. = socket.read(&mut buffer).await.unwrap() {
///                 heard.extend_from_slice(&buffer[..count]);
///             }
///             assert_eq!(heard, b"hello");
///         })
///         .run(graph)
/// });
/// ```
#[derive(Clone)]
pub struct Network(Arc<Shared>);

struct Shared {
    conditions: Box<dyn Fn() -> Conditions + Send + Sync>,
    listeners: Mutex<HashMap<SocketAddr, Sender<Accepted>>>,
    /// The port of the next client.
    next_port: AtomicU16,
}

impl Network {
    /// Creates a network; `conditions` returns those of each new connection.
    pub fn new(conditions: impl Fn() -> Conditions + Send + Sync + 'static) -> Self {
        Self(Arc::new(Shared {
            conditions: Box::new(conditions),
            listeners: Mutex::default(),
            next_port: AtomicU16::new(1024),
        }))
    }

    /// Accepts the connections to `address` from now on, until nobody takes them any more; replaces
    /// [`net::accept`](crate::net::accept). It also ends when no possible client is left on the
    /// network.
    pub fn accept(&self, address: SocketAddr) -> impl Component<Source<Accepted>> + Send + use<> {
        let (connections, mut queue) = link(BACKLOG);
        self.listeners(|listeners| listeners.insert(address, connections));
        async move |io: &mut Source<Accepted>| {
            while let Some(accepted) = io.outbox.while_open(queue.next()).await? {
                io.outbox.send(accepted).await?;
            }
            Ok(())
        }
    }

    /// Connects to `address`, from its own new address.
    ///
    /// # Errors
    ///
    /// If nobody listens there.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<Socket> {
        Ok(Socket::new(self.dial(address).await?))
    }

    /// Like [`connect`](Self::connect), for components that take connections, such as
    /// [`serve_connections`](crate::net::serve_connections).
    ///
    /// # Errors
    ///
    /// If nobody listens there.
    pub async fn dial(&self, address: SocketAddr) -> io::Result<Accepted> {
        let conditions = (self.0.conditions)();
        sleep(random::duration(conditions.latency)).await;
        let port = self.0.next_port.fetch_add(1, Ordering::Relaxed);
        let peer = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), port);
        let (client, server) = Endpoint::pair(conditions, peer, address);
        let accepted = Accepted {
            stream: Transport::Other(Box::new(server)),
            peer,
        };
        let listener = self.listeners(|listeners| listeners.get(&address).cloned());
        let listener = listener.ok_or(io::ErrorKind::ConnectionRefused)?;
        let sent = listener.send(accepted).await;
        sent.map_err(|_| io::ErrorKind::ConnectionRefused)?;
        Ok(Accepted {
            stream: Transport::Other(Box::new(client)),
            peer: address,
        })
    }

    fn listeners<T>(
        &self,
        then: impl FnOnce(&mut HashMap<SocketAddr, Sender<Accepted>>) -> T,
    ) -> T {
        let listeners = self.0.listeners.lock();
        then(&mut listeners.unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network")
    }
}
