//! Mounts programs in a web server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::WebServer;
use crate::gateway::{Application, Handler, Mount, serve_handler, serve_shared};
use crate::web::Route;

impl WebServer {
    /// Serves a path and everything below it by an application: `/app` and `/app/...`, but not
    /// `/apple`. The path becomes `SCRIPT_NAME`, and the rest of the path `PATH_INFO`.
    ///
    /// It is a [route](Self::route) with the name of its path: the first route that matches wins.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::gateway::{BoxError, Environ, StartResponse};
    /// use kamea_components::server::{Site, WebServer};
    ///
    /// async fn hello(_: Environ, start_response: StartResponse) -> Result<&'static str, BoxError> {
    ///     start_response.ok([("Content-Type", "text/plain")])?;
    ///     Ok("hello\n")
    /// }
    ///
    /// let server = WebServer::new(Site::new(".")).mount("/hello", hello);
    /// # server.check().unwrap();
    /// ```
    #[must_use]
    pub fn mount(self, path: &str, application: impl Application + Send + Sync) -> Self {
        let application = Arc::new(application);
        let path = format!("/{}", path.trim_matches('/'));
        let script_name = path.clone();
        self.route_seeded(&path, Route::below(&path), move |connection| {
            // If the socket is lost, nobody will read the response.
            let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
            let local = connection.socket.local().unwrap_or(nowhere);
            let mount = Mount::new(local).script_name(&script_name);
            serve_shared(application.clone(), mount.pass_authorization())
        })
    }

    /// Serves the requests of `route` by a handler; `name` is its name in the graph.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::server::{Site, WebServer};
    /// use kamea_components::web::{Request, Route};
    ///
    /// async fn hello(request: Request) -> String {
    ///     format!("hello, {}\n", request.exchange.peer)
    /// }
    ///
    /// let server = WebServer::new(Site::new(".")).handle("hello", Route::path("/hello"), hello);
    /// # server.check().unwrap();
    /// ```
    #[must_use]
    pub fn handle(self, name: &str, route: Route, handler: impl Handler + Send + Sync) -> Self {
        self.route(name, route, serve_handler(name, handler))
    }
}
