//! Writing an accepted message into the tables.

use rusqlite::{OptionalExtension, Transaction, named_params, params};

use super::Result;
use super::accept::{Rules, Verdict, kind};
use crate::{Body, Message, PeerKey};

/// Writes an accepted message into the tables.
pub(super) fn keep(
    transaction: &Transaction<'_>,
    me: PeerKey,
    rules: &Rules,
    message: &Message,
    height: u64,
) -> Result<Verdict> {
    let (draft, author) = (message.draft(), message.author());
    let known = known(transaction, rules.number, author)?;
    // No message is later than the latest one.
    let may_be_reused = known
        .as_ref()
        .is_some_and(|known| draft.counter <= known.counter);
    let is_reused = may_be_reused && is_reused(transaction, rules.number, message)?;
    if is_reused {
        reuse(transaction, rules.number, message)?;
    }
    let lowest = known.and_then(|known| known.reused);
    let is_hidden = is_reused || lowest.is_some_and(|lowest| lowest <= draft.counter);
    let text = match &draft.body {
        Body::Text(text) => Some(text.as_str()),
        _ => None,
    };
    let mut statement = transaction.prepare_cached(
        "INSERT INTO message
            (id, channel, author, name, counter, height, time, kind, text, hidden, unread, bytes)
         VALUES (:id, :channel, :author, :name, :counter, :height, :time, :kind, :text, :hidden,
            :unread, :bytes)",
    )?;
    statement.execute(named_params! {
        ":id": message.id().0, ":channel": rules.number, ":author": author.0,
        ":name": draft.name.as_str(), ":counter": draft.counter, ":height": height,
        ":time": draft.time, ":kind": kind(&draft.body), ":text": text, ":hidden": is_hidden,
        ":unread": text.is_some() && author != me && !is_hidden,
        ":bytes": &message.bytes()[..],
    })?;
    if let Some(text) = text {
        let mut statement =
            transaction.prepare_cached("INSERT INTO words (rowid, text) VALUES (?, ?)")?;
        statement.execute(params![transaction.last_insert_rowid(), text])?;
    }
    note(transaction, rules, message, height)?;
    Ok(match is_reused {
        true => Verdict::Reused,
        false => Verdict::New,
    })
}

/// What is known of an author in a channel.
struct Known {
    /// The counter of the latest message.
    counter: u64,
    /// The lowest counter that was used twice.
    reused: Option<u64>,
}

fn known(transaction: &Transaction<'_>, channel: i64, author: PeerKey) -> Result<Option<Known>> {
    let mut statement = transaction
        .prepare_cached("SELECT counter, reused FROM author WHERE channel = ? AND key = ?")?;
    let found = statement.query_row(params![channel, author.0], |row| {
        Ok(Known {
            counter: row.get(0)?,
            reused: row.get(1)?,
        })
    });
    Ok(found.optional()?)
}

/// Whether another message of the author has this counter.
fn is_reused(transaction: &Transaction<'_>, channel: i64, message: &Message) -> Result<bool> {
    let mut statement = transaction
        .prepare_cached("SELECT 1 FROM message WHERE channel = ? AND author = ? AND counter = ?")?;
    Ok(statement.exists(params![
        channel,
        message.author().0,
        message.draft().counter
    ])?)
}

/// Remembers that the author of a message has used its counter twice, and hides what it wrote from
/// there on.
fn reuse(transaction: &Transaction<'_>, channel: i64, message: &Message) -> Result<()> {
    let (author, counter) = (message.author().0, message.draft().counter);
    transaction.execute(
        "UPDATE author SET reused = min(coalesce(reused, ?1), ?1) WHERE channel = ? AND key = ?",
        params![counter, channel, author],
    )?;
    transaction.execute(
        "UPDATE message SET hidden = 1, unread = 0
         WHERE channel = ? AND author = ? AND counter >= ?",
        params![channel, author, counter],
    )?;
    log::warn!("{} has used the number {counter} twice", message.author());
    Ok(())
}

/// Brings heads, authors and invitations up to date.
fn note(
    transaction: &Transaction<'_>,
    rules: &Rules,
    message: &Message,
    height: u64,
) -> Result<()> {
    let (channel, draft) = (rules.number, message.draft());
    let mut statement =
        transaction.prepare_cached("DELETE FROM head WHERE channel = ? AND id = ?")?;
    for id in &draft.predecessors {
        statement.execute(params![channel, id.0])?;
    }
    let mut statement =
        transaction.prepare_cached("INSERT INTO head (channel, id, height) VALUES (?, ?, ?)")?;
    statement.execute(params![channel, message.id().0, height])?;
    // An earlier message may come later, if a counter was used twice.
    let mut statement = transaction.prepare_cached(
        "INSERT INTO author (channel, key, name, counter, tip, joined) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (channel, key) DO UPDATE SET name = excluded.name,
            counter = excluded.counter, tip = excluded.tip, joined = excluded.joined
         WHERE excluded.counter > counter",
    )?;
    statement.execute(params![
        channel,
        message.author().0,
        draft.name.as_str(),
        draft.counter,
        message.id().0,
        draft.body != Body::Leave,
    ])?;
    if let Body::Invite { peer } = &draft.body {
        let mut statement = transaction.prepare_cached(
            "INSERT OR IGNORE INTO invited (channel, key, invitation) VALUES (?, ?, ?)",
        )?;
        statement.execute(params![channel, peer.0, message.id().0])?;
    }
    Ok(())
}
