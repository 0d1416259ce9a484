//! The rules for new messages. Each depends only on the message and its predecessors, never on the
//! order of arrival: so every peer decides alike.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::disk::LEFT_OUT;
use super::keep::keep;
use super::{Log, Result, TEXT};
use crate::{Body, ChannelId, Draft, Message, MessageId, PeerKey, Policy};

/// The largest number of channels that are known but not joined. One more takes the place of
/// another one.
const MOST_KNOWN: i64 = 2_000;

/// The largest number of those that one peer may own.
const MOST_KNOWN_OF_OWNER: i64 = 50;

/// What the log makes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It was new, and is kept.
    New,
    /// It is in the log already.
    Known,
    /// It was new, but its author has used the counter of an earlier message. Both are kept as
    /// evidence, and neither is shown, nor what the author wrote after them.
    Reused,
    /// These predecessors are not in the log.
    Missing(Vec<MessageId>),
    /// It breaks a rule, and is not kept.
    Refused(Refusal),
}

/// The rule that a message breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Its channel is not known, or this peer does not keep it.
    #[error("this peer does not keep the channel")]
    UnknownChannel,
    /// There are too many channels.
    #[error("there are too many channels that nobody here has joined")]
    TooManyChannels,
    /// The first predecessor is not the author's previous message.
    #[error("the first predecessor is not the author's previous message")]
    WrongPredecessor,
    /// The author is not a member.
    #[error("the author is not a member of the channel")]
    NotMember,
    /// The author is a member already.
    #[error("the author is a member of the channel already")]
    AlreadyMember,
    /// The author may not join.
    #[error("the author is not invited to the channel")]
    NotInvited,
    /// Only the owner may do this.
    #[error("only the owner of the channel may do this")]
    OwnerOnly,
    /// Such a message has no place in a channel of this policy.
    #[error("such a message has no place in this channel")]
    WrongPolicy,
}

/// A channel, as the rules need it.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    pub(super) number: i64,
    policy: Policy,
    owner: PeerKey,
}

/// A predecessor, as the rules need it.
#[derive(Clone, Copy)]
struct Before {
    channel: i64,
    author: PeerKey,
    counter: u64,
    height: u64,
    kind: u8,
}

/// The kind of a message in the database.
pub(super) fn kind(body: &Body) -> u8 {
    match body {
        Body::Create { .. } => 0,
        Body::Join { .. } => 1,
        Body::Leave => 2,
        Body::Invite { .. } => 3,
        Body::Text(_) => TEXT,
    }
}

/// The policy of a channel, from its columns.
pub(super) fn policy(number: u8, other: Option<[u8; 32]>) -> Policy {
    match (number, other) {
        (1, _) => Policy::Invite,
        (2, _) => Policy::ReadOnly,
        (3, Some(other)) => Policy::Direct(PeerKey(other)),
        _ => Policy::Open,
    }
}

impl Log {
    /// Checks a message against the rules of its channel, and keeps it.
    ///
    /// # Errors
    ///
    /// If the database has failed; then nothing was changed.
    pub fn accept(&mut self, message: &Message) -> Result<Verdict> {
        let mut verdicts = self.accept_all(std::slice::from_ref(message))?;
        Ok(verdicts.pop().unwrap_or(Verdict::Known))
    }

    /// Like [`accept`](Self::accept), for many messages in one transaction.
    ///
    /// # Errors
    ///
    /// If the database has failed; then nothing was changed.
    pub fn accept_all(&mut self, messages: &[Message]) -> Result<Vec<Verdict>> {
        let me = self.me;
        let transaction = self.connection.transaction()?;
        let mut acceptance = Acceptance::new(&transaction, me);
        let verdicts = messages.iter().map(|message| acceptance.accept(message));
        let verdicts = verdicts.collect::<Result<_>>()?;
        transaction.commit()?;
        Ok(verdicts)
    }
}

/// Accepts messages in a transaction. What one message needs the next one often needs too: it is
/// not read again.
pub(super) struct Acceptance<'a> {
    transaction: &'a Transaction<'a>,
    me: PeerKey,
    /// The channel of the last message.
    channel: Option<(ChannelId, Rules)>,
    /// The last message that was kept.
    last: Option<(MessageId, Before)>,
}

impl<'a> Acceptance<'a> {
    pub(super) fn new(transaction: &'a Transaction<'a>, me: PeerKey) -> Self {
        Self {
            transaction,
            me,
            channel: None,
            last: None,
        }
    }

    pub(super) fn accept(&mut self, message: &Message) -> Result<Verdict> {
        if is_known(self.transaction, message.id())? {
            return Ok(Verdict::Known);
        }
        if let Body::Create { policy, title, .. } = &message.draft().body {
            return create(self.transaction, self.me, message, *policy, title);
        }
        let Some(rules) = self.rules(message.channel())? else {
            return Ok(Verdict::Refused(Refusal::UnknownChannel));
        };
        let (mut before, mut missing) = (Vec::new(), Vec::new());
        for id in &message.draft().predecessors {
            match self.find(rules.number, *id)? {
                Some(found) => before.push(found),
                None => missing.push(*id),
            }
        }
        if !missing.is_empty() {
            return Ok(Verdict::Missing(missing));
        }
        let invites = |id: MessageId| invites(self.transaction, id, message.author());
        if let Err(refusal) = check(&rules, message, &before, invites)? {
            return Ok(Verdict::Refused(refusal));
        }
        let height = 1 + before.iter().map(|before| before.height).max().unwrap_or(0);
        let verdict = keep(self.transaction, self.me, &rules, message, height)?;
        let kept = Before {
            channel: rules.number,
            author: message.author(),
            counter: message.draft().counter,
            height,
            kind: kind(&message.draft().body),
        };
        self.last = Some((message.id(), kept));
        Ok(verdict)
    }

    /// The rules of a channel that this peer keeps.
    fn rules(&mut self, channel: ChannelId) -> Result<Option<Rules>> {
        if let Some((id, rules)) = self.channel
            && id == channel
        {
            return Ok(Some(rules));
        }
        let found = rules(self.transaction, channel)?;
        self.channel = found.map(|rules| (channel, rules));
        Ok(found)
    }

    fn find(&self, channel: i64, id: MessageId) -> Result<Option<Before>> {
        match self.last {
            Some((last, before)) if last == id && before.channel == channel => Ok(Some(before)),
            _ => find(self.transaction, channel, id),
        }
    }
}

pub(super) fn is_known(connection: &Connection, id: MessageId) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM message WHERE id = ?")?;
    Ok(statement.exists([id.0])?)
}

/// The rules of a channel that this peer keeps.
fn rules(connection: &Connection, channel: ChannelId) -> Result<Option<Rules>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, policy, owner, other FROM channel WHERE id = ? AND joined = 1",
    )?;
    let found = statement.query_row([channel.0], |row| {
        Ok(Rules {
            number: row.get(0)?,
            policy: policy(row.get(1)?, row.get(3)?),
            owner: PeerKey(row.get(2)?),
        })
    });
    Ok(found.optional()?)
}

fn find(connection: &Connection, channel: i64, id: MessageId) -> Result<Option<Before>> {
    let mut statement = connection.prepare_cached(
        "SELECT author, counter, height, kind FROM message WHERE id = ? AND channel = ?",
    )?;
    let found = statement.query_row(params![id.0, channel], |row| {
        Ok(Before {
            channel,
            author: PeerKey(row.get(0)?),
            counter: row.get(1)?,
            height: row.get(2)?,
            kind: row.get(3)?,
        })
    });
    Ok(found.optional()?)
}

/// Whether this message is an invitation of the peer.
fn invites(connection: &Connection, id: MessageId, peer: PeerKey) -> Result<bool> {
    let mut statement =
        connection.prepare_cached("SELECT bytes FROM message WHERE id = ? AND kind = 3")?;
    let bytes: Option<Vec<u8>> = statement.query_row([id.0], |row| row.get(0)).optional()?;
    let invitation = bytes.and_then(|bytes| Message::decode_stored(bytes.into()).ok());
    let body = invitation.as_ref().map(|message| &message.draft().body);
    Ok(matches!(body, Some(Body::Invite { peer: invited }) if *invited == peer))
}

/// Checks the place of a message among those of its author, and the policy of the channel.
fn check(
    rules: &Rules,
    message: &Message,
    before: &[Before],
    invites: impl Fn(MessageId) -> Result<bool>,
) -> Result<std::result::Result<(), Refusal>> {
    let (draft, author) = (message.draft(), message.author());
    let own = before.first().filter(|before| before.author == author);
    let is_member = match (draft.counter, own) {
        (1, None) => false,
        (1, Some(_)) => return Ok(Err(Refusal::WrongPredecessor)),
        (counter, Some(own)) if follows(counter, own.counter) => own.kind != kind(&Body::Leave),
        _ => return Ok(Err(Refusal::WrongPredecessor)),
    };
    let is_owner = author == rules.owner;
    Ok(match &draft.body {
        Body::Join { .. } if is_member || is_owner => Err(Refusal::AlreadyMember),
        Body::Join { invitation } => join(rules, draft, author, *invitation, invites)?,
        _ if !is_member => Err(Refusal::NotMember),
        Body::Text(_) if rules.policy == Policy::ReadOnly && !is_owner => Err(Refusal::OwnerOnly),
        Body::Invite { .. } if rules.policy != Policy::Invite => Err(Refusal::WrongPolicy),
        Body::Invite { .. } if !is_owner => Err(Refusal::OwnerOnly),
        Body::Leave if is_owner => Err(Refusal::WrongPolicy),
        _ => Ok(()),
    })
}

/// Whether a counter may be the next one. After a power failure an author leaves out many, because
/// others may have messages that it has lost; it never leaves out a few.
fn follows(counter: u64, before: u64) -> bool {
    counter == before + 1 || counter > before + LEFT_OUT
}

fn join(
    rules: &Rules,
    draft: &Draft,
    author: PeerKey,
    invitation: Option<MessageId>,
    invites: impl Fn(MessageId) -> Result<bool>,
) -> Result<std::result::Result<(), Refusal>> {
    let may_join = match (rules.policy, invitation) {
        (Policy::Open | Policy::ReadOnly, None) => true,
        (Policy::Direct(other), None) => other == author,
        (Policy::Invite, Some(id)) => draft.predecessors.contains(&id) && invites(id)?,
        _ => false,
    };
    Ok(match may_join {
        true => Ok(()),
        false => Err(Refusal::NotInvited),
    })
}

/// Keeps the first message of a channel.
fn create(
    transaction: &Transaction<'_>,
    me: PeerKey,
    message: &Message,
    policy: Policy,
    title: &str,
) -> Result<Verdict> {
    let owner = message.author();
    let other = match policy {
        Policy::Direct(other) if other == owner => {
            return Ok(Verdict::Refused(Refusal::WrongPolicy));
        }
        Policy::Direct(other) if ![owner, other].contains(&me) => {
            return Ok(Verdict::Refused(Refusal::NotInvited));
        }
        Policy::Direct(other) => Some(other.0),
        _ => None,
    };
    // A peer keeps its own channels, and those that are for it alone.
    let joined = owner == me || other.is_some();
    if !joined && !has_room(transaction, me, owner)? {
        return Ok(Verdict::Refused(Refusal::TooManyChannels));
    }
    if other.is_some() && owner != me && has_enough_direct(transaction, me, owner)? {
        return Ok(Verdict::Refused(Refusal::TooManyChannels));
    }
    let number = match policy {
        Policy::Open => 0,
        Policy::Invite => 1,
        Policy::ReadOnly => 2,
        Policy::Direct(_) => 3,
    };
    transaction.execute(
        "INSERT INTO channel (id, title, policy, owner, other, joined) VALUES (?, ?, ?, ?, ?, ?)",
        params![message.id().0, title, number, owner.0, other, joined],
    )?;
    let rules = Rules {
        number: transaction.last_insert_rowid(),
        policy,
        owner,
    };
    keep(transaction, me, &rules, message, 1)
}

/// Whether one more channel of an owner may be known. The first one that this peer did not join
/// and never wrote in makes room.
fn has_room(transaction: &Transaction<'_>, me: PeerKey, owner: PeerKey) -> Result<bool> {
    let mut statement = transaction.prepare_cached(
        "SELECT count(*), coalesce(sum(owner = ?), 0) FROM channel WHERE joined = 0",
    )?;
    let (known, of_owner): (i64, i64) =
        statement.query_row([owner.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if of_owner >= MOST_KNOWN_OF_OWNER {
        return Ok(false);
    }
    if known < MOST_KNOWN {
        return Ok(true);
    }
    let mut statement = transaction.prepare_cached(
        "SELECT number FROM channel WHERE joined = 0 AND NOT EXISTS
            (SELECT 1 FROM author WHERE channel = number AND key = ?)
         ORDER BY number LIMIT 1",
    )?;
    let found: Option<i64> = statement.query_row([me.0], |row| row.get(0)).optional()?;
    match found {
        Some(number) => forget(transaction, number).map(|()| true),
        None => Ok(false),
    }
}

/// Deletes a channel with all that is known of it.
fn forget(transaction: &Transaction<'_>, channel: i64) -> Result<()> {
    for sql in [
        "INSERT INTO words (words, rowid, text)
         SELECT 'delete', seq, text FROM message WHERE channel = ? AND text IS NOT NULL",
        "DELETE FROM message WHERE channel = ?",
        "DELETE FROM author WHERE channel = ?",
        "DELETE FROM head WHERE channel = ?",
        "DELETE FROM invited WHERE channel = ?",
        "DELETE FROM receipt WHERE channel = ?",
        "DELETE FROM channel WHERE number = ?",
    ] {
        transaction.prepare_cached(sql)?.execute([channel])?;
    }
    Ok(())
}

/// How many direct channels one peer, and all peers together, may open to this one.
const MOST_DIRECT: (i64, i64) = (4, 2000);

/// Whether a peer, or all of them, have opened as many direct channels as they may.
fn has_enough_direct(transaction: &Transaction<'_>, me: PeerKey, owner: PeerKey) -> Result<bool> {
    let mut statement = transaction.prepare_cached(
        "SELECT count(*), coalesce(sum(owner = ?1), 0) FROM channel
         WHERE policy = 3 AND owner <> ?2",
    )?;
    let (all, own): (i64, i64) =
        statement.query_row(params![owner.0, me.0], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(own >= MOST_DIRECT.0 || all >= MOST_DIRECT.1)
}
