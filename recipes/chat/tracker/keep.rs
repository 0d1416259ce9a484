//! The registry as a component, and what it stores.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::SystemTime;

use bytes::Bytes;
use kamea::time::{turn, wall_clock};
use kamea::{Asker, Call, Component, Sink};
use serde::Serialize;

use super::{Answer, ChannelName, Limits, Moment, PeerKey, PeerName, Question, Refusal, Registry};

/// What is stored of a peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Its name.
    pub name: PeerName,
    /// The key that the name belongs to.
    pub key: PeerKey,
    /// The address that has claimed the name.
    pub network: IpAddr,
    /// Where it listens; none while it is away.
    pub addresses: Vec<SocketAddr>,
    /// Whether it is on the public list.
    pub is_listed: bool,
    /// The channels whose lists it is on.
    pub channels: BTreeSet<ChannelName>,
    /// When it was seen last, to the hour.
    pub seen: SystemTime,
}

/// A change to store.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// A registration is new, or differs.
    Save(Registration),
    /// A name is free again.
    Forget(PeerName),
}

/// Keeps the registry: answers questions, and stores changes before the answer is given. Without a
/// store, the names end with the process.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_chat_recipes::tracker::{Limits, Question, keep_registry};
///
/// let mut graph = Graph::new("tracker");
/// let registry = graph.ask("registry", keep_registry(Limits::default(), Vec::new(), None));
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
/// let answer = kamea::testing::block_on(registry.ask(Question::Peers { channel: None }))?;
/// assert!(answer.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn keep_registry(
    limits: Limits,
    stored: Vec<Registration>,
    store: Option<Asker<Vec<Change>, bool>>,
) -> impl Component<Sink<Call<Question, Answer>>> {
    async move |io: &mut Sink<Call<Question, Answer>>| {
        let mut registry = Registry::new(limits, stored.clone(), moment());
        while let Some(Call { request, reply }) = io.inbox.next().await {
            let mut answer = registry.answer(request, moment());
            let changes = registry.take_changes();
            if let Some(store) = &store
                && !changes.is_empty()
                && !store.ask(changes).await.unwrap_or(false)
            {
                answer = answer.and(Err(Refusal::Store));
            }
            reply.send(answer);
        }
        Ok(())
    }
}

fn moment() -> Moment {
    Moment {
        now: turn(),
        date: wall_clock(),
    }
}

/// Writes a value of the tracker as JSON.
pub(super) fn to_json(value: &impl Serialize) -> Bytes {
    // Strings, numbers and lists can always be written.
    serde_json::to_vec(value).unwrap_or_default().into()
}
