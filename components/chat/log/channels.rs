//! The channels that this peer knows, and who may read them.

use rusqlite::{OptionalExtension, Row, params};

use super::accept::policy;
use super::write::number;
use super::{Log, Result};
use crate::{ChannelId, MessageId, PeerKey, Policy};

/// A channel, as its members see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// The identifier.
    pub id: ChannelId,
    /// The title; empty for a direct channel.
    pub title: String,
    /// Who may join and write.
    pub policy: Policy,
    /// The peer that created it.
    pub owner: PeerKey,
    /// Whether this peer keeps its messages.
    pub is_joined: bool,
    /// Whether this peer is a member: it may still have to wait for its invitation.
    pub is_member: bool,
    /// The number of members.
    pub members: u64,
    /// The number of unread messages; 1,000 also stands for more.
    pub unread: u64,
    /// The message up to which the user has read.
    pub read: Option<MessageId>,
}

impl Channel {
    /// Whether this peer may write.
    #[must_use]
    pub fn may_write(&self, me: PeerKey) -> bool {
        self.is_member && (self.policy != Policy::ReadOnly || self.owner == me)
    }
}

/// The largest number of rows of the table of peers; one is this peer's own.
const MOST_PEERS: i64 = 1_000;

const COLUMNS: &str = "SELECT id, title, policy, other, owner, joined, read,
    (SELECT count(*) FROM author WHERE channel = number AND author.joined = 1),
    (SELECT count(*) FROM
        (SELECT 1 FROM message WHERE channel = number AND unread = 1 LIMIT 1000)),
    EXISTS (SELECT 1 FROM author WHERE channel = number AND key = ?1 AND author.joined = 1)
    FROM channel";

fn channel(row: &Row<'_>) -> rusqlite::Result<Channel> {
    Ok(Channel {
        id: MessageId(row.get(0)?),
        title: row.get(1)?,
        policy: policy(row.get(2)?, row.get(3)?),
        owner: PeerKey(row.get(4)?),
        is_joined: row.get(5)?,
        read: row.get::<_, Option<_>>(6)?.map(MessageId),
        members: row.get(7)?,
        unread: row.get(8)?,
        is_member: row.get(9)?,
    })
}

impl Log {
    /// Returns all known channels, in order of their arrival.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn channels(&self) -> Result<Vec<Channel>> {
        let sql = format!("{COLUMNS} ORDER BY number");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement.query_map([self.me.0], channel)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns a channel.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn channel(&self, id: ChannelId) -> Result<Option<Channel>> {
        let sql = format!("{COLUMNS} WHERE id = ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement.query_row(params![self.me.0, id.0], channel);
        Ok(found.optional()?)
    }

    /// Whether this peer keeps the messages of a channel.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn is_joined(&self, id: ChannelId) -> Result<bool> {
        let sql = "SELECT 1 FROM channel WHERE id = ? AND joined = 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.exists([id.0])?)
    }

    /// Returns the channel of this peer and one other.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn direct(&self, peer: PeerKey) -> Result<Option<ChannelId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM channel WHERE policy = 3
             AND (owner = ?1 AND other = ?2 OR owner = ?2 AND other = ?1) ORDER BY id",
        )?;
        let found = statement.query_row(params![self.me.0, peer.0], |row| row.get(0));
        Ok(found.optional()?.map(MessageId))
    }

    /// Keeps the messages of a known channel from now on. Returns whether that is new.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn join(&mut self, id: ChannelId) -> Result<bool> {
        self.set_joined(id, true)
    }

    /// Keeps no further messages of a channel. Returns whether that is new.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn leave(&mut self, id: ChannelId) -> Result<bool> {
        self.set_joined(id, false)
    }

    fn set_joined(&mut self, id: ChannelId, joined: bool) -> Result<bool> {
        let sql = "UPDATE channel SET joined = ?2 WHERE id = ?1 AND joined <> ?2";
        Ok(self.connection.execute(sql, params![id.0, joined])? > 0)
    }

    /// Whether a peer may read a channel.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn may_read(&self, id: ChannelId, peer: PeerKey) -> Result<bool> {
        let Some(channel) = self.channel_rules(id)? else {
            return Ok(false);
        };
        Ok(match channel {
            (_, owner, _) if owner == peer => true,
            (_, _, Policy::Open | Policy::ReadOnly) => true,
            (_, _, Policy::Direct(other)) => other == peer,
            (number, _, Policy::Invite) => {
                let sql = "SELECT 1 FROM invited WHERE channel = ? AND key = ?";
                let mut statement = self.connection.prepare_cached(sql)?;
                statement.exists(params![number, peer.0])?
            }
        })
    }

    fn channel_rules(&self, id: ChannelId) -> Result<Option<(i64, PeerKey, Policy)>> {
        let sql = "SELECT number, owner, policy, other FROM channel WHERE id = ?";
        let mut statement = self.connection.prepare_cached(sql)?;
        let found = statement.query_row([id.0], |row| {
            let policy = policy(row.get(2)?, row.get(3)?);
            Ok((row.get(0)?, PeerKey(row.get(1)?), policy))
        });
        Ok(found.optional()?)
    }

    /// Whether a peer is a member of a channel.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn is_member(&self, id: ChannelId, peer: PeerKey) -> Result<bool> {
        let Some(number) = number(&self.connection, id)? else {
            return Ok(false);
        };
        let sql = "SELECT 1 FROM author WHERE channel = ? AND key = ? AND joined = 1";
        let mut statement = self.connection.prepare_cached(sql)?;
        Ok(statement.exists(params![number, peer.0])?)
    }

    /// Returns the keys and names of the members of a channel.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn members(&self, id: ChannelId) -> Result<Vec<(PeerKey, String)>> {
        let Some(number) = number(&self.connection, id)? else {
            return Ok(Vec::new());
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT key, name FROM author WHERE channel = ? AND joined = 1 ORDER BY name, key",
        )?;
        let found = statement.query_map([number], |row| Ok((PeerKey(row.get(0)?), row.get(1)?)))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Remembers the name of a peer, and the addresses at which it was reached; of up to 999 peers.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn note_peer(&mut self, key: PeerKey, name: &str, addresses: &str) -> Result<()> {
        if key == self.me {
            return Ok(());
        }
        self.connection.execute(
            "INSERT INTO peer (key, name, addresses, met)
             SELECT ?1, ?2, ?3, (SELECT coalesce(max(met), 0) + 1 FROM peer)
             WHERE EXISTS (SELECT 1 FROM peer WHERE key = ?1)
                OR (SELECT count(*) FROM peer) < ?4
             ON CONFLICT (key) DO UPDATE SET name = ?2,
                met = CASE name WHEN ?2 THEN met ELSE excluded.met END,
                addresses = CASE ?3 WHEN '' THEN addresses ELSE ?3 END",
            params![key.0, name, addresses, MOST_PEERS],
        )?;
        Ok(())
    }

    /// Returns the peers that were met: their keys, names and last addresses. Of two with the same
    /// name, the one that had it first comes first.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn peers(&self) -> Result<Vec<(PeerKey, String, String)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT key, name, addresses FROM peer WHERE name <> '' ORDER BY met",
        )?;
        let found = statement.query_map([], |row| {
            Ok((PeerKey(row.get(0)?), row.get(1)?, row.get(2)?))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}
