//! Tests of the log: the rules, the order, and what peers exchange.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::*;
use crate::{Body, ChannelId, Draft, Identity, Message, MessageId, PeerName, Policy};

/// A peer with its log.
pub(crate) struct Member {
    pub(crate) identity: Identity,
    pub(crate) name: PeerName,
    pub(crate) log: Log,
}

impl Member {
    pub(crate) fn new(number: u8) -> Self {
        let identity = Identity::from_secret([number; 32]);
        let log = Log::in_memory(identity.key()).unwrap();
        Self {
            name: format!("peer{number}").parse().unwrap(),
            identity,
            log,
        }
    }

    pub(crate) fn create(&mut self, policy: Policy) -> Message {
        let title = if let Policy::Direct(_) = policy {
            ""
        } else {
            "tea"
        };
        let created = self
            .log
            .create(&self.identity, &self.name, policy, title, 1_000);
        created.unwrap()
    }

    pub(crate) fn write(&mut self, channel: ChannelId, body: Body) -> Message {
        let written = self
            .log
            .write(&self.identity, &self.name, channel, body, 2_000);
        written.unwrap()
    }

    pub(crate) fn say(&mut self, channel: ChannelId, text: &str) -> Message {
        self.write(channel, Body::Text(text.into()))
    }

    /// Signs a message that the log would not write.
    pub(crate) fn forge(
        &self,
        channel: ChannelId,
        counter: u64,
        predecessors: &[MessageId],
        body: Body,
    ) -> Message {
        let draft = Draft {
            channel: Some(channel),
            name: self.name.clone(),
            counter,
            time: 3_000,
            predecessors: predecessors.to_vec(),
            body,
        };
        Message::sign(draft, &self.identity).unwrap()
    }

    pub(crate) fn texts(&self, channel: ChannelId) -> Vec<String> {
        let page = self.log.history(channel, None, 500).unwrap();
        page.entries.into_iter().map(|entry| entry.text).collect()
    }
}

const JOIN: Body = Body::Join { invitation: None };

/// Two members of an open channel, each with the other's messages.
fn pair() -> (Member, Member, ChannelId) {
    let (mut ada, mut bob) = (Member::new(1), Member::new(2));
    let created = ada.create(Policy::Open);
    let channel = created.channel();
    bob.log.accept(&created).unwrap();
    bob.log.join(channel).unwrap();
    let joined = bob.write(channel, JOIN);
    assert_eq!(ada.log.accept(&joined).unwrap(), Verdict::New);
    (ada, bob, channel)
}

#[test]
fn the_order_depends_on_the_messages_alone() {
    let (mut ada, mut bob, channel) = pair();
    // Both write while they cannot hear each other.
    let of_ada: Vec<_> = (0..4)
        .map(|n| ada.say(channel, &format!("ada {n}")))
        .collect();
    let of_bob: Vec<_> = (0..6)
        .map(|n| bob.say(channel, &format!("bob {n}")))
        .collect();
    ada.log.accept_all(&of_bob).unwrap();
    // The other way round: the last one first waits for its predecessors.
    let mut left: Vec<_> = of_ada.iter().rev().collect();
    let mut rounds = 0;
    while !left.is_empty() {
        left.retain(|message| matches!(bob.log.accept(message).unwrap(), Verdict::Missing(_)));
        rounds += 1;
    }
    assert_eq!(rounds, 4);
    assert_eq!(ada.texts(channel).len(), 10);
    assert_eq!(ada.texts(channel), bob.texts(channel));
    let heads = |member: &Member| member.log.heads(channel, 64).unwrap();
    assert_eq!(heads(&ada), heads(&bob));
    // The next message follows both branches.
    let both = ada.say(channel, "both");
    assert!(
        heads(&bob)
            .iter()
            .all(|head| both.draft().predecessors.contains(head))
    );
    assert_eq!(bob.log.accept(&both).unwrap(), Verdict::New);
    assert_eq!(bob.texts(channel).last().unwrap(), "both");
}

#[test]
fn a_counter_that_is_used_twice_is_remembered_and_hides_what_follows_whatever_comes_first() {
    let (mut ada, bob, channel) = pair();
    let before = ada.say(channel, "before");
    let one = ada.say(channel, "one");
    let later = ada.say(channel, "later");
    let two = ada.forge(channel, 3, &[before.id()], Body::Text("two".into()));
    let orders = [[&before, &one, &later, &two], [&before, &two, &one, &later]];
    let mut shown = Vec::new();
    for order in orders {
        let mut log = Log::in_memory(bob.identity.key()).unwrap();
        for message in created_and_joined(&bob, channel) {
            log.accept(&message).unwrap();
            log.join(channel).unwrap();
        }
        let verdicts: Vec<_> = order
            .iter()
            .map(|message| log.accept(message).unwrap())
            .collect();
        assert_eq!(
            verdicts
                .iter()
                .filter(|verdict| **verdict == Verdict::Reused)
                .count(),
            1
        );
        let page = log.history(channel, None, 50).unwrap();
        let texts: Vec<_> = page.entries.into_iter().map(|entry| entry.text).collect();
        assert_eq!(texts, ["before"]);
        assert_eq!(log.channel(channel).unwrap().unwrap().unread, 1);
        assert!(log.search("two", None, 9).unwrap().is_empty());
        shown.push((texts, log.heads(channel, 64).unwrap()));
    }
    assert_eq!(shown[0], shown[1]);
}

fn created_and_joined(member: &Member, channel: ChannelId) -> Vec<Message> {
    let bytes = member.log.batch(channel, &|_| 0, 0, usize::MAX).unwrap();
    let messages = bytes.messages.into_iter();
    messages
        .map(|bytes| Message::decode(bytes).unwrap())
        .collect()
}

#[test]
fn a_peer_that_was_away_gets_what_it_lacks_in_bounded_batches() {
    let (mut ada, mut bob, channel) = pair();
    for number in 0..50 {
        let said = ada.say(channel, &format!("{number}"));
        if number < 10 {
            bob.log.accept(&said).unwrap();
        }
    }
    let tips: BTreeMap<_, _> = bob
        .log
        .tips(channel)
        .unwrap()
        .into_iter()
        .map(|tip| (tip.author, tip.counter))
        .collect();
    let known = |author| tips.get(&author).copied().unwrap_or_default();
    let mut from = ada.log.begin(channel, &known).unwrap();
    let (mut batches, mut received) = (0, 0);
    while let Some(place) = from {
        let batch = ada.log.batch(channel, &known, place, 2_000).unwrap();
        let size: usize = batch.messages.iter().map(|bytes| bytes.len() + 2).sum();
        assert!(size <= 2_000);
        for bytes in batch.messages {
            let verdict = bob.log.accept(&Message::decode(bytes).unwrap()).unwrap();
            assert_eq!(verdict, Verdict::New);
            received += 1;
        }
        (from, batches) = (batch.next, batches + 1);
    }
    assert_eq!(received, 40);
    assert!(batches > 3, "{batches}");
    assert_eq!(ada.texts(channel), bob.texts(channel));
    assert_eq!(
        ada.log
            .begin(channel, &|author| bob
                .log
                .tips(channel)
                .unwrap()
                .iter()
                .find(|tip| tip.author == author)
                .map_or(0, |tip| tip.counter))
            .unwrap(),
        None
    );
}

#[test]
fn pages_of_the_history_fit_together() {
    let (mut ada, _, channel) = pair();
    let all: Vec<_> = (0..23)
        .map(|n| ada.say(channel, &format!("{n}")).id())
        .collect();
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = ada.log.history(channel, before, 5).unwrap();
        let ids: Vec<_> = page.entries.iter().map(|entry| entry.id).collect();
        before = ids.first().copied();
        found.splice(0..0, ids);
        if !page.more {
            break;
        }
    }
    assert_eq!(found, all);
}

#[test]
fn the_reading_position_only_moves_forward_and_what_comes_late_is_unread() {
    let (mut ada, mut bob, channel) = pair();
    let late = bob.say(channel, "written early, arrives late");
    let said: Vec<_> = (0..4).map(|n| ada.say(channel, &format!("{n}"))).collect();
    for said in &said {
        bob.log.accept(said).unwrap();
    }
    let unread = |log: &Log| log.channel(channel).unwrap().unwrap().unread;
    assert_eq!(unread(&bob.log), 4);
    assert!(bob.log.mark_read(channel, said[2].id()).unwrap());
    assert_eq!(unread(&bob.log), 1);
    assert!(!bob.log.mark_read(channel, said[0].id()).unwrap());
    let read = bob.log.channel(channel).unwrap().unwrap().read;
    assert_eq!((unread(&bob.log), read), (1, Some(said[2].id())));
    let receipt = bob.log.receipt_for(channel, ada.identity.key()).unwrap();
    // The creation is the first message of ada.
    assert_eq!(receipt, Receipt { held: 5, read: 4 });

    ada.log.mark_read(channel, said[3].id()).unwrap();
    ada.log.accept(&late).unwrap();
    assert_eq!(unread(&ada.log), 1);
}

#[test]
fn receipts_move_forward_and_never_beyond_what_was_written() {
    let (mut ada, bob, channel) = pair();
    let said = ada.say(channel, "hello");
    let peer = bob.identity.key();
    let state = |log: &Log| log.entry(said.id()).unwrap().unwrap().delivery;
    assert_eq!(state(&ada.log), Delivery::Queued);
    ada.log.mark_sent(said.id()).unwrap();
    assert_eq!(state(&ada.log), Delivery::Sent);
    let note = |log: &mut Log, held, read| log.note_receipt(channel, peer, Receipt { held, read });
    note(&mut ada.log, 2, 1).unwrap();
    assert_eq!(state(&ada.log), Delivery::Delivered);
    note(&mut ada.log, u64::MAX, u64::MAX).unwrap();
    assert_eq!(state(&ada.log), Delivery::Read);
    note(&mut ada.log, 0, 0).unwrap();
    assert_eq!(state(&ada.log), Delivery::Read);
    let next = ada.say(channel, "next");
    assert_eq!(
        ada.log.entry(next.id()).unwrap().unwrap().delivery,
        Delivery::Queued
    );
}

#[test]
fn words_are_found_by_their_beginnings_and_syntax_has_no_meaning() {
    let (mut ada, _, channel) = pair();
    ada.say(channel, "Kamaelia is a toolset");
    ada.say(channel, "Schöne Grüße");
    for (text, expected) in [
        ("kama", 1),
        ("tool kama", 1),
        ("kama coffee", 0),
        ("grü", 1),
        ("\" OR 1", 0),
        ("*", 0),
        ("", 0),
        ("text:kama NEAR(", 0),
    ] {
        assert_eq!(
            ada.log.search(text, None, 9).unwrap().len(),
            expected,
            "{text}"
        );
        let other = Some(MessageId([9; 32]));
        assert_eq!(ada.log.search(text, other, 9).unwrap().len(), 0, "{text}");
    }
}

#[test]
fn a_history_survives_and_belongs_to_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.sqlite");
    let ada = Identity::from_secret([1; 32]);
    let name: PeerName = "ada".parse().unwrap();
    let channel = {
        let mut log = Log::open(&path, ada.key()).unwrap();
        let created = log.create(&ada, &name, Policy::Open, "tea", 1).unwrap();
        log.write(&ada, &name, created.id(), Body::Text("kept".into()), 2)
            .unwrap();
        created.id()
    };
    let log = Log::open(&path, ada.key()).unwrap();
    assert_eq!(
        log.history(channel, None, 9).unwrap().entries[0].text,
        "kept"
    );
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    drop(log);
    let other = Identity::from_secret([2; 32]).key();
    assert!(matches!(Log::open(&path, other), Err(LogError::Foreign(_))));
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(
        Log::open(&path, ada.key()),
        Err(LogError::Open(OpenError::Version { version: 99, .. }))
    ));
}

/// A key that sorts before does not take the name of another one.
#[test]
fn the_peer_that_had_a_name_first_stays_the_first() {
    let mut ada = Member::new(1);
    let key = |number| Identity::from_secret([number; 32]).key();
    let (first, second) = match key(2) > key(3) {
        true => (key(2), key(3)),
        false => (key(3), key(2)),
    };
    for peer in [first, second, first] {
        ada.log.note_peer(peer, "bob", "").unwrap();
    }
    let keys = || ada.log.peers().unwrap().into_iter().map(|(key, ..)| key);
    assert_eq!(keys().collect::<Vec<_>>(), [first, second]);
}

#[test]
fn one_peer_opens_few_direct_channels() {
    let (mut ada, bob) = (Member::new(1), Member::new(2));
    let mut verdicts = Vec::new();
    for time in 0..6 {
        let draft = Draft {
            channel: None,
            name: bob.name.clone(),
            counter: 1,
            time,
            predecessors: Vec::new(),
            body: Body::Create {
                policy: Policy::Direct(ada.identity.key()),
                title: String::new(),
                nonce: [0; 16],
            },
        };
        let message = Message::sign(draft, &bob.identity).unwrap();
        verdicts.push(ada.log.accept(&message).unwrap());
    }
    let refused = Verdict::Refused(Refusal::TooManyChannels);
    assert_eq!(
        verdicts
            .iter()
            .filter(|verdict| **verdict == refused)
            .count(),
        2
    );
}

/// SQLite has no such number.
#[test]
fn a_batch_from_any_place_is_no_fault() {
    let (ada, _, channel) = pair();
    for from in [i64::MAX as u64, i64::MAX as u64 + 1, u64::MAX] {
        let batch = ada.log.batch(channel, &|_| 0, from, 1000).unwrap();
        assert!(batch.messages.is_empty() && batch.next.is_none(), "{from}");
    }
}

/// The memory of this process, in bytes.
fn memory() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

/// `make chats` runs it: without optimisation its time says nothing.
#[test]
#[ignore = "it takes a minute, and measures"]
fn catching_up_with_100_000_messages_takes_little_time_and_memory() {
    const COUNT: u64 = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let open = |member: &mut Member| {
        let path = folder.path().join(member.name.as_str());
        member.log = Log::open(&path, member.identity.key()).unwrap();
    };
    let (mut ada, mut bob) = (Member::new(1), Member::new(2));
    open(&mut ada);
    open(&mut bob);
    let created = ada.create(Policy::Open);
    let channel = created.channel();
    let mut last = created.id();
    for first in (2..COUNT + 2).step_by(1_000) {
        let mut messages = Vec::new();
        for counter in first..first + 1_000 {
            let text = Body::Text(format!("this is the message with the number {counter}"));
            messages.push(ada.forge(channel, counter, &[last], text));
            last = messages.last().unwrap().id();
        }
        ada.log.accept_all(&messages).unwrap();
    }
    bob.log.accept(&created).unwrap();
    bob.log.join(channel).unwrap();
    let (start, before) = (std::time::Instant::now(), memory());
    let mut from = ada.log.begin(channel, &|_| 1).unwrap();
    let (mut verified, mut count) = (Duration::ZERO, 0);
    while let Some(place) = from {
        let batch = ada.log.batch(channel, &|_| 1, place, 60_000).unwrap();
        let verifying = std::time::Instant::now();
        let messages = Message::decode_all(batch.messages).unwrap();
        verified += verifying.elapsed();
        count += bob.log.accept_all(&messages).unwrap().len();
        from = batch.next;
    }
    let (took, grown) = (start.elapsed(), memory().saturating_sub(before));
    eprintln!(
        "{took:?}, {verified:?} of it for signatures; {} KiB more memory",
        grown / 1024
    );
    assert_eq!(count as u64, COUNT);
    assert_eq!(bob.log.heads(channel, 9).unwrap(), [last]);
    assert!(grown < 64 << 20, "{grown}");
}

/// What other peers ask for takes as long in a channel of a million messages: neither all messages
/// are looked at, nor sorted.
#[test]
fn what_others_ask_for_is_found_by_an_index() {
    let log = Member::new(1).log;
    for sql in [super::exchange::BATCH, super::exchange::FIRST] {
        let sql = format!("EXPLAIN QUERY PLAN {sql}");
        let mut statement = log.connection.prepare(&sql).unwrap();
        let plan = statement.query_map([1, 1, 1], |row| row.get::<_, String>(3));
        let plan: Vec<_> = plan.unwrap().map(std::result::Result::unwrap).collect();
        assert!(plan[0].starts_with("SEARCH message USING"), "{plan:?}");
        assert_eq!(plan.len(), 1, "{plan:?}");
    }
}

/// A first message of a channel, with its own owner.
fn channel_of(owner: u32, nonce: u8) -> Message {
    let mut secret = [7; 32];
    secret[..4].copy_from_slice(&owner.to_be_bytes());
    let draft = Draft {
        channel: None,
        name: "eve".parse().unwrap(),
        counter: 1,
        time: 0,
        predecessors: Vec::new(),
        body: Body::Create {
            policy: Policy::Open,
            title: "tea".into(),
            nonce: [nonce; 16],
        },
    };
    Message::sign(draft, &Identity::from_secret(secret)).unwrap()
}

#[test]
fn new_channels_take_the_place_of_those_that_nobody_wanted() {
    let (mut ada, mut bob) = (Member::new(1), Member::new(2));
    // In this one bob has spoken.
    let spoken = ada.create(Policy::Open);
    bob.log.accept(&spoken).unwrap();
    bob.log.join(spoken.id()).unwrap();
    bob.write(spoken.id(), Body::Join { invitation: None });
    bob.log.leave(spoken.id()).unwrap();
    // This one he has only read.
    let read = ada.create(Policy::Open);
    let said = ada.say(read.id(), "a curious word");
    bob.log.accept(&read).unwrap();
    bob.log.join(read.id()).unwrap();
    bob.log.accept(&said).unwrap();
    bob.log.leave(read.id()).unwrap();
    let found = |log: &Log| log.search("curious", None, 9).unwrap().len();
    assert_eq!(found(&bob.log), 1);

    let all: Vec<_> = (0..2_100)
        .map(|n| channel_of(n / 50, (n % 50) as u8))
        .collect();
    let verdicts = bob.log.accept_all(&all).unwrap();
    assert!(verdicts.iter().all(|verdict| *verdict == Verdict::New));
    let refused = Verdict::Refused(Refusal::TooManyChannels);
    assert_eq!(
        bob.log.accept(&channel_of(41, 50)).unwrap(),
        refused,
        "of one owner"
    );
    let kept: Vec<_> = bob
        .log
        .channels()
        .unwrap()
        .iter()
        .map(|kept| kept.id)
        .collect();
    assert_eq!(kept.len(), 2_000);
    assert_eq!((kept[0], kept[1999]), (spoken.id(), all[2_099].id()));
    assert!(!kept.contains(&read.id()) && !kept.contains(&all[0].id()));
    // Nothing of it is left, and it may come again.
    assert_eq!(found(&bob.log), 0);
    assert_eq!(bob.log.unknown(&[read.id(), said.id()]).unwrap().len(), 2);
    assert_eq!(bob.log.accept(&read).unwrap(), Verdict::New);
    bob.log.join(read.id()).unwrap();
    assert_eq!(bob.log.heads(read.id(), 9).unwrap(), [read.id()]);
    assert_eq!(bob.log.accept(&said).unwrap(), Verdict::New);
    assert_eq!(found(&bob.log), 1);
}
