//! Reading: pages of the history, search, and what is unread.

use rusqlite::{OptionalExtension, Row, params};

use super::write::number;
use super::{Log, Result};
use crate::{ChannelId, MessageId, PeerKey};

/// A text in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The identifier.
    pub id: MessageId,
    /// The channel.
    pub channel: ChannelId,
    /// The key of the author.
    pub author: PeerKey,
    /// The name of the author.
    pub name: String,
    /// The number of the message among those of its author in the channel.
    pub counter: u64,
    /// Its place in the channel, before time and identifier.
    pub height: u64,
    /// The author's time, in milliseconds since 1970.
    pub time: u64,
    /// The text.
    pub text: String,
    /// How far it has come; for messages of this peer.
    pub delivery: Delivery,
}

/// How far a message of this peer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Delivery {
    /// It waits for a connection.
    Queued,
    /// It was sent to at least one member.
    Sent,
    /// At least one other member has it.
    Delivered,
    /// At least one other member has read it.
    Read,
}

impl Delivery {
    /// Returns the name, as the page shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
        }
    }

    /// From the counter of a message, and how far its channel's receipts go.
    #[must_use]
    pub fn of(counter: u64, is_sent: bool, held: u64, read: u64) -> Self {
        match counter {
            counter if counter <= read => Self::Read,
            counter if counter <= held => Self::Delivered,
            _ if is_sent => Self::Sent,
            _ => Self::Queued,
        }
    }
}

/// A page of the history, the oldest message first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// The messages.
    pub entries: Vec<Entry>,
    /// Whether there are earlier ones.
    pub more: bool,
}

/// The columns of an entry. The receipts are those of the whole channel.
const ENTRY: &str = "SELECT message.id, channel.id, author, name, counter, time, text, sent,
    (SELECT coalesce(max(held), 0) FROM receipt WHERE receipt.channel = number),
    (SELECT coalesce(max(receipt.read), 0) FROM receipt WHERE receipt.channel = number),
    height
    FROM message JOIN channel ON number = message.channel";

/// The largest number of messages of a page, and of a search.
pub(crate) const LONGEST_PAGE: usize = 500;

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    let counter = row.get(4)?;
    Ok(Entry {
        id: MessageId(row.get(0)?),
        channel: MessageId(row.get(1)?),
        author: PeerKey(row.get(2)?),
        name: row.get(3)?,
        counter,
        height: row.get(10)?,
        time: row.get(5)?,
        text: row.get(6)?,
        delivery: Delivery::of(counter, row.get(7)?, row.get(8)?, row.get(9)?),
    })
}

impl Log {
    /// Returns the texts of a channel before a message, or the latest ones.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn history(
        &self,
        channel: ChannelId,
        before: Option<MessageId>,
        limit: usize,
    ) -> Result<Page> {
        let Some(number) = number(&self.connection, channel)? else {
            return Ok(Page::default());
        };
        let place = match before {
            Some(id) => self.place(number, id)?,
            None => None,
        };
        let (height, time, id) = place.unwrap_or((i64::MAX, i64::MAX, [255; 32]));
        let limit = limit.clamp(1, LONGEST_PAGE);
        let sql = format!(
            "{ENTRY} WHERE message.channel = ? AND kind = 4 AND hidden = 0
             AND (height, time, message.id) < (?, ?, ?)
             ORDER BY height DESC, time DESC, message.id DESC LIMIT ?"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let found = statement.query_map(params![number, height, time, id, limit + 1], entry)?;
        let mut entries: Vec<_> = found.collect::<rusqlite::Result<_>>()?;
        let more = entries.len() > limit;
        entries.truncate(limit);
        entries.reverse();
        Ok(Page { entries, more })
    }

    /// The place of a message in the order of its channel.
    fn place(&self, channel: i64, id: MessageId) -> Result<Option<(i64, i64, [u8; 32])>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT height, time, id FROM message WHERE id = ? AND channel = ?")?;
        let found = statement.query_row(params![id.0, channel], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        });
        Ok(found.optional()?)
    }

    /// Returns one text.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn entry(&self, id: MessageId) -> Result<Option<Entry>> {
        let sql = format!("{ENTRY} WHERE message.id = ? AND kind = 4 AND hidden = 0");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row([id.0], entry).optional()?)
    }

    /// Returns the latest texts that contain all these words, or words that begin with them.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn search(
        &self,
        text: &str,
        channel: Option<ChannelId>,
        limit: usize,
    ) -> Result<Vec<Entry>> {
        let words = text.split(|c: char| !c.is_alphanumeric());
        let words: Vec<_> = words
            .filter(|word| !word.is_empty())
            .map(|word| format!("\"{word}\"*"))
            .collect();
        if words.is_empty() {
            return Ok(Vec::new());
        }
        let sql = format!(
            "{ENTRY} WHERE seq IN (SELECT rowid FROM words WHERE words MATCH ?)
             AND hidden = 0 AND (?2 IS NULL OR channel.id = ?2)
             ORDER BY seq DESC LIMIT ?"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let limit = limit.clamp(1, LONGEST_PAGE);
        let parameters = params![words.join(" "), channel.map(|id| id.0), limit];
        let found = statement.query_map(parameters, entry)?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Moves the reading position to a message. It never moves back. Returns whether it has moved.
    ///
    /// Only messages that are here now become read: one that arrives later is unread, even if its
    /// place is further up.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn mark_read(&mut self, channel: ChannelId, message: MessageId) -> Result<bool> {
        let Some(number) = number(&self.connection, channel)? else {
            return Ok(false);
        };
        let Some(place) = self.place(number, message)? else {
            return Ok(false);
        };
        let sql = "UPDATE message SET unread = 0 WHERE channel = ? AND unread = 1
             AND (height, time, id) <= (?, ?, ?)";
        let read = params![number, place.0, place.1, place.2];
        let changed = self.connection.execute(sql, read)?;
        let sql = "SELECT read FROM channel WHERE number = ?";
        let old: Option<[u8; 32]> = self.connection.query_row(sql, [number], |row| row.get(0))?;
        let old = match old {
            Some(old) => self.place(number, MessageId(old))?,
            None => None,
        };
        let is_later = old.is_none_or(|old| old < place);
        if is_later {
            let sql = "UPDATE channel SET read = ? WHERE number = ?";
            self.connection.execute(sql, params![message.0, number])?;
        }
        Ok(is_later || changed > 0)
    }

    /// Notes that a message of this peer was sent. Returns whether that is new.
    ///
    /// # Errors
    ///
    /// [`LogError`](super::LogError).
    pub fn mark_sent(&mut self, message: MessageId) -> Result<bool> {
        let mut statement = self
            .connection
            .prepare_cached("UPDATE message SET sent = 1 WHERE id = ? AND sent = 0")?;
        Ok(statement.execute([message.0])? > 0)
    }
}
