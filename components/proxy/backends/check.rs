//! Checks backends again and again, and looks up their names.
//!
//! ```text
//!  check_backends ──▶ for each backend with checks: GET path ──▶ BackendState: up or down
//!                └──▶ for each name: the resolver ──▶ its addresses
//! ```

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_lite::future::or;
use http::{Method, Version};
use kamea::time::{now, sleep};
use kamea::{Children, Component, Done, Graph, Placement};
use kamea_components::chassis::NoPorts;
use kamea_components::http::{BodyKind, Fields, RequestHead, Target, encode_request};

use super::ask::ask_head;
use super::connect::resolve;
use super::{BackendState, Connector, Group, connect};
use crate::Proxy;
use crate::plan::{ActiveCheck, Address};
use crate::proxy_protocol::write_proxy_header;

/// How often the proxy looks for checks that are due.
const TICK: Duration = Duration::from_millis(100);

/// How often names are looked up again. The resolver of the system knows how long an answer holds,
/// and does not say it.
const LOOK_UP: Duration = Duration::from_secs(30);

/// Checks the backends of a proxy as their routes say, and looks up their names again, until it is
/// stopped. A proxy needs one of these, on any worker.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_proxy::backends::check_backends;
/// use kamea_proxy::{Plan, Proxy};
///
/// let proxy = Proxy::new(Plan::new([]));
/// let mut graph = Graph::new("checks");
/// graph.add("check", check_backends(proxy));
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
/// # Ok::<(), kamea::GraphError>(())
/// ```
pub fn check_backends(proxy: Proxy) -> impl Component<NoPorts> + Clone + Send + Sync {
    async move |_: &mut NoPorts| {
        let (mut due, mut checks) = (Due::default(), Children::new());
        loop {
            for group in proxy.groups() {
                for state in group.backends() {
                    due.start(&mut checks, &group, state, proxy.connector());
                }
            }
            due.forget();
            if or(stopped(), tick(&mut checks)).await {
                return Ok(());
            }
        }
    }
}

async fn stopped() -> bool {
    kamea::stopping().await;
    true
}

/// Waits for the next tick, and takes the ends of the checks.
async fn tick(checks: &mut Children) -> bool {
    let ends = async {
        while checks.next_end().await.is_some() {}
        std::future::pending().await
    };
    or(sleep(TICK), ends).await;
    false
}

/// When each backend is checked and looked up next.
#[derive(Default)]
struct Due(HashMap<u64, Times>);

struct Times {
    check: Instant,
    look_up: Instant,
    /// Whether the configuration has had it since the last tick.
    is_seen: bool,
}

impl Due {
    fn start(
        &mut self,
        checks: &mut Children,
        group: &Group,
        state: &Arc<BackendState>,
        connector: &Connector,
    ) {
        let now = now();
        let times = self.0.entry(state.id()).or_insert(Times {
            check: now,
            look_up: now + LOOK_UP,
            is_seen: true,
        });
        times.is_seen = true;
        if let Some(check) = &group.route().health
            && now >= times.check
        {
            times.check = now + check.interval;
            let (state, check, connector) = (state.clone(), check.clone(), connector.clone());
            run(
                checks,
                "check of a backend",
                async move |_: &mut NoPorts| {
                    check_once(&state, &check, &connector).await;
                    Ok(())
                },
            );
        }
        if now >= times.look_up {
            times.look_up = now + LOOK_UP;
            let state = state.clone();
            run(
                checks,
                "addresses of a backend",
                async move |_: &mut NoPorts| {
                    look_up(&state).await;
                    Ok(())
                },
            );
        }
    }

    /// Forgets the backends that the configuration no longer has.
    fn forget(&mut self) {
        self.0
            .retain(|_, times| std::mem::replace(&mut times.is_seen, false));
    }
}

fn run(
    checks: &mut Children,
    name: &'static str,
    work: impl AsyncFnMut(&mut NoPorts) -> Done + Send + 'static,
) {
    let mut graph = Graph::new(name);
    graph.add("work", work);
    if let Err(error) = checks.start(Placement::Any, graph) {
        log::error!("{name}: {error}");
    }
}

async fn look_up(state: &BackendState) {
    if let Address::Tcp { host, port } = &state.backend().address
        && host.parse::<IpAddr>().is_err()
        && let Err(error) = resolve(state, host, *port).await
    {
        log::warn!("{}: {error}; its last addresses are kept", state.backend());
    }
}

async fn check_once(state: &BackendState, check: &ActiveCheck, connector: &Connector) {
    let late = async {
        sleep(check.timeout).await;
        let seconds = check.timeout.as_secs_f64();
        Err(format!("no answer to the check within {seconds} s"))
    };
    let result = or(check_status(state, check, connector), late).await;
    state.checked(result, check);
}

/// Asks a backend over a connection of its own.
async fn check_status(
    state: &BackendState,
    check: &ActiveCheck,
    connector: &Connector,
) -> Result<(), String> {
    let connection = connect(state, connector, check.timeout).await;
    let mut connection = connection.map_err(|error| error.to_string())?;
    let target = Target::parse(&Method::GET, check.path.clone().into());
    let head = RequestHead {
        method: Method::GET,
        target: target.map_err(|error| error.to_string())?,
        version: Version::HTTP_11,
        fields: Fields::new()
            .with("Host", state.backend().authority())
            .with("User-Agent", "kamea health check")
            .with("Connection", "close"),
    };
    let mut request = Vec::new();
    if let Some(version) = state.backend().send_proxy_protocol {
        write_proxy_header(&mut request, version, None);
    }
    encode_request(&mut request, &head, BodyKind::None);
    let answer = ask_head(&mut connection, &request).await;
    let status = answer.map_err(|error| error.to_string())?.status;
    match check.expected.contains(&status.as_u16()) {
        true => Ok(()),
        false => Err(format!("the check of {} got {status}", check.path)),
    }
}
