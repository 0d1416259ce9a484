//! WebSockets as plain functions, in the shape of flask-sock: receive, send, close.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;
use kamea::{Component, Done, End};

use super::websocket::{WebSocketRequest, accept};
use crate::http::RequestHead;
use crate::net::NextProtocol;
use crate::web::HandlerPorts;
use crate::websocket::{
    Close, CloseCode, Message, Origins, WebSocketOptions, WebSocketPorts,
    upgraded_websocket_with_close,
};

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
                let part = converse(handler.clone(), request);
                let websocket = upgraded_websocket_with_close(options, deflate, part);
                NextProtocol::new(name.clone(), websocket)
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

/// One WebSocket, for the function that serves it.
#[derive(Debug)]
pub struct WebSocket<'a> {
    io: &'a mut WebSocketPorts,
    request: WebSocketRequest,
    /// Why the connection has closed, once that is known.
    closed: Option<ConnectionClosed>,
}

/// The connection has closed: nothing more can be received or sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the connection has closed: {} {message}", reason.0)]
pub struct ConnectionClosed {
    /// The close code of the peer, or of this end.
    pub reason: CloseCode,
    /// The reason in words; often empty.
    pub message: String,
}

impl From<Close> for ConnectionClosed {
    fn from(close: Close) -> Self {
        Self {
            reason: close.code,
            message: close.reason.to_string(),
        }
    }
}

impl WebSocket<'_> {
    /// Waits for the next message.
    ///
    /// # Errors
    ///
    /// [`ConnectionClosed`], when there are no more.
    pub async fn receive(&mut self) -> Result<Message, ConnectionClosed> {
        if let Some(closed) = &self.closed {
            return Err(closed.clone());
        }
        match self.io.messages.next().await {
            Some(message) => Ok(message),
            None => Err(self.reason()),
        }
    }

    /// Waits for the next message; returns `None` if none comes within this time.
    ///
    /// # Errors
    ///
    /// As [`receive`](Self::receive).
    pub async fn receive_within(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Message>, ConnectionClosed> {
        let late = async {
            sleep(timeout).await;
            Ok(None)
        };
        or(async { self.receive().await.map(Some) }, late).await
    }

    /// Sends text or bytes. Waits while the peer is slow.
    ///
    /// # Errors
    ///
    /// [`ConnectionClosed`], if the connection has closed.
    pub async fn send(&mut self, data: impl Into<Message>) -> Result<(), ConnectionClosed> {
        if let Some(closed) = &self.closed {
            return Err(closed.clone());
        }
        let sent = self.io.replies.send(data.into()).await;
        sent.map_err(|_| self.reason())
    }

    /// Closes the connection, behind the messages that were sent. Later calls return
    /// [`ConnectionClosed`].
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::gateway::{Sock, WebSocket};
    /// use kamea_components::websocket::CloseCode;
    ///
    /// let sock = Sock::new().route("/guess", async |ws: &mut WebSocket| {
    ///     while ws.receive().await?.as_text() != Some("42") {
    ///         ws.send("no").await?;
    ///     }
    ///     ws.close(CloseCode::NORMAL, "that is it");
    ///     Ok(())
    /// });
    /// # let _ = sock;
    /// ```
    pub fn close(&mut self, reason: CloseCode, message: &str) {
        if self.closed.is_none() {
            let close = Close::new(reason, message);
            // A connection that has closed already is as good.
            let _ = self.io.closes.try_send(close.clone());
            self.closed = Some(close.into());
        }
    }

    /// Whether messages can still be sent.
    #[must_use]
    pub fn connected(&self) -> bool {
        self.closed.is_none() && !self.io.replies.is_closed()
    }

    /// The request that the WebSocket began with: its target, its header fields, its cookies.
    #[must_use]
    pub fn request(&self) -> &RequestHead {
        &self.request.request.head
    }

    /// The address of the client.
    #[must_use]
    pub fn peer(&self) -> std::net::SocketAddr {
        self.request.request.exchange.peer
    }

    /// The subprotocol that was agreed on.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.request.protocol.as_deref()
    }

    /// Why the connection has closed.
    fn reason(&mut self) -> ConnectionClosed {
        let close = self.io.closed.try_next();
        let unknown = || Close::new(CloseCode::ABNORMAL, "");
        let closed = ConnectionClosed::from(close.unwrap_or_else(unknown));
        self.closed.get_or_insert(closed).clone()
    }
}

/// Serves one WebSocket by a function. The end of the connection is not a fault of the function.
fn converse<H>(handler: Arc<H>, request: WebSocketRequest) -> impl Component<WebSocketPorts> + Send
where
    H: AsyncFn(&mut WebSocket<'_>) -> Done + Send + Sync + 'static,
{
    let mut request = Some(request);
    async move |io: &mut WebSocketPorts| {
        let Some(request) = request.take() else {
            return Ok(());
        };
        let mut websocket = WebSocket {
            io,
            request,
            closed: None,
        };
        match handler(&mut websocket).await {
            Err(End::Error(error)) if error.is::<ConnectionClosed>() => Ok(()),
            done => done,
        }
    }
}
