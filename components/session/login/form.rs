//! Tokens for forms: a page of another site does not know the token, so it cannot send the form.
//! The check of origins makes them unnecessary for browsers of the last years; older ones send no
//! `Origin`.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use subtle::ConstantTimeEq;

use crate::{Session, SessionError};

/// The name of the value with the token.
pub(crate) const FORM_TOKEN: &str = "_form";

/// The bytes of a token.
const LENGTH: usize = 24;

impl Session {
    /// A token for a hidden field of a form. It belongs to the session, and looks different each
    /// time, so that compression cannot betray it. A login makes those of before invalid.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_session::{Session, SessionError};
    ///
    /// async fn form(session: &Session) -> Result<String, SessionError> {
    ///     let token = session.form_token().await?;
    ///     Ok(format!("<form method=post><input type=hidden name=token value={token}></form>"))
    /// }
    ///
    /// fn is_from_the_form(session: &Session, token: &str) -> bool {
    ///     session.is_form_token(token)
    /// }
    /// # let _ = (form, is_from_the_form);
    /// ```
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    ///
    /// # Panics
    ///
    /// If the system has no random bytes.
    pub async fn form_token(&self) -> Result<String, SessionError> {
        let new = || BASE64.encode(random());
        // Two pages that are loaded at the same time must agree.
        let token = self.update(FORM_TOKEN, |token: Option<String>| {
            token.unwrap_or_else(new)
        });
        let token = bytes(&token.await?).unwrap_or_default();
        let mask = random();
        let masked = token.iter().zip(mask).map(|(a, b)| a ^ b);
        let both: Vec<u8> = mask.into_iter().chain(masked).collect();
        Ok(BASE64.encode(both))
    }

    /// Whether a token belongs to this session.
    #[must_use]
    pub fn is_form_token(&self, token: &str) -> bool {
        let own = self.get::<String>(FORM_TOKEN).ok().flatten();
        let Some(own) = own.and_then(|own| bytes(&own)) else {
            return false;
        };
        let Ok(both) = BASE64.decode(token) else {
            return false;
        };
        let Some((mask, masked)) = both.split_at_checked(LENGTH) else {
            return false;
        };
        let given: Vec<u8> = masked.iter().zip(mask).map(|(a, b)| a ^ b).collect();
        both.len() == 2 * LENGTH && bool::from(given.ct_eq(&own))
    }
}

fn random() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    bytes
}

fn bytes(token: &str) -> Option<Vec<u8>> {
    BASE64
        .decode(token)
        .ok()
        .filter(|token| token.len() == LENGTH)
}
