//! The database: its tables, and a transaction for each command.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kamea_session::{Answer, Answered, Command, Lifetimes, Loaded, SessionId, SessionKey};
use kamea_sqlite::{OpenError, Schema};
use rusqlite::{
    Connection, OptionalExtension, Result, Transaction, TransactionBehavior, named_params, params,
};

const SCHEMA: Schema = Schema {
    what: "sessions",
    version: 1,
    tables: TABLES,
};

const TABLES: &str = "
    CREATE TABLE session (
        key TEXT PRIMARY KEY NOT NULL, -- never leaves the server
        id BLOB UNIQUE NOT NULL,       -- the digest of the name that the client has
        user TEXT,
        created INTEGER NOT NULL,      -- milliseconds since 1970
        seen INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX session_user ON session (user) WHERE user IS NOT NULL;
    CREATE INDEX session_seen ON session (seen);
    CREATE TABLE value (
        key TEXT NOT NULL REFERENCES session ON DELETE CASCADE,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (key, name)
    ) WITHOUT ROWID;
    CREATE TABLE retired (
        id BLOB PRIMARY KEY NOT NULL,
        until INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX retired_until ON retired (until);
";

/// For how long an old name of a session is remembered.
const RETIRED: i64 = 60_000;

/// After how many new sessions those that have expired are deleted.
const SWEEP: u32 = 100;

/// An open database of sessions, which applies commands.
///
/// # Examples
///
/// ```
/// use std::time::SystemTime;
/// use kamea_session::{Answer, Command, Lifetimes};
/// use kamea_session_sqlite::Database;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("sessions.sqlite");
/// let mut database = Database::open(&path, Lifetimes::default())?;
/// let answered = database.apply(Command::Create, SystemTime::now())?;
/// assert!(matches!(answered.answer, Answer::Named { .. }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    /// In milliseconds.
    idle: i64,
    absolute: i64,
    /// How many sessions were created since the last sweep.
    created: u32,
}

impl Database {
    /// Opens a database, and makes its tables if they are missing.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(path: &Path, lifetimes: Lifetimes) -> std::result::Result<Self, OpenError> {
        let connection = SCHEMA.open(path)?;
        let references = connection.pragma_update(None, "foreign_keys", true);
        references.map_err(|error| OpenError::Database {
            what: SCHEMA.what,
            path: path.display().to_string(),
            error,
        })?;
        Ok(Self {
            connection,
            idle: milliseconds(lifetimes.idle),
            absolute: milliseconds(lifetimes.absolute),
            created: SWEEP,
        })
    }

    /// Applies a command, in a transaction of its own.
    ///
    /// # Errors
    ///
    /// If the database has failed; then nothing was changed.
    pub fn apply(&mut self, command: Command, now: SystemTime) -> Result<Answered> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = Moment {
            now: milliseconds(now),
            idle: self.idle,
            absolute: self.absolute,
        };
        let is_creation = command == Command::Create;
        let behavior = TransactionBehavior::Immediate;
        if let Command::Load { id, .. } = &command {
            // Most loads change nothing, so that several processes can load at once.
            let transaction = self.connection.transaction()?;
            let (answer, is_due) = load(&transaction, id, at)?;
            transaction.commit()?;
            if let (Answer::Loaded(Some(loaded)), true) = (&answer, is_due) {
                touch(&self.connection, &loaded.key, at)?;
            }
            return Ok(answer.into());
        }
        let transaction = self.connection.transaction_with_behavior(behavior)?;
        if is_creation {
            self.created += 1;
            if self.created >= SWEEP {
                self.created = 0;
                sweep(&transaction, at)?;
            }
        }
        let answer = change(&transaction, command, at)?;
        transaction.commit()?;
        Ok(answer.into())
    }
}

#[derive(Clone, Copy)]
struct Moment {
    now: i64,
    idle: i64,
    absolute: i64,
}

/// Loads a session; also whether its use must be noted.
fn load(transaction: &Transaction<'_>, id: &SessionId, at: Moment) -> Result<(Answer, bool)> {
    let digest = id.digest().0;
    let mut statement = transaction.prepare_cached(
        "SELECT key, user, seen FROM session
         WHERE id = :id AND :now - created < :absolute AND :now - seen < :idle",
    )?;
    let named = named_params! {
        ":id": digest, ":now": at.now, ":absolute": at.absolute, ":idle": at.idle,
    };
    let found = statement.query_row(named, |row| {
        Ok((row.get::<_, String>(0)?, row.get(1)?, row.get::<_, i64>(2)?))
    });
    let Some((key, user, seen)) = found.optional()? else {
        let mut statement =
            transaction.prepare_cached("SELECT 1 FROM retired WHERE id = ? AND until > ?")?;
        let answer = match statement.exists(params![digest, at.now])? {
            true => Answer::Retired,
            false => Answer::Loaded(None),
        };
        return Ok((answer, false));
    };
    let mut statement =
        transaction.prepare_cached("SELECT name, value FROM value WHERE key = ?")?;
    let values = statement.query_map([&key], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let values: BTreeMap<String, String> = values.collect::<Result<_>>()?;
    // Not at each use: that would be a write for each request.
    let is_due = at.now - seen >= at.idle / 50;
    let key = SessionKey::new(key);
    let loaded = Box::new(Loaded { key, values, user });
    Ok((Answer::Loaded(Some(loaded)), is_due))
}

fn touch(connection: &Connection, key: &SessionKey, at: Moment) -> Result<()> {
    let mut statement =
        connection.prepare_cached("UPDATE session SET seen = max(seen, ?) WHERE key = ?")?;
    statement.execute(params![at.now, key.as_str()])?;
    Ok(())
}

fn change(transaction: &Transaction<'_>, command: Command, at: Moment) -> Result<Answer> {
    match command {
        Command::Create => create(transaction, at),
        Command::EndAll { user } => {
            transaction.execute("DELETE FROM session WHERE user = ?", [user])?;
            Ok(Answer::Ended)
        }
        Command::End { key } => end(transaction, &key),
        Command::Set { key, name, value } => match is_live(transaction, &key, at)? {
            true => set(transaction, &key, &name, &value),
            false => end(transaction, &key),
        },
        Command::Replace {
            key,
            name,
            old,
            new,
        } => {
            if !is_live(transaction, &key, at)? {
                return end(transaction, &key);
            }
            let mut statement =
                transaction.prepare_cached("SELECT value FROM value WHERE key = ? AND name = ?")?;
            let found = statement.query_row(params![key.as_str(), name], |row| row.get(0));
            let present: Option<String> = found.optional()?;
            match present == old {
                true => set(transaction, &key, &name, &new),
                false => Ok(Answer::Differs(present)),
            }
        }
        Command::Remove { key, name } => {
            if !is_live(transaction, &key, at)? {
                return end(transaction, &key);
            }
            let mut statement =
                transaction.prepare_cached("DELETE FROM value WHERE key = ? AND name = ?")?;
            Ok(match statement.execute(params![key.as_str(), name])? {
                0 => Answer::Differs(None),
                _ => Answer::Applied,
            })
        }
        Command::Rotate { key, user } => match is_live(transaction, &key, at)? {
            true => rotate(transaction, key, user, at),
            false => end(transaction, &key),
        },
        other => unreachable!("{other:?} is no change that this version knows"),
    }
}

fn create(transaction: &Transaction<'_>, at: Moment) -> Result<Answer> {
    let (key, id) = (SessionKey::random(), SessionId::random());
    let mut statement = transaction
        .prepare_cached("INSERT INTO session (key, id, created, seen) VALUES (?1, ?2, ?3, ?3)")?;
    statement.execute(params![key.as_str(), id.digest().0, at.now])?;
    Ok(Answer::Named { key, id })
}

fn set(transaction: &Transaction<'_>, key: &SessionKey, name: &str, value: &str) -> Result<Answer> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO value (key, name, value) VALUES (?, ?, ?)
         ON CONFLICT (key, name) DO UPDATE SET value = excluded.value",
    )?;
    statement.execute(params![key.as_str(), name, value])?;
    Ok(Answer::Applied)
}

fn rotate(
    transaction: &Transaction<'_>,
    key: SessionKey,
    user: Option<String>,
    at: Moment,
) -> Result<Answer> {
    transaction.execute(
        "INSERT OR REPLACE INTO retired (id, until) SELECT id, ? FROM session WHERE key = ?",
        params![at.now + RETIRED, key.as_str()],
    )?;
    transaction.execute("DELETE FROM retired WHERE until <= ?", [at.now])?;
    let id = SessionId::random();
    transaction.execute(
        "UPDATE session SET id = ?, user = coalesce(?, user) WHERE key = ?",
        params![id.digest().0, user, key.as_str()],
    )?;
    Ok(Answer::Named { key, id })
}

fn end(transaction: &Transaction<'_>, key: &SessionKey) -> Result<Answer> {
    let mut statement = transaction.prepare_cached("DELETE FROM session WHERE key = ?")?;
    statement.execute([key.as_str()])?;
    Ok(Answer::Ended)
}

fn is_live(transaction: &Transaction<'_>, key: &SessionKey, at: Moment) -> Result<bool> {
    let mut statement = transaction.prepare_cached(
        "SELECT 1 FROM session
         WHERE key = :key AND :now - created < :absolute AND :now - seen < :idle",
    )?;
    statement.exists(named_params! {
        ":key": key.as_str(), ":now": at.now, ":absolute": at.absolute, ":idle": at.idle,
    })
}

/// Deletes what has expired.
fn sweep(transaction: &Transaction<'_>, at: Moment) -> Result<()> {
    transaction.execute(
        "DELETE FROM session WHERE seen <= ? OR created <= ?",
        [at.now - at.idle, at.now - at.absolute],
    )?;
    Ok(())
}

fn milliseconds(duration: Duration) -> i64 {
    // 292 million years.
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests;
