//! WebSockets as plain functions, in the shape of flask-sock: receive, send, close.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kamea::{Component, Done};

use super::WebSocket;
use super::converse::converse;
use super::websocket::{WebSocketRequest, accept};
use crate::net::NextProtocol;
use crate::web::HandlerPorts;
use crate::websocket::{Origins, WebSocketOptions};

/// The routes of WebSockets that are plain async functions: for
/// [`WebServer::sock`](crate::server::WebServer::sock).
///
/// The options have the names of flask-sock. They apply to all routes.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::gateway::{Sock, WebSocket};
/// use kamea_components::server::{Site, WebServer};
///
/// let sock = Sock::new()
///     .ping_interval(Duration::from_secs(25))
///     .route("/echo", async |ws: &mut WebSocket| {
///         loop {
///             let data = ws.receive().await?;
///             ws.send(data).await?;
///         }
///     });
/// let server = WebServer::new(Site::new(".")).sock(sock);
/// # server.check().unwrap();
/// ```
#[derive(Debug, Default)]
pub struct Sock {
    options: WebSocketOptions,
    routes: Vec<(String, Route)>,
}

/// Makes the component of a route, once all options are known.
struct Route(Box<Make>);

type Make = dyn FnOnce(&str, WebSocketOptions) -> Accepting;

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Route")
    }
}

/// Makes the protocol of a connection from its request.
type Next = Arc<
    dyn Fn(&WebSocketOptions, Option<crate::websocket::Deflate>, WebSocketRequest) -> NextProtocol
        + Send
        + Sync,
>;

/// A route whose options are known.
pub(crate) struct Accepting {
    options: WebSocketOptions,
    next: Next,
}

impl Accepting {
    /// The component behind the route.
    pub(crate) fn component(self) -> impl Component<HandlerPorts> + Clone + Send + Sync {
        let Self { options, next } = self;
        accept(options, move |options, deflate, request| {
            next(options, deflate, request)
        })
    }
}

impl Sock {
    /// No routes, and the default options.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long a client may be silent before it gets a ping. If it does not answer for the
    /// same time, the connection ends. Default: 30 s, and 20 s for the answer.
    #[must_use]
    pub fn ping_interval(mut self, interval: Duration) -> Self {
        self.options.patience.ping = interval;
        self.options.patience.answer = interval;
        self
    }

    /// Sets the largest message, in bytes. Default: 1 MiB.
    #[must_use]
    pub fn max_message_size(mut self, bytes: u64) -> Self {
        self.options.limits.message = bytes;
        self
    }

    /// Sets the size of the receive buffer: how many bytes are read at once, at most. Default:
    /// 64 KiB.
    #[must_use]
    pub fn receive_bytes(mut self, bytes: usize) -> Self {
        self.options.receive_bytes = Some(bytes);
        self
    }

    /// Sets the subprotocols that the functions speak, best first.
    #[must_use]
    pub fn subprotocols<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.options.handshake.protocols = names.into_iter().map(Into::into).collect();
        self
    }

    /// Sets which pages may connect. Default: pages of the same host.
    #[must_use]
    pub fn origins(mut self, origins: Origins) -> Self {
        self.options.handshake.origins = origins;
        self
    }

    /// Sets all options at once.
    #[must_use]
    pub fn options(self, options: WebSocketOptions) -> Self {
        Self { options, ..self }
    }

    /// Serves the WebSockets at `path` by a function. When it returns, the connection closes with
    /// code 1000; after an error other than [`ConnectionClosed`], with 1011, and the log reports
    /// the error.
    #[must_use]
    pub fn route<H>(mut self, path: &str, handler: H) -> Self
    where
        H: AsyncFn(&mut WebSocket<'_>) -> Done + Send + Sync + 'static,
    {
        let handler = Arc::new(handler);
        let route = move |path: &str, options| {
            let name = Arc::<str>::from(format!("websocket {path}"));
            let next: Next = Arc::new(move |options: &WebSocketOptions, deflate, request| {
                let handler = handler.clone();
                let handler = async move |ws: &mut WebSocket<'_>| handler(ws).await;
                converse(name.clone(), options, deflate, request, handler)
            });
            Accepting { options, next }
        };
        self.routes.push((path.to_owned(), Route(Box::new(route))));
        self
    }

    /// The paths, each with what serves it.
    pub(crate) fn into_routes(self) -> impl Iterator<Item = (String, Accepting)> {
        let options = self.options;
        self.routes.into_iter().map(move |(path, Route(route))| {
            let accepting = route(&path, options.clone());
            (path, accepting)
        })
    }
}
