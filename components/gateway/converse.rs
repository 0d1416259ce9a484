//! The conversation with one WebSocket, as a plain function has it.

use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;
use kamea::{Done, End};

use super::websocket::{WebSocketRequest, check, continue_with, switch};
use crate::net::NextProtocol;
use crate::web::{Failure, Request, Response};
use crate::websocket::{
    Close, CloseCode, Deflate, Message, WebSocketOptions, WebSocketPorts,
    upgraded_websocket_with_close,
};

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

    /// The request that the WebSocket began with, without a body: its target, its header fields and
    /// cookies, and what filters have found out about it, such as its session.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request.request
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

/// Answers the handshake of a WebSocket, for a handler that has looked at its request: with 101,
/// after which `handler` serves the WebSocket as in a [`Sock`](super::Sock). `name` is the name of
/// its graph in the census.
///
/// # Errors
///
/// A failure that says why the request is refused, as
/// [`accept_websocket`](super::accept_websocket) does.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use kamea_components::gateway::{WebSocket, answer_websocket};
/// use kamea_components::server::{Site, WebServer};
/// use kamea_components::web::{Failure, Request, Response, Route};
/// use kamea_components::websocket::WebSocketOptions;
///
/// async fn greet(request: Request) -> Result<Response<()>, Failure> {
///     let Some(name) = request.head.target.query().map(str::to_owned) else {
///         return Err(request.refuse(StatusCode::BAD_REQUEST, "write your name behind a ?"));
///     };
///     answer_websocket(request, "greetings", &WebSocketOptions::default(), async move |ws: &mut WebSocket<'_>| {
///         Ok(ws.send(format!("hello, {name}")).await?)
///     })
/// }
///
/// let server = WebServer::new(Site::new(".")).handle("greet", Route::path("/greet"), greet);
/// # server.check().unwrap();
/// ```
pub fn answer_websocket<H>(
    request: Request,
    name: &str,
    options: &WebSocketOptions,
    handler: H,
) -> Result<Response<()>, Failure>
where
    H: AsyncFnOnce(&mut WebSocket<'_>) -> Done + Send + 'static,
{
    let handshake = check(&request, &options.handshake)?;
    let next = |options: &WebSocketOptions, deflate, request| {
        converse(name.into(), options, deflate, request, handler)
    };
    let Response { head, body, .. } = switch(request, handshake, options, next);
    let exchange = ();
    Ok(Response {
        exchange,
        head,
        body,
    })
}

/// The protocol of a connection whose WebSocket is served by a function. The end of the connection
/// is not a fault of the function.
pub(super) fn converse<H>(
    name: Arc<str>,
    options: &WebSocketOptions,
    deflate: Option<Deflate>,
    request: WebSocketRequest,
    handler: H,
) -> NextProtocol
where
    H: AsyncFnOnce(&mut WebSocket<'_>) -> Done + Send + 'static,
{
    let mut begin = Some((handler, request));
    let part = async move |io: &mut WebSocketPorts| {
        let Some((handler, request)) = begin.take() else {
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
    };
    let websocket = upgraded_websocket_with_close(options, deflate, part);
    continue_with(name, options, websocket)
}
