//! The filter that requires a login.

use http::{Method, StatusCode};
use kamea::Component;
use kamea_components::web::{Failure, FilterPorts, Request, Response};

use crate::Session;

/// What requires a login, and where to log in.
///
/// # Examples
///
/// ```
/// use kamea_session::RequireLogin;
///
/// let required = RequireLogin::below("/notes").page("/login");
/// # let _ = required;
/// ```
#[derive(Debug, Clone)]
pub struct RequireLogin {
    below: Vec<Vec<u8>>,
    except: Vec<Vec<Vec<u8>>>,
    page: Option<String>,
}

impl RequireLogin {
    /// Requires a login for a path and everything below it; `/` for the whole site, apart from the
    /// login page.
    #[must_use]
    pub fn below(path: &str) -> Self {
        Self {
            below: segments(path.as_bytes()),
            except: Vec::new(),
            page: None,
        }
    }

    /// Sends browsers to a login page; it gets the former target as `next`: see
    /// [`local_target`](crate::local_target). Without a page they get 401.
    #[must_use]
    pub fn page(self, path: &str) -> Self {
        Self {
            page: Some(path.to_owned()),
            ..self
        }
    }

    /// Requires no login for this path and everything below it: the style of the login page, for
    /// example.
    #[must_use]
    pub fn except(mut self, path: &str) -> Self {
        self.except.push(segments(path.as_bytes()));
        self
    }

    fn is_required(&self, request: &Request) -> bool {
        // What cannot be decoded is nothing that could be served; it is refused as if required.
        let Ok(path) = request.head.target.decoded_path() else {
            return true;
        };
        let path = segments(&path);
        let is_page = |page: &String| path == segments(page.as_bytes());
        let is_excepted = self.except.iter().any(|except| path.starts_with(except));
        let is_open = is_excepted || self.page.as_ref().is_some_and(is_page);
        path.starts_with(&self.below) && !is_open
    }

    /// The answer to a request without a login.
    fn refuse(&self, request: &Request) -> Result<Response, Failure> {
        let method = request.method();
        if let Some(page) = &self.page
            && (method == Method::GET || method == Method::HEAD)
        {
            let next = percent_encoded(&request.head.target.to_string());
            let response = Response::from(StatusCode::SEE_OTHER)
                .try_with("Location", format!("{page}?next={next}"))
                .map_err(|_| request.refuse(StatusCode::BAD_REQUEST, "the target is invalid"))?;
            return Ok(request.respond(response.with("Cache-Control", "no-store")));
        }
        // RFC 9110 section 15.5.2 wants a challenge. Browsers open a dialog for `Basic`, and none
        // for a scheme that they do not know.
        let failure = request.refuse(StatusCode::UNAUTHORIZED, "this requires a login");
        let failure = failure.with("WWW-Authenticate", "Cookie realm=\"kamea\"");
        Err(failure.with("Cache-Control", "no-store"))
    }
}

/// Passes requests only with a login, where one is required. It stands after
/// [`load_sessions`](crate::load_sessions).
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_components::server::{Site, WebServer};
/// use kamea_session::{
///     MemoryOptions, RequireLogin, SessionOptions, Sessions, keep_in_memory, load_sessions,
///     require_login, save_sessions,
/// };
///
/// let mut graph = Graph::new("sessions");
/// let store = keep_in_memory(MemoryOptions::default());
/// let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
/// let server = WebServer::new(Site::new("."))
///     .around("sessions", load_sessions(sessions), save_sessions())
///     .filter("login", require_login(RequireLogin::below("/notes").page("/login")));
/// # server.check()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn require_login(required: RequireLogin) -> impl Component<FilterPorts> + Clone + Send + Sync {
    async move |io: &mut FilterPorts| {
        while let Some(mut request) = io.requests.next().await {
            if !required.is_required(&request) {
                io.passed.send(request).await?;
                continue;
            }
            let answer = match Session::of(&request).await {
                Ok(session) if session.user().is_some() => {
                    io.passed.send(request).await?;
                    continue;
                }
                Ok(_) => required.refuse(&request),
                Err(error) => Err(error.refuse(&request)),
            };
            match (request.discard_content().await, answer) {
                (Ok(()), Ok(response)) => io.responses.send(response).await?,
                (Ok(()), Err(failure)) | (Err(failure), _) => io.failures.send(failure).await?,
            }
        }
        Ok(())
    }
}

/// The segments of a decoded path as handlers read it: without empty ones, dot segments resolved.
fn segments(path: &[u8]) -> Vec<Vec<u8>> {
    let mut segments: Vec<Vec<u8>> = Vec::new();
    for segment in path.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            segment => segments.push(segment.to_vec()),
        }
    }
    segments
}

/// A text as the value of a query parameter.
fn percent_encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        let is_plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'/');
        match is_plain {
            true => encoded.push(byte.into()),
            // Writing to a string cannot fail.
            false => drop(write!(encoded, "%{byte:02X}")),
        }
        encoded
    })
}
