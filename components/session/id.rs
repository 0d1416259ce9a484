//! The names of a session: the secret that its client sends, and the key of the store.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use sha2::{Digest as _, Sha256};

/// The secret name of a session, which its client sends in a cookie. A client that knows it has the
/// session, so it is not shown in logs, and stores keep only its [`Digest`].
#[derive(Clone, PartialEq, Eq)]
pub struct SessionId(String);

/// The SHA-256 digest of a [`SessionId`]. Somebody who reads the store cannot take over a session
/// with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

/// The name of a session within its store. It stays the same when the [`SessionId`] changes, so
/// that a request that runs meanwhile still reaches its session. It never leaves the server, apart
/// from an encrypted cookie.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKey(Arc<str>);

impl SessionId {
    /// The longest name, in bytes.
    pub const LONGEST: usize = 3500;

    /// Draws a name of 192 bits from the system.
    ///
    /// # Panics
    ///
    /// If the system has no random bytes.
    #[must_use]
    pub fn random() -> Self {
        let mut bytes = [0; 24];
        // Not from `kamea::random`: a session must be as hard to guess as the system can make it.
        getrandom::fill(&mut bytes).expect("the system has random bytes");
        Self(BASE64.encode(bytes))
    }

    /// Reads a name that a client has sent. `None` if no session can have it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let is_name = (1..=Self::LONGEST).contains(&text.len()) && text.bytes().all(is_part);
        is_name.then(|| Self(text.to_owned()))
    }

    /// The text for the cookie.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digest for the store.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_session::SessionId;
    ///
    /// let id = SessionId::random();
    /// let sent = SessionId::parse(id.as_str()).unwrap();
    /// assert_eq!(sent.digest(), id.digest());
    /// assert_eq!(format!("{id:?}"), "SessionId(..)");
    /// ```
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(Sha256::digest(self.0.as_bytes()).into())
    }
}

/// The secret is not shown.
impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64.encode(self.0))
    }
}

impl SessionKey {
    /// A key from a text of the store.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }

    /// Draws a key.
    ///
    /// # Panics
    ///
    /// If the system has no random bytes.
    #[must_use]
    pub fn random() -> Self {
        Self(SessionId::random().0.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_that_can_be_names_are_names() {
        for text in ["", "a b", "a;b", "a=b", "ä", "a\0", &"a".repeat(3501)] {
            assert_eq!(SessionId::parse(text), None, "{text}");
        }
        let id = SessionId::random();
        assert_eq!(id.as_str().len(), 32);
        assert_eq!(SessionId::parse(id.as_str()), Some(id.clone()));
        assert_ne!(id, SessionId::random());
    }
}
