//! One route, as it was declared.

use std::sync::Arc;

use http::Method;

use crate::Documentation;
use crate::handler::Endpoint;
use crate::layers::Layers;

/// One route, as it was declared.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Empty: any.
    pub(crate) methods: Vec<Method>,
    /// In lower case; `None`: any.
    pub(crate) host: Option<Arc<str>>,
    /// The pattern of the path.
    pub(crate) path: String,
    /// The name by which a URL for it is made.
    pub(crate) name: Option<Arc<str>>,
    /// What the types of the handler say of it.
    pub(crate) documentation: Option<Documentation>,
    /// What the handler is called.
    pub(crate) handler: Arc<str>,
    pub(crate) endpoint: Endpoint,
    /// The layers around the handler, the outermost first.
    pub(crate) layers: Layers,
}

/// What answers below a prefix where no route matches.
#[derive(Clone)]
pub(crate) struct Fallback {
    /// Without a slash at its end; empty: everything.
    pub(crate) prefix: String,
    pub(crate) host: Option<Arc<str>>,
    pub(crate) endpoint: Endpoint,
    pub(crate) layers: Layers,
}

/// What to do with a path that matches a route but for a slash at its end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrailingSlash {
    /// Redirect to the path of the route (308).
    #[default]
    Redirect,
    /// Serve it as if it were the path of the route.
    Ignore,
    /// Two paths: the other one is a 404.
    Strict,
}

/// A path below a prefix.
pub(crate) fn join(prefix: &str, path: &str) -> String {
    let prefix = prefix.trim_end_matches('/');
    match path {
        "/" if !prefix.is_empty() => prefix.to_owned(),
        path => format!("{prefix}{path}"),
    }
}
