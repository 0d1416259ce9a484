//! Finds the route of each request: by its host, then by its path and method.

use std::net::SocketAddr;
use std::sync::Arc;

use http::{Method, StatusCode};
use kamea::{Component, Done, Inbox, Outbox, Ports};
use kamea_components::web::{Failure, Remark, Request};

use super::Routed;
use super::body::too_long;
use super::routed::Arrival;
use crate::Proxy;
use crate::backends::Group;
use crate::plan::{NoRoute, Plan};
use crate::proxy::Running;

/// The ports of [`find_route`].
#[derive(Debug, Ports)]
pub struct FindRoutePorts {
    /// The requests.
    pub requests: Inbox<Request>,
    /// The requests that have a route.
    pub routed: Outbox<Box<Routed>>,
    /// The others.
    pub failures: Outbox<Failure>,
    /// How the route of a request that is explained was found.
    pub remarks: Option<Outbox<Remark>>,
}

/// Finds the route of each request of a connection that came in at `local`, over TLS or not.
pub fn find_route(proxy: Proxy, local: SocketAddr, is_tls: bool) -> impl Component<FindRoutePorts> {
    async move |io: &mut FindRoutePorts| {
        let (mut version, mut running) = (proxy.version(), proxy.running());
        let mut last = LastHost::default();
        while let Some(request) = io.requests.next().await {
            if version != proxy.version() {
                (version, running) = (proxy.version(), proxy.running());
                last = LastHost::default();
            }
            if let Some(remarks) = &io.remarks {
                remarks
                    .send(explain(&running, &request, local.port()))
                    .await?;
            }
            match find(&running, &request, local.port(), &mut last) {
                Ok(group) => {
                    let arrival = Arrival::new(&request, running.clone(), local, is_tls);
                    match admit(&request, &group, &arrival) {
                        Ok(()) => io.routed.send(Routed::new(request, group, arrival)).await?,
                        Err(failure) => refuse(io, request, *failure).await?,
                    }
                }
                // Boxed, because most requests have a route.
                Err(failure) => Box::pin(refuse(io, request, *failure)).await?,
            }
        }
        Ok(())
    }
}

async fn refuse(io: &FindRoutePorts, mut request: Request, failure: Failure) -> Done {
    let discarded = match failure.exchange.closes {
        true => Ok(()),
        false => request.discard_content().await,
    };
    io.failures.send(discarded.err().unwrap_or(failure)).await?;
    Ok(())
}

/// Checks the limits of the route.
fn admit(request: &Request, group: &Group, arrival: &Arrival) -> Result<(), Box<Failure>> {
    let head = &request.head;
    if let Err(wait) = group.count(arrival.inbound().client(&head.fields)) {
        let why = "you have sent too many requests; try again later";
        let failure = request.refuse(StatusCode::TOO_MANY_REQUESTS, why);
        let seconds = wait.as_secs_f64().ceil().max(1.0);
        return Err(Box::new(failure.with("Retry-After", seconds.to_string())));
    }
    let length = head.fields.get("content-length");
    let length = length.and_then(|value| str::from_utf8(value).ok()?.parse::<u64>().ok());
    match (group.route().body, length) {
        (Some(most), Some(length)) if length > most => {
            let incomplete = too_long(most);
            Err(Box::new(Failure::incomplete(request.exchange, incomplete)))
        }
        _ => Ok(()),
    }
}

/// The host of the last request, and its block: most requests of a connection have the same host.
#[derive(Default)]
struct LastHost {
    authority: Vec<u8>,
    block: Option<usize>,
}

impl LastHost {
    fn block(&mut self, plan: &Plan, authority: &[u8], port: u16) -> Option<usize> {
        if self.block.is_none() || self.authority != authority {
            self.block = plan.index_for(&String::from_utf8_lossy(authority), port);
            self.authority = authority.to_vec();
        }
        self.block
    }
}

fn find(
    running: &Running,
    request: &Request,
    port: u16,
    last: &mut LastHost,
) -> Result<Arc<Group>, Box<Failure>> {
    let head = &request.head;
    let authority = head.authority().unwrap_or_default();
    let Some(block) = last.block(&running.plan, authority, port) else {
        let why = "this proxy does not serve the host of the request";
        return Err(Box::new(request.refuse(StatusCode::NOT_FOUND, why)));
    };
    match running.plan.blocks()[block].route_for(&head.method, &head.target) {
        Ok(route) => Ok(running.group(block, route).clone()),
        Err(none) => Err(Box::new(no_route(request, &none))),
    }
}

fn explain(running: &Running, request: &Request, port: u16) -> Remark {
    let head = &request.head;
    let authority = head.authority().map(String::from_utf8_lossy);
    let authority = authority.unwrap_or_default();
    let plan = &running.plan;
    plan.explain(&authority, port, &head.method, &head.target)
        .remark()
}

fn no_route(request: &Request, none: &NoRoute) -> Failure {
    match none {
        NoRoute::Path => {
            let why = "this proxy has no route for the path of the request";
            request.refuse(StatusCode::NOT_FOUND, why)
        }
        NoRoute::Method(allowed) => {
            let allowed: Vec<_> = allowed.iter().map(Method::as_str).collect();
            let why = "the routes of this path do not take the method";
            let failure = request.refuse(StatusCode::METHOD_NOT_ALLOWED, why);
            failure.with("Allow", allowed.join(", "))
        }
        NoRoute::Ambiguous => {
            let why = "a path with dot segments or invalid percent sequences can be understood in \
                       several ways";
            request.refuse(StatusCode::BAD_REQUEST, why)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Block;

    #[test]
    fn each_request_of_a_connection_gets_the_block_of_its_own_host() {
        let block = |host: &str| Block::new([host.parse().unwrap()], []);
        let plan = Plan::new(["a.local", "b.local:81"].map(block));
        let mut last = LastHost::default();
        for (authority, expected) in [
            ("", None),
            ("a.local", Some(0)),
            ("a.local", Some(0)),
            ("b.local:81", Some(1)),
            ("b.local", None),
            ("b.local:81", Some(1)),
            ("unknown", None),
            ("", None),
            ("A.local:80", Some(0)),
        ] {
            let found = last.block(&plan, authority.as_bytes(), 80);
            assert_eq!(found, expected, "{authority}");
        }
    }
}
