//! Explains the routing of a request: which route matches, and which almost does.

use std::fmt;

use http::{Method, Version};
use kamea_components::http::{Fields, RequestHead, Target};

use super::path::decode;
use super::{Found, Resource, Table};

/// The routing of a request, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    request: String,
    outcome: String,
    almost: Vec<String>,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.request, self.outcome)?;
        self.almost
            .iter()
            .try_for_each(|line| writeln!(f, "almost: {line}"))
    }
}

/// How many routes that almost match are named.
const MOST: usize = 5;

impl Table {
    pub(crate) fn explain(&self, method: &str, target: &str) -> Explained {
        let request = format!("{method} {target}");
        let Some(head) = head(method, target) else {
            return Explained {
                request,
                outcome: "400, the method or the path is invalid".to_owned(),
                almost: Vec::new(),
            };
        };
        let found = self.find(&head);
        let outcome = match &found {
            Found::Handler {
                resource, captures, ..
            } => {
                let captures = captures.iter();
                let captures = captures.map(|(name, value)| format!(", {name} = {value:?}"));
                format!("{}{}", resource.pattern, captures.collect::<String>())
            }
            Found::Options { allow, .. } => format!("204, these methods are there: {allow}"),
            Found::NotAllowed { allow, .. } => format!("405, these methods are there: {allow}"),
            Found::Elsewhere(location) => format!("308, it has a route at {location}"),
            Found::Nothing(Some(fallback)) => match &*fallback.prefix {
                "" => "the fallback of the application".to_owned(),
                prefix => format!("the fallback of {prefix}"),
            },
            Found::Nothing(None) => "404, no route matches".to_owned(),
            Found::Invalid(why) => format!("400, {why}"),
        };
        let own = found.resource().map(|resource| resource.index);
        let path = decode(head.target.path()).unwrap_or_default();
        let mut others: Vec<_> = self
            .resources
            .iter()
            .filter(|other| Some(other.index) != own)
            .map(|other| (other, mismatch(&other.pattern, &path)))
            .filter(|(_, mismatch)| mismatch.matched > 0)
            .collect();
        others.sort_by_key(|(_, mismatch)| std::cmp::Reverse(mismatch.matched));
        let almost = others.into_iter().take(MOST);
        let almost = almost.map(|(other, mismatch)| shown(other, &mismatch.why));
        Explained {
            request,
            outcome,
            almost: almost.collect(),
        }
    }
}

fn head(method: &str, target: &str) -> Option<RequestHead> {
    let method = Method::from_bytes(method.as_bytes()).ok()?;
    let target = Target::parse(&method, target.to_owned().into()).ok()?;
    Some(RequestHead {
        method,
        target,
        version: Version::HTTP_11,
        fields: Fields::new(),
    })
}

fn shown(resource: &Resource, why: &str) -> String {
    let host = resource.host.as_deref().unwrap_or_default();
    format!("{host}{}: {why}", resource.pattern)
}

/// Where a path leaves a pattern.
struct Mismatch {
    /// How many segments are the same.
    matched: usize,
    why: String,
}

fn mismatch(pattern: &str, path: &str) -> Mismatch {
    let (mut wanted, mut given) = (pattern.split('/').skip(1), path.split('/').skip(1));
    let mut matched = 0;
    loop {
        let why = match (wanted.next(), given.next()) {
            (Some(wanted), Some(given)) if wanted.starts_with("{*") && !given.is_empty() => {
                "a more specific route matches".to_owned()
            }
            (Some(wanted), Some(given)) if wanted == given => {
                matched += 1;
                continue;
            }
            (Some(wanted), Some(given)) if wanted.contains('{') && !given.is_empty() => continue,
            (Some(wanted), Some("")) => format!("the path ends before {wanted}"),
            (Some(wanted), Some(given)) => format!("{given:?} is not {wanted}"),
            (Some(wanted), None) => format!("the path ends before {wanted}"),
            (None, Some(given)) => format!("the path goes on with {given:?}"),
            (None, None) => "it is for another host, or a more specific route matches".to_owned(),
        };
        return Mismatch { matched, why };
    }
}

#[cfg(test)]
mod tests {
    use crate::App;

    #[test]
    fn what_almost_matches_is_named_with_the_reason() {
        async fn nothing() {}
        let app = App::new()
            .get("/users/{id}", nothing)
            .get("/users/{id}/posts", nothing)
            .get("/files/{*rest}", nothing)
            .nest("/api", App::new().get("/a", nothing).fallback(nothing))
            .host("b.example", App::new().get("/users/{id}", nothing));
        let explain = |target: &str| app.explain("GET", target).unwrap().to_string();
        assert_eq!(
            explain("/users/7"),
            "GET /users/7: /users/{id}, id = \"7\"\n\
             almost: /users/{id}/posts: the path ends before posts\n\
             almost: b.example/users/{id}: it is for another host, or a more specific route matches\n"
        );
        assert!(
            explain("/users/7/pots").contains("almost: /users/{id}/posts: \"pots\" is not posts\n")
        );
        assert!(
            explain("/users/7/posts/1")
                .contains("almost: /users/{id}/posts: the path goes on with \"1\"\n")
        );
        assert!(explain("/api/b").starts_with("GET /api/b: the fallback of /api\n"));
        assert!(
            explain("/users/7/").starts_with("GET /users/7/: 308, it has a route at /users/7\n")
        );
        assert!(explain("/nothing").starts_with("GET /nothing: 404, no route matches\n"));
        assert!(explain("/a/..").starts_with("GET /a/..: 400, the path contains a dot segment\n"));
        assert!(explain("no path").starts_with("GET no path: 400"));
    }
}
