//! The web server: a graph of the parts in this folder, every one of which can be replaced.
//!
//! ```text
//!  on each worker:
//!    acceptor ──▶ connections ╌╌ makes, for each connection, when bytes arrive ╌╌┐
//!                                                                                ▼
//!    reader ──▶ parser ──▶ router ──▶ files ────▶ writer
//!                 │           ├─────▶ methods ──────▲
//!                 └─failures──┴──────▶ errors ──────┘        (writer ╌╌▶ parser: what is written)
//! ```

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use kamea::{
    Component, Graph, GraphError, PerSeed, Placement, Policy, Running, Scheduler, Template,
};

use super::Limits;
use super::admission::Admission;
use super::connection::Opened;
use super::connections::{Connections, holder, listeners, refuser, server_graph};
use super::errors::{ErrorPorts, ErrorPortsHandles, answer_errors};
use super::faults::answer_faults;
use super::message::{HandlerPorts, HandlerPortsHandles};
use super::parse::{Patience, parse_requests};
use super::refuse::refuse_requests;
use super::route::route_requests;
use super::write::write_responses;
use crate::file::{FileOptions, Files, serve_files};
use crate::net::read_bytes;

/// What a server serves, and within which bounds.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::http::Site;
///
/// let mut site = Site::new("www");
/// site.limits.body = 16 << 20; // bytes
/// site.keep_alive = Duration::from_secs(30);
/// site.connections_per_client = 100;
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Site {
    /// The folder that is served.
    pub docroot: PathBuf,
    /// How its files are served.
    pub files: FileOptions,
    /// How much of a request is taken in.
    pub limits: Limits,
    /// How long a request may take to come in.
    pub patience: Patience,
    /// How long a connection may be silent between two requests.
    pub keep_alive: Duration,
    /// How long a peer may read nothing of its response.
    pub write_stall: Duration,
    /// How many connections there may be in all.
    pub connections: usize,
    /// How many connections there may be of one client address.
    pub connections_per_client: usize,
}

impl Site {
    /// The files below `docroot`, within the default bounds.
    pub fn new(docroot: impl Into<PathBuf>) -> Self {
        Self {
            docroot: docroot.into(),
            files: FileOptions::default(),
            limits: Limits::default(),
            patience: Patience::default(),
            keep_alive: Duration::from_secs(75),
            write_stall: Duration::from_secs(30),
            connections: 16_384,
            connections_per_client: 10_000,
        }
    }
}

/// The graph of one connection while it is wired.
type ConnectionGraph = Graph<PerSeed<Opened>>;

/// Adds a component to a graph of a connection, under the name of its slot.
type Slot<Handles> = Box<dyn Fn(&mut ConnectionGraph, &str) -> Handles>;

/// A web server, to be configured and then run.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea::{Done, Scheduler};
/// use kamea_components::http::{Body, ErrorPorts, Fields, HandlerPorts, Response, ResponseHead, Site, WebServer};
///
/// /// Answers every request with the number of bytes that came in it.
/// async fn count_content(io: &mut HandlerPorts) -> Done {
///     while let Some(mut request) = io.requests.next().await {
///         let mut bytes = 0;
///         while let Some(content) = &mut request.content
///             && let Some(chunk) = content.next().await?
///         {
///             bytes += chunk.len();
///         }
///         let head = ResponseHead { status: StatusCode::OK, fields: Fields::new() };
///         let body = Body::Bytes(format!("{bytes} bytes\n").into());
///         io.responses.send(Response { exchange: request.exchange, head, body }).await?;
///     }
///     Ok(())
/// }
///
/// let scheduler = Scheduler::with_workers(1);
/// let server = WebServer::new(Site::new(".")).method("REPORT", count_content).unwrap();
/// let listening = server.run(&scheduler, &["127.0.0.1:0".parse()?])?;
/// println!("Listening on {}", listening.addresses()[0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct WebServer {
    site: Site,
    files: Slot<HandlerPortsHandles>,
    errors: Slot<ErrorPortsHandles>,
    methods: Vec<(Method, Slot<HandlerPortsHandles>)>,
}

impl std::fmt::Debug for WebServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebServer")
            .field("site", &self.site)
            .finish_non_exhaustive()
    }
}

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened to.
    #[error("cannot listen on {address}: {error}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        error: io::Error,
    },
    /// The folder cannot be served.
    #[error("cannot serve {}: {error}", docroot.display())]
    Docroot {
        /// The folder.
        docroot: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A component that was put in does not fit.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl WebServer {
    /// A server of the files of `site`.
    pub fn new(site: Site) -> Self {
        Self {
            site,
            files: Box::new(|graph, name| {
                graph.add_seeded(name, |connection: &mut Opened| {
                    serve_files(connection.files.clone())
                })
            }),
            errors: slot(answer_errors()),
            methods: Vec::new(),
        }
    }

    /// Puts another component in the place of the file handler.
    #[must_use]
    pub fn files(self, component: impl Component<HandlerPorts> + Clone + Send + Sync) -> Self {
        Self {
            files: slot(component),
            ..self
        }
    }

    /// Puts another component in the place of the error component.
    #[must_use]
    pub fn errors(self, component: impl Component<ErrorPorts> + Clone + Send + Sync) -> Self {
        Self {
            errors: slot(component),
            ..self
        }
    }

    /// Has a component serve a method: any token (RFC 9110 section 9.1).
    ///
    /// # Errors
    ///
    /// If `method` is no token.
    pub fn method(
        mut self,
        method: &str,
        component: impl Component<HandlerPorts> + Clone + Send + Sync,
    ) -> Result<Self, http::method::InvalidMethod> {
        self.methods
            .push((Method::from_bytes(method.as_bytes())?, slot(component)));
        Ok(self)
    }

    /// Runs the server on every worker of `scheduler`.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what cannot be had; nothing is served then.
    pub fn run(
        self,
        scheduler: &Scheduler,
        addresses: &[SocketAddr],
    ) -> Result<Listening, StartError> {
        let workers = scheduler.workers();
        let site = Arc::new(self.site.clone());
        let no_docroot = |error| StartError::Docroot {
            docroot: site.docroot.clone(),
            error,
        };
        drop(Files::open(&site.docroot, &site.files).map_err(no_docroot)?);
        let connections = Connections {
            refuser: refuser(self.refusal()?)?,
            holder: holder(self.into_template()?, site.keep_alive)?,
            admission: Admission::new(site.connections, site.connections_per_client),
            site,
        };
        let mut bound = Vec::new();
        for address in addresses {
            let listeners = listeners(*address, workers.count());
            bound.push(listeners.map_err(|error| StartError::Bind {
                address: *address,
                error,
            })?);
        }
        let addresses = bound
            .iter()
            .filter_map(|listeners| listeners[0].local_addr().ok())
            .collect();
        let mut running = Vec::new();
        for worker in 0..workers.count() {
            let listeners = bound.iter_mut().filter_map(Vec::pop);
            let graph = server_graph(listeners, connections.clone());
            running.push(workers.run(Placement::Worker(worker), graph)?);
        }
        Ok(Listening { addresses, running })
    }

    /// The graph of a connection that is one too many: all it is for is to say so.
    fn refusal(&self) -> Result<Template<Opened>, GraphError> {
        let mut graph = Graph::template("refusal");
        let refuser = graph.add_seeded("refuser", |connection: &mut Opened| {
            refuse_requests(connection.socket.peer())
        });
        let errors = (self.errors)(&mut graph, "errors");
        let writer = graph.add_seeded("writer", |connection: &mut Opened| {
            write_responses(connection.socket.clone(), REFUSAL_STALL)
        });
        graph.link(refuser.failures, errors.failures);
        graph.link(errors.responses, writer.responses);
        graph.link(refuser.notices, writer.notices);
        graph.feedback(writer.written, refuser.written);
        graph.into_template()
    }

    /// The graph of one connection.
    fn into_template(self) -> Result<Template<Opened>, GraphError> {
        let Site {
            limits,
            patience,
            write_stall,
            ..
        } = self.site;
        let mut graph = Graph::template("connection");
        let reader = graph.add_seeded("reader", |connection: &mut Opened| {
            read_bytes(
                connection.socket.clone(),
                std::mem::take(&mut connection.first),
            )
        });
        let parser = graph.add_seeded("parser", move |connection: &mut Opened| {
            parse_requests(connection.socket.peer(), limits, patience)
        });
        let (methods, slots): (Vec<_>, Vec<_>) = self.methods.into_iter().unzip();
        let mut router = graph.add("router", route_requests(methods.clone()));
        let files = (self.files)(&mut graph, "files");
        let errors = (self.errors)(&mut graph, "errors");
        let guard = graph.add_seeded("guard", |connection: &mut Opened| {
            answer_faults(connection.socket.peer())
        });
        let writer = graph.add_seeded("writer", move |connection: &mut Opened| {
            write_responses(connection.socket.clone(), write_stall)
        });

        let mut responses = vec![files.responses, errors.responses, router.responses];
        let mut failures = vec![
            parser.failures,
            router.failures,
            files.failures,
            guard.failures,
        ];
        for (method, slot) in methods.iter().zip(slots) {
            let handler = slot(&mut graph, method.as_str());
            graph.link(router.methods.branch(), handler.requests);
            responses.push(handler.responses);
            failures.push(handler.failures);
        }
        graph.link(reader.outbox, parser.bytes);
        graph.link(parser.requests, router.requests);
        graph.link(router.files, files.requests);
        graph.merge(failures, errors.failures);
        graph.merge(responses, writer.responses);
        graph.link(parser.notices, writer.notices);
        graph
            .feedback(writer.written, parser.written)
            .capacity(super::parse::WINDOW as usize);
        graph.link(graph.faults(), guard.faults);
        graph.supervise(|fault| match fault.component() {
            // Without these no answer can be given.
            "reader" | "parser" | "errors" | "guard" | "writer" => Policy::Stop,
            _ => Policy::CarryOn,
        });
        graph.into_template()
    }
}

fn slot<P: kamea::Ports>(component: impl Component<P> + Clone + Send + Sync) -> Slot<P::Handles> {
    Box::new(move |graph, name| graph.add(name, component.clone()))
}

/// How long a peer may take to read that it is one too many.
const REFUSAL_STALL: Duration = Duration::from_secs(1);

/// A server that runs.
///
/// # Examples
///
/// ```
/// use kamea::Scheduler;
/// use kamea_components::http::{Site, WebServer};
///
/// let scheduler = Scheduler::with_workers(1);
/// let listening = WebServer::new(Site::new(".")).run(&scheduler, &["127.0.0.1:0".parse()?])?;
/// assert_ne!(listening.addresses()[0].port(), 0);
/// listening.stop();
/// assert!(scheduler.stop(std::time::Duration::from_secs(5)), "nothing was left");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Listening {
    addresses: Vec<SocketAddr>,
    running: Vec<Running>,
}

impl Listening {
    /// The addresses, with the ports that the system chose where none was given.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Begins a graceful stop: no new connections, and those that there are end when their requests are answered.
    pub fn stop(&self) {
        self.running.iter().for_each(Running::stop);
    }
}

#[cfg(test)]
mod tests;
