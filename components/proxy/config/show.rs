//! The plan as a table, for people.

use std::fmt;

use crate::plan::{Backend, Errors, HashKey, Plan, PolicyKind, Route};

/// A line for each backend; hosts, routes and policies stand at the first one.
///
/// # Examples
/// ```
/// use std::path::Path;
/// use kamea_proxy::config::read_plan;
///
/// let text = "host a.local b.local { proxy_pass http://127.0.0.1:9000; }";
/// let plan = read_plan(Path::new("proxy.conf"), text)?;
/// assert_eq!(plan.to_string(), "\
/// host     route  policy       backend
/// a.local  /      round-robin  http://127.0.0.1:9000
/// b.local
/// other hosts: 404; backends that fail: 404
/// ");
/// # Ok::<(), kamea_proxy::config::Mistakes>(())
/// ```
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![["host", "route", "policy", "backend"].map(str::to_owned)];
        for block in self.blocks() {
            let lines: Vec<_> = block.routes().iter().flat_map(lines_of_route).collect();
            let hosts: Vec<_> = block.hosts.iter().map(ToString::to_string).collect();
            for index in 0..lines.len().max(hosts.len()) {
                let host = hosts.get(index).cloned().unwrap_or_default();
                let [route, policy, backend] = lines.get(index).cloned().unwrap_or_default();
                rows.push([host, route, policy, backend]);
            }
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
        let widths = [0, 1, 2].map(|column| width(column).unwrap_or_default());
        for [host, route, policy, backend] in &rows {
            let [a, b, c] = widths;
            let line = format!("{host:a$}  {route:b$}  {policy:c$}  {backend}");
            writeln!(f, "{}", line.trim_end())?;
        }
        let failed = match self.errors {
            Errors::Assignment => "404",
            Errors::Standard => "502, 503, 504",
        };
        if self.index_for("", 0).is_none() {
            write!(f, "other hosts: 404; ")?;
        }
        writeln!(f, "backends that fail: {failed}")?;
        for network in &self.trusted {
            writeln!(f, "trusted: {network}")?;
        }
        Ok(())
    }
}

/// Route, policy and backend of each line.
fn lines_of_route(route: &Route) -> Vec<[String; 3]> {
    let mut name = route.prefix.clone();
    if let Some(methods) = &route.methods {
        let methods: Vec<_> = methods.iter().map(http::Method::as_str).collect();
        name.push_str(&format!(" {}", methods.join(",")));
    }
    let policy = match &route.sticky {
        Some(cookie) => format!("{}, sticky {cookie}", route.policy),
        None => route.policy.to_string(),
    };
    let backends = route.backends.iter().enumerate();
    let lines = backends.map(|(index, backend)| match index {
        0 => [name.clone(), policy.clone(), described(backend)],
        _ => [String::new(), String::new(), described(backend)],
    });
    lines.collect()
}

/// An address, and what differs from the usual.
fn described(backend: &Backend) -> String {
    let mut text = backend.to_string();
    if backend.weight != 1 {
        text.push_str(&format!(" weight={}", backend.weight));
    }
    if backend.is_backup {
        text.push_str(" backup");
    }
    if let Some(most) = backend.most_connections {
        text.push_str(&format!(" max_conns={most}"));
    }
    if !backend.slow_start.is_zero() {
        text.push_str(&format!(" slow_start={:?}", backend.slow_start));
    }
    if let Some(version) = backend.send_proxy_protocol {
        text.push_str(&format!(" send_proxy_protocol={version:?}").to_lowercase());
    }
    if !backend.tls.verifies {
        text.push_str(" tls_verify=off");
    }
    text
}

/// The name in a configuration.
impl fmt::Display for PolicyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RoundRobin => "round-robin",
            Self::LeastConnections => "least-conn",
            Self::Random => "random",
            Self::TwoChoices => "two-choices",
            Self::IpHash => "ip-hash",
            Self::Hash(HashKey::Target) => "hash target",
            Self::Hash(HashKey::Field(name)) => return write!(f, "hash header {name}"),
            Self::Hash(HashKey::Cookie(name)) => return write!(f, "hash cookie {name}"),
        })
    }
}
