//! A running server.

use std::mem::{Discriminant, discriminant};
use std::net::SocketAddr;
use std::sync::Arc;

use kamea::{Component, Composite, Graph, Running, Scheduler, Sender, Sink, Source};

use super::{StartError, WebServer};
use crate::net::{Accepted, Admission, Limiter};
use crate::server::Mode;
use crate::server::connections::{Configuration, Connections, connection_graph, graph_over, part};
use crate::server::limits::connections_that_fit;

/// A running server.
///
/// # Examples
///
/// ```
/// use kamea::Scheduler;
/// use kamea_components::server::{Site, WebServer};
///
/// let scheduler = Scheduler::with_workers(1);
/// let listening = WebServer::new(Site::new(".")).run(&scheduler, &["127.0.0.1:0".parse()?])?;
/// assert_ne!(listening.addresses()[0].port(), 0);
/// listening.stop();
/// assert!(scheduler.stop(std::time::Duration::from_secs(5)).is_ok(), "nothing was left");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Listening {
    pub(super) addresses: Vec<SocketAddr>,
    /// Whether each of them is over TLS.
    pub(super) is_secure: Vec<bool>,
    /// Where connections run; it cannot change.
    pub(super) mode: Discriminant<Mode>,
    pub(super) running: Vec<Running>,
    pub(super) admission: Arc<Admission>,
    /// The limit of processes.
    pub(super) processes: Limiter,
    /// The senders to the connections of each worker.
    pub(super) configurations: Vec<Sender<Configuration>>,
}

impl Listening {
    /// Returns the addresses, with the ports that the system chose for port 0.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns the addresses as URLs: `https://127.0.0.1:8443/`.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::Scheduler;
    /// use kamea_components::server::{Site, WebServer};
    ///
    /// let scheduler = Scheduler::with_workers(1);
    /// let listening = WebServer::new(Site::new(".")).run(&scheduler, &["127.0.0.1:0".parse()?])?;
    /// assert!(listening.urls()[0].starts_with("http://127.0.0.1:"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let addresses = self.addresses.iter().zip(&self.is_secure);
        let url = |(address, is_secure): (&SocketAddr, &bool)| match is_secure {
            true => format!("https://{address}/"),
            false => format!("http://{address}/"),
        };
        addresses.map(url).collect()
    }

    /// Returns the limit of connections: [`Site::connections`](crate::server::Site::connections),
    /// or fewer if the process may open too few files (`RLIMIT_NOFILE`, getrlimit(2)).
    pub fn connections(&self) -> usize {
        self.admission.most()
    }

    /// Replaces the server by another one, at the same addresses. Connections stay open: each
    /// changes to the new graph when its open requests are answered, at the latest after one
    /// further request.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what is wrong with the new server; the current one then continues.
    pub async fn replace(&self, server: WebServer) -> Result<(), StartError> {
        let mut configuration = server.into_configuration()?;
        if discriminant(&configuration.mode) != self.mode {
            return Err(StartError::Mode);
        }
        let site = &configuration.site;
        let most = connections_that_fit(site.connections);
        self.admission.set_bounds(most, site.connections_per_client);
        self.processes.set_bounds(site.processes, site.connections);
        configuration.processes = self.processes.clone();
        for worker in &self.configurations {
            // A worker whose connections have ended is about to end.
            let _ = worker.send(configuration.clone()).await;
        }
        Ok(())
    }

    /// Begins a graceful stop: the server accepts no new connections, and the open ones end when
    /// their requests are answered.
    pub fn stop(&self) {
        self.running.iter().for_each(Running::stop);
    }
}

impl WebServer {
    /// Serves one connection, which was accepted elsewhere, on any worker of `scheduler`, and then
    /// ends. The [`Mode`] does not matter.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what is not available; nothing is served then.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::net::{TcpListener, TcpStream};
    /// use kamea::Scheduler;
    /// use kamea_components::server::{Site, WebServer};
    /// use kamea_components::net::Accepted;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// let (stream, peer) = listener.accept()?;
    /// stream.set_nonblocking(true)?;
    ///
    /// let scheduler = Scheduler::with_workers(1);
    /// let serving = WebServer::new(Site::new(".")).serve(&scheduler, Accepted { stream: stream.into(), peer })?;
    /// client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
    /// let mut response = String::new();
    /// client.read_to_string(&mut response)?;
    /// assert!(response.starts_with("HTTP/1.1 200 OK\r\n"));
    /// serving.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn serve(self, scheduler: &Scheduler, accepted: Accepted) -> Result<Running, StartError> {
        let configuration = self.mode(Mode::Pool).into_configuration()?;
        let secure = configuration.secure();
        let connections = Connections::new(Admission::new(1, 1), configuration, secure)?;
        Ok(scheduler.run(connection_graph(accepted, connections))?)
    }

    /// Returns the server as a graph over connections from elsewhere: those of a simulated network,
    /// for example.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what is not available.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::Simulation;
    /// use kamea_components::server::{Site, WebServer};
    /// use kamea_components::simulated::{Conditions, Network};
    ///
    /// Simulation::seeds(0..5).check(|simulation| {
    ///     let network = Network::new(Conditions::drawn);
    ///     let address = "192.0.2.1:80".parse()?;
    ///     let server = WebServer::new(Site::new(".")).over(network.accept(address))?;
    ///     let client = async move || {
    ///         let socket = network.connect(address).await.unwrap();
    ///         let mut request = &b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"[..];
    ///         while !request.is_empty() {
    ///             request = &request[socket.write(request, false).await.unwrap()..];
    ///         }
    ///         let (mut response, mut buffer) = (Vec::new(), [0; 1024]);
    ///         while let count @ 1.. = socket.read(&mut buffer).await.unwrap() {
    ///             response.extend_from_slice(&buffer[..count]);
    ///         }
    ///         assert!(response.starts_with(b"HTTP/1.1 404 Not Found\r\n"));
    ///     };
    ///     simulation.beside("client", client).run(server)?;
    ///     Ok::<(), Box<dyn std::error::Error>>(())
    /// });
    /// ```
    pub fn over(
        self,
        acceptor: impl Component<Source<Accepted>> + Send,
    ) -> Result<Graph, StartError> {
        Ok(graph_over(acceptor, self.into_connections()?))
    }

    /// Returns the server as a component that receives its connections.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what is not available.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::pipeline;
    /// use kamea_components::server::{Site, WebServer};
    /// use kamea_components::net::{accept, bind};
    ///
    /// let listener = bind("127.0.0.1:0".parse()?, false)?;
    /// let server = WebServer::new(Site::new(".")).into_part()?;
    /// let graph = pipeline!(accept(listener) => server);
    /// # kamea::Scheduler::with_workers(1).run(graph)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_part(self) -> Result<Composite<Sink<Accepted>>, StartError> {
        Ok(part(self.into_connections()?))
    }

    fn into_connections(self) -> Result<Connections, StartError> {
        let configuration = self.mode(Mode::Pool).into_configuration()?;
        let site = &configuration.site;
        let most = connections_that_fit(site.connections);
        let admission = Admission::new(most, site.connections_per_client);
        let secure = configuration.secure();
        Ok(Connections::new(admission, configuration, secure)?)
    }
}
