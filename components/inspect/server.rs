//! The inspector: a separate server on a separate worker, so that it answers even if the observed
//! ones do not.
//!
//! ```text
//!   browser ◀──▶ web server: access ──▶ router ──▶ page, events, tap, explain, census
//!  programs ───▶ acceptor ──▶ programs ╌╌ sketches ──▶ gather ╌╌▶ events
//! ```

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use http::method::InvalidMethod;
use kamea::{Component, Graph, GraphError, Scheduler, Sender, Workers};
use tokio::sync::watch;

use super::access::{Access, AccessError, guard_inspector};
use super::events::{self, Watched};
use super::page;
use super::topology::{Sketched, Sketches, add_gatherer, add_topologies};
use crate::chassis::NoPorts;
use crate::gateway::{Reply, serve_handler};
use crate::net::bind;
use crate::server::{Explanations, Listening, Site, StartError, WebServer};
use crate::tls::TlsCensus;
use crate::web::{Request, Response, Route, RouteCensus};

/// The connection limits of the inspector: in total, and per address.
const CONNECTIONS: usize = 64;
const CONNECTIONS_PER_CLIENT: usize = 40;

/// How long a connection may stay without a complete request: a client without the token must not
/// occupy a place for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Shows the running graphs of a scheduler on a page.
///
/// # Examples
///
/// ```
/// use kamea::Scheduler;
/// use kamea_components::inspect::Inspector;
///
/// let scheduler = Scheduler::with_workers(1);
/// let inspecting = Inspector::new("127.0.0.1:0".parse()?, None)?.run(scheduler.workers())?;
/// println!("Inspect at {}", inspecting.url());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Inspector {
    address: SocketAddr,
    access: Access,
    topologies: Option<SocketAddr>,
    drawings: Vec<Drawing>,
    explanations: Option<Explanations>,
    tls: TlsCensus,
    routes: RouteCensus,
}

/// Adds a component that draws something to a graph.
type Drawing = Box<dyn FnOnce(&mut Graph, Sender<Sketched>) + Send>;

impl std::fmt::Debug for Inspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspector")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Why the inspector cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// Other machines could use the inspector.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Topology lines have no token.
    #[error(
        "anybody could draw at {0}: take topology lines at a loopback address such as 127.0.0.1:1500"
    )]
    PublicTopologies(SocketAddr),
    /// The address for topology lines cannot be listened to.
    #[error("cannot listen on {address} for topology lines: {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The reason.
        error: io::Error,
    },
    /// The page cannot be served.
    #[error(transparent)]
    Start(#[from] StartError),
}

impl From<GraphError> for InspectError {
    fn from(error: GraphError) -> Self {
        Self::Start(error.into())
    }
}

impl Inspector {
    /// Creates an inspector: at a loopback address with a random token, or at any address with this
    /// one.
    ///
    /// # Errors
    ///
    /// As [`Access::new`].
    pub fn new(address: SocketAddr, token: Option<&str>) -> Result<Self, AccessError> {
        Ok(Self {
            address,
            access: Access::new(address, token)?,
            topologies: None,
            drawings: Vec::new(),
            explanations: None,
            tls: TlsCensus::default(),
            routes: RouteCensus::default(),
        })
    }

    /// Accepts topology lines at a loopback address, from programs that draw themselves.
    ///
    /// # Errors
    ///
    /// If it is not a loopback address: the protocol has no token.
    pub fn topologies(self, address: SocketAddr) -> Result<Self, InspectError> {
        if !address.ip().to_canonical().is_loopback() {
            return Err(InspectError::PublicTopologies(address));
        }
        Ok(Self {
            topologies: Some(address),
            ..self
        })
    }

    /// Shows what a component of this program draws, beside the graphs: its senders are the
    /// sketches of the page. It runs on the thread of the inspector.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::Arc;
    /// use kamea_components::chassis::NoPorts;
    /// use kamea_components::inspect::{Inspector, Sketch, Sketched};
    ///
    /// let inspector = Inspector::new("127.0.0.1:0".parse()?, None)?;
    /// let inspector = inspector.drawing("a drawing", |sketches| {
    ///     async move |_: &mut NoPorts| {
    ///         let mut sketch = Sketch::default();
    ///         sketch.command("ADD NODE 1 one auto -");
    ///         let (name, sketch) = ("a thing".to_owned(), Arc::new(sketch));
    ///         let sketched = Sketched { program: u64::MAX, name, sketch, is_connected: true };
    ///         Ok(sketches.send(sketched).await?)
    ///     }
    /// });
    /// # drop(inspector);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn drawing<C: Component<NoPorts> + Send>(
        mut self,
        name: &'static str,
        make: impl FnOnce(Sender<Sketched>) -> C + Send + 'static,
    ) -> Self {
        self.drawings.push(Box::new(move |graph, sketches| {
            let _ = graph.add(name, make(sketches));
        }));
        self
    }

    /// Lets the page pick requests to explain: those of servers with the same [`Explanations`].
    #[must_use]
    pub fn explanations(self, explanations: Explanations) -> Self {
        Self {
            explanations: Some(explanations),
            ..self
        }
    }

    /// Shows the handshakes and certificates of the server that counts in this census
    /// ([`ServerTls::counted_by`](crate::tls::ServerTls::counted_by)).
    #[must_use]
    pub fn tls(self, tls: TlsCensus) -> Self {
        Self { tls, ..self }
    }

    /// Shows the routes of the application that counts in this census: how often each is used, and
    /// how long its requests take.
    #[must_use]
    pub fn routes(self, routes: RouteCensus) -> Self {
        Self { routes, ..self }
    }

    /// Runs the inspector on a thread of its own; `observed` is the scheduler to show.
    ///
    /// # Errors
    ///
    /// [`InspectError`] says which address is not available.
    pub fn run(self, observed: &Workers) -> Result<Inspecting, InspectError> {
        let scheduler = Scheduler::with_workers(1);
        let (shown, sketches) = watch::channel(Sketches::default());
        let mut topologies = None;
        if self.topologies.is_some() || !self.drawings.is_empty() {
            let mut graph = Graph::new("topologies");
            let sketches = add_gatherer(&mut graph, shown);
            for add in self.drawings {
                add(&mut graph, sketches.clone());
            }
            if let Some(address) = self.topologies {
                let refused = |error| InspectError::Bind { address, error };
                let listener = bind(address, false).map_err(refused)?;
                topologies = Some(listener.local_addr().map_err(refused)?);
                add_topologies(&mut graph, listener, sketches);
            }
            scheduler.run(graph)?;
        }
        let watched = Watched {
            workers: observed.clone(),
            sketches,
            explanations: self.explanations,
            tls: self.tls,
            routes: self.routes,
        };
        let token = self.access.random_token().map(str::to_owned);
        let server = server(self.access, watched).expect("GET is a method");
        let listening = server.run(&scheduler, &[self.address])?;
        Ok(Inspecting {
            listening,
            token,
            topologies,
            _scheduler: scheduler,
        })
    }
}

fn server(access: Access, watched: Watched) -> Result<WebServer, InvalidMethod> {
    let mut site = Site::without_files();
    site.limits.body = 0;
    site.connections = CONNECTIONS;
    site.connections_per_client = CONNECTIONS_PER_CLIENT;
    site.patience.head = PATIENCE;
    site.keep_alive = PATIENCE;
    site.fields = page::fields();
    let shown = watched.clone();
    let get = |path| Route::path(path).method("GET");
    let (tapped, explanations) = (watched.workers.clone(), watched.explanations.clone());
    Ok(WebServer::new(site)
        .filter("access", guard_inspector(access))
        .handle("events", get("/events")?, async move |_: Request| {
            events::watch(watched.clone()).await
        })
        .handle("tap", get("/tap")?, async move |request: Request| {
            events::tap(tapped.clone(), &request).await
        })
        .handle(
            "explain",
            get("/explain")?,
            async move |request: Request| events::explain(explanations.clone(), &request).await,
        )
        .files(serve_handler("page", async move |request: Request| {
            show(&shown, request.head.target.path()).await
        })))
}

/// The census in the form that the path asks for, or a part of the page.
async fn show(watched: &Watched, path: &str) -> Reply {
    let Watched {
        workers,
        tls,
        routes,
        ..
    } = watched;
    let (media_type, text) = match path {
        "/census" => ("application/json", workers.census().await.to_json()),
        "/census.dot" => ("text/vnd.graphviz", workers.census().await.to_dot()),
        "/metrics" => (
            "text/plain; version=0.0.4; charset=utf-8",
            workers.census().await.to_prometheus() + &tls.to_prometheus() + &routes.to_prometheus(),
        ),
        "/tls" => ("application/json", events::tls_to_json(tls).to_string()),
        "/routes" => (
            "application/json",
            events::routes_to_json(routes).to_string(),
        ),
        _ => return page::part(path),
    };
    Response::typed(media_type, text).into()
}

/// A running inspector. Drop it to stop it.
pub struct Inspecting {
    listening: Listening,
    token: Option<String>,
    topologies: Option<SocketAddr>,
    _scheduler: Scheduler,
}

/// The token is not shown.
impl std::fmt::Debug for Inspecting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inspecting")
            .field("listening", &self.listening)
            .finish_non_exhaustive()
    }
}

impl Inspecting {
    /// Returns the address of the page.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listening.addresses()[0]
    }

    /// Returns the URL of the page for a browser, with the token if that is random.
    #[must_use]
    pub fn url(&self) -> String {
        let address = self.address();
        match &self.token {
            Some(token) => format!("http://{address}/?token={token}"),
            None => format!("http://{address}/"),
        }
    }

    /// Returns the address for topology lines, if they are accepted.
    #[must_use]
    pub fn topologies(&self) -> Option<SocketAddr> {
        self.topologies
    }
}
