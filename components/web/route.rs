//! The router: sends each request to the component that serves it.

use std::fmt;

use http::method::InvalidMethod;
use http::{Method, StatusCode};
use kamea::{Component, Done, End, Inbox, Outbox, Outboxes, Ports, at_first_message};
use memchr::memmem::Finder;
use wildmatch::WildMatch;

use super::message::{Failure, Request, Response};
use crate::http::{RequestHead, Target};

/// The ports of [`route_requests`].
#[derive(Debug, Ports)]
pub struct RoutePorts {
    /// The requests from the parser.
    pub requests: Inbox<Request>,
    /// GET and HEAD.
    pub files: Outbox<Request>,
    /// One outbox for each route, in the order of the routes.
    pub routes: Outboxes<Request>,
    /// Answers to OPTIONS, unless a route serves it: the router knows the methods.
    pub responses: Outbox<Response>,
    /// Requests that nobody serves.
    pub failures: Outbox<Failure>,
}

/// Which requests go to a component: by method, by host, by path, by query.
///
/// # Examples
///
/// ```
/// use kamea_components::http::{Event, Limits, RequestDecoder};
/// use kamea_components::web::Route;
///
/// let route = Route::path("/drafts/*").method("PUT")?.method("PROPFIND")?;
/// let matches = |request_line: &str| {
///     let mut decoder = RequestDecoder::new(Limits::default());
///     decoder.feed(format!("{request_line} HTTP/1.1\r\nHost: a\r\n\r\n").into());
///     matches!(decoder.next(), Ok(Some(Event::Head(head, _))) if route.matches(&head))
/// };
/// assert!(matches("PUT /drafts/a%20letter"));
/// assert!(!matches("PUT /letters/a"));
/// assert!(!matches("GET /drafts/a"));
/// # Ok::<(), http::method::InvalidMethod>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Route {
    /// `None`: any.
    methods: Vec<Method>,
    /// In lower case. `None`: any.
    host: Option<String>,
    /// `None`: any.
    path: Option<PathRule>,
    /// Empty: any query, or no query.
    queries: Vec<String>,
}

impl Route {
    /// Matches requests of any method but CONNECT whose decoded path matches a pattern: `*` stands
    /// for any characters, `?` for one. A doubled slash in a path counts as one.
    #[must_use]
    pub fn path(pattern: &str) -> Self {
        Self {
            path: Some(PathRule::Pattern(Box::new(PathPattern::new(pattern)))),
            ..Self::default()
        }
    }

    /// Matches requests of any method but CONNECT for this decoded path and everything below it:
    /// `/app` and `/app/a`, but not `/apple`. A doubled slash in a path counts as one.
    #[must_use]
    pub fn below(path: &str) -> Self {
        let folder = path.trim_end_matches('/').to_owned();
        Self {
            path: Some(PathRule::Below(folder)),
            ..Self::default()
        }
    }

    /// Matches requests for any path, of any method but CONNECT.
    #[must_use]
    pub fn any_path() -> Self {
        Self::default()
    }

    /// Limits the route to this method, and to others that are named: any token (RFC 9110 section
    /// 9.1).
    ///
    /// # Errors
    ///
    /// If `method` is not a token.
    pub fn method(self, method: &str) -> Result<Self, InvalidMethod> {
        Ok(self.for_methods([Method::from_bytes(method.as_bytes())?]))
    }

    pub(crate) fn for_methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods.extend(methods);
        self
    }

    /// Limits the route to this host, with any port (RFC 9110 section 7.2).
    #[must_use]
    pub fn host(self, host: &str) -> Self {
        Self {
            host: Some(host.to_lowercase()),
            ..self
        }
    }

    /// Limits the route to requests with exactly this query, and to others that are named.
    #[must_use]
    pub fn query(mut self, query: &str) -> Self {
        self.queries.push(query.to_owned());
        self
    }

    /// Whether a request matches this route.
    pub fn matches(&self, head: &RequestHead) -> bool {
        self.is_for_method(&head.method) && self.is_for_resource(head)
    }

    /// Why a request does not match this route, if it does not.
    pub(crate) fn mismatch(&self, head: &RequestHead) -> Option<&'static str> {
        [
            (self.is_for_method(&head.method), "another method"),
            (self.is_for_query(&head.target), "another query"),
            (self.is_for_host(head), "another host"),
            (self.is_for_path(&head.target), "another path"),
        ]
        .into_iter()
        .find_map(|(matches, mismatch)| (!matches).then_some(mismatch))
    }

    /// Whether a request matches this route, apart from its method.
    fn is_for_resource(&self, head: &RequestHead) -> bool {
        self.is_for_query(&head.target) && self.is_for_host(head) && self.is_for_path(&head.target)
    }

    /// CONNECT asks for a tunnel and has no path: it matches only a route that names it.
    fn is_for_method(&self, method: &Method) -> bool {
        let is_any = self.methods.is_empty() && *method != Method::CONNECT;
        is_any || self.methods.contains(method)
    }

    fn is_for_query(&self, target: &Target) -> bool {
        let is_it = |query: &String| target.query() == Some(query);
        self.queries.is_empty() || self.queries.iter().any(is_it)
    }

    fn is_for_host(&self, head: &RequestHead) -> bool {
        self.host.as_deref().is_none_or(|own| {
            let authority = head.authority().unwrap_or_default();
            let is_port = |port: &[u8]| port.iter().all(u8::is_ascii_digit);
            let host = match authority.iter().rposition(|&b| b == b':') {
                Some(colon) if is_port(&authority[colon + 1..]) => &authority[..colon],
                _ => authority,
            };
            host.eq_ignore_ascii_case(own.as_bytes())
        })
    }

    fn is_for_path(&self, target: &Target) -> bool {
        self.path.as_ref().is_none_or(|rule| rule.matches(target))
    }
}

/// The route in words: `GET, HEAD of /songs/* with ?thumbnail at songs.example`.
impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods: Vec<_> = self.methods.iter().map(Method::as_str).collect();
        f.write_str(if methods.is_empty() { "any method" } else { "" })?;
        write!(f, "{} of ", methods.join(", "))?;
        match &self.path {
            None => f.write_str("any path")?,
            Some(PathRule::Pattern(pattern)) => write!(f, "{}", pattern.pattern)?,
            Some(PathRule::Below(folder)) => write!(f, "{folder}/ and below")?,
        }
        for (index, query) in self.queries.iter().enumerate() {
            let word = if index == 0 { "with" } else { "or" };
            write!(f, " {word} ?{query}")?;
        }
        match &self.host {
            Some(host) => write!(f, " at {host}"),
            None => Ok(()),
        }
    }
}

/// The decoded paths of a route.
#[derive(Debug, Clone)]
enum PathRule {
    /// Boxed, because it is much larger than the other variant.
    Pattern(Box<PathPattern>),
    /// This path, without a slash at its end, and everything below it.
    Below(String),
}

impl PathRule {
    fn matches(&self, target: &Target) -> bool {
        match self {
            Self::Pattern(pattern) => pattern.matches(target),
            Self::Below(folder) => target.routed_path().is_some_and(|path| {
                let rest = path.strip_prefix(folder.as_bytes());
                path.starts_with(b"/") && matches!(rest, Some([] | [b'/', ..]))
            }),
        }
    }
}

/// A pattern of paths.
#[derive(Debug, Clone)]
struct PathPattern {
    pattern: WildMatch,
    /// A literal that every matching path contains: it alone rejects most requests.
    literal: Finder<'static>,
}

impl PathPattern {
    fn new(pattern: &str) -> Self {
        let literals = pattern.split(['*', '?']);
        let longest = literals.max_by_key(|literal| literal.len());
        Self {
            pattern: WildMatch::new(pattern),
            literal: Finder::new(longest.unwrap_or_default()).into_owned(),
        }
    }

    fn matches(&self, target: &Target) -> bool {
        let path = target.path().as_bytes();
        if target.is_plain() && self.literal.find(path).is_none() {
            return false;
        }
        // An invalid path goes to the file handler, which reports it.
        let path = target.decoded_path();
        path.is_ok_and(|path| self.pattern.matches(&String::from_utf8_lossy(&path)))
    }
}

/// The methods that are known but not served unless a component serves them: RFC 9110 section 9,
/// RFC 5789, and LINK and UNLINK of RFC 1945. These get 405; any other token gets 501 (RFC 9110
/// section 9.1).
const KNOWN: [&str; 11] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "LINK",
    "UNLINK",
];

/// The requests that go to `files` if no other route matches.
pub(crate) fn file_route() -> Route {
    Route::any_path().for_methods([Method::GET, Method::HEAD])
}

/// Sends each request to the first of `routes` that it matches, and other GET and HEAD requests to
/// `files`. Answers OPTIONS (RFC 9110 section 9.3.7), and reports the rest as failures.
pub fn route_requests(routes: Vec<Route>) -> impl Component<RoutePorts> + Clone {
    let files = file_route();
    at_first_message(async move |io: &mut RoutePorts| {
        while let Some(request) = io.requests.next().await {
            let method = request.method();
            let own = routes
                .iter()
                .position(|route| route.matches(&request.head))
                .and_then(|branch| io.routes.get(branch));
            let outbox = match own {
                None if files.matches(&request.head) => Some(&io.files),
                own => own,
            };
            match outbox {
                Some(outbox) => {
                    if let Err(kamea::Closed(unserved)) = outbox.send(request).await {
                        Box::pin(serverless(io, unserved)).await?;
                    }
                }
                None if *method == Method::OPTIONS => {
                    Box::pin(answer_options(io, request, &routes)).await?;
                }
                None => Box::pin(refuse(io, request, &routes)).await?,
            }
        }
        Ok(())
    })
}

/// The component that serves these requests has failed.
async fn serverless(io: &RoutePorts, request: Request) -> Done {
    let exchange = request.exchange.closing();
    let explanation = "what serves this has failed";
    let failure = Failure::new(exchange, StatusCode::INTERNAL_SERVER_ERROR, explanation);
    Ok(io.failures.send(failure).await?)
}

/// Lists the methods, for a path or for the server as a whole (`*`).
async fn answer_options(io: &RoutePorts, mut request: Request, routes: &[Route]) -> Done {
    if let Err(failure) = request.discard_content().await {
        return Ok(io.failures.send(failure).await?);
    }
    log::debug!("{} | Handle Options", request.exchange.peer);
    let allowed = allowed(routes, &request.head);
    let response = request.respond(Response::empty().with("Allow", allowed));
    Ok(io.responses.send(response).await?)
}

/// The value of `Allow` (RFC 9110 section 10.2.1) for the target of a request.
fn allowed(routes: &[Route], head: &RequestHead) -> String {
    let mut names = vec!["GET", "HEAD", "OPTIONS"];
    let is_for = |route: &&Route| head.target.is_asterisk() || route.is_for_resource(head);
    let routes = routes.iter().filter(is_for);
    for method in routes.flat_map(|route| &route.methods) {
        if !names.contains(&method.as_str()) {
            names.push(method.as_str());
        }
    }
    names.join(", ")
}

async fn refuse(io: &RoutePorts, mut request: Request, routes: &[Route]) -> Result<(), End> {
    let method = request.method();
    let is_elsewhere = || routes.iter().any(|route| route.methods.contains(method));
    let failure = if KNOWN.contains(&method.as_str()) || is_elsewhere() {
        let explanation = format!("{method} is not for this resource");
        let failure = request.refuse(StatusCode::METHOD_NOT_ALLOWED, explanation);
        failure.with("Allow", allowed(routes, &request.head))
    } else {
        request.refuse(StatusCode::NOT_IMPLEMENTED, "nobody here knows this method")
    };
    let failure = request.discard_and_fail(failure).await;
    Ok(io.failures.send(failure).await?)
}

#[cfg(test)]
mod tests;
