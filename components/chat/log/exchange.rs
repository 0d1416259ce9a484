//! What peers tell each other about their logs: heads, tips, batches and receipts.

use bytes::Bytes;
use rusqlite::{OptionalExtension, params};

use super::accept::is_known;
use super::write::{heads, number};
use super::{Log, Result};
use crate::{ChannelId, MessageId, PeerKey};

/// The largest number of tips in one request. A peer with more authors gets some messages twice.
pub const MOST_TIPS: usize = 1_000;

/// How many messages one batch looks at.
const LOOKED_AT: usize = 1_000;

/// The first message of an author after a counter. An index must find it.
pub(super) const FIRST: &str = "SELECT seq FROM message
    WHERE channel = ? AND author = ? AND counter > ? ORDER BY counter, seq LIMIT 1";

/// The messages of a batch. An index must find them, in their order: other peers ask for batches as
/// often as they like.
pub(super) const BATCH: &str = "SELECT seq, author, counter, bytes FROM message
    WHERE channel = ? AND seq >= ? ORDER BY seq LIMIT ?";

/// The latest message of an author: the peer has all up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// The author.
    pub author: PeerKey,
    /// The counter of the message.
    pub counter: u64,
}

/// Some messages of a channel that the other peer lacks. Predecessors come first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Batch {
    /// The messages.
    pub messages: Vec<Bytes>,
    /// Where the next batch begins; `None` if this was the last one.
    pub next: Option<u64>,
}

/// What a peer has of another one's messages in a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Receipt {
    /// It has all messages up to this counter.
    pub held: u64,
    /// Its user has read all messages up to this counter.
    pub read: u64,
}

impl Log {
    /// Returns the messages of a channel without a successor, the highest first, up to `most`.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn heads(&self, channel: ChannelId, most: usize) -> Result<Vec<MessageId>> {
        match number(&self.connection, channel)? {
            Some(number) => heads(&self.connection, number, most),
            None => Ok(Vec::new()),
        }
    }

    /// Like [`heads`](Self::heads), but if there are more than `most`, half of them are the highest
    /// ones, and the others stand for a `turn`: each of them has one, sooner or later.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn some_heads(
        &self,
        channel: ChannelId,
        most: usize,
        turn: usize,
    ) -> Result<Vec<MessageId>> {
        let Some(number) = number(&self.connection, channel)? else {
            return Ok(Vec::new());
        };
        let mut found = heads(&self.connection, number, most + 1)?;
        if found.len() <= most {
            return Ok(found);
        }
        let mut statement = self
            .connection
            .prepare_cached("SELECT count(*) FROM head WHERE channel = ?")?;
        let count: usize = statement.query_row([number], |row| row.get(0))?;
        let half = most / 2;
        found.truncate(half);
        let others = (count - half).div_ceil(most - half);
        let from = half + turn % others * (most - half);
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM head WHERE channel = ? ORDER BY height DESC, id LIMIT ? OFFSET ?",
        )?;
        let rest = statement.query_map(params![number, most - half, from], |row| {
            Ok(MessageId(row.get(0)?))
        })?;
        for id in rest {
            found.push(id?);
        }
        Ok(found)
    }

    /// Returns those of the messages that are not in the log.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn unknown(&self, messages: &[MessageId]) -> Result<Vec<MessageId>> {
        let mut unknown = Vec::new();
        for id in messages {
            if !is_known(&self.connection, *id)? {
                unknown.push(*id);
            }
        }
        Ok(unknown)
    }

    /// Returns the latest message of each author of a channel.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn tips(&self, channel: ChannelId) -> Result<Vec<Tip>> {
        let Some(number) = number(&self.connection, channel)? else {
            return Ok(Vec::new());
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT key, counter FROM author WHERE channel = ? ORDER BY counter DESC LIMIT ?",
        )?;
        let found = statement.query_map(params![number, MOST_TIPS], |row| {
            Ok(Tip {
                author: PeerKey(row.get(0)?),
                counter: row.get(1)?,
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns where the messages that a peer with these tips lacks begin; `None` if it lacks none.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn begin(
        &self,
        channel: ChannelId,
        known: &impl Fn(PeerKey) -> u64,
    ) -> Result<Option<u64>> {
        let Some(number) = number(&self.connection, channel)? else {
            return Ok(None);
        };
        let mut authors = self
            .connection
            .prepare_cached("SELECT key, counter FROM author WHERE channel = ?")?;
        let mut first = self.connection.prepare_cached(FIRST)?;
        let mut begin = None;
        let found = authors.query_map([number], |row| Ok((PeerKey(row.get(0)?), row.get(1)?)))?;
        for author in found {
            let (author, counter): (PeerKey, u64) = author?;
            let had = known(author);
            if counter > had {
                let next = params![number, author.0, had];
                let seq: Option<u64> = first.query_row(next, |row| row.get(0)).optional()?;
                begin = begin.into_iter().chain(seq).min();
            }
        }
        Ok(begin)
    }

    /// Returns messages that a peer lacks, from a place on, of up to `most` bytes in total.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn batch(
        &self,
        channel: ChannelId,
        known: &impl Fn(PeerKey) -> u64,
        from: u64,
        most: usize,
    ) -> Result<Batch> {
        // SQLite has signed numbers, and the place comes from a peer.
        let (Some(number), Ok(from)) = (number(&self.connection, channel)?, i64::try_from(from))
        else {
            return Ok(Batch::default());
        };
        let mut statement = self.connection.prepare_cached(BATCH)?;
        let mut rows = statement.query(params![number, from, LOOKED_AT])?;
        let (mut batch, mut size, mut looked_at) = (Batch::default(), 0, 0);
        while let Some(row) = rows.next()? {
            let seq: u64 = row.get(0)?;
            let bytes = row.get_ref(3)?.as_blob().unwrap_or_default();
            looked_at += 1;
            if row.get::<_, u64>(2)? > known(PeerKey(row.get(1)?)) {
                size += bytes.len() + 2;
                if size > most {
                    batch.next = Some(seq);
                    return Ok(batch);
                }
                batch.messages.push(Bytes::copy_from_slice(bytes));
            }
            batch.next = Some(seq + 1);
        }
        if looked_at < LOOKED_AT {
            batch.next = None;
        }
        Ok(batch)
    }

    /// Returns these messages of a channel, of up to `most` bytes in total.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn fetch(&self, channel: ChannelId, ids: &[MessageId], most: usize) -> Result<Vec<Bytes>> {
        let Some(number) = number(&self.connection, channel)? else {
            return Ok(Vec::new());
        };
        let mut statement = self
            .connection
            .prepare_cached("SELECT bytes FROM message WHERE id = ? AND channel = ?")?;
        let (mut found, mut size) = (Vec::new(), 0);
        for id in ids {
            let bytes = statement.query_row(params![id.0, number], |row| row.get(0));
            let bytes: Option<Vec<u8>> = bytes.optional()?;
            size += bytes.as_ref().map_or(0, |bytes| bytes.len() + 2);
            if size > most {
                break;
            }
            found.extend(bytes.map(Bytes::from));
        }
        Ok(found)
    }

    /// Returns what this peer has of another one's messages in a channel.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn receipt_for(&self, channel: ChannelId, author: PeerKey) -> Result<Receipt> {
        let Some(number) = number(&self.connection, channel)? else {
            return Ok(Receipt::default());
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT counter, (SELECT min(counter) FROM message WHERE channel = ?1 AND author = ?2
                AND unread = 1)
             FROM author WHERE channel = ?1 AND key = ?2",
        )?;
        let found = statement.query_row(params![number, author.0], |row| {
            let held: u64 = row.get(0)?;
            let unread: Option<u64> = row.get(1)?;
            let read = unread.map_or(held, |unread| unread.saturating_sub(1));
            Ok(Receipt { held, read })
        });
        Ok(found.optional()?.unwrap_or_default())
    }

    /// Notes what another peer has of this one's messages. Returns the receipts of the whole
    /// channel before and after, if they have changed.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn note_receipt(
        &mut self,
        channel: ChannelId,
        peer: PeerKey,
        receipt: Receipt,
    ) -> Result<Option<(Receipt, Receipt)>> {
        let Some(number) = number(&self.connection, channel)? else {
            return Ok(None);
        };
        let mine = self.receipt_for(channel, self.me)?;
        let held = receipt.held.min(mine.held);
        let read = receipt.read.min(held);
        let before = self.receipts(number)?;
        // A message counts as delivered with the first receipt. Those of a hundred further members
        // change nothing, and need no place on the disk.
        if held <= before.held && read <= before.read {
            return Ok(None);
        }
        self.connection
            .prepare_cached(
                "INSERT INTO receipt (channel, peer, held, read) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (channel, peer) DO UPDATE SET held = max(held, ?3),
                    read = max(read, ?4)",
            )?
            .execute(params![number, peer.0, held, read])?;
        let after = self.receipts(number)?;
        Ok((before != after).then_some((before, after)))
    }

    fn receipts(&self, channel: i64) -> Result<Receipt> {
        let mut statement = self.connection.prepare_cached(
            "SELECT coalesce(max(held), 0), coalesce(max(read), 0) FROM receipt WHERE channel = ?",
        )?;
        Ok(statement.query_row([channel], |row| {
            Ok(Receipt {
                held: row.get(0)?,
                read: row.get(1)?,
            })
        })?)
    }

    /// Returns the texts of this peer in a channel with counters after `from`, up to `to`.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn own_between(
        &self,
        channel: ChannelId,
        from: u64,
        to: u64,
    ) -> Result<Vec<(MessageId, u64)>> {
        let Some(number) = number(&self.connection, channel)? else {
            return Ok(Vec::new());
        };
        let mut statement = self.connection.prepare_cached(
            "SELECT id, counter FROM message WHERE channel = ? AND author = ? AND kind = 4
             AND counter > ? AND counter <= ? ORDER BY counter DESC LIMIT 200",
        )?;
        let found = statement.query_map(params![number, self.me.0, from, to], |row| {
            Ok((MessageId(row.get(0)?), row.get(1)?))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}
