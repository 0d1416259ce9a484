//! Chooses the backend of each attempt, by the policy of the route. Requests for which no backend
//! has room wait here.

use kamea::{Component, Inbox, Outbox, Ports};

use super::Routed;
use crate::backends::Choice;
use crate::policy::Asked;

/// The ports of [`choose_backend`].
#[derive(Debug, Ports)]
pub struct ChoosePorts {
    /// The requests that need a backend.
    pub asked: Inbox<Box<Routed>>,
    /// The backends, in the same order.
    pub chosen: Outbox<Chosen>,
}

/// A request, and the backend that it gets.
#[derive(Debug)]
pub struct Chosen {
    /// The request.
    pub request: Box<Routed>,
    /// Which backend it gets.
    pub choice: Choice,
}

/// Chooses backends.
pub fn choose_backend() -> impl Component<ChoosePorts> + Clone + Send + Sync {
    async |io: &mut ChoosePorts| {
        while let Some(request) = io.asked.next().await {
            let choice = choose(&request).await;
            io.chosen.send(Chosen { request, choice }).await?;
        }
        Ok(())
    }
}

async fn choose(request: &Routed) -> Choice {
    match choose_now(request) {
        // Boxed, because requests seldom wait.
        Choice::Full => Box::pin(request.group.wait_for_room(|| choose_now(request))).await,
        choice => choice,
    }
}

fn choose_now(request: &Routed) -> Choice {
    let asked = Asked::new(&request.head, request.client());
    request.group.choose(&asked, &request.tried)
}
