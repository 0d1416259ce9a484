//! The web server: a graph of the parts in this folder. You can replace every one of them.
//!
//! ```text
//!  on each worker:
//!    acceptor ──▶ connections ╌╌ makes, for each connection, when bytes arrive ╌╌┐
//!                                                                                ▼
//!    reader ──▶ parser ──▶ filters ──▶ router ──▶ files ─────▶ filters ──▶ encoder ──▶ writer
//!                 │           │          ├──────▶ thumbnails ────▲
//!                 │           │          ├──────▶ routes ────────┤ (encoder ╌╌▶ parser: written)
//!                 └─failures──┴──────────┴──────▶ errors ────────┘
//! ```

mod bound;
mod listening;
mod secured;
mod slots;
mod wiring;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use http::method::InvalidMethod;
use kamea::{Component, GraphError, Message, Scheduler, Sender};

pub use bound::Bound;
pub use listening::Listening;
pub use slots::{ConnectionGraph, Served};

use bound::start;
use slots::{Filtered, Slot, buffered, files_of, filtered, slot};

use super::LogEntry;
use super::connection::Opened;
use super::connections::{Configuration, Docroots};
use super::preface::{Preface, ReadPreface};
use super::secure::{SecureService, Tls, handshake};
use super::until_gone::until_gone;
use super::{Explanations, Mode, Site, TlsSettings};
use crate::cgi::{Cgi, CgiOptions};
use crate::documents::{Docroot, FileOptions, Thumbnails};
use crate::gateway::Mount;
use crate::net::Limiter;
use crate::tls::TlsCensus;
use crate::web::{
    ErrorPorts, ErrorPortsHandles, FilterPorts, FilterPortsHandles, HandlerPorts,
    HandlerPortsHandles, NOTES, RequestHalfPorts, ResponseFilterPorts, ResponseFilterPortsHandles,
    ResponseHalfPorts, Route, RoutePorts, RoutePortsHandles,
};
use crate::wsgi::{WsgiPool, serve_wsgi};

/// A web server: configure it, then run it.
///
/// # Examples
///
/// ```
/// use kamea::{Done, Scheduler};
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::HandlerPorts;
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
///         io.responses.send(request.respond(format!("{bytes} bytes\n"))).await?;
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
    mode: Mode,
    /// A user's own file handler; `None`: the built-in one.
    files: Option<Slot<HandlerPortsHandles>>,
    /// A user's own error component; `None`: the built-in one.
    errors: Option<Slot<ErrorPortsHandles>>,
    /// A user's own router; `None`: the built-in one.
    router: Option<Slot<RoutePortsHandles>>,
    routes: Vec<(Route, String, Slot<Served>)>,
    /// Further folders of files, for some of the routes.
    folders: Vec<(PathBuf, FileOptions)>,
    filters: Vec<(String, Slot<Filtered>)>,
    /// The filters before the redirect to TLS.
    early_filters: Vec<(String, Slot<Filtered>)>,
    response_filters: Vec<(String, Slot<ResponseFilterPortsHandles>)>,
    records: Option<Sender<LogEntry>>,
    /// Which requests are explained, if this is enabled.
    explanations: Option<Explanations>,
    /// How CGI programs are run, if they are enabled.
    cgi: Option<Cgi>,
    /// How TLS is spoken, if it is.
    tls: Option<Tls>,
    /// What says how TLS is spoken, once the server runs.
    tls_settings: Option<TlsSettings>,
    /// What counts the handshakes, if the settings say how TLS is spoken.
    tls_census: TlsCensus,
    /// What comes before the protocol of a connection.
    preface: Option<ReadPreface>,
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
        /// The reason.
        error: io::Error,
    },
    /// The folder cannot be served.
    #[error("cannot serve {}: {error}", docroot.display())]
    Docroot {
        /// The folder.
        docroot: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// The settings of TLS are wrong, or what they name.
    #[error("{0}")]
    Tls(String),
    /// A running server cannot change its mode.
    #[error("the mode cannot change while the server runs: start it anew")]
    Mode,
    /// A component of the user does not fit.
    #[error(transparent)]
    Graph(#[from] GraphError),
}

impl WebServer {
    /// Creates a server of the files of `site`, if it has any.
    pub fn new(site: Site) -> Self {
        Self {
            site,
            mode: Mode::default(),
            files: None,
            errors: None,
            router: None,
            routes: Vec::new(),
            folders: Vec::new(),
            filters: Vec::new(),
            early_filters: Vec::new(),
            response_filters: Vec::new(),
            records: None,
            explanations: None,
            cgi: None,
            tls: None,
            tls_settings: None,
            tls_census: TlsCensus::default(),
            preface: None,
        }
    }

    /// Sets where connections run. The default is in parallel, on every worker.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// Replaces the file handler.
    #[must_use]
    pub fn files(self, component: impl Component<HandlerPorts> + Clone + Send + Sync) -> Self {
        Self {
            files: Some(slot(component)),
            ..self
        }
    }

    /// Replaces the error component. If it fails, the built-in one answers, and the log reports it.
    #[must_use]
    pub fn errors(self, component: impl Component<ErrorPorts> + Clone + Send + Sync) -> Self {
        Self {
            errors: Some(slot(component)),
            ..self
        }
    }

    /// Serves a method by a component, for every path: any token (RFC 9110 section 9.1).
    ///
    /// # Errors
    ///
    /// If `method` is not a token.
    pub fn method(
        self,
        method: &str,
        component: impl Component<HandlerPorts> + Clone + Send + Sync,
    ) -> Result<Self, InvalidMethod> {
        Ok(self.route(method, Route::any_path().method(method)?, component))
    }

    /// Serves the requests of `route` by a component; `name` is its name in the graph. The first
    /// matching route wins.
    #[must_use]
    pub fn route(
        mut self,
        name: &str,
        route: Route,
        component: impl Component<HandlerPorts> + Clone + Send + Sync,
    ) -> Self {
        let add: Slot<_> = Box::new(move |graph, name| {
            let component = component.clone();
            let made = move |connection: &mut Opened| {
                until_gone(component.clone(), connection.found_gone())
            };
            graph.add_seeded(name, made).into()
        });
        self.routes.push((route, name.to_owned(), add));
        self
    }

    /// Serves the requests of `route` by several components that `add` adds to the graph of a
    /// connection. `add` also gets the name of the route.
    ///
    /// # Examples
    ///
    /// Two components in a line:
    ///
    /// ```
    /// use kamea_components::server::{Served, Site, WebServer};
    /// use kamea_components::web::{HandlerPorts, Route, buffer_bodies};
    ///
    /// async fn count(io: &mut HandlerPorts) -> kamea::Done {
    ///     while let Some(request) = io.requests.next().await {
    ///         let length = request.content.as_ref().and_then(|content| content.length());
    ///         let text = format!("{} bytes\n", length.unwrap_or(0));
    ///         io.responses.send(request.respond(text)).await?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// let route = Route::path("/count");
    /// let server = WebServer::new(Site::new(".")).route_graph("count", route, |graph, name| {
    ///     let buffer = graph.add(&format!("{name} buffer"), buffer_bodies());
    ///     let count = graph.add(name, count);
    ///     graph.link(buffer.passed, count.requests);
    ///     let failures = vec![buffer.failures, count.failures];
    ///     Served::new(buffer.requests, vec![count.responses], failures)
    /// });
    /// # server.check().unwrap();
    /// ```
    #[must_use]
    pub fn route_graph(
        mut self,
        name: &str,
        route: Route,
        add: impl Fn(&mut ConnectionGraph, &str) -> Served + Send + Sync + 'static,
    ) -> Self {
        self.routes.push((route, name.to_owned(), Box::new(add)));
        self
    }

    /// Like [`route`](Self::route), with a new component for each connection.
    #[must_use]
    pub(crate) fn route_seeded<C: Component<HandlerPorts>>(
        mut self,
        name: &str,
        route: Route,
        make: impl Fn(&mut Opened) -> C + Clone + Send + Sync + 'static,
    ) -> Self {
        let add: Slot<_> = Box::new(move |graph, name| graph.add_seeded(name, make.clone()).into());
        self.routes.push((route, name.to_owned(), add));
        self
    }

    /// Serves the requests of `route` from the files of a further folder, read only and without
    /// thumbnails.
    #[must_use]
    pub fn folder(
        mut self,
        name: &str,
        route: Route,
        folder: impl Into<PathBuf>,
        options: FileOptions,
    ) -> Self {
        let index = self.folders.len();
        let options = FileOptions {
            thumbnails: false,
            ..options
        };
        self.folders.push((folder.into(), options));
        self.route_seeded(name, route, move |connection| {
            files_of(connection, connection.folders[index].clone())
        })
    }

    /// Serves all requests below `path`, of any method, by a WSGI application; `/` for all.
    #[must_use]
    pub fn wsgi(mut self, path: &str, pool: WsgiPool) -> Self {
        let prefix = path.trim_end_matches('/').to_owned();
        let route = match prefix.as_str() {
            // Every path is below the root: no decoding is needed.
            "" => Route::any_path(),
            prefix => Route::below(prefix),
        };
        let add: Slot<_> = Box::new(move |graph, name| {
            let (buffering, pool, prefix) = (pool.is_buffering(), pool.clone(), prefix.clone());
            let wsgi = graph.add_seeded(name, move |connection: &mut Opened| {
                // A closed connection has no address, and needs none any more.
                let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
                let local = connection.socket.local().unwrap_or(nowhere);
                let mount = Mount::new(local).script_name(&prefix).pass_authorization();
                until_gone(serve_wsgi(pool.clone(), mount), connection.gone())
            });
            match buffering {
                true => buffered(graph, name, wsgi),
                false => wsgi.into(),
            }
        });
        self.routes.push((route, "wsgi".to_owned(), add));
        self
    }

    /// Replaces the router. Its outboxes `routes` are those of [`route`](Self::route),
    /// [`method`](Self::method) and [`folder`](Self::folder), in the order of the calls; then those
    /// of thumbnails, PUT and DELETE follow, if the site has them.
    #[must_use]
    pub fn router(self, component: impl Component<RoutePorts> + Clone + Send + Sync) -> Self {
        Self {
            router: Some(slot(component)),
            ..self
        }
    }

    /// Inserts a component between the parser and the router, after those that were inserted
    /// earlier.
    #[must_use]
    pub fn filter(
        mut self,
        name: &str,
        component: impl Component<FilterPorts> + Clone + Send + Sync,
    ) -> Self {
        self.filters.push((name.to_owned(), filtered(component)));
        self
    }

    /// Inserts a component before the other filters, and before the redirect to TLS: for what must
    /// be answered without TLS, such as the challenge of a certificate authority.
    #[must_use]
    pub fn early_filter(
        mut self,
        name: &str,
        component: impl Component<FilterPorts> + Clone + Send + Sync,
    ) -> Self {
        self.early_filters
            .push((name.to_owned(), filtered(component)));
        self
    }

    /// Inserts a filter around the handlers: `first` between the parser and the router, after the
    /// filters that were inserted earlier, and `second` before the encoder, for the responses to
    /// these requests. `first` tells `second` about each request by a note. The examples of
    /// [`Pending`](crate::web::Pending) show one.
    #[must_use]
    pub fn around<N: Message>(
        mut self,
        name: &str,
        first: impl Component<RequestHalfPorts<N>> + Clone + Send + Sync,
        second: impl Component<ResponseHalfPorts<N>> + Clone + Send + Sync,
    ) -> Self {
        let add: Slot<_> = Box::new(move |graph, name| {
            let first = graph.add(name, first.clone());
            let second = graph.add(&format!("{name} of responses"), second.clone());
            graph.link(first.notes, second.notes).capacity(NOTES);
            Filtered {
                requests: FilterPortsHandles {
                    requests: first.requests,
                    passed: first.passed,
                    responses: first.responses,
                    failures: first.failures,
                },
                responses: Some(ResponseFilterPortsHandles {
                    responses: second.responses,
                    passed: second.passed,
                }),
            }
        });
        self.filters.push((name.to_owned(), add));
        self
    }

    /// Inserts a component before the encoder, after those that were inserted earlier.
    #[must_use]
    pub fn response_filter(
        mut self,
        name: &str,
        component: impl Component<ResponseFilterPorts> + Clone + Send + Sync,
    ) -> Self {
        self.response_filters
            .push((name.to_owned(), slot(component)));
        self
    }

    /// Sends a record of every exchange to a log.
    #[must_use]
    pub fn records(self, log: Sender<LogEntry>) -> Self {
        Self {
            records: Some(log),
            ..self
        }
    }

    /// Explains requests: where they go, what each component decides, how long each takes.
    /// `explanations` selects the requests. Clients that send its [secret](Explanations::secret) in
    /// the field `Kamea-Explain` get the explanation as JSON instead of the response. Callers can
    /// also pick requests.
    #[must_use]
    pub fn explain(self, explanations: Explanations) -> Self {
        Self {
            explanations: Some(explanations),
            ..self
        }
    }

    /// Answers requests by programs below the document root (CGI/1.1). The file options of the
    /// [`Site`] say which files are programs.
    #[must_use]
    pub fn cgi(self, options: CgiOptions) -> Self {
        Self {
            cgi: Some(Cgi::new(options)),
            ..self
        }
    }

    /// Speaks TLS, on all addresses unless [`Bound::tls`] names them.
    #[must_use]
    pub fn tls(self, tls: Tls) -> Self {
        Self {
            tls: Some(tls),
            ..self
        }
    }

    /// Reads what comes on each connection before HTTP or TLS: `read` gets the address of the peer
    /// and the bytes that have arrived, again and again until it knows. It takes as long as a
    /// request head may. Not in [`Mode::Forking`].
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::server::{Preface, Site, WebServer};
    ///
    /// // A word before the first request.
    /// let server = WebServer::new(Site::new(".")).preface(|_peer, bytes| match bytes {
    ///     [b'f', b'r', b'i', b'e', b'n', b'd', ..] => Preface::Whole { length: 6, peer: None },
    ///     bytes if b"friend".starts_with(bytes) => Preface::Partial,
    ///     _ => Preface::Invalid,
    /// });
    /// # server.check().unwrap();
    /// ```
    #[must_use]
    pub fn preface(
        self,
        read: impl Fn(SocketAddr, &[u8]) -> Preface + Send + Sync + 'static,
    ) -> Self {
        Self {
            preface: Some(ReadPreface::new(read)),
            ..self
        }
    }

    /// Speaks TLS as these settings say, if they name a certificate. [`run`](Self::run) and
    /// [`run_on`](Self::run_on) read the certificates, and read them again at SIGHUP and when their
    /// files change. For [`run`](Self::run), the settings also say which of its addresses are over
    /// TLS.
    #[must_use]
    pub fn tls_settings(self, settings: TlsSettings) -> Self {
        Self {
            tls_settings: Some(settings),
            ..self
        }
    }

    /// The census of the handshakes and certificates of a server with
    /// [settings of TLS](Self::tls_settings), for an inspector.
    #[must_use]
    pub fn tls_census(&self) -> TlsCensus {
        self.tls_census.clone()
    }

    /// Checks that the server could run, apart from its addresses. Returns the graph of a
    /// connection.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what is wrong.
    pub fn check(self) -> Result<impl std::fmt::Display, StartError> {
        let this = self.read_tls_settings()?;
        drop(this.docroots()?);
        this.wire(None)?.into_template()?;
        Ok(this.wire(this.tls.as_ref())?)
    }

    /// Runs the server on every worker of `scheduler`, or on one of them if its [`Mode`] requires
    /// that.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what is not available; nothing is served then.
    pub fn run(
        self,
        scheduler: &Scheduler,
        addresses: &[SocketAddr],
    ) -> Result<Listening, StartError> {
        if let Some(settings) = self.tls_settings.clone() {
            return self.run_secured(scheduler, addresses, settings);
        }
        let configuration = self.into_configuration()?;
        let count = match configuration.mode {
            Mode::Single => 1,
            _ => scheduler.workers().count(),
        };
        start(configuration, scheduler, Bound::new(addresses, count)?)
    }

    /// Runs the server on sockets that already listen, on as many workers of `scheduler` as the
    /// sockets were made for.
    ///
    /// # Errors
    ///
    /// [`StartError`] says what is not available; nothing is served then.
    ///
    /// # Panics
    ///
    /// If the scheduler has fewer workers.
    pub fn run_on(self, scheduler: &Scheduler, bound: Bound) -> Result<Listening, StartError> {
        if let Some(settings) = self.tls_settings.clone() {
            return self.run_secured_on(scheduler, bound, settings);
        }
        start(self.into_configuration()?, scheduler, bound)
    }

    /// The site's own folder and the others, open.
    fn docroots(&self) -> Result<Docroots, StartError> {
        let open = |folder: &PathBuf, options: &FileOptions| {
            let docroot = Docroot::open(folder).map_err(|error| StartError::Docroot {
                docroot: folder.clone(),
                error,
            })?;
            Ok((docroot, options.clone()))
        };
        let (site, folders) = (&self.site, self.folders.iter());
        let own = site.docroot.iter().map(|own| open(own, &site.files)).next();
        let folders = folders.map(|(folder, options)| open(folder, options));
        Ok((
            own.transpose()?,
            folders.collect::<Result<_, StartError>>()?,
        ))
    }

    fn into_configuration(self) -> Result<Configuration, StartError> {
        let this = self.read_tls_settings()?;
        let tls = match &this.tls {
            Some(tls) => Some(SecureService {
                tls: tls.clone(),
                handshake: handshake(tls.handshake_timeout)?,
                connection: this.wire(Some(tls))?.into_template()?,
            }),
            None => None,
        };
        let secure = this.tls.as_ref().map(|tls| tls.server.clone());
        let configuration = Configuration {
            tls,
            preface: this.preface.clone(),
            docroots: this.docroots()?,
            thumbnails: Thumbnails::default(),
            connection: this.wire(None)?.into_template()?,
            refusal: this.wire_refusal().into_template()?,
            mode: this.mode,
            processes: Limiter::new(this.site.processes, this.site.connections),
            site: Arc::new(this.site),
        };
        if let Some(secure) = secure {
            let census = secure.census();
            census.note_certificates(&secure.certificates());
        }
        Ok(configuration)
    }
}

#[cfg(test)]
mod tests;
