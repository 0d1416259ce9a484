//! Hostile peers that keep to the form, as a node meets them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use kamea::{Graph, Sender, Simulation};
use kamea_components::chassis::NoPorts;
use serde_json::{Value, json};

use crate::link::{FromNode, Role, Up, queue};
use crate::log::tests::Member;
use crate::node::DialNews;
use crate::{
    Body, ChannelId, Closing, Command, Frame, Identity, Input, Log, Message, MessageId, Node,
    Policy, Receipt, simulated_random,
};

/// A node, and one link of it to eve.
pub(super) struct Scene {
    pub(super) node: Node,
    pub(super) eve: Member,
    link: FromNode,
}

pub(super) const LINK: u64 = 7;

impl Scene {
    pub(super) fn new() -> Self {
        Self::with_dialer(None)
    }

    pub(super) fn with_dialer(dialer: Option<Sender<DialNews>>) -> Self {
        let bob = Identity::from_secret([2; 32]);
        let log = Log::in_memory(bob.key()).unwrap();
        let name = "bob".parse().unwrap();
        let node = Node::new(bob, name, log, simulated_random, dialer).unwrap();
        let mut scene = Self {
            node,
            eve: Member::new(3),
            link: queue().1,
        };
        scene.connect("eve");
        scene
    }

    pub(super) fn connect(&mut self, name: &str) {
        let (to, link) = queue();
        self.link = link;
        let up = Up {
            link: LINK,
            key: self.eve.identity.key(),
            name: name.parse().unwrap(),
            role: Role::Responder,
            to,
        };
        self.node.take(Input::Up(up)).unwrap();
    }

    pub(super) fn receive(&mut self, frame: Frame<Message>) {
        self.node.take(Input::Frame { link: LINK, frame }).unwrap();
    }

    pub(super) fn ask(&mut self, command: Value) -> Result<Value, String> {
        let (reply, mut answer) = kamea::link(1);
        let command: Command = serde_json::from_value(command).unwrap();
        self.node.take(Input::Ask(command, reply)).unwrap();
        answer.try_next().unwrap()
    }

    /// The frames that were sent to eve.
    pub(super) fn sent(&mut self) -> Vec<Frame> {
        let frames = std::iter::from_fn(|| self.link.frames.try_next());
        let frames: Vec<_> = frames.collect();
        let waiting = &self.link.waiting;
        waiting.fetch_sub(frames.len(), Ordering::Relaxed);
        frames
    }

    pub(super) fn closed(&mut self) -> Option<Closing> {
        self.link.closes.try_next()
    }

    /// A channel of bob's in which something was said.
    pub(super) fn channel(&mut self, policy: &str) -> (ChannelId, MessageId) {
        let created = self.ask(json!({"do": "create", "channel": "secret", "policy": policy}));
        let id = created.unwrap()["channel"].clone();
        let said = self.ask(json!({"do": "send", "channel": id, "text": "for members"}));
        let said = said.unwrap()["message"].as_str().unwrap().parse().unwrap();
        (id.as_str().unwrap().parse().unwrap(), said)
    }
}

/// Messages among the frames for eve.
fn messages(frames: &[Frame]) -> usize {
    frames.iter().map(Frame::messages).sum()
}

#[test]
fn a_private_channel_is_told_to_nobody_however_it_is_asked_for() {
    let mut scene = Scene::new();
    let (channel, said) = scene.channel("invite");
    assert_eq!(messages(&scene.sent()), 0, "it was announced");
    let requests = [
        Frame::Pull {
            channel,
            tips: vec![],
        },
        Frame::More { channel, from: 1 },
        Frame::Fetch {
            channel,
            ids: vec![said, channel],
        },
        Frame::Heads {
            channel,
            heads: vec![said],
        },
        Frame::Receipt {
            channel,
            receipt: Receipt { held: 9, read: 9 },
        },
    ];
    for request in requests {
        let what = format!("{request:?}");
        scene.receive(request);
        assert_eq!(messages(&scene.sent()), 0, "{what}");
    }
    let id = channel.to_string();
    let history = scene.ask(json!({"do": "history", "channel": id})).unwrap();
    assert_eq!(
        history["messages"][0]["state"], "queued",
        "a receipt of a stranger counts"
    );
    // With an invitation it is told.
    let invite =
        json!({"do": "invite", "channel": id, "peer": scene.eve.identity.key().to_string()});
    scene.ask(invite).unwrap();
    // The invitation, and the first message of the channel.
    assert_eq!(messages(&scene.sent()), 2);
    scene.receive(Frame::Pull {
        channel,
        tips: vec![],
    });
    assert_eq!(messages(&scene.sent()), 3);
}

#[test]
fn answers_that_nobody_asked_for_end_the_link() {
    let mut scene = Scene::new();
    let (channel, _) = scene.channel("open");
    scene.receive(Frame::Batch {
        channel,
        messages: vec![],
        next: Some(1),
    });
    assert_eq!(scene.closed(), Some(Closing::Unexpected));
}

#[test]
fn messages_that_break_a_rule_end_the_link_and_block_the_peer_for_a_while() {
    let run = async || {
        let mut scene = Scene::new();
        let (channel, _) = scene.channel("open");
        let text = Body::Text("not a member".into());
        let message = scene.eve.forge(channel, 1, &[channel], text);
        scene.receive(Frame::Publish(message));
        assert_eq!(scene.closed(), Some(Closing::Invalid));
        scene.connect("eve");
        assert_eq!(scene.closed(), Some(Closing::Blocked));
        kamea::time::sleep(Duration::from_secs(61)).await;
        scene.connect("eve");
        assert_eq!(scene.closed(), None);
    };
    let mut graph = Graph::new("nothing");
    graph.add("nothing", async |_: &mut NoPorts| Ok(()));
    let simulation = Simulation::seed(1).beside("eve", run);
    simulation.run(graph).unwrap();
}

#[test]
fn what_is_announced_is_the_creation_of_a_channel_that_the_peer_may_see() {
    let mut scene = Scene::new();
    let created = scene.eve.create(Policy::Open);
    let said = scene.eve.say(created.channel(), "not a creation");
    scene.receive(Frame::Announce(said));
    assert_eq!(scene.closed(), Some(Closing::Invalid));
    let mut scene = Scene::new();
    let mut ada = Member::new(1);
    let private = ada.create(Policy::Direct(scene.eve.identity.key()));
    scene.receive(Frame::Announce(private));
    assert_eq!(scene.closed(), Some(Closing::Invalid));
}

#[test]
fn a_message_of_another_channel_in_a_batch_ends_the_link() {
    let mut scene = Scene::new();
    let created = scene.eve.create(Policy::Open);
    let other = scene.eve.create(Policy::Open);
    let channel = created.channel();
    scene.receive(Frame::Announce(created));
    scene
        .ask(json!({"do": "join", "channel": channel.to_string()}))
        .unwrap();
    let heads = vec![MessageId([9; 32])];
    scene.receive(Frame::Heads { channel, heads });
    assert!(
        scene
            .sent()
            .iter()
            .any(|frame| matches!(frame, Frame::Pull { .. }))
    );
    scene.receive(Frame::Batch {
        channel,
        messages: vec![other],
        next: None,
    });
    assert_eq!(scene.closed(), Some(Closing::Invalid));
}

#[test]
fn heads_that_do_not_exist_cost_one_pull_and_one_fetch() {
    let mut scene = Scene::new();
    let created = scene.eve.create(Policy::Open);
    let channel = created.channel();
    scene.receive(Frame::Announce(created));
    scene
        .ask(json!({"do": "join", "channel": channel.to_string()}))
        .unwrap();
    scene.sent();
    let mut asked = 0;
    scene.receive(Frame::Heads {
        channel,
        heads: vec![MessageId([9; 32]); 3],
    });
    for _ in 0..20 {
        let requests = scene.sent();
        let requests = requests.iter().filter(|frame| {
            matches!(
                frame,
                Frame::Pull { .. } | Frame::Fetch { .. } | Frame::More { .. }
            )
        });
        let count = requests.count();
        asked += count;
        for _ in 0..count {
            scene.receive(Frame::Batch {
                channel,
                messages: vec![],
                next: None,
            });
        }
    }
    assert_eq!(asked, 2);
    assert_eq!(scene.closed(), None);
}

#[test]
fn a_peer_that_does_not_read_has_a_bounded_queue_and_slows_nobody() {
    let mut scene = Scene::new();
    let (channel, _) = scene.channel("open");
    let heads = vec![channel];
    scene.receive(Frame::Heads { channel, heads });
    for number in 0..1_000 {
        let text = format!("{number}");
        let send = json!({"do": "send", "channel": channel.to_string(), "text": text});
        scene.ask(send).unwrap();
        scene.receive(Frame::Pull {
            channel,
            tips: vec![],
        });
    }
    assert!(scene.sent().len() <= 64);
}

#[test]
fn a_peer_with_the_name_of_another_one_is_told_apart() {
    let mut scene = Scene::new();
    scene.connect("bob");
    let hello = scene.ask(json!({"do": "hello"})).unwrap();
    let shown = hello["peers"][0]["name"].as_str().unwrap();
    assert!(shown.starts_with("bob~") && shown.len() == 12, "{shown}");
    assert_eq!(hello["me"]["name"], "bob");
}

#[test]
fn a_peer_that_is_oneself_is_left() {
    let mut scene = Scene::new();
    scene.eve.identity = Identity::from_secret([2; 32]);
    scene.connect("bob");
    assert_eq!(scene.closed(), Some(Closing::Itself));
}

#[test]
fn of_two_links_both_peers_keep_the_same() {
    // Bob's key against eve's: whichever is lower has opened the link that is kept.
    let (bob, eve) = (
        Identity::from_secret([2; 32]).key(),
        Identity::from_secret([3; 32]).key(),
    );
    let kept = if bob < eve {
        Role::Initiator
    } else {
        Role::Responder
    };
    for order in [
        [Role::Initiator, Role::Responder],
        [Role::Responder, Role::Initiator],
    ] {
        let mut scene = Scene::new();
        scene
            .node
            .take(Input::Down {
                link: LINK,
                offence: None,
            })
            .unwrap();
        let mut links = Vec::new();
        for (number, role) in (1..).zip(order) {
            let (to, from) = queue();
            let name = "eve".parse().unwrap();
            let up = Up {
                link: number,
                key: eve,
                name,
                role,
                to,
            };
            scene.node.take(Input::Up(up)).unwrap();
            links.push((role, from));
        }
        for (role, mut link) in links {
            let closed = link.closes.try_next();
            assert_eq!(closed, (role != kept).then_some(Closing::Duplicate));
        }
    }
}

#[test]
fn leaving_a_private_channel_tells_strangers_nothing() {
    for policy in ["invite", "open"] {
        let mut scene = Scene::new();
        let (channel, _) = scene.channel(policy);
        scene.sent();
        let leave = json!({"do": "leave", "channel": channel.to_string()});
        scene.ask(leave).unwrap();
        let told = Frame::Heads {
            channel,
            heads: vec![],
        };
        // Those to which it was announced learn that this peer keeps it no more.
        assert_eq!(scene.sent().contains(&told), policy == "open", "{policy}");
    }
}

#[test]
fn a_receipt_counts_as_soon_as_its_sender_is_a_member() {
    let mut scene = Scene::new();
    let (channel, _) = scene.channel("open");
    let state = |scene: &mut Scene| {
        let history = json!({"do": "history", "channel": channel.to_string()});
        let history = scene.ask(history).unwrap();
        history["messages"][0]["state"].as_str().unwrap().to_owned()
    };
    scene.receive(Frame::Receipt {
        channel,
        receipt: Receipt { held: 9, read: 9 },
    });
    assert_eq!(state(&mut scene), "queued");
    let join = Body::Join { invitation: None };
    let ada = Member::new(1);
    let joined = ada.forge(channel, 1, &[channel], join.clone());
    scene.receive(Frame::Publish(joined));
    assert_eq!(state(&mut scene), "queued", "another one has joined");
    scene.node.take_events();
    let joined = scene.eve.forge(channel, 1, &[channel], join);
    scene.receive(Frame::Publish(joined));
    assert_eq!(state(&mut scene), "read");
    let events = scene.node.take_events();
    assert!(
        (events.iter()).any(|event| event["event"] == "state" && event["state"] == "read"),
        "{events:?}"
    );
}
