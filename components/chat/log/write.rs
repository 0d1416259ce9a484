//! Writing: messages of this peer.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::accept::{Acceptance, Refusal, Verdict};
use super::disk::Disk;
use super::{Log, LogError, Result};
use crate::message::MOST_PREDECESSORS;
use crate::{
    Body, ChannelId, Draft, Entropy, Identity, Message, MessageError, MessageId, PeerName, Policy,
    system_random,
};

/// Why a message was not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// It breaks a limit.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// It breaks a rule.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The invitation has not arrived yet.
    #[error("the invitation has not arrived yet: a member must be connected")]
    NoInvitation,
    /// The log has failed.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl From<rusqlite::Error> for WriteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Log(error.into())
    }
}

/// The latest message of this peer in a channel.
struct Own {
    tip: MessageId,
    /// The next counter.
    next: u64,
}

impl Log {
    /// Creates a channel, and keeps it. `nonce` distinguishes channels of the same title.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn create(
        &mut self,
        identity: &Identity,
        name: &PeerName,
        policy: Policy,
        title: &str,
        time: u64,
    ) -> std::result::Result<Message, WriteError> {
        self.create_with(identity, name, (policy, title), time, system_random)
    }

    /// Like [`create`](Self::create), with another source of random bytes.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn create_with(
        &mut self,
        identity: &Identity,
        name: &PeerName,
        (policy, title): (Policy, &str),
        time: u64,
        entropy: Entropy,
    ) -> std::result::Result<Message, WriteError> {
        let mut nonce = [0; 16];
        if !matches!(policy, Policy::Direct(_)) {
            entropy(&mut nonce);
        }
        let body = Body::Create {
            policy,
            title: title.to_owned(),
            nonce,
        };
        let draft = Draft {
            channel: None,
            name: name.clone(),
            counter: 1,
            time,
            predecessors: Vec::new(),
            body,
        };
        self.append(Message::sign(draft, identity)?)
    }

    /// Signs a message for a channel, and keeps it. It follows every message that has no successor
    /// yet.
    ///
    /// # Errors
    ///
    /// [`WriteError`].
    pub fn write(
        &mut self,
        identity: &Identity,
        name: &PeerName,
        channel: ChannelId,
        body: Body,
        time: u64,
    ) -> std::result::Result<Message, WriteError> {
        let number = number(&self.connection, channel)?.ok_or(Refusal::UnknownChannel)?;
        let own = own(&self.connection, number, self.me.0)?;
        let mut predecessors: Vec<_> = own.iter().map(|own| own.tip).collect();
        if let Body::Join {
            invitation: Some(id),
        } = &body
        {
            predecessors.push(*id);
        }
        for head in heads(&self.connection, number, MOST_PREDECESSORS)? {
            if predecessors.len() < MOST_PREDECESSORS && !predecessors.contains(&head) {
                predecessors.push(head);
            }
        }
        let draft = Draft {
            channel: Some(channel),
            name: name.clone(),
            counter: own.map_or(1, |own| own.next),
            time,
            predecessors,
            body,
        };
        self.append(Message::sign(draft, identity)?)
    }

    /// Returns the invitation of this peer to a channel.
    ///
    /// # Errors
    ///
    /// [`LogError`].
    pub fn invitation(&self, channel: ChannelId) -> Result<Option<MessageId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT invitation FROM invited JOIN channel ON number = channel
             WHERE id = ? AND key = ?",
        )?;
        let found = statement.query_row(params![channel.0, self.me.0], |row| row.get(0));
        Ok(found.optional()?.map(MessageId))
    }

    /// Keeps an own message. A text reaches the disk later; any other message must survive a power
    /// failure, because nothing else says that its counter is used.
    fn append(&mut self, message: Message) -> std::result::Result<Message, WriteError> {
        let is_text = matches!(message.draft().body, Body::Text(_));
        let has_room = |disk: &Disk| disk.has_room(self.written);
        if is_text && self.disk.as_ref().is_none_or(has_room) {
            self.keep(&message)?;
            self.written += 1;
            return Ok(message);
        }
        self.connection.pragma_update(None, "synchronous", "FULL")?;
        let kept = self.keep(&message);
        self.connection
            .pragma_update(None, "synchronous", "NORMAL")?;
        kept?;
        if let Some(disk) = &self.disk {
            disk.note(self.written);
        }
        Ok(message)
    }

    fn keep(&mut self, message: &Message) -> std::result::Result<(), WriteError> {
        let me = self.me;
        let behavior = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        let verdict = Acceptance::new(&transaction, me).accept(message)?;
        match verdict {
            Verdict::New => Ok(transaction.commit()?),
            Verdict::Refused(refusal) => Err(refusal.into()),
            _ => Ok(()),
        }
    }
}

pub(super) fn number(connection: &Connection, channel: ChannelId) -> Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT number FROM channel WHERE id = ?")?;
    let found = statement.query_row([channel.0], |row| row.get(0));
    Ok(found.optional()?)
}

fn own(connection: &Connection, channel: i64, me: [u8; 32]) -> Result<Option<Own>> {
    let mut statement = connection.prepare_cached(
        "SELECT tip, 1 + max(counter, coalesce(
                (SELECT counter FROM left_out WHERE left_out.channel = author.channel), 0))
             FROM author WHERE channel = ? AND key = ?",
    )?;
    let found = statement.query_row(params![channel, me], |row| {
        Ok(Own {
            tip: MessageId(row.get(0)?),
            next: row.get(1)?,
        })
    });
    Ok(found.optional()?)
}

/// The messages without a successor, the highest first.
pub(super) fn heads(connection: &Connection, channel: i64, most: usize) -> Result<Vec<MessageId>> {
    let mut statement = connection
        .prepare_cached("SELECT id FROM head WHERE channel = ? ORDER BY height DESC, id LIMIT ?")?;
    let found = statement.query_map(params![channel, most], |row| Ok(MessageId(row.get(0)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}
