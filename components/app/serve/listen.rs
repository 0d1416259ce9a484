//! An application as a server of its own.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::time::Duration;

use kamea::Scheduler;
use kamea_components::inspect::Inspector;
use kamea_components::net::parse_address;
use kamea_components::server::{Explanations, Site, StartError, WebServer};
use kamea_components::web::Route;

use crate::{App, RouteError, add_app, answer_problems};

/// Why an application does not run.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum AppError {
    /// Its routes conflict, or a pattern is invalid.
    #[error(transparent)]
    Routes(#[from] RouteError),
    /// The address is invalid.
    #[error(
        "{0} is not an address: an address is IP:PORT or PORT, such as 127.0.0.1:8000 or 8000; ports end at 65535"
    )]
    Address(String),
    /// The server cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The system refused something.
    #[error(transparent)]
    System(#[from] io::Error),
}

/// The message: `main` prints its error in this form.
impl std::fmt::Debug for AppError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// How long requests that are under way may take after ctrl-c.
const DEADLINE: Duration = Duration::from_secs(5);

impl<S: Send + Sync + 'static> App<S> {
    /// Puts the application into a web server: it answers every request, and its problems are
    /// written as [`answer_problems`] does.
    ///
    /// # Errors
    ///
    /// [`RouteError`], if the routes conflict.
    pub fn server(&self) -> Result<WebServer, RouteError> {
        let mut site = Site::without_files();
        site.limits.body = self.largest_body();
        let server = WebServer::new(site);
        let server = server.route_graph("app", Route::any_path(), add_app(self)?);
        let filters = self.filters().iter();
        let server = filters.fold(server, |server, filter| (filter.to_server)(server));
        Ok(server.errors(answer_problems()))
    }

    /// Runs the application at an address until ctrl-c or SIGTERM. It prints where it listens, and,
    /// unless the program has a log of its own, logs each request to standard error.
    ///
    /// # Errors
    ///
    /// [`AppError`] says why it cannot run.
    pub fn run(self, address: &str) -> Result<(), AppError> {
        self.run_inspected(address, None)
    }

    /// The same, with the live view at another address.
    pub(crate) fn run_inspected(
        mut self,
        address: &str,
        inspect: Option<SocketAddr>,
    ) -> Result<(), AppError> {
        let at = parse(address)?;
        kamea::log_to_stderr();
        let scheduler = Scheduler::new();
        let (server, explanations) = (self.server()?, Explanations::new());
        let mut server = server.tls_settings(std::mem::take(&mut self.tls));
        let census = server.tls_census();
        if inspect.is_some() {
            server = server.explain(explanations.clone());
        }
        for graph in self.graphs_mut().drain(..) {
            scheduler.run(graph).map_err(StartError::Graph)?;
        }
        let listening = server.run(&scheduler, &[at])?;
        let inspector = inspect.map(|address| Inspector::new(address, None));
        let inspector = inspector.transpose().map_err(io::Error::other)?;
        let inspecting = inspector.map(|inspector| {
            let inspector = inspector.explanations(explanations.clone()).tls(census);
            inspector.routes(self.census()).run(scheduler.workers())
        });
        let inspecting = inspecting.transpose().map_err(io::Error::other)?;
        let urls = listening.urls().into_iter();
        let mut lines: Vec<_> = urls.map(|url| format!("Listening on {url}")).collect();
        if let Some(inspecting) = &inspecting {
            lines.push(format!("Inspect at {}", inspecting.url()));
            let secret = explanations.secret();
            lines.push(format!(
                "Requests with this field are explained: Kamea-Explain: {secret}"
            ));
        }
        let mut said = Ok(());
        let say = async {
            said = lines
                .iter()
                .try_for_each(|line| writeln!(io::stdout(), "{line}"));
            if said.is_ok() {
                std::future::pending().await
            }
        };
        let stopped = scheduler.until_ctrl_c_or(say, DEADLINE);
        stopped.map_err(io::Error::other)?;
        Ok(said?)
    }
}

/// Reads an address: IP:PORT, or only a port of this machine.
pub(crate) fn parse(address: &str) -> Result<SocketAddr, AppError> {
    parse_address(address).map_err(|_| AppError::Address(address.to_owned()))
}
