//! Mounts programs in a web server.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::WebServer;
use kamea::{Part, Pipe};

use crate::gateway::{
    Application, Handler, Mount, Sock, WebSocketRequest, accept_websocket, serve_handler,
    serve_shared,
};
use crate::web::Route;
use crate::websocket::{Message, WebSocketOptions};

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
    /// let server = WebServer::new(Site::without_files()).mount("/hello", hello);
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

    /// Serves the WebSockets at `path`, each by a part of its own over messages: a component, or a
    /// line of components.
    ///
    /// The handshake is a request like any other: filters, the access log and `explain` see it. A
    /// request that is refused gets an ordinary response. Pages of other sites are refused;
    /// [`websocket_with`](Self::websocket_with) sets that and other options.
    ///
    /// # Examples
    ///
    /// A chat:
    ///
    /// ```
    /// use kamea::pipeline;
    /// use kamea_components::chassis::{Backplane, Slow, publish_to, subscribe_to};
    /// use kamea_components::server::{Site, WebServer};
    /// use kamea_components::websocket::Message;
    ///
    /// let room = Backplane::<Message>::new().slow(Slow::DropOldest);
    /// let server = WebServer::new(Site::new("."))
    ///     .websocket("/chat", move || {
    ///         pipeline!(kamea::map(Message::shared) => publish_to(&room, "chat") => subscribe_to(&room, "chat"))
    ///     });
    /// # server.check().unwrap();
    /// ```
    #[must_use]
    pub fn websocket<C, Kind>(
        self,
        path: &str,
        part: impl Fn() -> C + Clone + Send + Sync + 'static,
    ) -> Self
    where
        C: Part<Pipe<Message, Message>, Kind> + Send + 'static,
        Kind: 'static,
    {
        self.websocket_with(path, WebSocketOptions::default(), move |_| part())
    }

    /// Serves the WebSockets at `path` with options, each by a part that is made of its request.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea::map;
    /// use kamea_components::gateway::WebSocketRequest;
    /// use kamea_components::server::{Site, WebServer};
    /// use kamea_components::websocket::{Message, WebSocketOptions};
    ///
    /// let mut options = WebSocketOptions::default();
    /// options.limits.message = 4096; // bytes
    /// let server = WebServer::new(Site::new(".")).websocket_with("/hello", options, |opened: WebSocketRequest| {
    ///     let peer = opened.request.exchange.peer;
    ///     map(move |_: Message| Message::text(format!("hello, {peer}")))
    /// });
    /// # server.check().unwrap();
    /// ```
    #[must_use]
    pub fn websocket_with<C, Kind>(
        self,
        path: &str,
        options: WebSocketOptions,
        part: impl Fn(WebSocketRequest) -> C + Clone + Send + Sync + 'static,
    ) -> Self
    where
        C: Part<Pipe<Message, Message>, Kind> + Send + 'static,
        Kind: 'static,
    {
        let accept = accept_websocket(&format!("websocket {path}"), options, part);
        self.route(path, Route::path(path), accept)
    }

    /// Serves WebSockets by plain functions: see [`Sock`].
    #[must_use]
    pub fn sock(self, sock: Sock) -> Self {
        sock.into_routes().fold(self, |server, (path, accepting)| {
            server.route(&path, Route::path(&path), accepting.component())
        })
    }
}

#[cfg(test)]
mod tests;
