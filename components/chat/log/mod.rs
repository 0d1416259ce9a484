//! The log: the messages of all channels that this peer keeps, in an SQLite database.
//!
//! ```text
//!  Message ──▶ accept ──▶ message, author, head, invited ──▶ history, search, unread
//!                │ Verdict                                ──▶ heads, tips, batches for other peers
//! ```
//!
//! The order of a channel is that of height, time and identifier. The height of a message is one
//! more than that of its highest predecessor. So the order depends on the messages alone: peers
//! with the same messages have the same order.

mod accept;
mod channels;
mod disk;
mod exchange;
mod history;
mod keep;
#[cfg(test)]
pub(crate) mod tests;
mod write;

use std::path::Path;

use kamea_sqlite::{OpenError, Schema};
use rusqlite::Connection;

use crate::PeerKey;

pub use accept::{Refusal, Verdict};
pub use channels::Channel;
pub(crate) use disk::{Disk, sync_history};
pub use exchange::{Batch, MOST_TIPS, Receipt, Tip};
pub use history::{Delivery, Entry, Page};
pub use write::WriteError;

const SCHEMA: Schema = Schema {
    what: "messages",
    version: 1,
    tables: TABLES,
};

const TABLES: &str = "
    CREATE TABLE channel (
        number INTEGER PRIMARY KEY,
        id BLOB UNIQUE NOT NULL,
        title TEXT NOT NULL,
        policy INTEGER NOT NULL,            -- as in the first message
        owner BLOB NOT NULL,
        other BLOB,                         -- the other peer of a direct channel
        joined INTEGER NOT NULL DEFAULT 0,  -- whether this peer keeps its messages
        read BLOB                           -- the message up to which the user has read
    );
    CREATE TABLE message (
        seq INTEGER PRIMARY KEY,            -- in order of arrival: predecessors come first
        id BLOB UNIQUE NOT NULL,
        channel INTEGER NOT NULL REFERENCES channel,
        author BLOB NOT NULL,
        name TEXT NOT NULL,
        counter INTEGER NOT NULL,
        height INTEGER NOT NULL,
        time INTEGER NOT NULL,
        kind INTEGER NOT NULL,              -- as in the message; 4 is text
        text TEXT,
        hidden INTEGER NOT NULL,            -- whether the author has used a counter twice
        unread INTEGER NOT NULL,
        sent INTEGER NOT NULL DEFAULT 0,
        bytes BLOB NOT NULL
    );
    CREATE INDEX message_order ON message (channel, height, time, id);
    CREATE INDEX message_author ON message (channel, author, counter);
    CREATE INDEX message_unread ON message (channel, author, counter) WHERE unread = 1;
    CREATE TABLE author (
        channel INTEGER NOT NULL REFERENCES channel,
        key BLOB NOT NULL,
        name TEXT NOT NULL,
        counter INTEGER NOT NULL,           -- of the latest message
        tip BLOB NOT NULL,                  -- its identifier
        joined INTEGER NOT NULL,
        reused INTEGER,                     -- the lowest counter that was used twice
        PRIMARY KEY (channel, key)
    ) WITHOUT ROWID;
    CREATE TABLE head (
        channel INTEGER NOT NULL REFERENCES channel,
        id BLOB NOT NULL,
        height INTEGER NOT NULL,
        PRIMARY KEY (channel, id)
    ) WITHOUT ROWID;
    CREATE TABLE invited (
        channel INTEGER NOT NULL REFERENCES channel,
        key BLOB NOT NULL,
        invitation BLOB NOT NULL,
        PRIMARY KEY (channel, key)
    ) WITHOUT ROWID;
    CREATE TABLE receipt (
        channel INTEGER NOT NULL REFERENCES channel,
        peer BLOB NOT NULL,
        held INTEGER NOT NULL,              -- own messages up to this counter have arrived there
        read INTEGER NOT NULL,              -- and were read
        PRIMARY KEY (channel, peer)
    ) WITHOUT ROWID;
    CREATE TABLE peer (
        key BLOB PRIMARY KEY NOT NULL,
        name TEXT NOT NULL,
        met INTEGER NOT NULL,               -- in which order they had their names first
        addresses TEXT NOT NULL             -- the last known ones, with spaces between them
    ) WITHOUT ROWID;
    CREATE VIRTUAL TABLE words USING fts5(text, content='message', content_rowid='seq');
";

/// The order of arrival in each channel, for batches. A database of an earlier version gets it
/// here.
const PLACES: &str = "CREATE INDEX IF NOT EXISTS message_place ON message (channel, seq)";

/// The kind of a text in the database, as in [`Body`](crate::Body).
const TEXT: u8 = 4;

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database has failed.
    #[error("the history: {0}")]
    Database(#[from] rusqlite::Error),
    /// It belongs to another key.
    #[error("the history belongs to the key {0}, not to this peer's")]
    Foreign(PeerKey),
}

type Result<T> = std::result::Result<T, LogError>;

/// The log of one peer.
///
/// # Examples
///
/// ```
/// use kamea_chat::{Body, Identity, Log, Policy, Verdict};
///
/// let (ada, bob) = (Identity::from_secret([1; 32]), Identity::from_secret([2; 32]));
/// let mut log = Log::in_memory(ada.key())?;
/// let name = "ada".parse().unwrap();
/// let created = log.create(&ada, &name, Policy::Open, "tea", 0)?;
/// let said = log.write(&ada, &name, created.id(), Body::Text("hello".into()), 1)?;
///
/// let mut other = Log::in_memory(bob.key())?;
/// other.accept(&created)?;
/// other.join(created.id())?;
/// assert_eq!(other.accept(&said)?, Verdict::New);
/// assert_eq!(other.accept(&said)?, Verdict::Known);
/// assert_eq!(other.history(created.id(), None, 50)?.entries[0].text, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Log {
    connection: Connection,
    me: PeerKey,
    /// Its file, if it has one.
    disk: Option<Disk>,
    /// How many texts of this peer were written without waiting for the disk.
    written: u64,
}

impl Log {
    /// Opens the database of a peer, and makes it if there is none. Only the user of the process
    /// may read it.
    ///
    /// # Errors
    ///
    /// [`LogError`].
    pub fn open(path: &Path, me: PeerKey) -> Result<Self> {
        Self::open_at_boot(path, me, &disk::boot())
    }

    /// Opens the database of a peer, at a start of the machine.
    pub(crate) fn open_at_boot(path: &Path, me: PeerKey, boot: &str) -> Result<Self> {
        let mut log = Self::of(SCHEMA.open(path)?, me)?;
        disk::note_boot(&mut log.connection, me, boot)?;
        log.disk = Some(Disk::of(path));
        Ok(log)
    }

    /// Makes a log that is gone with the program.
    ///
    /// # Errors
    ///
    /// [`LogError`].
    pub fn in_memory(me: PeerKey) -> Result<Self> {
        Self::of(SCHEMA.open_in_memory()?, me)
    }

    /// A log in memory that is gone with the last connection to it.
    #[cfg(test)]
    pub(crate) fn shared(name: &str, me: PeerKey) -> Result<Self> {
        let uri = format!("file:{name}?mode=memory&cache=shared");
        Self::of(SCHEMA.open_uri(&uri)?, me)
    }

    fn of(connection: Connection, me: PeerKey) -> Result<Self> {
        connection.set_prepared_statement_cache_capacity(64);
        // In KiB. The memory of a peer that catches up is bounded.
        connection.pragma_update(None, "cache_size", -8_000)?;
        // In pages, 16 MiB. Copying pages from the write-ahead log costs a wait for the disk: less
        // often is faster, and a page that has changed several times is copied once.
        connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
        connection.execute_batch(PLACES)?;
        connection.execute_batch(disk::TABLES)?;
        // The first peer that opens the database owns it.
        connection.execute(
            "INSERT INTO peer (key, name, met, addresses)
             SELECT ?, '', 0, '' WHERE NOT EXISTS (SELECT 1 FROM peer WHERE name = '')",
            [me.0],
        )?;
        let owner: [u8; 32] =
            connection.query_row("SELECT key FROM peer WHERE name = ''", [], |row| row.get(0))?;
        match owner == me.0 {
            true => Ok(Self {
                connection,
                me,
                disk: None,
                written: 0,
            }),
            false => Err(LogError::Foreign(PeerKey(owner))),
        }
    }

    /// Returns the key of the peer that the log belongs to.
    #[must_use]
    pub fn me(&self) -> PeerKey {
        self.me
    }
}
