//! In front of a user's error component: as long as that works it gets the failures, and after that ours does.

use kamea::{Closed, Component, Inbox, Outbox, Ports};

use super::message::Failure;

/// The ports of [`choose_errors`].
#[derive(Debug, Ports)]
pub struct ChoicePorts {
    /// What went wrong.
    pub failures: Inbox<Failure>,
    /// To the user's error component.
    pub own: Outbox<Failure>,
    /// To ours, once that has gone.
    pub fallback: Outbox<Failure>,
}

/// Hands failures to `own` while that takes them, then to `fallback`.
///
/// The failure during which `own` failed is lost with it; the fault itself, which becomes a failure of the same exchange, comes here.
pub fn choose_errors() -> impl Component<ChoicePorts> + Clone + Send + Sync {
    async |io: &mut ChoicePorts| {
        while let Some(failure) = io.failures.next().await {
            if let Err(Closed(failure)) = io.own.send(failure).await {
                io.fallback.send(failure).await?;
            }
        }
        Ok(())
    }
}
