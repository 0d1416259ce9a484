//! Builds the table, and finds the mistakes in it.

use std::path::PathBuf;
use std::sync::Arc;

use http::Method;
use matchit::{InsertError, Router};

use super::{Entry, Fallback, TrailingSlash};
use crate::Documentation;
use crate::handler::Endpoint;
use crate::layers::Layers;

/// Why routes are not a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// Two routes match the same requests, and none is more specific.
    #[error("the routes {first} and {second} conflict: both match the same requests")]
    Conflict {
        /// The route that was declared first.
        first: String,
        /// The other.
        second: String,
    },
    /// The pattern is invalid.
    #[error("the pattern {pattern} is invalid: {why}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A folder of files cannot be served.
    #[error("cannot serve the folder {}: {why}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// The reason.
        why: String,
    },
    /// Two routes have the same name.
    #[error("two routes have the name {name}: {first} and {second}")]
    Name {
        /// The name.
        name: String,
        /// The pattern of the first route.
        first: String,
        /// The pattern of the other.
        second: String,
    },
}

/// All routes, ready to find one.
pub(crate) struct Table {
    /// The resources of each host; those of any host come last.
    pub(super) hosts: Vec<(Option<Arc<str>>, Router<usize>)>,
    pub(crate) resources: Vec<Resource>,
    /// The longest prefix first.
    pub(super) fallbacks: Vec<Fallback>,
    pub(super) slash: TrailingSlash,
}

/// What has one pattern: the handlers of its methods.
pub(crate) struct Resource {
    /// Its place in the table.
    pub(crate) index: usize,
    pub(crate) pattern: Arc<str>,
    pub(crate) host: Option<Arc<str>>,
    /// The names of its captures, in their order.
    pub(crate) captures: Vec<Arc<str>>,
    pub(crate) handlers: Vec<MethodHandler>,
    /// Where requests are counted that none of them answers.
    pub(crate) number: usize,
}

/// The handler of one method.
pub(crate) struct MethodHandler {
    /// `None`: any method.
    pub(crate) method: Option<Method>,
    pub(crate) name: Option<Arc<str>>,
    /// What the function is called.
    pub(crate) handler: Arc<str>,
    /// Where its requests are counted.
    pub(crate) number: usize,
    pub(crate) documentation: Option<Documentation>,
    pub(crate) endpoint: Endpoint,
    pub(crate) layers: Layers,
}

impl Table {
    pub(crate) fn build(
        entries: Vec<Entry>,
        mut fallbacks: Vec<Fallback>,
        slash: TrailingSlash,
    ) -> Result<Self, RouteError> {
        let mut table = Self {
            hosts: Vec::new(),
            resources: Vec::new(),
            fallbacks: Vec::new(),
            slash,
        };
        for entry in entries {
            table.add(entry)?;
        }
        table.check_names()?;
        table.hosts.sort_by_key(|(host, _)| host.is_none());
        fallbacks.sort_by_key(|fallback| std::cmp::Reverse(fallback.prefix.len()));
        table.fallbacks = fallbacks;
        Ok(table)
    }

    pub(crate) fn add(&mut self, entry: Entry) -> Result<(), RouteError> {
        check_pattern(&entry.path)?;
        let same = |resource: &&mut Resource| {
            *resource.pattern == *entry.path && resource.host == entry.host
        };
        if let Some(resource) = self.resources.iter_mut().find(same) {
            return resource.add(&entry);
        }
        let index = self.resources.len();
        let place = self.hosts.iter().position(|(host, _)| *host == entry.host);
        let place = place.unwrap_or_else(|| {
            self.hosts.push((entry.host.clone(), Router::new()));
            self.hosts.len() - 1
        });
        let inserted = self.hosts[place].1.insert(entry.path.clone(), index);
        inserted.map_err(|error| self.mistake(&entry, &error))?;
        let mut resource = Resource {
            index,
            pattern: entry.path.as_str().into(),
            host: entry.host.clone(),
            captures: captures(&entry.path),
            handlers: Vec::new(),
            number: 0,
        };
        resource.add(&entry)?;
        self.resources.push(resource);
        Ok(())
    }

    fn mistake(&self, entry: &Entry, error: &InsertError) -> RouteError {
        let pattern = entry.path.clone();
        let why = match error {
            InsertError::Conflict { with } => {
                let other = self
                    .resources
                    .iter()
                    .find(|other| other.host == entry.host && *other.pattern == **with);
                let first = other.map_or_else(|| with.clone(), Resource::shown);
                let second = shown(&entry.methods, &entry.path);
                return RouteError::Conflict { first, second };
            }
            InsertError::InvalidCatchAll => "`{*rest}` must be the last segment",
            InsertError::InvalidParamSegment => "a segment has at most one capture",
            InsertError::InvalidParam => {
                "a capture is `{name}` or `{*name}`; a brace itself is written twice"
            }
            _ => "it is not a pattern",
        };
        RouteError::Pattern { pattern, why }
    }

    fn check_names(&self) -> Result<(), RouteError> {
        let mut seen: Vec<(&Arc<str>, &Arc<str>)> = Vec::new();
        for resource in &self.resources {
            for name in resource
                .handlers
                .iter()
                .filter_map(|handler| handler.name.as_ref())
            {
                let other = seen.iter().find(|(own, _)| *own == name);
                match other {
                    Some((_, first)) if **first != resource.pattern => {
                        return Err(RouteError::Name {
                            name: name.to_string(),
                            first: first.to_string(),
                            second: resource.pattern.to_string(),
                        });
                    }
                    _ => seen.push((name, &resource.pattern)),
                }
            }
        }
        Ok(())
    }
}

impl Resource {
    fn add(&mut self, entry: &Entry) -> Result<(), RouteError> {
        let methods = entry.methods.iter().cloned().map(Some);
        let any = entry.methods.is_empty().then_some(None);
        for method in methods.chain(any) {
            if let Some(first) = self.handlers.iter().find(|own| own.method == method) {
                let first = first.method.iter().cloned().collect::<Vec<_>>();
                let second = method.into_iter().collect::<Vec<_>>();
                return Err(RouteError::Conflict {
                    first: shown(&first, &self.pattern),
                    second: shown(&second, &entry.path),
                });
            }
            self.handlers.push(MethodHandler {
                method,
                name: entry.name.clone(),
                handler: entry.handler.clone(),
                number: 0,
                documentation: entry.documentation,
                endpoint: entry.endpoint.clone(),
                layers: entry.layers.clone(),
            });
        }
        Ok(())
    }

    /// The resource in words: `GET, POST /users`.
    fn shown(&self) -> String {
        let methods: Vec<_> = self
            .handlers
            .iter()
            .filter_map(|own| own.method.clone())
            .collect();
        shown(&methods, &self.pattern)
    }
}

fn shown(methods: &[Method], path: &str) -> String {
    let names: Vec<_> = methods.iter().map(Method::as_str).collect();
    match &*names {
        [] => format!("any method {path}"),
        names => format!("{} {path}", names.join(", ")),
    }
}

fn check_pattern(pattern: &str) -> Result<(), RouteError> {
    let wrong = |why| {
        let pattern = pattern.to_owned();
        Err(RouteError::Pattern { pattern, why })
    };
    let names = captures(pattern);
    if !pattern.starts_with('/') {
        return wrong("it does not begin with a slash");
    }
    if pattern.contains("//") {
        return wrong("it contains a doubled slash, which counts as one in a request");
    }
    if pattern
        .split('/')
        .any(|segment| segment == "." || segment == "..")
    {
        return wrong("it contains a dot segment, which no request may have");
    }
    if pattern.contains(['?', '#', '\0']) {
        return wrong("it is the pattern of a path: it has no query and no fragment");
    }
    let is_repeated = |(place, name): (usize, &Arc<str>)| names[..place].contains(name);
    if names.iter().enumerate().any(is_repeated) {
        return wrong("two captures have the same name");
    }
    Ok(())
}

/// The names of the captures of a pattern.
fn captures(pattern: &str) -> Vec<Arc<str>> {
    let unescaped = pattern.replace("{{", "").replace("}}", "");
    let parts = unescaped.split('{').skip(1);
    let names = parts.filter_map(|part| part.split_once('}'));
    let names = names.map(|(name, _)| Arc::from(name.trim_start_matches('*')));
    names.collect()
}

#[cfg(test)]
mod tests;
