//! Hostile messages: forged ones, and those that break the rules of a channel.

use bytes::Bytes;

use crate::log::tests::Member;
use crate::{
    Body, ChannelId, Draft, Identity, Message, MessageError, MessageId, Policy, Refusal, Verdict,
};

const JOIN: Body = Body::Join { invitation: None };

fn text(text: &str) -> Body {
    Body::Text(text.into())
}

/// A channel of ada's, as bob sees it, who is a member. Eve is one only in an open channel.
struct Scene {
    ada: Member,
    bob: Member,
    eve: Member,
    channel: ChannelId,
    /// The invitation of bob.
    invitation: Option<MessageId>,
    /// The latest messages of each.
    of_ada: MessageId,
    of_eve: Option<MessageId>,
}

impl Scene {
    fn new(policy: Policy) -> Self {
        let [mut ada, mut bob, mut eve] = [1, 2, 3].map(Member::new);
        let created = ada.create(policy);
        let channel = created.channel();
        for member in [&mut bob, &mut eve] {
            member.log.accept(&created).unwrap();
            member.log.join(channel).unwrap();
        }
        let mut invitation = None;
        let mut of_ada = created.id();
        if policy == Policy::Invite {
            let peer = bob.identity.key();
            let invited = ada.write(channel, Body::Invite { peer });
            bob.log.accept(&invited).unwrap();
            (invitation, of_ada) = (Some(invited.id()), invited.id());
        }
        let joined = bob.write(channel, Body::Join { invitation });
        ada.log.accept(&joined).unwrap();
        let mut of_eve = None;
        if policy != Policy::Invite && !matches!(policy, Policy::Direct(_)) {
            let joined = eve.write(channel, JOIN);
            bob.log.accept(&joined).unwrap();
            of_eve = Some(joined.id());
        }
        let said = ada.say(channel, "hello");
        bob.log.accept(&said).unwrap();
        if policy != Policy::Invite {
            of_ada = said.id();
        }
        Self {
            ada,
            bob,
            eve,
            channel,
            invitation,
            of_ada,
            of_eve,
        }
    }

    fn by_eve(&self, counter: u64, predecessors: &[MessageId], body: Body) -> Message {
        self.eve.forge(self.channel, counter, predecessors, body)
    }
}

type Case = (&'static str, Policy, fn(&Scene) -> Message, Verdict);

#[test]
fn messages_that_break_a_rule_are_refused_and_leave_no_trace() {
    use Policy::{Invite, Open, ReadOnly};
    let refused = Verdict::Refused;
    let unknown = MessageId([7; 32]);
    let cases: Vec<Case> = vec![
        (
            "text of a peer that has not joined",
            Invite,
            |s| s.by_eve(1, &[s.of_ada], text("hi")),
            refused(Refusal::NotMember),
        ),
        (
            "joins without an invitation",
            Invite,
            |s| s.by_eve(1, &[s.of_ada], JOIN),
            refused(Refusal::NotInvited),
        ),
        (
            "joins with the invitation of another peer",
            Invite,
            |s| {
                s.by_eve(
                    1,
                    &[s.invitation.unwrap()],
                    Body::Join {
                        invitation: s.invitation,
                    },
                )
            },
            refused(Refusal::NotInvited),
        ),
        (
            "joins with a message that is no invitation",
            Invite,
            |s| {
                s.by_eve(
                    1,
                    &[s.channel],
                    Body::Join {
                        invitation: Some(s.channel),
                    },
                )
            },
            refused(Refusal::NotInvited),
        ),
        (
            "joins with an invitation that is no predecessor",
            Invite,
            |s| {
                s.by_eve(
                    1,
                    &[s.channel],
                    Body::Join {
                        invitation: s.invitation,
                    },
                )
            },
            refused(Refusal::NotInvited),
        ),
        (
            "invites itself",
            Invite,
            |s| {
                s.by_eve(
                    1,
                    &[s.of_ada],
                    Body::Invite {
                        peer: s.eve.identity.key(),
                    },
                )
            },
            refused(Refusal::NotMember),
        ),
        (
            "a member invites, and is not the owner",
            Invite,
            |s| {
                let tip = s.bob.log.tips(s.channel).unwrap();
                assert_eq!(tip.len(), 2);
                let last = s.bob.log.heads(s.channel, 9).unwrap();
                let own = own_tip(&s.bob, s.channel);
                let before = [&[own][..], &last].concat();
                let mut before: Vec<_> = before;
                before.dedup();
                s.bob.forge(
                    s.channel,
                    2,
                    &before,
                    Body::Invite {
                        peer: s.eve.identity.key(),
                    },
                )
            },
            refused(Refusal::OwnerOnly),
        ),
        (
            "writes in a channel that it may only read",
            ReadOnly,
            |s| s.by_eve(2, &[s.of_eve.unwrap()], text("spam")),
            refused(Refusal::OwnerOnly),
        ),
        (
            "invites to an open channel",
            Open,
            |s| {
                s.by_eve(
                    2,
                    &[s.of_eve.unwrap()],
                    Body::Invite {
                        peer: s.eve.identity.key(),
                    },
                )
            },
            refused(Refusal::WrongPolicy),
        ),
        (
            "joins an open channel with an invitation",
            Open,
            |s| {
                let mallory = Member::new(4);
                mallory.forge(
                    s.channel,
                    1,
                    &[s.channel],
                    Body::Join {
                        invitation: Some(s.channel),
                    },
                )
            },
            refused(Refusal::NotInvited),
        ),
        (
            "joins twice",
            Open,
            |s| s.by_eve(2, &[s.of_eve.unwrap()], JOIN),
            refused(Refusal::AlreadyMember),
        ),
        (
            "the owner joins its own channel",
            Open,
            |s| s.ada.forge(s.channel, 3, &[s.of_ada], JOIN),
            refused(Refusal::AlreadyMember),
        ),
        (
            "the owner leaves its own channel",
            Open,
            |s| s.ada.forge(s.channel, 3, &[s.of_ada], Body::Leave),
            refused(Refusal::WrongPolicy),
        ),
        (
            "leaves without being a member",
            Open,
            |s| Member::new(4).forge(s.channel, 1, &[s.channel], Body::Leave),
            refused(Refusal::NotMember),
        ),
        (
            "leaves out a counter",
            Open,
            |s| s.by_eve(4, &[s.of_eve.unwrap()], text("later")),
            refused(Refusal::WrongPredecessor),
        ),
        (
            "begins with a later counter",
            Open,
            |s| Member::new(4).forge(s.channel, 9, &[s.channel], JOIN),
            refused(Refusal::WrongPredecessor),
        ),
        (
            "does not name its previous message first",
            Open,
            |s| s.by_eve(2, &[s.of_ada, s.of_eve.unwrap()], text("hi")),
            refused(Refusal::WrongPredecessor),
        ),
        (
            "begins again with counter 1",
            Open,
            |s| s.by_eve(1, &[s.of_eve.unwrap()], JOIN),
            refused(Refusal::WrongPredecessor),
        ),
        (
            "names the message of another author as its own",
            Open,
            |s| s.by_eve(2, &[s.of_ada], text("hi")),
            refused(Refusal::WrongPredecessor),
        ),
        (
            "names a predecessor that nobody has",
            Open,
            |s| s.by_eve(2, &[s.of_eve.unwrap(), unknown_id()], text("hi")),
            Verdict::Missing(vec![unknown]),
        ),
        (
            "names a predecessor of another channel",
            Open,
            |s| {
                let mut other = Member::new(3);
                let foreign = other.create(Open).id();
                s.by_eve(2, &[s.of_eve.unwrap(), foreign], text("hi"))
            },
            Verdict::Missing(vec![unknown]),
        ),
        (
            "belongs to a channel that nobody knows",
            Open,
            |s| s.eve.forge(unknown_id(), 1, &[s.of_ada], JOIN),
            refused(Refusal::UnknownChannel),
        ),
        (
            "is repeated",
            Open,
            |s| {
                let bytes = s.bob.log.fetch(s.channel, &[s.of_ada], usize::MAX).unwrap();
                Message::decode(bytes[0].clone()).unwrap()
            },
            Verdict::Known,
        ),
    ];
    let count = cases.len();
    for (what, policy, make, expected) in cases {
        let mut scene = Scene::new(policy);
        let message = make(&scene);
        let (texts, heads) = (scene.bob.texts(scene.channel), heads(&scene));
        let verdict = scene.bob.log.accept(&message).unwrap();
        match (&verdict, &expected) {
            // The identifier of a channel with a random nonce is not known beforehand.
            (Verdict::Missing(found), Verdict::Missing(named)) => {
                assert_eq!(found.len(), named.len(), "{what}");
            }
            _ => assert_eq!(verdict, expected, "{what}"),
        }
        assert_eq!(
            (scene.bob.texts(scene.channel), self::heads(&scene)),
            (texts, heads),
            "{what}"
        );
    }
    assert!(count >= 20, "{count}");
}

fn unknown_id() -> MessageId {
    MessageId([7; 32])
}

fn heads(scene: &Scene) -> Vec<MessageId> {
    scene.bob.log.heads(scene.channel, 64).unwrap()
}

fn own_tip(member: &Member, channel: ChannelId) -> MessageId {
    let batch = member.log.batch(channel, &|_| 0, 0, usize::MAX).unwrap();
    let messages = batch
        .messages
        .into_iter()
        .map(|bytes| Message::decode(bytes).unwrap());
    let own = messages.filter(|message| message.author() == member.identity.key());
    own.last().unwrap().id()
}

#[test]
fn a_direct_channel_is_for_its_two_peers() {
    let (ada, bob) = (Member::new(1), Member::new(2));
    let policy = Policy::Direct(bob.identity.key());
    let mut scene = Scene::new(policy);
    assert!(
        !scene
            .bob
            .log
            .may_read(scene.channel, scene.eve.identity.key())
            .unwrap()
    );
    let message = scene.by_eve(1, &[scene.channel], JOIN);
    let verdict = scene.bob.log.accept(&message).unwrap();
    assert_eq!(verdict, Verdict::Refused(Refusal::NotInvited));
    // Of others, and with oneself.
    let mut log = Member::new(3).log;
    let mut third = Member::new(1);
    let verdict = log.accept(&third.create(policy)).unwrap();
    assert_eq!(verdict, Verdict::Refused(Refusal::NotInvited));
    let own = create(Policy::Direct(ada.identity.key()), "").unwrap();
    assert_eq!(
        log.accept(&own).unwrap(),
        Verdict::Refused(Refusal::WrongPolicy)
    );
}

#[test]
fn one_peer_cannot_fill_the_list_of_channels() {
    let mut bob = Member::new(2);
    let mut eve = Member::new(3);
    let verdicts = (0..60).map(|_| bob.log.accept(&eve.create(Policy::Open)).unwrap());
    let refused = Verdict::Refused(Refusal::TooManyChannels);
    assert_eq!(verdicts.filter(|verdict| *verdict == refused).count(), 10);
    assert_eq!(
        bob.log
            .accept(&Member::new(4).create(Policy::Open))
            .unwrap(),
        Verdict::New
    );
}

fn create(policy: Policy, title: &str) -> Result<Message, MessageError> {
    let draft = Draft {
        channel: None,
        name: "peer1".parse().unwrap(),
        counter: 1,
        time: 0,
        predecessors: Vec::new(),
        body: Body::Create {
            policy,
            title: title.into(),
            nonce: [0; 16],
        },
    };
    Message::sign(draft, &Identity::from_secret([1; 32]))
}

fn write(change: impl Fn(&mut Draft)) -> Result<Message, MessageError> {
    let mut draft = Draft {
        channel: Some(unknown_id()),
        name: "peer1".parse().unwrap(),
        counter: 1,
        time: 0,
        predecessors: vec![unknown_id()],
        body: text("hi"),
    };
    change(&mut draft);
    Message::sign(draft, &Identity::from_secret([1; 32]))
}

#[test]
fn messages_that_are_malformed_are_refused_even_with_a_right_signature() {
    let ids = |count: u8| (0..count).map(|n| MessageId([n; 32])).collect::<Vec<_>>();
    assert!(write(|_| ()).is_ok());
    let cases: Vec<(&str, Result<Message, MessageError>)> = vec![
        ("a text without characters", write(|d| d.body = text(""))),
        ("a text of white space", write(|d| d.body = text(" \n\t"))),
        ("a text with NUL", write(|d| d.body = text("a\0b"))),
        (
            "a text that is too long",
            write(|d| d.body = text(&"x".repeat(8_001))),
        ),
        ("counter 0", write(|d| d.counter = 0)),
        (
            "a counter that no database has",
            write(|d| d.counter = u64::MAX),
        ),
        ("a time that no database has", write(|d| d.time = u64::MAX)),
        ("no channel", write(|d| d.channel = None)),
        ("no predecessor", write(|d| d.predecessors.clear())),
        (
            "a predecessor named twice",
            write(|d| d.predecessors = vec![unknown_id(); 2]),
        ),
        ("too many predecessors", write(|d| d.predecessors = ids(17))),
        ("a channel without a title", create(Policy::Open, "")),
        ("a title with a line feed", create(Policy::Open, "a\nb")),
        ("a title of white space", create(Policy::Open, " ")),
        (
            "a title that is too long",
            create(Policy::Open, &"x".repeat(65)),
        ),
        (
            "a title for a direct channel",
            create(Policy::Direct(Identity::from_secret([9; 32]).key()), "x"),
        ),
        (
            "a creation inside a channel",
            write(|d| {
                d.body = Body::Create {
                    policy: Policy::Open,
                    title: "x".into(),
                    nonce: [0; 16],
                }
            }),
        ),
    ];
    for (what, outcome) in cases {
        assert!(
            matches!(outcome, Err(MessageError::Malformed(_))),
            "{what}: {outcome:?}"
        );
    }
}

#[test]
fn every_change_of_a_byte_is_detected() {
    let message = write(|d| d.body = text("the original")).unwrap();
    let bytes = message.bytes();
    for place in 0..bytes.len() {
        for bit in [1, 128] {
            let mut changed = bytes.to_vec();
            changed[place] ^= bit;
            assert!(Message::decode(changed.into()).is_err(), "byte {place}");
        }
    }
    for length in 0..bytes.len() {
        assert!(
            Message::decode(bytes.slice(..length)).is_err(),
            "{length} bytes"
        );
    }
    let longer = Bytes::from([&bytes[..], b"x"].concat());
    assert!(Message::decode(longer).is_err());
}

#[test]
fn signatures_of_others_weak_keys_and_second_forms_are_refused() {
    let message = write(|_| ()).unwrap();
    let bytes = message.bytes();
    let (content, signature) = bytes.split_at(bytes.len() - 64);
    // Another peer signs, and says that ada did.
    let foreign = Identity::from_secret([2; 32]).sign(content);
    // The signature of ada for something else.
    let other = Identity::from_secret([1; 32]).sign(content);
    // s plus the order of the group is the same number to a careless verifier.
    let mut second = signature.to_vec();
    let order: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, add) in second[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 255).unwrap();
        carry = sum >> 8;
    }
    for (what, signature) in [
        ("of another key", &foreign[..]),
        ("without its context", &other[..]),
        ("in a second form", &second[..]),
        ("of zeros", &[0; 64][..]),
    ] {
        let forged = Bytes::from([content, signature].concat());
        assert_eq!(Message::decode(forged), Err(MessageError::Forged), "{what}");
    }
    // A key of small order, for which one signature fits everything.
    let mut weak = bytes.to_vec();
    weak[33..65].copy_from_slice(&[&[1][..], &[0; 31]].concat());
    let end = weak.len();
    weak[end - 64..].copy_from_slice(&[&[1][..], &[0; 63]].concat());
    assert_eq!(Message::decode(weak.into()), Err(MessageError::Forged));
}
