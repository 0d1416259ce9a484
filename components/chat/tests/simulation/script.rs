//! What happens in a simulation, and what must hold in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kamea::random;
use kamea::time::sleep;
use serde_json::{Value, json};

use super::world::World;

/// The longest simulation, in virtual time.
pub(super) const LONGEST: Duration = Duration::from_secs(4 * 3600);

/// How long peers may take to have the same history, once all is well.
const CONVERGENCE: Duration = Duration::from_secs(1800);

/// A channel, as the script knows it.
#[derive(Debug)]
struct Channel {
    policy: &'static str,
    owner: usize,
    /// Who may read it, beside the owner; everybody for an open channel.
    invited: BTreeSet<usize>,
    /// Who keeps it.
    joined: BTreeSet<usize>,
    /// What was said: the identifiers, each with its author.
    said: BTreeMap<String, usize>,
}

impl Channel {
    fn may_read(&self, peer: usize) -> bool {
        let is_private = ["invite", "direct"].contains(&self.policy);
        peer == self.owner || !is_private || self.invited.contains(&peer)
    }
}

type Channels = BTreeMap<String, Channel>;

/// What a peer has shown of a channel: identifier and text of each message.
type Seen = BTreeMap<(usize, String), BTreeMap<String, String>>;

pub(super) async fn run(world: World) {
    for peer in 0..world.peers.len() {
        world.start(peer).await;
    }
    let (mut channels, mut seen) = (Channels::new(), Seen::new());
    for step in 0..20 + random::usize(..30) {
        sleep(random::duration(Duration::from_secs(8))).await;
        act(&world, &mut channels, step).await;
        if random::chance(0.2) {
            look(&world, &channels, &mut seen).await;
        }
    }
    world.repair();
    for peer in 0..world.peers.len() {
        if !world.is_alive(peer) {
            world.start(peer).await;
        }
    }
    converge(&world, &channels).await;
    look(&world, &channels, &mut seen).await;
    check(&world, &channels).await;
}

/// One random event.
async fn act(world: &World, channels: &mut Channels, step: usize) {
    let count = world.peers.len();
    let peer = random::usize(..count);
    match random::usize(..100) {
        0..15 => create(world, channels, peer, step).await,
        15..25 => {
            let other = random::usize(..count);
            let command = json!({"do": "direct", "peer": format!("peer{other}")});
            if let Ok(answer) = world.ask(peer, command).await {
                let id = answer["channel"].as_str().unwrap().to_owned();
                channels.entry(id).or_insert_with(|| Channel {
                    policy: "direct",
                    owner: peer,
                    invited: [other].into(),
                    joined: [peer, other].into(),
                    said: BTreeMap::new(),
                });
            }
        }
        25..40 => join(world, channels, peer).await,
        40..48 => invite(world, channels, random::usize(..count)).await,
        48..54 if world.is_alive(peer) => world.kill(peer).await,
        54..60 if !world.is_alive(peer) => world.start(peer).await,
        60..66 => world
            .cuts
            .cut(peer, (peer + 1 + random::usize(..count - 1)) % count),
        66..72 => world.cuts.heal(),
        _ => say(world, channels, peer, step).await,
    }
}

async fn create(world: &World, channels: &mut Channels, owner: usize, step: usize) {
    let policy = ["open", "invite", "read-only"][random::usize(..3)];
    let command = json!({"do": "create", "channel": format!("channel {step}"), "policy": policy});
    if let Ok(answer) = world.ask(owner, command).await {
        let channel = Channel {
            policy,
            owner,
            invited: BTreeSet::new(),
            joined: [owner].into(),
            said: BTreeMap::new(),
        };
        channels.insert(answer["channel"].as_str().unwrap().to_owned(), channel);
    }
}

fn draw(channels: &mut Channels) -> Option<(&String, &mut Channel)> {
    let count = channels.len();
    (count > 0).then(|| channels.iter_mut().nth(random::usize(..count)))?
}

async fn join(world: &World, channels: &mut Channels, peer: usize) {
    let Some((id, channel)) = draw(channels) else {
        return;
    };
    let joined = world.ask(peer, json!({"do": "join", "channel": id})).await;
    if joined.is_ok() {
        assert!(channel.may_read(peer), "peer{peer} knows a private channel");
        channel.joined.insert(peer);
    }
}

async fn invite(world: &World, channels: &mut Channels, other: usize) {
    let Some((id, channel)) = draw(channels) else {
        return;
    };
    let anyone = random::usize(..world.peers.len());
    let command = json!({"do": "invite", "channel": id, "peer": format!("peer{other}")});
    let invited = world.ask(anyone, command).await;
    if invited.is_ok() {
        assert_eq!((channel.policy, channel.owner), ("invite", anyone));
        channel.invited.insert(other);
    }
}

async fn say(world: &World, channels: &mut Channels, peer: usize, step: usize) {
    let Some((id, channel)) = draw(channels) else {
        return;
    };
    let text = format!("{step} by {peer} {}", "x".repeat(random::usize(..400)));
    let command = json!({"do": "send", "channel": id, "text": text});
    if let Ok(answer) = world.ask(peer, command).await {
        assert!(channel.may_read(peer));
        assert!(channel.policy != "read-only" || channel.owner == peer);
        let id = answer["message"].as_str().unwrap().to_owned();
        channel.said.insert(id, peer);
    }
}

async fn history(world: &World, peer: usize, channel: &str) -> Vec<Value> {
    let command = json!({"do": "history", "channel": channel, "limit": 500});
    let answer = world.ask(peer, command).await.unwrap_or_default();
    answer["messages"].as_array().cloned().unwrap_or_default()
}

/// Immutability: what a peer has shown once, it shows for ever, with the same text.
async fn look(world: &World, channels: &Channels, seen: &mut Seen) {
    for (id, channel) in channels {
        for &peer in &channel.joined {
            if !world.is_alive(peer) {
                continue;
            }
            let shown = history(world, peer, id).await;
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let shown: BTreeMap<_, _> = shown
                .iter()
                .map(|message| (text(&message["id"]), text(&message["text"])))
                .collect();
            let before = seen.entry((peer, id.clone())).or_default();
            for (message, text) in &*before {
                assert_eq!(
                    shown.get(message),
                    Some(text),
                    "peer{peer} has changed a message"
                );
            }
            *before = shown;
        }
    }
}

/// Waits until all members of each channel have the same history.
async fn converge(world: &World, channels: &Channels) {
    let start = kamea::time::now();
    loop {
        let mut differing = None;
        for (id, channel) in channels {
            let mut histories = BTreeSet::new();
            for &peer in &channel.joined {
                let ids = history(world, peer, id).await;
                let ids: Vec<_> = ids
                    .iter()
                    .map(|message| message["id"].to_string())
                    .collect();
                histories.insert(ids);
            }
            let count = histories.iter().map(Vec::len).max().unwrap_or_default();
            if histories.len() > 1 || count != channel.said.len() {
                differing = Some((id.clone(), histories));
            }
        }
        let Some((id, histories)) = differing else {
            break;
        };
        let waited = kamea::time::now() - start;
        if waited > CONVERGENCE {
            let lengths: Vec<_> = histories.iter().map(Vec::len).collect();
            let channel = &channels[&id];
            let mut states = Vec::new();
            for peer in 0..world.peers.len() {
                let hello = world.ask(peer, json!({"do": "hello"})).await.unwrap();
                states.push(format!("peer{peer}: {}", hello["peers"]));
            }
            panic!("{id} does not converge: {lengths:?} of {channel:#?}\n{states:#?}");
        }
        sleep(Duration::from_secs(10)).await;
    }
    // Receipts are on their way.
    sleep(Duration::from_secs(60)).await;
}

/// What must hold in the end.
async fn check(world: &World, channels: &Channels) {
    for (id, channel) in channels {
        for peer in 0..world.peers.len() {
            let messages = history(world, peer, id).await;
            if !channel.joined.contains(&peer) {
                assert!(
                    messages.is_empty(),
                    "peer{peer} has not joined {channel:#?}"
                );
                let known = world.ask(peer, json!({"do": "channels"})).await.unwrap();
                let known = known["channels"].as_array().unwrap();
                let is_known = known.iter().any(|known| known["id"] == id.as_str());
                assert!(
                    !is_known || channel.may_read(peer),
                    "peer{peer} knows {channel:#?}"
                );
                continue;
            }
            // Nothing lost, nothing twice, nothing of anybody else.
            let ids: BTreeSet<_> = messages
                .iter()
                .map(|message| message["id"].as_str().unwrap())
                .collect();
            let said: BTreeSet<_> = channel.said.keys().map(String::as_str).collect();
            assert_eq!((ids.len(), &ids), (messages.len(), &said));
            let orders: Vec<_> = messages
                .iter()
                .map(|message| message["order"].to_string())
                .collect();
            assert!(orders.is_sorted());
            check_authors(channel, peer, &messages);
        }
    }
}

fn check_authors(channel: &Channel, peer: usize, messages: &[Value]) {
    let others = channel.joined.iter().any(|other| *other != peer);
    for message in messages {
        let author = channel.said[message["id"].as_str().unwrap()];
        assert_eq!(message["author"], format!("peer{author}"));
        assert_eq!(message["mine"], author == peer);
        if author == peer && others {
            assert_eq!(message["state"], "delivered", "{message} of {channel:#?}");
        }
    }
}
