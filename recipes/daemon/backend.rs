//! The backend: pages from `www/`, other files from `static/`, routes, and the access control.

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use http::method::InvalidMethod;
use kamea::Scheduler;
use kamea_app::{RouteError, WeApRous, WeApRousError, answer_problems, serve_app};
use kamea_components::documents::FileOptions;
use kamea_components::server::{Site, StartError, TlsSettings, WebServer};
use kamea_components::web::Route;

use crate::{log_in, require_cookie, run};

/// Why a backend does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The folder has no `www` or no `static`.
    #[error("{} is not a folder: a site has www (pages) and static (other files)", .0.display())]
    Folder(PathBuf),
    /// A route is invalid.
    #[error(transparent)]
    Application(#[from] WeApRousError),
    /// Two routes conflict.
    #[error(transparent)]
    Routes(#[from] RouteError),
    /// A method is invalid.
    #[error(transparent)]
    Method(#[from] InvalidMethod),
    /// The server cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The output cannot be written.
    #[error(transparent)]
    Output(#[from] io::Error),
    /// The server has not ended as it should.
    #[error("{0}")]
    Stopped(String),
}

/// A backend while it is configured.
///
/// # Examples
///
/// ```
/// use kamea_daemon::{Backend, own_folder};
///
/// let server = Backend::new(own_folder()).control_access().server()?;
/// # drop(server);
/// # Ok::<(), kamea_daemon::BackendError>(())
/// ```
#[derive(Debug)]
pub struct Backend {
    folder: PathBuf,
    routes: WeApRous,
    is_controlled: bool,
    tls: TlsSettings,
}

/// The folder of the daemon's own pages: with `www` and `static`.
#[must_use]
pub fn own_folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Serves the daemon's own pages and these routes at an address, until ctrl-c or SIGTERM.
///
/// # Errors
///
/// [`BackendError`] says why it cannot run.
///
/// # Examples
///
/// ```no_run
/// use kamea_app::WeApRous;
/// use kamea_daemon::create_backend;
///
/// let mut routes = WeApRous::new();
/// routes.route("/hello", &["GET"], async |_, _| "Hello, world!");
/// create_backend([127, 0, 0, 1], 9000, routes)?;
/// # Ok::<(), kamea_daemon::BackendError>(())
/// ```
pub fn create_backend(
    ip: impl Into<IpAddr>,
    port: u16,
    routes: WeApRous,
) -> Result<(), BackendError> {
    Backend::new(own_folder()).routes(routes).run(ip, port)
}

impl Backend {
    /// A backend of a folder with the folders `www` (pages) and `static` (css, js, images, and all
    /// other files).
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            routes: WeApRous::new(),
            is_controlled: false,
            tls: TlsSettings::default(),
        }
    }

    /// Also serves these routes, before the files.
    #[must_use]
    pub fn routes(self, routes: WeApRous) -> Self {
        Self { routes, ..self }
    }

    /// Requires the login of the assignment for pages.
    #[must_use]
    pub fn control_access(self) -> Self {
        Self {
            is_controlled: true,
            ..self
        }
    }

    /// Speaks TLS as these settings say.
    #[must_use]
    pub fn tls(self, tls: TlsSettings) -> Self {
        Self { tls, ..self }
    }

    /// Makes the server.
    ///
    /// # Errors
    ///
    /// [`BackendError`], if a folder is missing or a route is invalid.
    pub fn server(self) -> Result<WebServer, BackendError> {
        let pages = folder(&self.folder, "www")?;
        let mut server = WebServer::new(Site::new(folder(&self.folder, "static")?));
        server = server.tls_settings(self.tls);
        if self.is_controlled {
            let login = Route::path("/login").method("POST")?;
            server = server.filter("access", require_cookie()).handle(
                "login",
                login,
                log_in(pages.join("index.html")),
            );
        }
        let mut paths: Vec<_> = self
            .routes
            .routes()
            .iter()
            .map(|route| route.path.clone())
            .collect();
        paths.sort();
        paths.dedup();
        let app = self.routes.into_app()?;
        for path in paths {
            let served = serve_app(&app)?;
            server = server.route(&format!("route {path}"), Route::path(&path), served);
        }
        if !app.routes()?.is_empty() {
            server = server.errors(answer_problems());
        }
        for (name, pattern) in [("folders", "*/"), ("pages", "*.html")] {
            let route = Route::path(pattern).method("GET")?.method("HEAD")?;
            server = server.folder(name, route, &pages, FileOptions::default());
        }
        Ok(server)
    }

    /// Prints the routes, and runs the backend until ctrl-c or SIGTERM.
    ///
    /// # Errors
    ///
    /// [`BackendError`] says why it cannot run.
    pub fn run(self, ip: impl Into<IpAddr>, port: u16) -> Result<(), BackendError> {
        let mut stdout = io::stdout().lock();
        for route in self.routes.routes() {
            writeln!(stdout, "Route: {route}")?;
        }
        drop(stdout);
        run(Scheduler::new(), self.server()?, ip.into(), port)
    }
}

fn folder(site: &Path, name: &str) -> Result<PathBuf, BackendError> {
    let folder = site.join(name);
    match folder.is_dir() {
        true => Ok(folder),
        false => Err(BackendError::Folder(folder)),
    }
}
