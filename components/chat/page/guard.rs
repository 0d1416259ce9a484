//! Access to the page: browsers and programs need the token that the program has printed.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use http::StatusCode;
use kamea::Component;
use kamea_components::http::{Fields, RequestHead};
use kamea_components::web::{Failure, FilterPorts, Request, Response};
use sha2::{Digest, Sha256};

use crate::codec::{from_hex, to_hex};
use crate::system_random;

/// The token of a page.
#[derive(Clone, PartialEq, Eq)]
pub struct PageToken(String);

/// The token is not shown.
impl fmt::Debug for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageToken")
    }
}

impl PageToken {
    /// Makes a new token.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 32];
        system_random(&mut bytes);
        Self(to_hex(&bytes))
    }

    /// Reads the token from a file, so that open pages go on after a restart. Makes the token, and
    /// the file for its user alone, if there is none.
    ///
    /// # Errors
    ///
    /// If the file cannot be read or written.
    pub fn load_or_create(path: &Path) -> io::Result<Self> {
        match fs::read_to_string(path) {
            Ok(text) if from_hex(text.trim()).is_some() => Ok(Self(text.trim().to_owned())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => {
                let made = Self::random();
                let mut file = OpenOptions::new()
                    .write(true)
                    .create(true)
                    .truncate(true)
                    .mode(0o600)
                    .open(path)?;
                writeln!(file, "{}", made.0)?;
                Ok(made)
            }
        }
    }

    /// Returns the token, for the address of the page.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Compares digests, so that the time tells nothing of the token.
    fn is(&self, text: &[u8]) -> bool {
        Sha256::digest(text) == Sha256::digest(&self.0)
    }

    fn check(&self, head: &RequestHead) -> Result<Allowed, Refusal> {
        let field = |name| head.fields.get(name).unwrap_or_default();
        let is_link = field("sec-fetch-mode") == b"navigate";
        if matches!(field("sec-fetch-site"), b"cross-site" | b"same-site") && !is_link {
            return Err(Refusal::Stranger);
        }
        let origin = field("origin");
        let host = head.authority().unwrap_or_default();
        let is_own = origin
            .strip_prefix(b"http://")
            .is_some_and(|own| own == host);
        if !origin.is_empty() && !is_own {
            return Err(Refusal::Stranger);
        }
        // Another site could make its own name mean this machine (DNS rebinding).
        if !["localhost", "127.0.0.1", "[::1]"].contains(&head.host().as_str()) {
            return Err(Refusal::Host);
        }
        let bearer = field("authorization").strip_prefix(b"Bearer ");
        if bearer.is_some_and(|token| self.is(token)) || self.has_cookie(head) {
            return Ok(Allowed::Known);
        }
        let query = head.target.query().unwrap_or_default();
        let token = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("token="));
        match token {
            Some(token) if self.is(token.as_bytes()) => Ok(Allowed::LogsIn),
            _ => Err(Refusal::Token),
        }
    }

    fn has_cookie(&self, head: &RequestHead) -> bool {
        let name = cookie_name(head);
        let cookies = head.fields.get_all("cookie");
        let mut pairs = cookies.flat_map(|line| line.split(|&byte| byte == b';'));
        pairs.any(|pair| {
            let value = pair.trim_ascii().strip_prefix(name.as_bytes());
            let value = value.and_then(|rest| rest.strip_prefix(b"="));
            value.is_some_and(|value| self.is(value))
        })
    }

    /// A request with the token in its query gets a cookie instead, so that the token does not stay
    /// in the address.
    fn log_in(&self, request: &Request) -> Response {
        let name = cookie_name(&request.head);
        let cookie = format!(
            "{name}={}; HttpOnly; SameSite=Strict; Path=/; Max-Age=31536000",
            self.0
        );
        let response = Response::new(StatusCode::SEE_OTHER)
            .with("Location", "/")
            .with("Set-Cookie", cookie)
            .with("Cache-Control", "no-store");
        request.respond(response)
    }
}

/// Cookies ignore the port, and each port may have a peer.
fn cookie_name(head: &RequestHead) -> String {
    let authority = String::from_utf8_lossy(head.authority().unwrap_or_default());
    let port = authority.rsplit(':').next().unwrap_or_default();
    let digits: String = port.chars().filter(char::is_ascii_digit).collect();
    format!("kamea-chat-{digits}")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Allowed {
    /// It has the token, as a cookie or in `Authorization`.
    Known,
    /// Its query has the token.
    LogsIn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Token,
    Host,
    Stranger,
}

impl Refusal {
    fn failure(self, request: &Request) -> Failure {
        let (status, why) = match self {
            Self::Token => (
                StatusCode::UNAUTHORIZED,
                "open the address that start_peer has printed: it contains the token",
            ),
            Self::Host => (
                StatusCode::MISDIRECTED_REQUEST,
                "the page of a peer has the names of this machine alone: localhost, 127.0.0.1, [::1]",
            ),
            Self::Stranger => (
                StatusCode::FORBIDDEN,
                "a page of another site may not use the chat",
            ),
        };
        let failure = Failure::new(request.exchange.closing(), status, why);
        let fields = match self {
            Self::Token => Fields::new().with("WWW-Authenticate", "Bearer realm=\"chat\""),
            Self::Host | Self::Stranger => Fields::new(),
        };
        Failure { fields, ..failure }
    }
}

/// Passes only requests of the owner.
pub fn guard_page(token: PageToken) -> impl Component<FilterPorts> + Clone + Send + Sync {
    async move |io: &mut FilterPorts| {
        while let Some(request) = io.requests.next().await {
            match token.check(&request.head) {
                Ok(Allowed::LogsIn) if request.head.target.path() == "/" => {
                    io.responses.send(token.log_in(&request)).await?;
                }
                Ok(_) => io.passed.send(request).await?,
                Err(refusal) => {
                    let failure = refusal.failure(&request);
                    io.refuse(request, failure).await?;
                }
            }
        }
        Ok(())
    }
}
