//! A WebSocket echo: each message comes back, up to 16 MiB, compressed if the client can.

use kamea_components::server::{Site, WebServer};
use kamea_components::stream::echo;
use kamea_components::websocket::WebSocketOptions;
use kamea_recipes::{Outcome, serve};

fn main() -> Outcome {
    let mut options = WebSocketOptions::default();
    options.limits.message = 16 << 20; // bytes
    options.limits.fragments = 1 << 20;
    serve(WebServer::new(Site::new("www")).websocket_with("/echo", options, |_| echo))
}
