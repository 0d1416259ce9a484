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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use kamea::time::{now, sleep};
    use kamea::{Graph, Simulation};

    use super::super::ListChange;
    use super::super::answers::Told;
    use super::*;

    /// How many peers a registry lists.
    async fn count(registry: &Asker<Question, Answer>) -> usize {
        let list = registry.ask(Question::Peers { channel: None }).await;
        let Ok(Ok(Told::Peers(json))) = list else {
            panic!("{list:?}")
        };
        String::from_utf8_lossy(&json)
            .matches("fingerprint")
            .count()
    }

    /// The time is that of the kernel, so half a minute takes no time here.
    #[test]
    fn a_peer_is_listed_until_its_lease_ends() {
        let mut graph = Graph::new("tracker");
        let component = keep_registry(Limits::default(), Vec::new(), None);
        let registry = graph.ask("registry", component);
        let counts = Arc::new(Mutex::new(Vec::new()));
        let noted = counts.clone();
        let peer = async move || {
            let name: PeerName = "ada".parse().unwrap();
            let heartbeat = || Question::Submit {
                name: name.clone(),
                addresses: vec!["192.0.2.1:9101".parse().unwrap()],
                links: Vec::new(),
            };
            let login = Question::LogIn {
                name: name.clone(),
                key: PeerKey([1; 32]),
                network: "192.0.2.1".parse().unwrap(),
                nonce: "a nonce".to_owned(),
                expires: now() + Duration::from_secs(30),
            };
            let join = ListChange {
                channel: None,
                remove: false,
            };
            let join = Question::List(name.clone(), join);
            for question in [login, heartbeat(), join] {
                registry.ask(question).await.unwrap().unwrap();
            }
            for seconds in [29, 0, 29, 2] {
                sleep(Duration::from_secs(seconds)).await;
                let listed = count(&registry).await;
                noted.lock().unwrap().push(listed);
                if seconds == 0 {
                    registry.ask(heartbeat()).await.unwrap().unwrap();
                }
            }
        };
        Simulation::seed(1).beside("peer", peer).run(graph).unwrap();
        assert_eq!(*counts.lock().unwrap(), [1, 1, 1, 0]);
    }
}
