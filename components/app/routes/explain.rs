//! Explains the routing of a request: which route matches, and which almost does.

use std::fmt;

use http::{Method, Version};
use kamea_components::http::{Fields, RequestHead, Target};
use kamea_components::web::Remark;

use super::path::decode;
use super::{Found, Resource, Table};

/// The routing of a request, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    request: String,
    outcome: String,
    /// Routes that almost match, each with the reason why it does not.
    almost: Vec<(String, String)>,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.request, self.outcome)?;
        self.almost
            .iter()
            .try_for_each(|(route, why)| writeln!(f, "almost: {route}: {why}"))
    }
}

impl Explained {
    /// The same, for the explanation of a request by the server.
    pub(crate) fn into_remark(self) -> Remark {
        let remark = Remark::new(format!("finds {}", self.outcome));
        let almost = self.almost.into_iter();
        almost.fold(remark, |remark, (route, why)| {
            remark.with(route, format!("almost, but {why}"))
        })
    }
}

/// How many routes that almost match are named.
const MOST: usize = 5;

impl Table {
    /// Explains the routing of a request for a path, or for `http://host/path`.
    pub(crate) fn explain(&self, method: &str, target: &str) -> Explained {
        match head(method, target) {
            Some(head) => self.explain_request(&head),
            None => Explained {
                request: format!("{method} {target}"),
                outcome: "400, the method or the path is invalid".to_owned(),
                almost: Vec::new(),
            },
        }
    }

    /// Explains the routing of a request.
    pub(crate) fn explain_request(&self, head: &RequestHead) -> Explained {
        let found = self.find(head);
        let own = found.resource().map(|resource| resource.index);
        let path = decode(head.target.path()).unwrap_or_default();
        let host = head.host();
        let mut others: Vec<_> = self
            .resources
            .iter()
            .filter(|other| Some(other.index) != own)
            .map(|other| (other, mismatch(other, &host, &path)))
            .filter(|(_, mismatch)| mismatch.matched > 0)
            .collect();
        others.sort_by_key(|(_, mismatch)| std::cmp::Reverse(mismatch.matched));
        let almost = others.into_iter().take(MOST);
        let almost = almost.map(|(other, mismatch)| (other.full_pattern(), mismatch.why));
        Explained {
            request: format!("{} {}", head.method, head.target),
            outcome: outcome(&found),
            almost: almost.collect(),
        }
    }
}

/// What answers, in words.
fn outcome(found: &Found<'_>) -> String {
    match found {
        Found::Handler {
            resource,
            handler,
            captures,
        } => {
            let captures = captures.iter();
            let captures = captures.map(|(name, value)| format!(", {name} = {value:?}"));
            let (pattern, captures) = (&resource.pattern, captures.collect::<String>());
            format!("{pattern}{captures}, handler {}", handler.handler)
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

/// Where a path leaves a pattern.
struct Mismatch {
    /// How many segments are the same, twice, and how many are similar.
    matched: usize,
    why: String,
}

fn mismatch(resource: &Resource, host: &str, path: &str) -> Mismatch {
    let mut wanted = resource.pattern.split('/').skip(1);
    let mut given = path.split('/').skip(1);
    let mut matched = 0;
    loop {
        let why = match (wanted.next(), given.next()) {
            (Some(wanted), Some(given)) if wanted.starts_with("{*") && !given.is_empty() => {
                of_the_same_path(resource, host)
            }
            (Some(wanted), Some(given)) if wanted == given => {
                matched += 2;
                continue;
            }
            (Some(wanted), Some(given)) if wanted.contains('{') && !given.is_empty() => continue,
            (Some(wanted), Some("")) => format!("the path ends before {wanted}"),
            (Some(wanted), Some(given)) => {
                matched += usize::from(is_similar(wanted, given));
                format!("{given:?} is not {wanted}")
            }
            (Some(wanted), None) => format!("the path ends before {wanted}"),
            (None, Some(given)) => format!("the path goes on with {given:?}"),
            (None, None) => of_the_same_path(resource, host),
        };
        return Mismatch { matched, why };
    }
}

/// Why a route does not answer whose pattern matches the path.
fn of_the_same_path(resource: &Resource, host: &str) -> String {
    match resource.host.as_deref() {
        Some(own) if own != host => format!("it is for the host {own}"),
        _ => "a more specific route matches".to_owned(),
    }
}

/// Whether somebody may have meant a word and written another: one or two letters are different,
/// missing or too many, or only upper and lower case differ.
fn is_similar(wanted: &str, given: &str) -> bool {
    let [wanted, given] =
        [wanted, given].map(|word| word.to_lowercase().chars().collect::<Vec<_>>());
    let most = if wanted.len() > 4 { 2 } else { 1 };
    if wanted.len().abs_diff(given.len()) > most || wanted.len() <= most {
        return wanted == given;
    }
    distance(&wanted, &given) <= most
}

/// How many letters must be changed, added or removed to make one word of the other.
fn distance(one: &[char], other: &[char]) -> usize {
    let mut before: Vec<usize> = (0..=other.len()).collect();
    for (place, letter) in one.iter().enumerate() {
        let mut now = vec![place + 1];
        for (column, own) in other.iter().enumerate() {
            let changed = before[column] + usize::from(own != letter);
            now.push(changed.min(before[column + 1] + 1).min(now[column] + 1));
        }
        before = now;
    }
    before[other.len()]
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
        let own = module_path!();
        let expected = format!(
            "GET /users/7: /users/{{id}}, id = \"7\", \
             handler {own}::what_almost_matches_is_named_with_the_reason::nothing\n\
             almost: /users/{{id}}/posts: the path ends before posts\n\
             almost: b.example/users/{{id}}: it is for the host b.example\n"
        );
        assert_eq!(explain("/users/7"), expected);
        assert!(
            explain("http://b.example/users/7")
                .contains("almost: /users/{id}: a more specific route matches\n")
        );
        for (target, line) in [
            ("/user/7", "almost: /users/{id}: \"user\" is not users\n"),
            ("/Users/7", "almost: /users/{id}: \"Users\" is not users\n"),
            ("/usres/7", "almost: /users/{id}: \"usres\" is not users\n"),
            (
                "/fils/a/b",
                "almost: /files/{*rest}: \"fils\" is not files\n",
            ),
            ("/api/c", "almost: /api/a: \"c\" is not a\n"),
        ] {
            assert!(explain(target).contains(line), "{}", explain(target));
        }
        for target in ["/posts/7", "/u/7", "/q/a"] {
            assert!(!explain(target).contains("almost"), "{}", explain(target));
        }
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
