//! The session that the components of a connection share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Session;

/// The [`Session`] of a connection. Its [`decrypt`](super::decrypt) and its
/// [`encrypt`](super::encrypt) share it, as a reader and a writer share their socket. They run on
/// one worker, so neither ever waits for the other.
#[derive(Debug, Clone)]
pub struct SharedSession(Arc<Mutex<Session>>);

impl SharedSession {
    /// Shares a session.
    #[must_use]
    pub fn new(session: Session) -> Self {
        Self(Arc::new(Mutex::new(session)))
    }

    /// The session, for one step that does not wait.
    pub fn lock(&self) -> MutexGuard<'_, Session> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
