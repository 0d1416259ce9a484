//! A log in the browser, line by line as it is written: `tail -f` for everybody.

use std::convert::Infallible;

use kamea::{Graph, filter_map, map, pipeline};
use kamea_components::chassis::{Backplane, Slow, publish_to, subscribe_to};
use kamea_components::file::follow;
use kamea_components::server::{Site, WebServer};
use kamea_components::stream::{LONGEST_LINE, lines};
use kamea_components::web::{Request, Response, Route};
use kamea_components::websocket::Message;
use kamea_recipes::{Outcome, serve_beside, server_arguments};

const PAGE: &str = r#"<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Log</title>
<link rel="icon" href="data:,">
<style>
  pre { white-space: pre-wrap; overflow-wrap: anywhere; }
</style>
<pre id="log"></pre>
<p id="state">Waiting for lines…</p>
<script>
  const [log, state] = ["log", "state"].map((id) => document.getElementById(id));
  const url = `${location.protocol.replace("http", "ws")}//${location.host}/lines`;
  const socket = new WebSocket(url);
  socket.onmessage = ({ data }) => {
    state.textContent = "";
    log.append(data + "\n");
    scrollTo(0, document.body.scrollHeight);
  };
  socket.onclose = () => state.textContent = "The connection has closed. Reload the page.";
</script>
"#;

fn main() -> Outcome {
    let arguments = server_arguments();
    let [_, file] = &arguments[..] else {
        return Err("usage: live_log ADDRESS FILE".into());
    };
    // A browser that does not read misses lines, and slows nobody.
    let plane = Backplane::new().slow(Slow::DropOldest);
    let mut graph = Graph::new("log");
    // Each line is encoded once, for all browsers.
    let message = map(|line: String| Message::text(line).shared());
    pipeline!(graph, follow(file) => lines(LONGEST_LINE) => message => publish_to(&plane, "log"));
    // The end of a browser's messages ends its subscription.
    let end = || filter_map(|_: Message| None::<Infallible>);
    let watch = move || pipeline!(end() => subscribe_to(&plane, "log"));
    let page = async |_: Request| Response::html(PAGE);
    let server = WebServer::new(Site::new("www"))
        .websocket("/lines", watch)
        .handle("page", Route::path("/log").method("GET")?, page);
    serve_beside(graph, server)
}
