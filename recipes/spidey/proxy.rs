//! The backends that `spidey` is told to forward paths to.

use std::str::FromStr;

use kamea_components::server::WebServer;
use kamea_components::web::Route as Matching;
use kamea_proxy::plan::{Address, Backend, BackendError, Block, Errors, HostPattern, Route};
use kamea_proxy::{Plan, Proxy, forward_route};

/// A path of the site, and the backends that answer below it.
#[derive(Debug, Clone)]
pub(crate) struct ProxiedPath {
    prefix: String,
    backends: Vec<Backend>,
}

impl FromStr for ProxiedPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write PATH=URL, such as /api=http://127.0.0.1:9000";
        let (prefix, backends) = text.split_once('=').ok_or(form)?;
        let is_plain = |segment: &str| segment != "." && segment != "..";
        let is_path = prefix.starts_with('/') && !prefix.contains(['?', '#', '%', '\0']);
        if !is_path || !prefix.split('/').all(is_plain) {
            let wrong = "a path begins with a slash, and has no ? # % and no dot segments";
            return Err(wrong.to_owned());
        }
        let backend = |text: &str| {
            let wrong = |error: BackendError| format!("{text}: {error}");
            Backend::parse(text).map_err(wrong)
        };
        let prefix = match prefix.trim_end_matches('/') {
            "" => "/",
            prefix => prefix,
        };
        Ok(Self {
            prefix: prefix.to_owned(),
            backends: backends.split(',').map(backend).collect::<Result<_, _>>()?,
        })
    }
}

impl ProxiedPath {
    /// Whether a backend has a name, which the resolver of the system looks up in files.
    pub(crate) fn has_names(&self) -> bool {
        self.backends.iter().any(|backend| match &backend.address {
            Address::Tcp { host, .. } => host.parse::<std::net::IpAddr>().is_err(),
            _ => false,
        })
    }
}

/// Forwards the requests of these paths.
pub(crate) fn forward(server: WebServer, paths: &[ProxiedPath]) -> WebServer {
    if paths.is_empty() {
        return server;
    }
    let routes = paths.iter().map(|path| {
        let mut route = Route::to(path.backends.clone());
        route.prefix.clone_from(&path.prefix);
        route
    });
    let mut plan = Plan::new([Block::new([HostPattern::Default], routes)]);
    plan.errors = Errors::Standard;
    let proxy = Proxy::new(plan);
    paths.iter().fold(server, |server, path| {
        let matching = match path.prefix.as_str() {
            "/" => Matching::any_path(),
            prefix => Matching::below(prefix),
        };
        forward_route(server, &format!("proxy {}", path.prefix), matching, &proxy)
    })
}
