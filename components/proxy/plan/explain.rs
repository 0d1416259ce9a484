//! Which block and route a request gets, and which it nearly got.

use std::fmt;

use http::Method;
use kamea_components::http::Target;
use kamea_components::web::Remark;

use super::host::normalized;
use super::{Block, HostPattern, NoRoute, Plan, Route, without_port};

/// Why a request gets the block and the route that it gets.
///
/// # Examples
/// ```
/// use http::Method;
/// use kamea_components::http::Target;
/// use kamea_proxy::plan::{Block, Plan, Route};
///
/// let plan = Plan::new([Block::new(["a.local:8081".parse()?], [Route::to([])])]);
/// let target = Target::parse(&Method::GET, "/x".into())?;
/// let explanation = plan.explain("a.local:8080", 8080, &Method::GET, &target);
/// assert_eq!(explanation.to_string(), "\
/// host a.local:8080: no block
///     nearly: host a.local:8081, but the port differs
/// ");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The host as it was asked for.
    pub authority: String,
    /// The block and the pattern that matched.
    pub block: Option<(Block, HostPattern)>,
    /// The position of the route, or why there is none; `None` without a block.
    pub route: Option<Result<usize, NoRoute>>,
    /// Hosts and routes that nearly matched, each with the reason why it did not.
    pub near: Vec<(String, &'static str)>,
}

/// The limit for what nearly matched.
const MOST_NEAR: usize = 5;

impl Plan {
    /// Explains which block and route a request gets; see [`Explanation`].
    #[must_use]
    pub fn explain(
        &self,
        authority: &str,
        port: u16,
        method: &Method,
        target: &Target,
    ) -> Explanation {
        let asked = normalized(authority, port);
        let index = self.index_for(authority, port);
        let block = index.map(|index| self.blocks[index].clone());
        let block = block.map(|block| {
            let pattern = matched(&block, &asked);
            (block, pattern)
        });
        let route = block.as_ref().map(|(b, _)| b.route_for(method, target));
        let is_specific = |pattern: &HostPattern| matches!(pattern, HostPattern::Exact { .. });
        let mut near = Vec::new();
        if !block
            .as_ref()
            .is_some_and(|(_, pattern)| is_specific(pattern))
        {
            near = self.near_hosts(&asked);
        }
        if let (Some((block, _)), Some(route)) = (&block, &route) {
            near.extend(near_routes(block, route.as_ref().ok().copied(), target));
        }
        near.truncate(MOST_NEAR);
        Explanation {
            authority: authority.to_owned(),
            block,
            route,
            near,
        }
    }

    /// Returns the hosts that differ in little from the one that was asked for.
    fn near_hosts(&self, asked: &str) -> Vec<(String, &'static str)> {
        let hosts = self.blocks.iter().flat_map(|block| &block.hosts);
        let reasons = hosts.filter_map(|host| {
            let reason = near_miss(host, without_port(asked))?;
            Some((format!("host {host}"), reason))
        });
        reasons.take(MOST_NEAR).collect()
    }
}

/// Returns the pattern by which a block was found: the most specific one that matches.
fn matched(block: &Block, asked: &str) -> HostPattern {
    let name = without_port(asked);
    let port = asked[name.len()..].trim_start_matches(':').parse().ok();
    let matches = |host: &&HostPattern| match host {
        HostPattern::Exact { name: own, .. } if own != name => false,
        HostPattern::Below { name: own, .. } if !is_below(name, own) => false,
        HostPattern::Default => true,
        _ => host.port().is_none() || host.port() == port,
    };
    let rank = |host: &&HostPattern| match host {
        HostPattern::Exact { port, .. } => (2, 0, port.is_some()),
        HostPattern::Below { name, port } => (1, name.len(), port.is_some()),
        HostPattern::Default => (0, 0, false),
    };
    let found = block.hosts.iter().filter(matches).max_by_key(rank);
    found.cloned().unwrap_or(HostPattern::Default)
}

fn is_below(name: &str, parent: &str) -> bool {
    let labels = name.strip_suffix(parent);
    labels.is_some_and(|labels| labels.ends_with('.'))
}

/// Returns why a host that is similar does not match.
fn near_miss(host: &HostPattern, asked: &str) -> Option<&'static str> {
    let own = host.name()?;
    let without_www = |name: &str| name.strip_prefix("www.").unwrap_or(name).to_owned();
    match host {
        HostPattern::Exact { .. } if own == asked => Some("the port differs"),
        HostPattern::Below { .. } if is_below(asked, own) => Some("the port differs"),
        HostPattern::Below { .. } if own == asked => Some("`*.` stands for at least one label"),
        HostPattern::Exact { .. } if without_www(own) == without_www(asked) => {
            Some("`www.` makes another host")
        }
        HostPattern::Exact { .. } if is_below(asked, own) || is_below(own, asked) => {
            Some("one is a subdomain of the other")
        }
        HostPattern::Exact { .. } if differs_by_one(own, asked) => Some("one character differs"),
        _ => None,
    }
}

/// Whether one character is wrong, missing or too many.
fn differs_by_one(a: &str, b: &str) -> bool {
    let common = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a.as_bytes()[common..], &b.as_bytes()[common..]);
    match a.len().abs_diff(b.len()) {
        0 => a.get(1..) == b.get(1..),
        1 if a.len() > b.len() => &a[1..] == b,
        1 => a == &b[1..],
        _ => false,
    }
}

/// Returns the routes that have a part of the path, other than the chosen one.
fn near_routes<'b>(
    block: &'b Block,
    chosen: Option<usize>,
    target: &'b Target,
) -> impl Iterator<Item = (String, &'static str)> + 'b {
    let path = target.path();
    let routes = block.routes().iter().enumerate();
    let routes = routes.filter(move |(index, _)| Some(*index) != chosen);
    routes.filter_map(move |(_, route)| {
        let reason = route_miss(route, path)?;
        Some((format!("route {}", route.prefix), reason))
    })
}

fn route_miss(route: &Route, path: &str) -> Option<&'static str> {
    if route.contains(path.as_bytes()) {
        return Some("it does not take the method, or another prefix is longer");
    }
    if path.starts_with(&route.prefix) {
        return Some("a prefix ends at the end of a segment");
    }
    if path.eq_ignore_ascii_case(&route.prefix) || route.prefix.strip_suffix('/') == Some(path) {
        return Some("upper case and the slash at the end count");
    }
    None
}

impl Explanation {
    /// The same for the explanation of a live request.
    ///
    /// # Examples
    /// ```
    /// use http::Method;
    /// use kamea_components::http::Target;
    /// use kamea_proxy::plan::{Block, Plan, Route};
    ///
    /// let plan = Plan::new([Block::new(["a.local:8081".parse()?], [Route::to([])])]);
    /// let target = Target::parse(&Method::GET, "/x".into())?;
    /// let remark = plan.explain("a.local", 8081, &Method::GET, &target).remark();
    /// assert_eq!(remark.verdict, "finds the route / of host a.local:8081");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn remark(&self) -> Remark {
        let mut remark = match &self.block {
            None => Remark::new(format!("finds no block of host {}", self.authority)),
            Some((block, pattern)) => {
                let route = self.route.as_ref();
                let verdict = match route {
                    Some(Ok(index)) => {
                        let prefix = &block.routes()[*index].prefix;
                        format!("finds the route {prefix} of host {pattern}")
                    }
                    _ => format!("finds host {pattern}, and no route"),
                };
                let place = Place(block);
                let remark = Remark::new(verdict).with(format!("host {pattern}{place}"), "matches");
                match route {
                    Some(Ok(index)) => {
                        let prefix = &block.routes()[*index].prefix;
                        remark.with(format!("route {prefix}"), "matches")
                    }
                    Some(Err(none)) => remark.with("routes", format!("no: {}", why(none))),
                    None => remark,
                }
            }
        };
        for (near, reason) in &self.near {
            remark = remark.with(near, format!("no: {reason}"));
        }
        remark
    }
}

/// Where a block stands in its file.
struct Place<'a>(&'a Block);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = &self.0.place;
        match place.line {
            0 => Ok(()),
            line => write!(f, " ({}:{line})", place.file.display()),
        }
    }
}

/// Why there is no route, and the status for it.
fn why(none: &NoRoute) -> String {
    match none {
        NoRoute::Path => "no route has this path: 404".to_owned(),
        NoRoute::Method(allowed) => {
            let allowed: Vec<_> = allowed.iter().map(Method::as_str).collect();
            let allowed = allowed.join(", ");
            format!("no route of this path takes the method, only {allowed}: 405")
        }
        NoRoute::Ambiguous => {
            "the path has dot segments or an invalid percent sequence: 400".to_owned()
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.block {
            None => writeln!(f, "host {}: no block", self.authority)?,
            Some((block, pattern)) => {
                let place = Place(block);
                writeln!(f, "host {}: block {pattern}{place}", self.authority)?;
                show_route(f, block, self.route.as_ref())?;
            }
        }
        for (near, reason) in &self.near {
            writeln!(f, "    nearly: {near}, but {reason}")?;
        }
        Ok(())
    }
}

fn show_route(
    f: &mut fmt::Formatter<'_>,
    block: &Block,
    route: Option<&Result<usize, NoRoute>>,
) -> fmt::Result {
    match route {
        Some(Ok(index)) => writeln!(f, "route {}", block.routes()[*index].prefix),
        Some(Err(none)) => writeln!(f, "{}", why(none)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn explain(authority: &str, path: &'static str) -> String {
        let mut api = Route::to([]);
        api.prefix = "/api".to_owned();
        let mut post = Route::to([]);
        post.prefix = "/api/form".to_owned();
        post.methods = Some(vec![Method::POST]);
        let hosts = |hosts: &[&str]| hosts.iter().map(|h| h.parse().unwrap()).collect::<Vec<_>>();
        let plan = Plan::new([
            Block::new(hosts(&["app1.local:8080"]), [api, post]),
            Block::new(hosts(&["*.example.org", "app2.local"]), [Route::to([])]),
        ]);
        let target = Target::parse(&Method::GET, path.into()).unwrap();
        plan.explain(authority, 8080, &Method::GET, &target)
            .to_string()
    }

    #[test]
    fn what_nearly_matched_is_said() {
        let rows = [
            (
                "app1.local",
                "/api/x",
                "block app1.local:8080\nroute /api\n",
            ),
            (
                "app1.local:80",
                "/",
                "no block\n    nearly: host app1.local:8080, but the port differs",
            ),
            ("ap1.local", "/", "but one character differs"),
            (
                "app12.local",
                "/",
                "nearly: host app1.local:8080, but one character differs",
            ),
            ("www.app2.local", "/", "`www.` makes another host"),
            ("x.app2.local", "/", "one is a subdomain of the other"),
            (
                "example.org",
                "/",
                "nearly: host *.example.org, but `*.` stands for",
            ),
            ("a.b.example.org", "/", "block *.example.org\nroute /\n"),
            ("app1.local", "/", "no route has this path: 404"),
            (
                "app1.local",
                "/apis",
                "nearly: route /api, but a prefix ends at the end of a segment",
            ),
            ("app1.local", "/API", "nearly: route /api, but upper case"),
            (
                "app1.local",
                "/api/form",
                "route /api\n    nearly: route /api/form, but it does not take",
            ),
            ("app1.local", "/../x", "dot segments"),
        ];
        for (authority, path, expected) in rows {
            let shown = explain(authority, path);
            assert!(shown.contains(expected), "{authority}{path}: {shown}");
        }
        assert!(!explain("other", "/").contains("nearly"));
    }
}
