//! Draws a proxy for the live view: its hosts, their policies, and the backends with their figures.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_lite::future::or;
use kamea::time::{now, sleep};
use kamea::{Component, Sender, stopping};
use kamea_components::chassis::NoPorts;
use kamea_components::inspect::{Command, Sketch, Sketched};

use crate::Proxy;
use crate::backends::BackendStatus;
use crate::proxy::RouteStatus;

/// How often the figures are drawn anew.
const EVERY: Duration = Duration::from_secs(1);

/// Sends the drawing of a proxy to the live view, once a second, until it is stopped.
///
/// ```text
///  clients ──▶ host ──▶ policy of a route ──▶ backends
/// ```
///
/// # Examples
///
/// ```
/// use kamea_components::inspect::Inspector;
/// use kamea_proxy::{Plan, Proxy, draw_proxy};
///
/// let proxy = Proxy::new(Plan::new([]));
/// let inspector = Inspector::new("127.0.0.1:9235".parse()?, None)?;
/// let inspector = inspector.drawing("proxy", move |sketches| draw_proxy(proxy, sketches));
/// # drop(inspector);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn draw_proxy(proxy: Proxy, sketches: Sender<Sketched>) -> impl Component<NoPorts> + Send {
    async move |_: &mut NoPorts| {
        let (mut before, mut at) = (Figures::default(), now());
        loop {
            let seconds = (now() - at).as_secs_f64();
            at = now();
            let status = proxy.status();
            let sketch = draw(&status, &before, seconds);
            before = figures(&status);
            let sketched = Sketched {
                // The programs that connect count from 1.
                program: u64::MAX,
                name: "proxy".to_owned(),
                sketch: Arc::new(sketch),
                is_connected: true,
            };
            if sketches.send(sketched).await.is_err() {
                return Ok(());
            }
            let stopped = async {
                stopping().await;
                true
            };
            let waited = async {
                sleep(EVERY).await;
                false
            };
            if or(stopped, waited).await {
                return Ok(());
            }
        }
    }
}

/// The counters of each node, a second before.
type Figures = HashMap<String, Counted>;

#[derive(Clone, Copy, Default)]
struct Counted {
    requests: u64,
    answered: u64,
    waited: u64,
}

fn figures(status: &[RouteStatus]) -> Figures {
    let mut figures = Figures::new();
    for (index, route) in status.iter().enumerate() {
        let counted = Counted {
            requests: route.requests,
            ..Counted::default()
        };
        figures.insert(route_id(index), counted);
        for (place, backend) in route.backends.iter().enumerate() {
            let counted = Counted {
                requests: backend.requests,
                answered: backend.answered,
                waited: backend.waited,
            };
            figures.insert(backend_id(index, place, backend), counted);
        }
    }
    figures
}

fn route_id(index: usize) -> String {
    format!("route {index}")
}

fn backend_id(route: usize, place: usize, backend: &BackendStatus) -> String {
    format!("backend {route} {place} {}", backend.address)
}

/// Draws the routes. The names stay, so that the picture does; the figures are the types.
fn draw(status: &[RouteStatus], before: &Figures, seconds: f64) -> Sketch {
    let mut pen = Pen::default();
    pen.node("clients", "clients", "-");
    for (index, route) in status.iter().enumerate() {
        let (hosts, prefix) = route.route.rsplit_once(' ').unwrap_or((&route.route, "/"));
        let host = format!("hosts {hosts}");
        pen.node(&host, hosts, "-");
        pen.link("clients", &host);
        let id = route_id(index);
        let rate = rate(
            route.requests,
            before.get(&id).map(|old| old.requests),
            seconds,
        );
        pen.node(
            &id,
            &format!("{prefix} by {}", route.policy),
            &facts_of_route(route, rate),
        );
        pen.link(&host, &id);
        for (place, backend) in route.backends.iter().enumerate() {
            let own = backend_id(index, place, backend);
            let facts = facts_of_backend(backend, before.get(&own), seconds);
            pen.node(&own, &backend.address, &facts);
            pen.link(&id, &own);
        }
    }
    pen.sketch
}

fn rate(now: u64, before: Option<u64>, seconds: f64) -> f64 {
    match before {
        Some(before) if seconds > 0.0 => now.saturating_sub(before) as f64 / seconds,
        _ => 0.0,
    }
}

fn facts_of_route(route: &RouteStatus, rate: f64) -> String {
    let mut facts = format!("{rate:.1}/s");
    if route.waiting > 0 {
        facts += &format!(", {} waiting", route.waiting);
    }
    match &route.circuit {
        Some(circuit) if circuit.state != "closed" => {
            facts += &format!(", circuit {}", circuit.state);
        }
        _ => {}
    }
    facts
}

fn facts_of_backend(backend: &BackendStatus, before: Option<&Counted>, seconds: f64) -> String {
    let rate = rate(backend.requests, before.map(|old| old.requests), seconds);
    let mut facts = format!("{}, {rate:.1}/s", backend.health);
    let (answered, waited) = before.map_or((0, 0), |old| (old.answered, old.waited));
    let answered = backend.answered.saturating_sub(answered);
    if let Some(micros) = backend.waited.saturating_sub(waited).checked_div(answered) {
        facts += &format!(", {:.1} ms", micros as f64 / 1e3);
    }
    let (open, idle) = (backend.open, backend.idle);
    facts + &format!(", {open} in flight, {idle} idle")
}

/// Draws by the commands of topology lines.
#[derive(Default)]
struct Pen {
    sketch: Sketch,
}

impl Pen {
    fn node(&mut self, id: &str, name: &str, kind: &str) {
        self.draw(Command::AddNode {
            id: id.to_owned(),
            name: name.to_owned(),
            kind: kind.to_owned(),
        });
    }

    fn link(&mut self, from: &str, to: &str) {
        self.draw(Command::AddLink(from.to_owned(), to.to_owned()));
    }

    /// What is beyond the limits of a drawing is left out.
    fn draw(&mut self, command: Command) {
        let refused = self.sketch.command(&command.to_string());
        if !refused.is_empty() {
            log::debug!("the drawing of the proxy is incomplete: {}", refused.trim());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Backend, Block, Plan, Route};

    fn status() -> Vec<RouteStatus> {
        let backend = |port: u16| Backend::parse(&format!("http://127.0.0.1:{port}")).unwrap();
        let mut api = Route::to([backend(9002), backend(9003)]);
        api.prefix = "/api".to_owned();
        let hosts = ["a.local", "b.local"].map(|host| host.parse().unwrap());
        let block = Block::new(hosts, [Route::to([backend(9001)]), api]);
        Proxy::new(Plan::new([block])).status()
    }

    #[test]
    fn hosts_policies_and_backends_are_nodes() {
        let lines = draw(&status(), &Figures::default(), 1.0).to_string();
        let expected = [
            "ADD NODE clients clients auto -",
            "ADD NODE \"hosts a.local b.local\" \"a.local b.local\" auto -",
            "ADD NODE \"route 0\" \"/api by round-robin\" auto 0.0/s",
            "ADD NODE \"backend 0 1 http://127.0.0.1:9003\" http://127.0.0.1:9003 auto \
             \"up, 0.0/s, 0 in flight, 0 idle\"",
            "ADD LINK clients \"hosts a.local b.local\"",
            "ADD LINK \"hosts a.local b.local\" \"route 0\"",
            "ADD LINK \"route 0\" \"backend 0 1 http://127.0.0.1:9003\"",
        ];
        for line in expected {
            assert!(lines.lines().any(|each| each == line), "{line}\n{lines}");
        }
        assert_eq!(lines.matches("ADD NODE").count(), 1 + 1 + 2 + 3);
        assert_eq!(lines.matches("ADD LINK").count(), 1 + 2 + 3);
    }

    #[test]
    fn figures_are_those_of_the_time_between() {
        let mut status = status();
        let before = figures(&status);
        status[1].requests = 30;
        status[1].waiting = 4;
        let backend = &mut status[1].backends[0];
        (backend.requests, backend.answered, backend.waited) = (20, 10, 25_000);
        (backend.open, backend.idle, backend.health) = (3, 2, "ejected");
        let first = draw(&status, &before, 2.0).to_string();
        assert!(first.contains("auto \"15.0/s, 4 waiting\""), "{first}");
        let facts = "\"ejected, 10.0/s, 2.5 ms, 3 in flight, 2 idle\"";
        assert!(first.contains(facts), "{first}");
        // Nothing has happened since: no rate, and no time to the first byte.
        let next = draw(&status, &figures(&status), 1.0).to_string();
        assert!(
            next.contains("\"ejected, 0.0/s, 3 in flight, 2 idle\""),
            "{next}"
        );
    }
}
