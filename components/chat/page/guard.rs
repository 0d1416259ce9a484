//! Access to the page. Its files are public, as the program is; what the owner's history needs the
//! token that the program has printed:
//!
//! ```text
//!  any request ─▶ a name of this machine? ─▶ no page of another site? ─▶ files, /live
//!                                              └─ it may change something: the token? ─▶ commands
//!  /live ─▶ the token in its first message? ─▶ commands and events
//! ```
//!
//! There is no cookie: a browser sends cookies to all ports of this machine, so other programs of
//! other users would learn the token.

use std::fmt;
use std::io;
use std::path::Path;

use http::StatusCode;
use kamea::Component;
use kamea_components::http::{Fields, RequestHead};
use kamea_components::web::{Failure, FilterPorts, Request, is_foreign_page, is_loopback_name};
use sha2::{Digest, Sha256};

use crate::codec::to_hex;
use crate::secret::load_or_create_secret;
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
    /// If the file cannot be read or written, or contains no token.
    pub fn load_or_create(path: &Path) -> io::Result<Self> {
        load_or_create_secret(path, system_random).map(|secret| Self(to_hex(&secret)))
    }

    /// Returns the token, for the address of the page.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the token. Compares digests, so that the time tells nothing of it.
    pub(super) fn is(&self, text: &[u8]) -> bool {
        Sha256::digest(text) == Sha256::digest(&self.0)
    }

    fn check(&self, head: &RequestHead) -> Result<(), Refusal> {
        // Another site could make its own name mean this machine (DNS rebinding).
        if !is_loopback_name(&head.host()) {
            return Err(Refusal::Host);
        }
        if is_foreign_page(head) {
            return Err(Refusal::Stranger);
        }
        let credentials = head.fields.get("authorization").unwrap_or_default();
        let bearer = credentials.strip_prefix(b"Bearer ");
        let is_owner = bearer.is_some_and(|token| self.is(token.trim_ascii()));
        match head.method.is_safe() || is_owner {
            true => Ok(()),
            false => Err(Refusal::Token),
        }
    }
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
                "a command needs the field `Authorization: Bearer TOKEN`: the address that \
                 start_peer has printed contains the token",
            ),
            Self::Host => (
                StatusCode::MISDIRECTED_REQUEST,
                "the page of a peer has the names of this machine alone, such as localhost",
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

/// Passes only requests of this machine that no page of another site sends. Those that may change
/// something need the token.
pub fn guard_page(token: PageToken) -> impl Component<FilterPorts> + Clone + Send + Sync {
    async move |io: &mut FilterPorts| {
        while let Some(request) = io.requests.next().await {
            match token.check(&request.head) {
                Ok(()) => io.passed.send(request).await?,
                Err(refusal) => {
                    let failure = refusal.failure(&request);
                    io.refuse(request, failure).await?;
                }
            }
        }
        Ok(())
    }
}
