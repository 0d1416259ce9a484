//! A WebSocket client as one component, which a policy can restart: that reconnects it.
//!
//! ```text
//! inbox ──▶ ┌ connect_websocket ────────────┐ ──▶ outbox
//!           │ ╌ makes ╌▶ websocket_client   │ ╌╌▶ a fault, when the connection is lost
//!           └───────────────────────────────┘
//! ```

use std::cell::Cell;
use std::future::pending;
use std::sync::Arc;

use futures_lite::future::{or, zip};
use kamea::{Component, End, Graph, Pipe};

use super::{ClientError, Message, WebSocketOptions, websocket_client};
use crate::http::Url;
use crate::tls::ClientTls;

/// The server has closed a connection that was still wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the WebSocket has closed")]
pub struct DisconnectError;

/// Like [`websocket_client`], in a component that fails when the connection is lost. With a policy
/// that [restarts](kamea::Restart) it, it connects again, after a pause that doubles. Messages that
/// wait in its inbox go over the next connection.
///
/// # Errors
///
/// Those of [`websocket_client`].
///
/// # Faults
///
/// Those of [`websocket_client`], and [`DisconnectError`].
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use kamea::{Graph, Policy, Restart, for_each, pipeline};
/// use kamea_components::stream::one_shot;
/// use kamea_components::websocket::{Message, WebSocketOptions, connect_websocket};
///
/// let mut graph = Graph::new("news");
/// let often = Restart::new(1000, Duration::from_secs(3600));
/// let often = often.pause(Duration::from_millis(100), Duration::from_secs(30));
/// graph.supervise(move |_| Policy::Restart(often));
/// let client = connect_websocket("ws://127.0.0.1:9001/news", WebSocketOptions::default())?;
/// let print = for_each(async |message: Message| {
///     println!("{}", message.as_text().unwrap_or_default());
///     Ok(())
/// });
/// pipeline!(graph, one_shot(Message::text("subscribe")) => client => print);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn connect_websocket(
    url: &str,
    mut options: WebSocketOptions,
) -> Result<impl Component<Pipe<Message, Message>> + Clone + Send, ClientError> {
    // The authorities are read once, not for each connection.
    if options.tls.is_none() && Url::websocket(url)?.is_https() {
        options.tls = Some(ClientTls::trusting_system()?);
    }
    // The URL is checked now. The connection is for the component to make.
    drop(websocket_client(url, options.clone())?);
    let url = Arc::<str>::from(url);
    Ok(async move |io: &mut Pipe<Message, Message>| {
        let mut graph = Graph::new("websocket_client");
        let client = graph.add("client", websocket_client(&url, options.clone())?);
        let (to, from) = (graph.feed(client.inbox), graph.take(client.outbox));
        let flow = graph.start()?;
        let Pipe { inbox, outbox } = io;
        let is_done = Cell::new(false);
        let up = async {
            while let Some(message) = inbox.next().await {
                if to.send(message).await.is_err() {
                    return pending().await;
                }
            }
            is_done.set(true);
            // The end of its input closes the connection.
            drop(to);
            pending().await
        };
        let down = async {
            let mut from = from;
            while let Some(message) = from.next().await {
                outbox.send(message).await?;
            }
            Ok::<_, End>(())
        };
        // A block, so that both ends of the links are dropped with it.
        let relay = async { or(up, down).await };
        match zip(flow, relay).await {
            (Err(fault), _) => Err(End::fault(fault.to_string())),
            (Ok(()), Ok(())) if !is_done.get() => Err(DisconnectError.into()),
            (Ok(()), relayed) => relayed,
        }
    })
}
