//! The registrations in an SQLite database: names stay with their keys over a restart.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kamea::{Blocking, Call, Done, Sink, blocking};
use kamea_sqlite::{OpenError, Schema};
use rusqlite::{Connection, Row, TransactionBehavior, params};
use serde::de::DeserializeOwned;

use super::keep::to_json;
use super::{Change, Registration};

const SCHEMA: Schema = Schema {
    what: "registrations",
    version: 1,
    tables: TABLE,
};

const TABLE: &str = "
    CREATE TABLE peer (
        name TEXT PRIMARY KEY NOT NULL,
        key TEXT NOT NULL,
        network TEXT NOT NULL,
        addresses TEXT NOT NULL, -- JSON; empty while the peer is away
        listed INTEGER NOT NULL,
        channels TEXT NOT NULL,  -- JSON
        seen INTEGER NOT NULL    -- seconds since 1970
    ) WITHOUT ROWID;
";

/// The ports of [`keep_in_sqlite`]: changes in, and whether they are stored.
type StorePorts = Sink<Call<Vec<Change>, bool>>;

/// Opens a database, makes its table if it is missing, and returns it with its registrations.
///
/// # Errors
///
/// [`OpenError`].
pub fn load_registrations(path: &Path) -> Result<(Connection, Vec<Registration>), OpenError> {
    let connection = SCHEMA.open(path)?;
    let registrations = load(&connection).map_err(|error| OpenError::Database {
        what: SCHEMA.what,
        path: path.display().to_string(),
        error,
    })?;
    Ok((connection, registrations))
}

fn load(connection: &Connection) -> rusqlite::Result<Vec<Registration>> {
    let columns = "name, key, network, addresses, listed, channels, seen";
    let mut statement = connection.prepare(&format!("SELECT {columns} FROM peer"))?;
    let rows = statement.query_map([], |row| {
        Ok(Registration {
            name: parsed(row, 0, |text| text.parse().ok())?,
            key: parsed(row, 1, |text| text.parse().ok())?,
            network: parsed(row, 2, |text| text.parse().ok())?,
            addresses: parsed(row, 3, from_json)?,
            is_listed: row.get(4)?,
            channels: parsed(row, 5, from_json)?,
            seen: UNIX_EPOCH + Duration::from_secs(row.get::<_, i64>(6)?.unsigned_abs()),
        })
    })?;
    rows.collect()
}

/// The value of a column of text. A text that nobody has written is an error of the database.
fn parsed<T>(row: &Row<'_>, column: usize, read: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    let name = row.as_ref().column_name(column)?;
    read(&text).ok_or_else(|| {
        let (name, kind) = (name.to_owned(), rusqlite::types::Type::Text);
        rusqlite::Error::InvalidColumnType(column, name, kind)
    })
}

fn from_json<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_str(text).ok()
}

/// Stores changes, those of one call in one transaction. Answers whether they are stored.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_chat_recipes::tracker::{Change, keep_in_sqlite, load_registrations};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("tracker.sqlite");
/// let (database, registrations) = load_registrations(&path)?;
/// assert!(registrations.is_empty());
/// let mut graph = Graph::new("store");
/// let store = graph.ask("store", keep_in_sqlite(database));
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
/// let changes = vec![Change::Forget("ada".parse()?)];
/// assert!(kamea::testing::block_on(store.ask(changes))?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn keep_in_sqlite(
    mut database: Connection,
) -> Blocking<impl FnMut(&mut StorePorts) -> Done + Send> {
    blocking(move |io: &mut StorePorts| {
        while let Some(Call { request, reply }) = io.inbox.next_blocking() {
            let stored = store(&mut database, request);
            let stored = stored.inspect_err(|error| log::error!("the registrations: {error}"));
            reply.send(stored.is_ok());
        }
        Ok(())
    })
}

fn store(database: &mut Connection, changes: Vec<Change>) -> rusqlite::Result<()> {
    let transaction = database.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for change in changes {
        match change {
            Change::Save(peer) => {
                let sql = "INSERT OR REPLACE INTO peer VALUES (?, ?, ?, ?, ?, ?, ?)";
                transaction.prepare_cached(sql)?.execute(params![
                    peer.name.as_str(),
                    peer.key.to_string(),
                    peer.network.to_string(),
                    text(&peer.addresses),
                    peer.is_listed,
                    text(&peer.channels),
                    seconds(peer.seen),
                ])?;
            }
            Change::Forget(name) => {
                let sql = "DELETE FROM peer WHERE name = ?";
                transaction.prepare_cached(sql)?.execute([name.as_str()])?;
            }
        }
    }
    transaction.commit()
}

fn text(value: &impl serde::Serialize) -> String {
    String::from_utf8_lossy(&to_json(value)).into_owned()
}

fn seconds(date: SystemTime) -> i64 {
    let seconds = date
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
