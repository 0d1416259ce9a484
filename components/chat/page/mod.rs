//! The user interface of a peer, for its owner's browser: who may use it, the live connection, and
//! two requests for programs.

mod guard;
mod live;
mod requests;

use std::time::Duration;

use kamea::{Component, Sender, Sink};
use kamea_components::chassis::{Backplane, Slow, Subscription};
use kamea_components::gateway::{Sock, WebSocket};
use kamea_components::http::Fields;
use kamea_components::server::{Site, WebServer};
use kamea_components::web::Route;
use kamea_components::websocket::Message;
use serde_json::Value;

pub use guard::{PageToken, guard_page};

use crate::Input;

/// The topic of the events.
const TOPIC: &str = "live";

/// How many events a page may be behind. With more it is closed, and begins again.
const EVENTS: usize = 1_024;

/// The largest command of a page, in bytes.
const LARGEST_COMMAND: u64 = 64 * 1024;

/// How long a page may be silent before it is asked whether it is still there.
const PING: Duration = Duration::from_secs(25);

/// Events on their way to all open pages.
#[derive(Debug, Clone)]
pub struct PageEvents(Backplane<Message>);

impl Default for PageEvents {
    fn default() -> Self {
        Self(Backplane::new().capacity(EVENTS))
    }
}

impl PageEvents {
    /// Subscribes to the events, each a text in JSON. A subscriber that is too slow is dropped, and
    /// may subscribe again.
    #[must_use]
    pub fn subscribe(&self) -> Subscription<Message> {
        self.0.slow(Slow::DropSubscriber).subscribe(TOPIC)
    }

    /// Publishes the events of a node. Each is encoded once, for all pages.
    pub fn publish(&self) -> impl Component<Sink<Value>> + Send + use<> {
        let publisher = self.0.publisher(TOPIC);
        async move |io: &mut Sink<Value>| {
            while let Some(event) = io.inbox.next().await {
                let message = Message::text(event.to_string()).shared();
                // It is never closed, and never waits: slow pages are dropped.
                let _ = publisher.publish(message).await;
            }
            Ok(())
        }
    }
}

/// The header fields of every response: the page loads nothing from elsewhere, has no scripts or
/// styles in it, and no other site may embed it.
#[must_use]
pub fn page_fields() -> Fields {
    const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
        img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
        frame-ancestors 'none'";
    Fields::new()
        .with("Content-Security-Policy", POLICY)
        .with("Cross-Origin-Resource-Policy", "same-origin")
        .with("Referrer-Policy", "no-referrer")
        .with("X-Content-Type-Options", "nosniff")
}

/// Makes the server of a peer's page: the files of a site, `/live` for the page,
/// `/send-peer/` and `/broadcast-peer/` for programs. Commands and events need the token; the files
/// are public on this machine.
///
/// # Panics
///
/// Never: its routes are constants.
#[must_use]
pub fn page_server(
    site: Site,
    token: PageToken,
    node: &Sender<Input>,
    events: &PageEvents,
) -> WebServer {
    let (pages, live_node) = (events.0.slow(Slow::DropSubscriber), node.clone());
    let secret = token.clone();
    let live =
        async move |ws: &mut WebSocket<'_>| live::serve(ws, &secret, &pages, &live_node).await;
    let sock = Sock::new()
        .ping_interval(PING)
        .max_message_size(LARGEST_COMMAND)
        .route("/live", live);
    let mut server = WebServer::new(site)
        .filter("guard", guard_page(token))
        .sock(sock);
    for (name, paths) in [
        ("send-peer", ["/send-peer", "/send-peer/"]),
        ("broadcast-peer", ["/broadcast-peer", "/broadcast-peer/"]),
    ] {
        for path in paths {
            let route = Route::path(path);
            let node = node.clone();
            server = server.handle(path, route, requests::answer(name, node));
        }
    }
    server
}
