//! Opens an SQLite database: a file for its user alone, and tables with a version.
//!
//! ```text
//!  path ─▶ protect (mode 0600) ─▶ open: WAL, busy timeout ─▶ make tables, check their version
//! ```

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, Result as Sql, TransactionBehavior};

/// How long another process may keep a database locked.
const BUSY: Duration = Duration::from_secs(5);

/// The tables of a database.
///
/// # Examples
///
/// ```
/// use kamea_sqlite::Schema;
///
/// const NOTES: Schema = Schema {
///     what: "notes",
///     version: 1,
///     tables: "CREATE TABLE note (text TEXT NOT NULL);",
/// };
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("notes.sqlite");
/// NOTES.open(&path)?.execute("INSERT INTO note VALUES ('hello')", [])?;
/// let count: i64 = NOTES.open(&path)?.query_row("SELECT count(*) FROM note", [], |row| row.get(0))?;
/// assert_eq!(count, 1);
///
/// let later = Schema { version: 2, ..NOTES };
/// assert!(later.open(&path).unwrap_err().to_string().contains("has version 1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Schema {
    /// What the database contains, for error messages: `sessions`.
    pub what: &'static str,
    /// The version of the tables. A database with another one is not opened.
    pub version: i64,
    /// The statements that make the tables.
    pub tables: &'static str,
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It cannot be read, or is no database.
    #[error("cannot open the database of {what} {path}: {error}")]
    Database {
        /// What it contains.
        what: &'static str,
        /// The path of the file.
        path: String,
        /// The reason.
        error: rusqlite::Error,
    },
    /// Another version of the program has written it.
    #[error(
        "the database of {what} {path} has version {version}; this program knows version {known}"
    )]
    Version {
        /// What it contains.
        what: &'static str,
        /// The path of the file.
        path: String,
        /// The version of the database.
        version: i64,
        /// The version of this program.
        known: i64,
    },
    /// The file cannot be made, or other users of the system could read it.
    #[error("cannot protect the database of {what} {path}: {error}")]
    Protect {
        /// What it contains.
        what: &'static str,
        /// The path of the file.
        path: String,
        /// The reason.
        error: io::Error,
    },
}

impl Schema {
    /// Opens a database, and makes the file and its tables if they are missing. Only the user of
    /// the process may read the file. A power failure may lose the last changes, and nothing else.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub fn open(&self, path: &Path) -> Result<Connection, OpenError> {
        let (what, shown) = (self.what, path.display().to_string());
        protect(path).map_err(|error| OpenError::Protect {
            what,
            path: shown.clone(),
            error,
        })?;
        let opened = || -> Sql<Connection> {
            let connection = Connection::open(path)?;
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            Ok(connection)
        };
        let connection = opened().map_err(|error| self.failed(&shown, error))?;
        self.prepare(connection, &shown)
    }

    /// Opens a database that is gone with its connection.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    ///
    /// # Examples
    ///
    /// ```
    /// let schema = kamea_sqlite::Schema { what: "notes", version: 1, tables: "" };
    /// assert!(schema.open_in_memory().is_ok());
    /// ```
    pub fn open_in_memory(&self) -> Result<Connection, OpenError> {
        self.open_uri(":memory:")
    }

    /// Opens a database that is no file: `file:NAME?mode=memory&cache=shared`.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    ///
    /// # Examples
    ///
    /// ```
    /// let schema = kamea_sqlite::Schema { what: "notes", version: 1, tables: "" };
    /// assert!(schema.open_uri("file:notes?mode=memory&cache=shared").is_ok());
    /// ```
    pub fn open_uri(&self, uri: &str) -> Result<Connection, OpenError> {
        let connection = Connection::open(uri).map_err(|error| self.failed(uri, error))?;
        self.prepare(connection, uri)
    }

    fn prepare(&self, mut connection: Connection, path: &str) -> Result<Connection, OpenError> {
        let version = self.make_tables(&mut connection);
        match version.map_err(|error| self.failed(path, error))? {
            version if version == self.version => Ok(connection),
            version => Err(OpenError::Version {
                what: self.what,
                path: path.to_owned(),
                version,
                known: self.version,
            }),
        }
    }

    /// Makes the tables if there are none, and returns their version.
    fn make_tables(&self, connection: &mut Connection) -> Sql<i64> {
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut version = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if version == 0 {
            transaction.execute_batch(self.tables)?;
            transaction.pragma_update(None, "user_version", self.version)?;
            version = self.version;
        }
        transaction.commit()?;
        Ok(version)
    }

    fn failed(&self, path: &str, error: rusqlite::Error) -> OpenError {
        OpenError::Database {
            what: self.what,
            path: path.to_owned(),
            error,
        }
    }
}

/// Makes the file for its user alone: SQLite would make it for everybody. The files that SQLite
/// makes beside it have the same mode.
fn protect(path: &Path) -> io::Result<()> {
    let made = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    drop(made);
    let mode = fs::metadata(path)?.permissions().mode();
    match mode & 0o077 {
        0 => Ok(()),
        _ => fs::set_permissions(path, fs::Permissions::from_mode(mode & !0o077)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

    use super::*;

    const NOTES: Schema = Schema {
        what: "notes",
        version: 3,
        tables: "CREATE TABLE note (text TEXT NOT NULL);",
    };

    #[test]
    fn nobody_else_may_read_the_files() {
        let folder = tempfile::tempdir().unwrap();
        let (new, old) = (folder.path().join("new"), folder.path().join("old"));
        fs::write(&old, "").unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o666)).unwrap();
        let connections = [&new, &old].map(|path| NOTES.open(path).unwrap());
        for connection in &connections {
            let insert = "INSERT INTO note VALUES ('x')";
            connection.execute(insert, []).unwrap();
        }
        let mut count = 0;
        for file in fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            let mode = file.metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{:?}", file.path());
            count += 1;
        }
        assert!(count >= 4, "the logs of the databases too: {count}");
    }

    #[test]
    fn what_cannot_be_opened_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(
            at("text"),
            "this is no database, and long enough to be one of SQLite",
        )
        .unwrap();
        NOTES.open(&at("later")).unwrap();
        let earlier = Schema {
            version: 2,
            ..NOTES
        };
        for (schema, name, expected) in [
            (NOTES, "text", "cannot open the database of notes"),
            (
                NOTES,
                "missing/file",
                "cannot protect the database of notes",
            ),
            (
                earlier,
                "later",
                "has version 3; this program knows version 2",
            ),
        ] {
            let why = schema.open(&at(name)).unwrap_err().to_string();
            assert!(why.contains(expected) && why.contains(name), "{why}");
        }
    }
}
