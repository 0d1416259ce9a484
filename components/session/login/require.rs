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

    /// Whether a path requires a login. Handlers split a path before they decode it, and so do we;
    /// programs that take the decoded path see slashes where `%2F` was. If either of the two finds
    /// something that requires a login, it is required.
    fn is_required(&self, path: &str) -> bool {
        let Some(segments) = decoded_segments(path) else {
            return true;
        };
        let slashed = segments.join(&b'/');
        let slashed: Vec<_> = slashed.split(|&byte| byte == b'/').collect();
        let slashed: Vec<_> = slashed.into_iter().map(<[u8]>::to_vec).collect();
        self.is_below(segments) || self.is_below(slashed)
    }

    /// Whether a path is one of those that require a login.
    fn is_below(&self, mut path: Vec<Vec<u8>>) -> bool {
        path.retain(|segment| !segment.is_empty());
        // Clients resolve dot segments before they send a path (RFC 3986 section 5.2.4).
        if path.iter().any(|segment| is_dots(segment)) {
            return true;
        }
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
            if !required.is_required(request.head.target.path()) {
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

/// The segments of a path of the program.
fn segments(path: &[u8]) -> Vec<Vec<u8>> {
    let segments = path.split(|&byte| byte == b'/');
    let segments = segments.filter(|segment| !segment.is_empty());
    segments.map(<[u8]>::to_vec).collect()
}

fn is_dots(segment: &[u8]) -> bool {
    matches!(segment, b"." | b"..")
}

/// The segments of a path as it was sent, each decoded once. `None` if it cannot be decoded: then
/// nothing could be served, and it is refused as if a login were required.
fn decoded_segments(path: &str) -> Option<Vec<Vec<u8>>> {
    path.split('/').map(decoded).collect()
}

fn decoded(segment: &str) -> Option<Vec<u8>> {
    let (mut decoded, mut rest) = (Vec::new(), segment.bytes());
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => u8::try_from(digit(rest.next())? << 4 | digit(rest.next())?).ok()?,
            byte => byte,
        };
        decoded.push(byte);
    }
    (!decoded.contains(&0)).then_some(decoded)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_is_required_below_a_path_however_it_is_written() {
        let required = RequireLogin::below("/notes")
            .page("/notes/login")
            .except("/notes/style");
        for (path, is_required) in [
            ("/", false),
            ("/files", false),
            ("/notesx", false),
            ("/notes", true),
            ("/notes/", true),
            ("//notes//a", true),
            ("/%6Eotes/a", true),
            ("/notes/login", false),
            ("/notes/login/a", true),
            ("/notes/style/a.css", false),
            // A slash that is part of a segment.
            ("/files/a%2Fb", false),
            ("/files/a%2fnotes", false),
            ("/notes/a%2Fb", true),
            ("/notes/style/a%2Fb", false),
            // A program that decodes the whole path finds other segments than a handler.
            ("/notes%2Fa", true),
            ("%2Fnotes/a", true),
            ("/notes/style%2Fa", true),
            ("/notes%2Fstyle/a", false),
            // What nobody can decode, and what may lead elsewhere.
            ("/files/%", true),
            ("/files/%2", true),
            ("/files/%zz", true),
            ("/files/%00", true),
            ("/files/../notes", true),
            ("/files/%2E%2e/notes", true),
            ("/files/..%2Fnotes", true),
            ("/notes/style/../a", true),
            ("/notes/style/%2e", true),
        ] {
            assert_eq!(required.is_required(path), is_required, "{path}");
        }
        let required = RequireLogin::below("/").page("/login");
        for (path, is_required) in [("/", true), ("/a%2Fb", true), ("/login", false)] {
            assert_eq!(required.is_required(path), is_required, "{path}");
        }
    }
}
