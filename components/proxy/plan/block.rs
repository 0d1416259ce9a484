//! The hosts that belong together, and their routes.

use std::path::PathBuf;

use http::Method;
use kamea_components::http::Target;

use super::{HostPattern, Route};

/// Hosts and their routes: a `host` block of the configuration.
///
/// Two blocks are equal if they do the same; their places do not count.
#[derive(Clone, Debug)]
pub struct Block {
    /// The hosts.
    pub hosts: Vec<HostPattern>,
    /// The routes, the longest prefix first.
    routes: Vec<Route>,
    /// Where the configuration says it.
    pub place: Place,
}

/// Where something stands in a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Empty if there is no file.
    pub file: PathBuf,
    /// Counted from 1; 0 if there is no file.
    pub line: usize,
}

/// Why a request has no route.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NoRoute {
    /// No route has this path: 404.
    Path,
    /// The routes of this path take only these methods: 405 with `Allow`.
    Method(Vec<Method>),
    /// The path cannot be compared with a prefix, because it has a dot segment or an invalid
    /// percent sequence: 400. A backend might resolve it to a path of another route.
    Ambiguous,
}

impl PartialEq for Block {
    fn eq(&self, other: &Self) -> bool {
        self.hosts == other.hosts && self.routes == other.routes
    }
}

impl Block {
    /// Creates a block.
    #[must_use]
    pub fn new(
        hosts: impl IntoIterator<Item = HostPattern>,
        routes: impl IntoIterator<Item = Route>,
    ) -> Self {
        let mut routes: Vec<_> = routes.into_iter().collect();
        routes.sort_by_key(|route| std::cmp::Reverse(route.prefix.len()));
        Self {
            hosts: hosts.into_iter().collect(),
            routes,
            place: Place::default(),
        }
    }

    /// Returns the routes, the longest prefix first. Among equal ones the first of the
    /// configuration is the first.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Returns the position of the route of a request: the longest prefix of the path that takes
    /// the method.
    ///
    /// # Examples
    /// ```
    /// use http::Method;
    /// use kamea_components::http::Target;
    /// use kamea_proxy::plan::{Block, NoRoute, Route};
    ///
    /// let mut api = Route::to([]);
    /// api.prefix = "/api".to_owned();
    /// api.methods = Some(vec![Method::GET]);
    /// let block = Block::new(["a.local".parse()?], [Route::to([]), api]);
    /// let target = Target::parse(&Method::GET, "/%61pi/x".into())?;
    /// assert_eq!(block.route_for(&Method::GET, &target), Ok(0));
    /// assert_eq!(block.route_for(&Method::POST, &target), Ok(1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`NoRoute`] says why there is none.
    pub fn route_for(&self, method: &Method, target: &Target) -> Result<usize, NoRoute> {
        let takes = |route: &Route| {
            let methods = route.methods.as_ref();
            methods.is_none_or(|methods| methods.contains(method))
        };
        if let [route] = &self.routes[..]
            && route.prefix == "/"
            && takes(route)
            && is_plain(target.path())
        {
            return Ok(0);
        }
        let path = comparable(target)?;
        let of_path = |route: &&Route| path == b"*" || route.contains(&path);
        let found = self.routes.iter().position(|r| of_path(&r) && takes(r));
        found.ok_or_else(|| self.none_for(self.routes.iter().filter(of_path)))
    }

    fn none_for<'r>(&self, of_path: impl Iterator<Item = &'r Route>) -> NoRoute {
        let mut allowed: Vec<Method> = Vec::new();
        for method in of_path.flat_map(|route| route.methods.iter().flatten()) {
            if !allowed.contains(method) {
                allowed.push(method.clone());
            }
        }
        match allowed.is_empty() {
            true => NoRoute::Path,
            false => NoRoute::Method(allowed),
        }
    }
}

/// Whether a path certainly has neither dot segments nor percent sequences.
fn is_plain(path: &str) -> bool {
    !path.contains('%') && !path.contains("/.")
}

/// Returns the path of a target in the form in which prefixes are compared: decoded, with each run
/// of slashes as one.
fn comparable(target: &Target) -> Result<Vec<u8>, NoRoute> {
    let path = target.application_path();
    let mut path = path.map_err(|_| NoRoute::Ambiguous)?.into_owned();
    path.dedup_by(|next, byte| *next == b'/' && *byte == b'/');
    let is_dots = |segment: &[u8]| segment == b"." || segment == b"..";
    if path.split(|b| *b == b'/').any(is_dots) {
        return Err(NoRoute::Ambiguous);
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(prefix: &str, methods: &[Method]) -> Route {
        let mut route = Route::to([]);
        route.prefix = prefix.to_owned();
        route.methods = (!methods.is_empty()).then(|| methods.to_vec());
        route
    }

    fn ask(block: &Block, method: &Method, target: &'static str) -> Result<usize, NoRoute> {
        block.route_for(method, &Target::parse(method, target.into()).unwrap())
    }

    #[test]
    fn the_longest_prefix_that_takes_the_method() {
        let routes = [
            route("/", &[Method::GET]),
            route("/api", &[]),
            route("/api/v2", &[Method::GET, Method::POST]),
        ];
        let block = Block::new([], routes);
        let (get, put) = (Method::GET, Method::PUT);
        let rows = [
            (&get, "/", Ok(2)),
            (&get, "/apis", Ok(2)),
            (&get, "/api", Ok(1)),
            (&get, "/api/v2?x", Ok(0)),
            (&get, "//api///v2/x", Ok(0)),
            (&get, "/api/v%32", Ok(0)),
            (&get, "/api%2Fv2", Ok(0)),
            (&put, "/api/v2", Ok(1)),
            (&put, "/x", Err(NoRoute::Method(vec![Method::GET]))),
            (&Method::OPTIONS, "*", Ok(1)),
            (&get, "/x/../api", Err(NoRoute::Ambiguous)),
            (&get, "/x/%2e%2E/api", Err(NoRoute::Ambiguous)),
            (&get, "/x/..%2fapi", Err(NoRoute::Ambiguous)),
            (&get, "/x%zz", Err(NoRoute::Ambiguous)),
        ];
        for (method, target, expected) in rows {
            assert_eq!(ask(&block, method, target), expected, "{method} {target}");
        }
        let block = Block::new([], [route("/api", &[])]);
        assert_eq!(ask(&block, &get, "/"), Err(NoRoute::Path));
    }

    #[test]
    fn a_block_of_one_route_refuses_what_others_refuse() {
        let block = Block::new([], [route("/", &[])]);
        for path in ["/x/../y", "/x/%2e%2e/y", "/%zz"] {
            let found = ask(&block, &Method::GET, path);
            assert_eq!(found, Err(NoRoute::Ambiguous), "{path}");
        }
        for path in ["/", "/.x/y", "/x..y", "/%41", "/x//y"] {
            assert_eq!(ask(&block, &Method::GET, path), Ok(0), "{path}");
        }
    }

    #[test]
    fn a_block_that_moved_is_the_same() {
        let block = Block::new(["a".parse().unwrap()], [route("/", &[])]);
        let mut moved = block.clone();
        moved.place.line = 7;
        assert_eq!(block, moved);
        assert_ne!(block, Block::new([], [route("/", &[])]));
    }
}
