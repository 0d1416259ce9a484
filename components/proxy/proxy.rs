//! A proxy while it runs: its plan, and the backends of each route as they are now.

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, PoisonError, RwLock};

use crate::backends::{BackendState, BackendStatus, CircuitStatus, Connector, Group};
use crate::fields::random_name;
use crate::plan::{Block, Errors, Plan, Route};
use crate::policy::{Policy, policy_of};

/// A proxy while it runs. All its clones are the same proxy.
///
/// # Examples
///
/// A proxy in front of one backend, in a web server:
///
/// ```
/// use kamea_components::server::{Site, WebServer};
/// use kamea_proxy::plan::{Backend, Block, Plan, Route};
/// use kamea_proxy::{Proxy, serve_by_proxy};
///
/// let route = Route::to([Backend::parse("http://127.0.0.1:9000")?]);
/// let proxy = Proxy::new(Plan::new([Block::new(["default".parse()?], [route])]));
/// let server = serve_by_proxy(WebServer::new(Site::new(".")), &proxy);
/// # server.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Proxy(Arc<Shared>);

struct Shared {
    running: RwLock<Arc<Running>>,
    /// Counts the plans, so that a connection notices a new one.
    version: AtomicU64,
    connector: Connector,
    policies: Option<MakePolicy>,
    /// Its name in `Via`, unless the plan has one.
    name: String,
}

type MakePolicy = Box<dyn Fn(&Route) -> Option<Box<dyn Policy>> + Send + Sync>;

/// A plan, and the backends of each of its routes.
pub(crate) struct Running {
    pub(crate) plan: Plan,
    /// The name of the proxy in `Via`.
    pub(crate) name: String,
    /// For each block, for each of its routes.
    groups: Vec<Vec<Arc<Group>>>,
}

/// The result of a reload, in blocks of hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reloaded {
    /// Unchanged: their connections stay.
    pub kept: usize,
    /// New or changed.
    pub added: usize,
    /// Gone, or replaced by a changed one.
    pub retired: usize,
}

/// The figures of a route.
#[derive(Clone, Debug, serde::Serialize)]
#[non_exhaustive]
pub struct RouteStatus {
    /// Its hosts and its path.
    pub route: String,
    /// How its backends are chosen.
    pub policy: String,
    /// Requests since the start.
    pub requests: u64,
    /// Further attempts of requests.
    pub retries: u64,
    /// Requests that wait while every backend is at its limit.
    pub waiting: usize,
    /// Its circuit breaker, if it has one.
    pub circuit: Option<CircuitStatus>,
    /// Its backends.
    pub backends: Vec<BackendStatus>,
    /// The server that says whether requests are allowed, if there is one.
    pub auth: Option<BackendStatus>,
}

/// A backend that the proxy does not have.
#[derive(Debug, thiserror::Error)]
#[error("there is no backend {0}: give its address as the configuration has it")]
pub struct UnknownBackendError(String);

impl Proxy {
    /// A proxy of this plan, over the network of the system.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self::with(plan, Connector::system(), None)
    }

    /// A proxy of this plan that opens its connections by `connector`.
    #[must_use]
    pub fn over(plan: Plan, connector: Connector) -> Self {
        Self::with(plan, connector, None)
    }

    /// A proxy of this plan with policies of one's own: `make` returns that of a route, or `None`
    /// for the one that the plan names.
    #[must_use]
    pub fn with_policies(
        plan: Plan,
        make: impl Fn(&Route) -> Option<Box<dyn Policy>> + Send + Sync + 'static,
    ) -> Self {
        Self::with(plan, Connector::system(), Some(Box::new(make)))
    }

    fn with(plan: Plan, connector: Connector, policies: Option<MakePolicy>) -> Self {
        let nothing = Running {
            plan: Plan::default(),
            name: String::new(),
            groups: Vec::new(),
        };
        let proxy = Self(Arc::new(Shared {
            running: RwLock::new(Arc::new(nothing)),
            version: AtomicU64::new(0),
            connector,
            policies,
            name: random_name(),
        }));
        proxy.reload(plan);
        proxy
    }

    /// Replaces the plan. Blocks that did not change keep their connections, WebSockets included;
    /// so do backends that did not change in blocks that did. Requests that are under way end as
    /// they began.
    pub fn reload(&self, plan: Plan) -> Reloaded {
        let mut present = self.write();
        let mut old: Vec<_> = present.plan.blocks().iter().zip(&present.groups).collect();
        let mut reloaded = Reloaded::default();
        let mut groups = Vec::new();
        for block in plan.blocks() {
            let same = old.iter().position(|(other, _)| *other == block);
            if let Some(same) = same {
                reloaded.kept += 1;
                groups.push(old.swap_remove(same).1.clone());
            } else {
                reloaded.added += 1;
                groups.push(self.groups_of(block, &mut known_to(block, &present)));
            }
        }
        reloaded.retired = old.len();
        for group in old.iter().flat_map(|(_, groups)| groups.iter()) {
            group.retire();
        }
        let name = plan.name.as_ref().unwrap_or(&self.0.name).clone();
        *present = Arc::new(Running { plan, name, groups });
        self.0.version.fetch_add(1, Release);
        reloaded
    }

    fn groups_of(&self, block: &Block, known: &mut Vec<Arc<BackendState>>) -> Vec<Arc<Group>> {
        let hosts: Vec<_> = block.hosts.iter().map(ToString::to_string).collect();
        let hosts = hosts.join(" ");
        let mut group = |route: &Route| {
            let own = self.0.policies.as_ref().and_then(|make| make(route));
            let policy = own.unwrap_or_else(|| policy_of(route));
            let name = format!("{hosts} {}", route.prefix);
            Arc::new(Group::new(name, route.clone(), policy, known))
        };
        block.routes().iter().map(&mut group).collect()
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Arc<Running>> {
        self.0
            .running
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The present plan and its backends.
    pub(crate) fn running(&self) -> Arc<Running> {
        let running = self.0.running.read();
        running.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Which errors the clients see now.
    pub(crate) fn errors(&self) -> Errors {
        self.running().plan.errors
    }

    /// Changes with each new plan.
    pub(crate) fn version(&self) -> u64 {
        self.0.version.load(Acquire)
    }

    pub(crate) fn connector(&self) -> &Connector {
        &self.0.connector
    }

    /// The groups of backends, route by route.
    pub fn groups(&self) -> Vec<Arc<Group>> {
        self.running().groups.iter().flatten().cloned().collect()
    }

    /// The figures of all routes.
    pub fn status(&self) -> Vec<RouteStatus> {
        let status = |group: &Arc<Group>| {
            let (requests, retries) = group.totals();
            RouteStatus {
                route: group.name().to_string(),
                policy: group.route().policy.to_string(),
                requests,
                retries,
                waiting: group.waiting(),
                circuit: group.circuit(),
                auth: group.auth().map(|state| state.status()),
                backends: group
                    .backends()
                    .iter()
                    .map(|state| state.status())
                    .collect(),
            }
        };
        self.groups().iter().map(status).collect()
    }

    /// Takes a backend out of all routes, or brings it back. It finishes what it has.
    ///
    /// # Errors
    ///
    /// [`UnknownBackendError`], if no route has it.
    pub fn drain(&self, address: &str, is_draining: bool) -> Result<(), UnknownBackendError> {
        self.each_at(address, |state| state.set_draining(is_draining))
    }

    /// Sets the weight of a backend in all routes, until the next change of the configuration.
    ///
    /// # Errors
    ///
    /// [`UnknownBackendError`], if no route has it.
    pub fn weigh(&self, address: &str, weight: u32) -> Result<(), UnknownBackendError> {
        self.each_at(address, |state| state.set_weight(weight))
    }

    fn each_at(
        &self,
        address: &str,
        change: impl Fn(&BackendState),
    ) -> Result<(), UnknownBackendError> {
        let groups = self.groups();
        let states = groups.iter().flat_map(|group| group.backends());
        let is_it = |state: &&Arc<BackendState>| {
            let backend = state.backend();
            backend.to_string() == address || backend.address.to_string() == address
        };
        let found: Vec<_> = states.filter(is_it).collect();
        found.iter().for_each(|state| change(state));
        match found.is_empty() {
            true => Err(UnknownBackendError(address.to_owned())),
            false => Ok(()),
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").finish_non_exhaustive()
    }
}

impl Running {
    /// The backends of a route of a block.
    pub(crate) fn group(&self, block: usize, route: usize) -> &Arc<Group> {
        &self.groups[block][route]
    }
}

/// The backends that the present plan has for the hosts of a changed block.
fn known_to(block: &Block, present: &Running) -> Vec<Arc<BackendState>> {
    let blocks = present.plan.blocks().iter().zip(&present.groups);
    let of_its_hosts = blocks.filter(|(other, _)| {
        let mut hosts = other.hosts.iter();
        hosts.any(|host| block.hosts.contains(host))
    });
    let groups = of_its_hosts.flat_map(|(_, groups)| groups);
    let states = groups.flat_map(|group| group.backends());
    states.cloned().collect()
}

impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxy")
            .field("groups", &self.groups())
            .finish_non_exhaustive()
    }
}
