//! Ours, as a web server: the handshake is a request.

use std::time::Duration;

use kamea::{Scheduler, map, pipeline};
use kamea_benches::http::announce;
use kamea_components::chassis::{Backplane, Slow, publish_to, subscribe_to};
use kamea_components::server::{Site, WebServer};
use kamea_components::stream::echo;
use kamea_components::websocket::{Message, WebSocketOptions};

use crate::{Error, LARGEST};

pub(crate) fn serve() -> Result<(), Error> {
    let mut site = Site::without_files();
    // All clients of the benchmark have one address.
    (site.connections, site.connections_per_client) = (10_000, 10_000);
    let mut options = WebSocketOptions::default();
    options.limits.message = LARGEST as u64;
    let room = Backplane::<Message>::new().slow(Slow::DropOldest);
    let server = WebServer::new(site)
        .websocket_with("/echo", options, |_| echo)
        .websocket("/chat", move || {
            pipeline!(map(Message::shared) => publish_to(&room, "chat") => subscribe_to(&room, "chat"))
        });
    let scheduler = Scheduler::with_workers(1);
    let listening = server.run(&scheduler, &["127.0.0.1:0".parse()?])?;
    announce(listening.addresses()[0]);
    Ok(scheduler.until_ctrl_c(Duration::ZERO)?)
}
