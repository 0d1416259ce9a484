//! WebSockets of an application.

use std::sync::Arc;

use kamea::Done;
use kamea_components::gateway::{WebSocket, answer_websocket};
use kamea_components::web::Request;
use kamea_components::websocket::WebSocketOptions;

use super::Extract;
use crate::context::Context;
use crate::{Problem, Reply};

/// The handshake of a WebSocket. A handler that takes it sees the request first, with all that it
/// extracts: parameters, cookies, the session. It may refuse it by any answer, or
/// [serve](Self::serve) the WebSocket. The route is one for GET.
///
/// # Examples
///
/// ```
/// use kamea_app::{App, Call, Problem, Reply, WebSocketUpgrade};
/// use kamea_components::gateway::WebSocket;
///
/// async fn greet(call: Call<String, (), WebSocketUpgrade>) -> Result<Reply, Problem> {
///     let name = call.params;
///     if name == "eve" {
///         return Err(Problem::not_found("nobody of that name is here"));
///     }
///     Ok(call.with.serve(async move |ws: &mut WebSocket<'_>| {
///         ws.send(format!("hello, {name}")).await?;
///         Ok(())
///     }))
/// }
///
/// let app = App::new().get("/greetings/{name}", greet);
/// # app.check().unwrap();
/// ```
#[derive(Debug)]
pub struct WebSocketUpgrade {
    request: Request,
    options: WebSocketOptions,
    name: String,
}

impl<S> Extract<S> for WebSocketUpgrade {
    async fn extract(context: &mut Context, _: &Arc<S>) -> Result<Self, Problem> {
        if context.request.content.is_some() {
            let why = "a handshake of a WebSocket has no body";
            return Err(Problem::bad_request(why));
        }
        let Request {
            exchange,
            ref head,
            ref extensions,
            ..
        } = context.request;
        let request = Request {
            extensions: extensions.clone(),
            ..Request::new(exchange, head.clone(), None)
        };
        Ok(Self {
            request,
            options: WebSocketOptions::default(),
            name: format!("websocket {}", context.pattern().unwrap_or("fallback")),
        })
    }
}

impl WebSocketUpgrade {
    /// Sets the options: which pages may connect, subprotocols, limits, time-outs.
    #[must_use]
    pub fn options(self, options: WebSocketOptions) -> Self {
        Self { options, ..self }
    }

    /// Answers the handshake: the function serves the WebSocket, as in a
    /// [`Sock`](kamea_components::gateway::Sock). A request that is no handshake, or not one of a
    /// page of this host, is refused with a [`Problem`].
    #[must_use]
    pub fn serve<H>(self, handler: H) -> Reply
    where
        H: AsyncFnOnce(&mut WebSocket<'_>) -> Done + Send + 'static,
    {
        match answer_websocket(self.request, &self.name, &self.options, handler) {
            Ok(response) => response.into(),
            Err(failure) => {
                let mut problem = Problem::new(failure.status, failure.explanation);
                problem.fields = failure.fields;
                problem.into()
            }
        }
    }
}
