//! Chooses the backend of each attempt, by the policy of the route. Requests for which no backend
//! has room wait here.

use std::net::IpAddr;
use std::sync::Arc;

use kamea::{Component, Inbox, Outbox, Ports};
use kamea_components::http::RequestHead;

use crate::backends::{Choice, Group};
use crate::policy::Asked;

/// The ports of [`choose_backend`].
#[derive(Debug, Ports)]
pub struct ChoosePorts {
    /// The requests that need a backend.
    pub asked: Inbox<Ask>,
    /// The backends, in the same order.
    pub chosen: Outbox<Chosen>,
}

/// A request that needs a backend.
#[derive(Debug)]
pub struct Ask {
    /// The backends of its route.
    pub group: Arc<Group>,
    /// Its head, which returns with the choice.
    pub head: Box<RequestHead>,
    /// The address of the client.
    pub client: IpAddr,
    /// The backends at which it was already, by their positions in the route.
    pub tried: Vec<usize>,
}

/// The backend of a request.
#[derive(Debug)]
pub struct Chosen {
    /// The head of the request.
    pub head: Box<RequestHead>,
    /// The backends at which it was already.
    pub tried: Vec<usize>,
    /// Which backend it gets now.
    pub choice: Choice,
}

/// Chooses backends.
pub fn choose_backend() -> impl Component<ChoosePorts> + Clone + Send + Sync {
    async |io: &mut ChoosePorts| {
        while let Some(ask) = io.asked.next().await {
            let choice = choose(&ask).await;
            let Ask { head, tried, .. } = ask;
            let chosen = Chosen {
                head,
                tried,
                choice,
            };
            io.chosen.send(chosen).await?;
        }
        Ok(())
    }
}

async fn choose(ask: &Ask) -> Choice {
    let asked = Asked::new(&ask.head, ask.client);
    match ask.group.choose(&asked, &ask.tried) {
        // Boxed, because requests seldom wait.
        Choice::Full => Box::pin(wait_and_choose(ask)).await,
        choice => choice,
    }
}

async fn wait_and_choose(ask: &Ask) -> Choice {
    while ask.group.wait_for_room().await {
        let asked = Asked::new(&ask.head, ask.client);
        match ask.group.choose(&asked, &ask.tried) {
            Choice::Full => {}
            choice => return choice,
        }
    }
    Choice::Full
}
