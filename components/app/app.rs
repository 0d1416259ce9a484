//! The application: its routes, its layers and its state, while it is put together.

use std::fmt;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::Arc;

use http::Method;
use kamea::Graph;
use kamea_components::documents::Docroot;
use kamea_components::server::TlsSettings;
use kamea_components::web::{Network, RouteCensus};

use crate::answer::folder_endpoint;
use crate::filters::Filter;
use crate::handler::{Endpoint, endpoint};
use crate::layers::{AnyLayer, Layers, with_outer};
use crate::routes::{Entry, Fallback, Table, handler_name, join};
use crate::{
    Answer, Argument, Explained, Handler, Layer, OpenApi, RouteError, TrailingSlash, Urls,
};

/// How many bytes of a body are read into memory, unless the application says otherwise.
const BODY_LIMIT: usize = 2 << 20;

/// How many bytes a body may have that is not read into memory, unless the application says
/// otherwise.
const UPLOAD_LIMIT: u64 = 100 << 20;

/// A web application: a table of routes and their handlers, with layers around them and a state.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call};
///
/// async fn greet(call: Call<String>) -> String {
///     format!("Hello, {}!\n", call.params)
/// }
///
/// let app = App::new()
///     .get("/", async || "Hello, world!\n")
///     .get("/hello/{name}", greet);
/// # app.check().unwrap();
/// ```
#[must_use = "an application does nothing until it runs"]
pub struct App<S = ()> {
    state: Arc<S>,
    entries: Vec<Entry>,
    fallbacks: Vec<Fallback>,
    /// Around the whole application, the innermost first.
    layers: Vec<Arc<dyn AnyLayer>>,
    slash: TrailingSlash,
    body_limit: usize,
    /// Components before the application, the first first.
    filters: Vec<Filter>,
    /// The proxies that are trusted. If there are any, the first filter knows them.
    pub(crate) proxies: Option<Vec<Network>>,
    /// What runs beside it.
    graphs: Vec<Graph>,
    openapi: Option<OpenApi>,
    /// The path of the metrics.
    metrics: Option<Arc<str>>,
    census: RouteCensus,
    /// The limit of any body, in bytes.
    upload_limit: u64,
    /// How it speaks TLS when it runs by itself.
    pub(crate) tls: TlsSettings,
    /// Found while it was put together.
    mistakes: Vec<RouteError>,
}

impl<S> fmt::Debug for App<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.entries.iter().map(|entry| &entry.path);
        f.debug_list().entries(routes).finish()
    }
}

impl App {
    /// An application without state.
    pub fn new() -> Self {
        Self::with_state(())
    }
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Send + Sync + 'static> App<S> {
    /// An application with a state, which its handlers take as [`State`](crate::State).
    pub fn with_state(state: S) -> Self {
        Self {
            state: Arc::new(state),
            entries: Vec::new(),
            fallbacks: Vec::new(),
            layers: Vec::new(),
            slash: TrailingSlash::default(),
            body_limit: BODY_LIMIT,
            filters: Vec::new(),
            proxies: None,
            graphs: Vec::new(),
            openapi: None,
            metrics: None,
            census: RouteCensus::default(),
            upload_limit: UPLOAD_LIMIT,
            tls: TlsSettings::default(),
            mistakes: Vec::new(),
        }
    }

    /// Answers GET at a path, and HEAD with it.
    ///
    /// `{name}` captures a segment, and `{*name}` the rest of the path. The most specific route
    /// wins, in whatever order they are declared.
    #[track_caller]
    pub fn get<A>(
        self,
        path: &str,
        handler: impl Handler<A, Input: Argument<S>, Output: Answer>,
    ) -> Self {
        self.add(vec![Method::GET], path, handler)
    }

    /// Answers POST at a path: see [`get`](Self::get).
    #[track_caller]
    pub fn post<A>(
        self,
        path: &str,
        handler: impl Handler<A, Input: Argument<S>, Output: Answer>,
    ) -> Self {
        self.add(vec![Method::POST], path, handler)
    }

    /// Answers PUT at a path: see [`get`](Self::get).
    #[track_caller]
    pub fn put<A>(
        self,
        path: &str,
        handler: impl Handler<A, Input: Argument<S>, Output: Answer>,
    ) -> Self {
        self.add(vec![Method::PUT], path, handler)
    }

    /// Answers PATCH at a path: see [`get`](Self::get).
    #[track_caller]
    pub fn patch<A>(
        self,
        path: &str,
        handler: impl Handler<A, Input: Argument<S>, Output: Answer>,
    ) -> Self {
        self.add(vec![Method::PATCH], path, handler)
    }

    /// Answers DELETE at a path: see [`get`](Self::get).
    #[track_caller]
    pub fn delete<A>(
        self,
        path: &str,
        handler: impl Handler<A, Input: Argument<S>, Output: Answer>,
    ) -> Self {
        self.add(vec![Method::DELETE], path, handler)
    }

    /// Answers OPTIONS at a path, instead of the application: see [`get`](Self::get).
    #[track_caller]
    pub fn options<A>(
        self,
        path: &str,
        handler: impl Handler<A, Input: Argument<S>, Output: Answer>,
    ) -> Self {
        self.add(vec![Method::OPTIONS], path, handler)
    }

    /// Answers every method that no other route of the path answers.
    #[track_caller]
    pub fn any<A>(
        self,
        path: &str,
        handler: impl Handler<A, Input: Argument<S>, Output: Answer>,
    ) -> Self {
        self.add(Vec::new(), path, handler)
    }

    /// Answers some methods at a path: any tokens (RFC 9110 section 9.1).
    ///
    /// # Panics
    ///
    /// If a method is not a token: it is a constant of the program.
    #[track_caller]
    pub fn route<A>(
        self,
        methods: &[&str],
        path: &str,
        handler: impl Handler<A, Input: Argument<S>, Output: Answer>,
    ) -> Self {
        let methods = methods
            .iter()
            .map(|name| match Method::from_bytes(name.as_bytes()) {
                Ok(method) => method,
                Err(_) => panic!("`{name}` is not a method: it is not a token"),
            });
        self.add(methods.collect(), path, handler)
    }

    #[track_caller]
    fn add<A>(
        self,
        methods: Vec<Method>,
        path: &str,
        handler: impl Handler<A, Input: Argument<S>, Output: Answer>,
    ) -> Self {
        let name = handler_name(handler.type_name(), Location::caller());
        self.add_named(methods, path, handler, &name)
    }

    /// The same, with a name of the handler.
    pub(crate) fn add_named<A>(
        mut self,
        methods: Vec<Method>,
        path: &str,
        handler: impl Handler<A, Input: Argument<S>, Output: Answer>,
        handler_name: &str,
    ) -> Self {
        self.entries.push(Entry {
            methods,
            host: None,
            path: path.to_owned(),
            name: None,
            documentation: handler.documentation(),
            handler: handler_name.into(),
            endpoint: endpoint(handler, self.state.clone()),
            layers: Layers::default(),
        });
        self
    }

    pub(crate) fn add_endpoint(
        mut self,
        method: Method,
        path: &str,
        handler: &str,
        endpoint: Endpoint,
        layers: Layers,
    ) -> Self {
        self.entries.push(Entry {
            methods: vec![method],
            host: None,
            path: path.to_owned(),
            name: None,
            documentation: None,
            handler: handler.into(),
            endpoint,
            layers,
        });
        self
    }

    pub(crate) fn shared_state(&self) -> Arc<S> {
        self.state.clone()
    }

    /// Names the route that was declared last, so that URLs for it can be made.
    pub fn name(mut self, name: &str) -> Self {
        if let Some(entry) = self.entries.last_mut() {
            entry.name = Some(name.into());
        }
        self
    }

    /// Answers what no route matches, instead of the 404.
    pub fn fallback<A>(
        mut self,
        handler: impl Handler<A, Input: Argument<S>, Output: Answer>,
    ) -> Self {
        self.fallbacks.push(Fallback {
            prefix: String::new(),
            host: None,
            endpoint: endpoint(handler, self.state.clone()),
            layers: Layers::default(),
        });
        self
    }

    /// Serves the files of a folder below a prefix, to GET and HEAD: with entity tags, conditions
    /// and ranges, and `index.html` for a folder. Names that begin with a dot are hidden, and
    /// nothing outside of the folder is served, whatever links it contains.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_app::App;
    ///
    /// let app = App::new().folder("/static", "static");
    /// # let _ = app;
    /// ```
    pub fn folder(mut self, prefix: &str, folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        let opened = match Docroot::open(&folder) {
            Ok(opened) => opened,
            Err(error) => {
                let why = error.to_string();
                self.mistakes.push(RouteError::Folder { folder, why });
                return self;
            }
        };
        let endpoint = folder_endpoint(opened);
        let handler: Arc<str> = format!("the files of {}", folder.display()).into();
        let prefix = prefix.trim_end_matches('/');
        let own = (!prefix.is_empty()).then(|| prefix.to_owned());
        let below = ["/", "/{*file}"].map(|path| format!("{prefix}{path}"));
        for path in own.into_iter().chain(below) {
            self.entries.push(Entry {
                methods: vec![Method::GET],
                host: None,
                path,
                name: None,
                documentation: None,
                handler: handler.clone(),
                endpoint: endpoint.clone(),
                layers: Layers::default(),
            });
        }
        self
    }

    /// Adds the routes of another application below a prefix. Its layers are around its own routes
    /// only, its fallback is for paths below the prefix, and its state stays its own.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_app::App;
    ///
    /// let users = App::new().get("/", async || "all\n").get("/{id}", async || "one\n");
    /// let app = App::new().nest("/users", users);
    /// assert_eq!(app.routes().unwrap().len(), 2);
    /// ```
    pub fn nest<T: Send + Sync + 'static>(mut self, prefix: &str, inner: App<T>) -> Self {
        let (entries, fallbacks) = inner.into_parts(&mut self.mistakes);
        self.entries.extend(entries.into_iter().map(|entry| Entry {
            path: join(prefix, &entry.path),
            ..entry
        }));
        self.fallbacks.extend(fallbacks.into_iter().map(|fallback| {
            Fallback {
                prefix: join(prefix, &fallback.prefix)
                    .trim_end_matches('/')
                    .to_owned(),
                ..fallback
            }
        }));
        self
    }

    /// Adds the routes of another application for one host, with any port. They go before those of
    /// any host.
    pub fn host<T: Send + Sync + 'static>(mut self, host: &str, inner: App<T>) -> Self {
        let host = Some(Arc::from(host.to_ascii_lowercase()));
        let (entries, fallbacks) = inner.into_parts(&mut self.mistakes);
        self.entries.extend(entries.into_iter().map(|entry| Entry {
            host: entry.host.or_else(|| host.clone()),
            ..entry
        }));
        self.fallbacks
            .extend(fallbacks.into_iter().map(|fallback| Fallback {
                host: fallback.host.or_else(|| host.clone()),
                ..fallback
            }));
        self
    }

    /// Puts a layer around the whole application, outside of those that were added before.
    pub fn layer(mut self, layer: impl Layer) -> Self {
        self.layers.push(Arc::new(layer));
        self
    }

    /// Shows the times of the requests, by route, at a path: histograms in the text format of
    /// Prometheus.
    pub fn metrics(self, path: &str) -> Self {
        let metrics = Some(path.into());
        Self { metrics, ..self }
    }

    /// Sets what to do with a path that matches but for a slash at its end. The default is to
    /// redirect.
    pub fn trailing_slash(self, slash: TrailingSlash) -> Self {
        Self { slash, ..self }
    }

    /// Sets how many bytes of a body are read into memory at most; beyond, the answer is 413. The
    /// default is 2 MiB.
    pub fn body_limit(self, bytes: usize) -> Self {
        Self {
            body_limit: bytes,
            ..self
        }
    }

    /// Sets how many bytes a body may have that is stored, or passed on, while it arrives: that of
    /// [`FormData`](crate::FormData), [`Multipart`](crate::Multipart) and
    /// [`Stream`](crate::Stream). The default is 100 MiB. It is the limit of the server, so a
    /// nested application has none.
    pub fn upload_limit(self, bytes: u64) -> Self {
        Self {
            upload_limit: bytes,
            ..self
        }
    }

    /// Speaks TLS as these settings say, when the application [runs](Self::run) by itself. The
    /// settings belong to the server, so a nested application has none.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_app::App;
    /// use kamea_components::server::TlsSettings;
    ///
    /// let mut settings = TlsSettings::default();
    /// settings.self_signed = true;
    /// let app = App::new().get("/", async || "over https\n").tls(settings);
    /// # let _ = app;
    /// ```
    pub fn tls(self, settings: TlsSettings) -> Self {
        Self {
            tls: settings,
            ..self
        }
    }

    /// The limit of any body, in bytes.
    pub(crate) fn largest_body(&self) -> u64 {
        self.upload_limit.max(self.body_limit as u64)
    }

    /// The routes, for another application: its layers are around each of them.
    fn into_parts(self, mistakes: &mut Vec<RouteError>) -> (Vec<Entry>, Vec<Fallback>) {
        let Self {
            mut entries,
            mut fallbacks,
            layers,
            ..
        } = self;
        mistakes.extend(self.mistakes);
        for outer in &layers {
            for layers in entries.iter_mut().map(|entry| &mut entry.layers) {
                *layers = with_outer(layers, outer);
            }
            for layers in fallbacks.iter_mut().map(|fallback| &mut fallback.layers) {
                *layers = with_outer(layers, outer);
            }
        }
        (entries, fallbacks)
    }

    /// Adds the description of the application in OpenAPI 3.1 at `/openapi.json`, and as a page at
    /// `/docs`.
    pub fn openapi(self, info: OpenApi) -> Self {
        let openapi = Some(info);
        Self { openapi, ..self }
    }

    pub(crate) fn openapi_info(&self) -> Option<&OpenApi> {
        self.openapi.as_ref()
    }

    /// The table of routes.
    pub(crate) fn table(&self) -> Result<Table, RouteError> {
        let mut table = self.own_table()?;
        if let Some(openapi) = &self.openapi {
            openapi.add_to(&mut table)?;
        }
        Ok(table)
    }

    /// The table of the routes that were declared.
    pub(crate) fn own_table(&self) -> Result<Table, RouteError> {
        if let Some(mistake) = self.mistakes.first() {
            return Err(mistake.clone());
        }
        Table::build(self.entries.clone(), self.fallbacks.clone(), self.slash)
    }

    pub(crate) fn outer_layers(&self) -> Layers {
        self.layers.iter().rev().cloned().collect()
    }

    pub(crate) fn filters(&self) -> &[Filter] {
        &self.filters
    }

    pub(crate) fn filters_mut(&mut self) -> &mut Vec<Filter> {
        &mut self.filters
    }

    pub(crate) fn graphs_mut(&mut self) -> &mut Vec<Graph> {
        &mut self.graphs
    }

    pub(crate) fn metrics_path(&self) -> Option<Arc<str>> {
        self.metrics.clone()
    }

    /// How its routes are used, once it is served: for an
    /// [`Inspector`](kamea_components::inspect::Inspector) of your own. [`run`](Self::run) and
    /// [`main`](Self::main) do it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::Scheduler;
    /// use kamea_app::App;
    /// use kamea_components::inspect::Inspector;
    ///
    /// let app = App::new().get("/", async || "hello\n");
    /// let scheduler = Scheduler::with_workers(1);
    /// let inspector = Inspector::new("127.0.0.1:0".parse()?, None)?.routes(app.census());
    /// let _inspecting = inspector.run(scheduler.workers())?;
    /// app.server()?.run(&scheduler, &["127.0.0.1:0".parse()?])?;
    /// assert_eq!(app.census().used()[0].pattern, "/");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn census(&self) -> RouteCensus {
        self.census.clone()
    }

    pub(crate) fn memory_limit(&self) -> usize {
        self.body_limit
    }

    /// Checks the routes.
    ///
    /// # Errors
    ///
    /// [`RouteError`] names the routes that conflict, or the pattern that is invalid.
    pub fn check(&self) -> Result<(), RouteError> {
        self.table().map(drop)
    }

    /// Makes URLs for the routes that have a name.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn urls(&self) -> Result<Urls, RouteError> {
        Ok(Urls::of(&self.table()?))
    }

    /// Says which route a request would have, and why others do not match. The target is a path, or
    /// `http://host/path`.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_app::App;
    ///
    /// let app = App::new().get("/users/{id}", async || "x").post("/users", async || "x");
    /// let lines = app.explain("GET", "/users")?.to_string();
    /// assert_eq!(
    ///     lines,
    ///     "GET /users: 405, these methods are there: POST, OPTIONS\n\
    ///      almost: /users/{id}: the path ends before {id}\n",
    /// );
    /// # Ok::<(), kamea_app::RouteError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn explain(&self, method: &str, target: &str) -> Result<Explained, RouteError> {
        Ok(self.table()?.explain(method, target))
    }

    /// Lists the routes, in the order of their declaration.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_app::App;
    ///
    /// let app = App::new().get("/users/{id}", async || "one\n").name("user");
    /// let lines: Vec<_> = app.routes()?.iter().map(ToString::to_string).collect();
    /// assert_eq!(lines, ["GET, HEAD, OPTIONS    /users/{id}    user"]);
    /// # Ok::<(), kamea_app::RouteError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check).
    pub fn routes(&self) -> Result<Vec<Listed>, RouteError> {
        let table = self.table()?;
        let listed = table.resources.iter().map(|resource| Listed {
            methods: match resource
                .handlers
                .iter()
                .any(|handler| handler.method.is_none())
            {
                true => "any method".to_owned(),
                false => resource.allow(),
            },
            pattern: resource.pattern.to_string(),
            host: resource.host.as_deref().map(str::to_owned),
            name: resource
                .handlers
                .iter()
                .find_map(|handler| handler.name.as_deref().map(str::to_owned)),
        });
        Ok(listed.collect())
    }
}

/// One line in the list of routes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Its methods, as `Allow` names them.
    pub methods: String,
    /// The pattern of its path.
    pub pattern: String,
    /// Its host; `None`: any.
    pub host: Option<String>,
    /// Its name.
    pub name: Option<String>,
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<20}  ", self.methods)?;
        if let Some(host) = &self.host {
            write!(f, "{host}")?;
        }
        write!(f, "{}", self.pattern)?;
        match &self.name {
            Some(name) => write!(f, "    {name}"),
            None => Ok(()),
        }
    }
}
