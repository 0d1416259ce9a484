//! Protects a user's error component: failures go to it while it works, and to the built-in one
//! after it has failed.

use kamea::{Closed, Component, Inbox, Outbox, Ports, at_first_message};

use super::message::Failure;

/// The ports of [`choose_errors`].
#[derive(Debug, Ports)]
pub struct ChoicePorts {
    /// What went wrong.
    pub failures: Inbox<Failure>,
    /// To the user's error component.
    pub own: Outbox<Failure>,
    /// To the built-in component, once the user's has failed.
    pub fallback: Outbox<Failure>,
}

/// Sends failures to `own` while that accepts them, then to `fallback`.
///
/// The failure during which `own` failed is lost. The fault itself becomes a failure of the same
/// exchange, and arrives here.
pub fn choose_errors() -> impl Component<ChoicePorts> + Clone + Send + Sync {
    at_first_message(async |io: &mut ChoicePorts| {
        while let Some(failure) = io.failures.next().await {
            if let Err(Closed(failure)) = io.own.send(failure).await {
                io.fallback.send(failure).await?;
            }
        }
        Ok(())
    })
}
