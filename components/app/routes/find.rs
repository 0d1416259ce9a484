//! Finds what answers a request.

use std::sync::Arc;

use http::Method;
use kamea_components::http::RequestHead;

use super::build::MethodHandler;
use super::path::{captured, decode};
use super::{Fallback, Resource, Table, TrailingSlash};

/// The captured parts of a path, by name.
type Captures = Vec<(Arc<str>, String)>;

/// What answers a request.
pub(crate) enum Found<'t> {
    /// This handler, with these captures.
    Handler {
        resource: &'t Resource,
        handler: &'t MethodHandler,
        captures: Captures,
    },
    /// The table itself: these methods are there, and OPTIONS asks for them.
    Options {
        resource: Option<&'t Resource>,
        allow: String,
    },
    /// Nothing, for this method; these others are there.
    NotAllowed {
        resource: &'t Resource,
        allow: String,
    },
    /// The path that has a route, but for the slash at its end.
    Elsewhere(String),
    /// No route.
    Nothing(Option<&'t Fallback>),
    /// The path is invalid.
    Invalid(&'static str),
}

impl<'t> Found<'t> {
    /// The resource, if the path has one.
    pub(crate) fn resource(&self) -> Option<&'t Resource> {
        match self {
            Self::Handler { resource, .. } | Self::NotAllowed { resource, .. } => Some(resource),
            Self::Options { resource, .. } => *resource,
            _ => None,
        }
    }
}

impl Found<'_> {
    /// Where the request is counted; `None`: with those that have no resource.
    pub(crate) fn number(&self) -> Option<usize> {
        match self {
            Self::Handler { handler, .. } => Some(handler.number),
            found => found.resource().map(|resource| resource.number),
        }
    }
}

impl Table {
    /// Finds what answers a request.
    pub(crate) fn find(&self, head: &RequestHead) -> Found<'_> {
        if head.target.is_asterisk() {
            let allow = self.all_methods();
            return Found::Options {
                resource: None,
                allow,
            };
        }
        let path = match decode(head.target.path()) {
            Ok(path) => path,
            Err(why) => return Found::Invalid(why),
        };
        // Most applications have no host of their own.
        let host = match self.has_hosts() {
            true => head.host(),
            false => String::new(),
        };
        if let Some((resource, captures)) = self.resource(&host, &path) {
            return resource.select(&head.method, captures);
        }
        if self.slash != TrailingSlash::Strict && path.len() > 1 {
            let other = toggled(&path);
            if let Some((resource, captures)) = self.resource(&host, &other) {
                return match self.slash {
                    TrailingSlash::Ignore => resource.select(&head.method, captures),
                    _ => Found::Elsewhere(location(head)),
                };
            }
        }
        let fallback = self.fallbacks.iter().find(|fallback| {
            let rest = path.strip_prefix(fallback.prefix.as_str());
            let is_for_host = fallback.host.as_deref().is_none_or(|own| own == host);
            is_for_host && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
        Found::Nothing(fallback)
    }

    /// The most specific resource of a path: of this host first, then of any.
    fn resource(&self, host: &str, path: &str) -> Option<(&Resource, Captures)> {
        let hosts = self.hosts.iter();
        let hosts = hosts.filter(|(own, _)| own.as_deref().is_none_or(|own| own == host));
        let matched = hosts
            .filter_map(|(_, router)| router.at(path).ok())
            .next()?;
        let resource = &self.resources[*matched.value];
        let values = matched.params.iter().map(|(_, value)| captured(value));
        let captures = resource.captures.iter().cloned().zip(values).collect();
        Some((resource, captures))
    }

    /// Whether the host of a request counts.
    fn has_hosts(&self) -> bool {
        let mut own = self.hosts.iter().map(|(host, _)| host);
        let mut others = self.fallbacks.iter().map(|fallback| &fallback.host);
        own.any(Option::is_some) || others.any(Option::is_some)
    }

    /// Every method of any route, for `OPTIONS *`.
    fn all_methods(&self) -> String {
        let mut names = Vec::new();
        for resource in &self.resources {
            resource.add_methods(&mut names);
        }
        allow(names)
    }
}

impl Resource {
    fn select(&self, method: &Method, captures: Captures) -> Found<'_> {
        let of = |method: Option<&Method>| {
            self.handlers
                .iter()
                .find(|handler| handler.method.as_ref() == method)
        };
        // HEAD is answered as GET; the encoder leaves the body out (RFC 9110 section 9.3.2).
        let get = || of(Some(&Method::GET)).filter(|_| *method == Method::HEAD);
        match of(Some(method)).or_else(get).or_else(|| of(None)) {
            Some(handler) => Found::Handler {
                resource: self,
                handler,
                captures,
            },
            None if *method == Method::OPTIONS => Found::Options {
                resource: Some(self),
                allow: self.allow(),
            },
            None => Found::NotAllowed {
                resource: self,
                allow: self.allow(),
            },
        }
    }

    /// The value of `Allow` (RFC 9110 section 10.2.1).
    pub(crate) fn allow(&self) -> String {
        let mut names = Vec::new();
        self.add_methods(&mut names);
        allow(names)
    }

    fn add_methods<'r>(&'r self, names: &mut Vec<&'r str>) {
        for method in self
            .handlers
            .iter()
            .filter_map(|handler| handler.method.as_ref())
        {
            names.push(method.as_str());
            if *method == Method::GET {
                names.push("HEAD");
            }
        }
    }
}

/// A list of methods, each once, with OPTIONS.
fn allow(mut names: Vec<&str>) -> String {
    names.push("OPTIONS");
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen.join(", ")
}

/// The path with a slash at its end, or without it.
fn toggled(path: &str) -> String {
    match path.strip_suffix('/') {
        Some(path) => path.to_owned(),
        None => format!("{path}/"),
    }
}

/// The target with a slash at the end of its path, or without it. It never begins with two slashes:
/// that would lead to another server (RFC 3986 section 4.2).
fn location(head: &RequestHead) -> String {
    let path = toggled(head.target.path());
    let query = head
        .target
        .query()
        .map_or(String::new(), |query| format!("?{query}"));
    format!("/{}{query}", path.trim_start_matches('/'))
}
