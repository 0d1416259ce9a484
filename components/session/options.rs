//! The options of sessions.

use std::time::Duration;

use cookie::{Cookie, SameSite};
use kamea_components::http::Fields;
use kamea_components::web::Scheme;

use crate::origin::Origins;
use crate::{Keys, SessionId};

/// How long sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// A session that has not been used for this long ends.
    pub idle: Duration,
    /// A session ends this long after its beginning, used or not.
    pub absolute: Duration,
}

impl Default for Lifetimes {
    /// Twelve hours idle, a week in total.
    fn default() -> Self {
        Self {
            idle: Duration::from_secs(12 * 3600),
            absolute: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// How clients get their session: the cookie, and the check of origins.
///
/// The cookie is `HttpOnly`, `SameSite=Lax`, for the whole site, and ends with the browser. Its
/// name is `sid`. For a client that uses TLS it is also `Secure`, and its name is `__Host-sid`, so
/// that no other host of the domain can set it.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::web::Scheme;
/// use kamea_session::{Keys, SessionOptions};
///
/// let keys = Keys::new("a long text from a file that only the server reads")?;
/// let options = SessionOptions::default()
///     .signed(keys)
///     .persistent(Duration::from_secs(7 * 24 * 3600));
/// assert_eq!(options.cookie_name(Scheme::Http), "sid");
/// assert_eq!(options.cookie_name(Scheme::Https), "__Host-sid");
/// # Ok::<(), kamea_session::WeakSecret>(())
/// ```
#[derive(Debug, Clone)]
pub struct SessionOptions {
    name: String,
    always_secure: bool,
    same_site: SameSite,
    max_age: Option<Duration>,
    keys: Option<Keys>,
    pub(crate) origins: Origins,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            name: "sid".to_owned(),
            always_secure: false,
            same_site: SameSite::Lax,
            max_age: None,
            keys: None,
            origins: Origins::default(),
        }
    }
}

impl SessionOptions {
    /// Sets the name of the cookie. Default: `sid`.
    ///
    /// # Panics
    ///
    /// If it is not a token.
    #[must_use]
    pub fn name(self, name: &str) -> Self {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_name = !name.is_empty() && name.bytes().all(is_part);
        assert!(is_name, "the name of a cookie has letters, digits, - and _");
        Self {
            name: name.to_owned(),
            ..self
        }
    }

    /// All clients use TLS, although the server does not see it: behind a proxy that does not say
    /// it by `X-Forwarded-Proto`. For one that does, see
    /// [`trust_proxies`](kamea_components::web::trust_proxies).
    #[must_use]
    pub fn under_tls(self) -> Self {
        Self {
            always_secure: true,
            ..self
        }
    }

    /// Sets the attribute `SameSite`. With `None`, pages of other sites use the session too: then
    /// only the check of origins protects it.
    #[must_use]
    pub fn same_site(self, same_site: SameSite) -> Self {
        Self { same_site, ..self }
    }

    /// Keeps the cookie for this long, also when the browser is closed.
    #[must_use]
    pub fn persistent(self, max_age: Duration) -> Self {
        Self {
            max_age: Some(max_age),
            ..self
        }
    }

    /// Signs the names of sessions, so that invented names are refused before the store is asked.
    #[must_use]
    pub fn signed(self, keys: Keys) -> Self {
        Self {
            keys: Some(keys),
            ..self
        }
    }

    /// Sets which other origins may send unsafe requests. Default: none.
    #[must_use]
    pub fn origins(self, origins: Origins) -> Self {
        Self { origins, ..self }
    }

    /// The full name of the cookie, for a client with this scheme. A client with both schemes has
    /// two sessions: the one without TLS can be read on the way.
    #[must_use]
    pub fn cookie_name(&self, scheme: Scheme) -> String {
        match self.is_secure(scheme) {
            true => format!("__Host-{}", self.name),
            false => self.name.clone(),
        }
    }

    fn is_secure(&self, scheme: Scheme) -> bool {
        self.always_secure || scheme == Scheme::Https
    }

    /// The text of the cookie of this name for a session.
    pub(crate) fn text(&self, name: &str, id: &SessionId) -> String {
        match &self.keys {
            Some(keys) => keys.sign(name, id.as_str()),
            None => id.as_str().to_owned(),
        }
    }

    /// The session that a cookie of this name means.
    pub(crate) fn id(&self, name: &str, text: &str) -> Option<SessionId> {
        let text = match &self.keys {
            Some(keys) => keys.verify(name, text)?,
            None => text,
        };
        SessionId::parse(text)
    }

    /// Sets a cookie of the session with its attributes; `None` removes it.
    pub(crate) fn set(
        &self,
        fields: &mut Fields,
        scheme: Scheme,
        name: String,
        value: Option<String>,
    ) -> Result<(), crate::InvalidCookie> {
        let max_age = match &value {
            Some(_) => self.max_age,
            None => Some(Duration::ZERO),
        };
        let mut cookie = Cookie::new(name, value.unwrap_or_default());
        cookie.set_http_only(true);
        cookie.set_same_site(self.same_site);
        cookie.set_path("/");
        if self.is_secure(scheme) {
            cookie.set_secure(true);
        }
        if let Some(max_age) = max_age.and_then(|age| age.try_into().ok()) {
            cookie.set_max_age(Some(max_age));
        }
        crate::set_cookie(fields, &cookie)
    }
}
