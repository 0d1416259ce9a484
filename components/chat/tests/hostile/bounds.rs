//! What many channels, heads, keys and names of hostile peers take from a node.

use std::collections::BTreeSet;
use std::time::Duration;

use kamea::time::{now, sleep};
use kamea::{Graph, Simulation};
use kamea_components::chassis::NoPorts;
use serde_json::json;

use super::nodes::{LINK, Scene};
use crate::link::{Role, Up, queue};
use crate::log::tests::Member;
use crate::node::DialNews;
use crate::{
    Body, ChannelId, Contact, Frame, Identity, Input, Message, MessageId, Policy, Receipt,
};

/// An identifier that no message has.
fn invented(number: u32) -> MessageId {
    let mut id = [9; 32];
    id[..4].copy_from_slice(&number.to_be_bytes());
    MessageId(id)
}

/// The identity with this number.
fn identity(number: u32) -> Identity {
    Identity::from_secret(invented(number).0)
}

fn heads(channel: ChannelId, count: u32) -> Frame<Message> {
    Frame::Heads {
        channel,
        heads: (0..count).map(invented).collect(),
    }
}

fn is_pulled(scene: &mut Scene, channel: ChannelId) -> bool {
    let is_pull =
        |frame: &Frame| matches!(frame, Frame::Pull { channel: of, .. } if *of == channel);
    scene.sent().iter().any(is_pull)
}

fn down(scene: &mut Scene) {
    let (link, offence) = (LINK, None);
    scene.node.take(Input::Down { link, offence }).unwrap();
}

/// Runs a scene with virtual time.
fn simulate(run: impl AsyncFnOnce() + Send + 'static) {
    let mut graph = Graph::new("nothing");
    graph.add("nothing", async |_: &mut NoPorts| Ok(()));
    let report = Simulation::seed(1).beside("scene", run).run(graph).unwrap();
    assert!(report.faults().is_empty(), "{:?}", report.faults());
}

#[test]
fn invented_channels_take_no_place_and_no_time() {
    let mut scene = Scene::new();
    let due = scene.node.next_tick();
    for number in 0..4_000 {
        scene.receive(heads(invented(number), 64));
    }
    down(&mut scene);
    assert_eq!(scene.node.next_tick(), due, "they are looked for elsewhere");
    scene.connect("eve");
    for number in 0..4_000 {
        scene.receive(heads(invented(number), 64));
    }
    let created = scene.eve.create(Policy::Open);
    let channel = created.channel();
    scene.receive(Frame::Announce(created));
    let join = json!({"do": "join", "channel": channel.to_string()});
    scene.ask(join).unwrap();
    scene.receive(heads(channel, 1));
    assert!(is_pulled(&mut scene, channel));
}

#[test]
fn one_head_is_kept_of_a_channel_that_is_not_joined() {
    let mut scene = Scene::new();
    let created = scene.eve.create(Policy::Open);
    let channel = created.channel();
    scene.receive(Frame::Announce(created));
    scene.receive(heads(channel, 64));
    let join = json!({"do": "join", "channel": channel.to_string()});
    scene.ask(join).unwrap();
    assert!(is_pulled(&mut scene, channel));
    scene.receive(Frame::Batch {
        channel,
        messages: vec![],
        next: None,
    });
    let fetched = scene.sent().into_iter().find_map(|frame| match frame {
        Frame::Fetch { ids, .. } => Some(ids.len()),
        _ => None,
    });
    assert_eq!(fetched, Some(1));
}

#[test]
fn a_pull_tells_strangers_nothing_of_a_direct_channel() {
    let mut scene = Scene::new();
    let direct = |scene: &mut Scene, peer: &Identity| -> ChannelId {
        let direct = json!({"do": "direct", "peer": peer.key().to_string()});
        let direct = scene.ask(direct).unwrap();
        direct["channel"].as_str().unwrap().parse().unwrap()
    };
    for (peer, is_asked) in [(identity(1), false), (Identity::from_secret([3; 32]), true)] {
        let channel = direct(&mut scene, &peer);
        scene.receive(heads(channel, 1));
        assert_eq!(is_pulled(&mut scene, channel), is_asked);
    }
}

/// The owner is away, and the invited peer has the invitation, which this peer lacks.
#[test]
fn an_invitation_is_learned_from_the_peer_that_it_invites() {
    let mut scene = Scene::new();
    let mut ada = Member::new(1);
    let created = ada.create(Policy::Invite);
    let channel = created.channel();
    let bob = Identity::from_secret([2; 32]).key();
    let to_bob = ada.write(channel, Body::Invite { peer: bob });
    scene.receive(Frame::Announce(created));
    let join = json!({"do": "join", "channel": channel.to_string()});
    scene.ask(join).unwrap();
    for peer in [None, Some(scene.eve.identity.key())] {
        let invitation = match peer {
            Some(peer) => ada.write(channel, Body::Invite { peer }),
            None => to_bob.clone(),
        };
        scene.receive(Frame::Heads {
            channel,
            heads: vec![invitation.id()],
        });
        assert!(is_pulled(&mut scene, channel), "{peer:?}");
        scene.receive(Frame::Batch {
            channel,
            messages: vec![invitation],
            next: None,
        });
    }
}

#[test]
fn new_contacts_take_the_place_of_those_that_are_away() {
    let (dialer, mut news) = kamea::link(4_000);
    let mut scene = Scene::with_dialer(Some(dialer));
    let contact = |number| Contact {
        key: identity(number).key(),
        name: format!("peer{number}").parse().unwrap(),
        addresses: vec![([127, 0, 0, 1], 9000).into()],
    };
    let of_eve = Contact {
        key: scene.eve.identity.key(),
        ..contact(5000)
    };
    let mut meet = |contacts| scene.node.take(Input::Contacts(contacts)).unwrap();
    meet(vec![of_eve]);
    meet((0..1_000).map(contact).collect());
    meet((2_000..2_010).map(contact).collect());
    let news: Vec<_> = std::iter::from_fn(|| news.try_next()).collect();
    let forgotten = (news.iter()).filter(|news| matches!(news, DialNews::Forget(_)));
    assert_eq!(forgotten.count(), 10);
    let peers = scene.ask(json!({"do": "peers"})).unwrap();
    let peers = peers["peers"].as_array().unwrap();
    let has = |name: &str| peers.iter().any(|peer| peer["name"] == name);
    assert!((2_000..2_010).all(|number| has(&format!("peer{number}"))));
    assert!(has("eve") && peers.len() <= 1_000, "{}", peers.len());
}

#[test]
fn new_keys_take_bounded_memory() {
    let mut scene = Scene::new();
    for number in 0..1_500 {
        let (to, _from) = queue();
        let up = Up {
            link: 100,
            key: identity(number).key(),
            name: format!("peer{number}").parse().unwrap(),
            role: Role::Responder,
            to,
        };
        scene.node.take(Input::Up(up)).unwrap();
        let (link, offence) = (100, None);
        scene.node.take(Input::Down { link, offence }).unwrap();
    }
    let peers = scene.node.log().peers().unwrap();
    assert_eq!(peers.len(), 999);
    // Those that were met first keep their names.
    assert_eq!(peers[0].1, "eve");
    scene.connect("peer9");
    let peers = scene.ask(json!({"do": "peers"})).unwrap();
    let shown = peers["peers"][0]["name"].as_str().unwrap();
    assert!(shown.starts_with("peer9~"), "{shown}");
}

/// Reads what is queued for eve at each of some ticks. Returns the channels and heads that she was
/// told of.
async fn listen(scene: &mut Scene, span: Duration, pause: Duration) -> Told {
    let (mut told, end) = (Told::default(), now() + span);
    let mut read = now();
    while now() < end {
        if read <= now() {
            read += pause;
            for frame in scene.sent() {
                if let Frame::Heads { channel, heads } = frame {
                    told.channels.insert(channel);
                    told.heads.extend(heads);
                }
            }
        }
        let next = scene.node.next_tick().min(read);
        sleep(next.saturating_duration_since(now())).await;
        scene.node.tick().unwrap();
    }
    told
}

#[derive(Default)]
struct Told {
    channels: BTreeSet<ChannelId>,
    heads: BTreeSet<MessageId>,
}

#[test]
fn a_slow_peer_is_told_of_all_channels_in_turn() {
    simulate(async || {
        let mut scene = Scene::new();
        for number in 0..100 {
            let title = format!("tea {number}");
            let create = json!({"do": "create", "channel": title, "policy": "open"});
            scene.ask(create).unwrap();
        }
        down(&mut scene);
        scene.connect("eve");
        let seconds = Duration::from_secs;
        let told = listen(&mut scene, seconds(4), Duration::from_millis(100)).await;
        assert_eq!(told.channels.len(), 100, "as soon as there is room");
        // This peer reads less than is to be said in the same time.
        let told = listen(&mut scene, seconds(90), seconds(16)).await;
        assert_eq!(told.channels.len(), 100, "in turn");
    });
}

#[test]
fn all_heads_of_a_channel_are_told_in_turn() {
    simulate(async || {
        let mut scene = Scene::new();
        let (channel, _) = scene.channel("open");
        let mut joined = BTreeSet::new();
        for number in 0..150 {
            let member = Member {
                identity: identity(number),
                ..Member::new(9)
            };
            let join = Body::Join { invitation: None };
            let join = member.forge(channel, 1, &[channel], join);
            joined.insert(join.id());
            scene.receive(Frame::Publish(join));
        }
        scene.sent();
        let told = listen(&mut scene, Duration::from_secs(120), Duration::from_secs(1)).await;
        assert!(joined.is_subset(&told.heads), "{}", told.heads.len());
    });
}

#[test]
fn few_receipts_wait_for_a_peer_that_is_no_member() {
    let mut scene = Scene::new();
    let channels: Vec<_> = (0..70).map(|_| scene.channel("open").0).collect();
    for _ in 0..2 {
        for &channel in &channels {
            let receipt = Receipt { held: 9, read: 9 };
            scene.receive(Frame::Receipt { channel, receipt });
        }
    }
    scene.node.take_events();
    for &channel in &channels {
        let join = Body::Join { invitation: None };
        let joined = scene.eve.forge(channel, 1, &[channel], join);
        scene.receive(Frame::Publish(joined));
    }
    let events = scene.node.take_events();
    let read = events.iter().filter(|event| event["state"] == "read");
    assert_eq!(read.count(), 64);
}
