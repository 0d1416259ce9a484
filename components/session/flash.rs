//! Messages for the next page that the user sees.

use serde::{Deserialize, Serialize};

use crate::{Session, SessionError, SessionKey};

/// A message for the next page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// Its kind: `info`, `error`, or another word of the application.
    pub kind: String,
    /// The text.
    pub text: String,
}

/// The names of flash messages begin with this.
const PREFIX: &str = "_flash-";

impl Session {
    /// Leaves a message for the next page that the user sees, also behind a redirect.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_session::{Session, SessionError};
    ///
    /// async fn saved(session: &Session) -> Result<(), SessionError> {
    ///     session.flash("info", "Your note was saved.").await
    /// }
    ///
    /// async fn page(session: &Session) -> Result<String, SessionError> {
    ///     let messages = session.take_flashes().await?;
    ///     let lines = messages.iter().map(|flash| format!("{}: {}\n", flash.kind, flash.text));
    ///     Ok(lines.collect())
    /// }
    /// # let _ = (saved, page);
    /// ```
    pub async fn flash(&self, kind: &str, text: &str) -> Result<(), SessionError> {
        let flash = Flash {
            kind: kind.to_owned(),
            text: text.to_owned(),
        };
        // A name of its own, so that two requests do not overwrite each other's message. The time
        // comes first, for the order.
        let since = kamea::time::wall_clock().duration_since(std::time::UNIX_EPOCH);
        let micros = since.unwrap_or_default().as_micros();
        let random = SessionKey::random();
        let name = format!("{PREFIX}{micros:016x}-{}", random.as_str());
        self.set(&name, &flash).await
    }

    /// Takes all messages, the oldest first. Each message is shown once, even if two pages are
    /// loaded at the same time.
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    pub async fn take_flashes(&self) -> Result<Vec<Flash>, SessionError> {
        let mut flashes = Vec::new();
        for name in self.names() {
            if !name.starts_with(PREFIX) {
                continue;
            }
            let flash = self.get(&name)?;
            if self.remove(&name).await? {
                flashes.extend(flash);
            }
        }
        Ok(flashes)
    }
}
