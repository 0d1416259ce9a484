//! A proxy in a web server.

use std::net::SocketAddr;

use kamea_components::server::{ConnectionGraph, Preface, Served, WebServer};
use kamea_components::web::Route;

use crate::Proxy;
use crate::forward::{authorize_requests, choose_backend, exchange_requests, find_route};
use crate::proxy_protocol::read_proxy_header;

/// Forwards all requests of a web server that no earlier route takes. Trusted peers begin their
/// connections with the PROXY protocol, if the plan says so.
#[must_use]
pub fn serve_by_proxy(server: WebServer, proxy: &Proxy) -> WebServer {
    let of = proxy.clone();
    let server = server.preface(move |peer, bytes| read_preface(&of, peer, bytes));
    forward_route(server, "proxy", Route::any_path(), proxy)
}

/// Reads the PROXY protocol of trusted peers, if the plan says that they send it. Those have to;
/// for others it is no HTTP.
fn read_preface(proxy: &Proxy, peer: SocketAddr, bytes: &[u8]) -> Preface {
    let running = proxy.running();
    let (mut length, mut client) = (0, None);
    if running.plan.accepts_proxy_protocol && running.plan.is_trusted(peer.ip()) {
        match read_proxy_header(bytes) {
            Ok(None) => return Preface::Partial,
            Ok(Some(header)) => {
                length = header.length;
                client = header.addresses.map(|addresses| addresses.source);
            }
            Err(error) => {
                log::warn!("{peer} | {error}");
                return Preface::Invalid;
            }
        }
    }
    Preface::Whole {
        length,
        peer: client,
    }
}

/// Forwards the requests of `route`; `name` is its name in the graph.
#[must_use]
pub fn forward_route(server: WebServer, name: &str, route: Route, proxy: &Proxy) -> WebServer {
    let proxy = proxy.clone();
    server.route_graph(name, route, move |graph, name| {
        add_proxy(graph, name, &proxy)
    })
}

/// Adds the components of a proxy to the graph of a connection.
fn add_proxy(graph: &mut ConnectionGraph, name: &str, proxy: &Proxy) -> Served {
    let of = proxy.clone();
    let find = graph.add_seeded(name, move |connection| {
        // A connection that is lost has no address, and needs none.
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let local = connection.local().unwrap_or(nowhere);
        find_route(of.clone(), local, connection.is_secure())
    });
    let of = proxy.clone();
    let authorize = graph.add_seeded(&format!("{name} authorization"), move |connection| {
        connection.until_gone(authorize_requests(of.clone()))
    });
    let of = proxy.clone();
    let exchange = graph.add_seeded(&format!("{name} exchange"), move |connection| {
        connection.until_gone(exchange_requests(of.clone()))
    });
    let choose = graph.add_seeded(&format!("{name} policy"), |connection| {
        connection.until_gone(choose_backend())
    });
    graph.link(find.routed, authorize.routed);
    graph.link(authorize.passed, exchange.routed);
    graph.link(exchange.asked, choose.asked);
    graph.feedback(choose.chosen, exchange.chosen);
    let responses = vec![authorize.responses, exchange.responses];
    let failures = vec![find.failures, authorize.failures, exchange.failures];
    let mut served = Served::new(find.requests, responses, failures);
    served.notices = vec![exchange.notices];
    served.forwarded = vec![exchange.forwarded];
    served.remarks = vec![find.remarks, choose.remarks, exchange.remarks];
    served
}
