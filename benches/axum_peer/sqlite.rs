//! Sessions of tower-sessions in SQLite.
//!
//! The stores that exist for it link another version of SQLite than Kamea does, and a program can
//! have only one. So this one is written as `tower-sessions-rusqlite-store` is, except that it
//! prepares its statements once.

use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension};
use tokio::sync::oneshot;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

use crate::sessions::backend;

type Call = Box<dyn FnOnce(&Connection) + Send>;

/// Sessions in an SQLite database, on a thread of its own.
#[derive(Debug, Clone)]
pub(crate) struct Sqlite(mpsc::Sender<Call>);

impl Sqlite {
    /// The database is as safe, and as fast, as that of Kamea.
    pub(crate) fn open(connection: Connection) -> rusqlite::Result<Self> {
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute(
            "CREATE TABLE IF NOT EXISTS tower_sessions (
                id TEXT PRIMARY KEY NOT NULL, data BLOB NOT NULL, expiry_date INTEGER NOT NULL
            )",
            (),
        )?;
        let (calls, waiting) = mpsc::channel::<Call>();
        std::thread::spawn(move || waiting.iter().for_each(|call| call(&connection)));
        Ok(Self(calls))
    }

    async fn call<T: Send + 'static>(
        &self,
        does: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        let (told, answer) = oneshot::channel();
        let call = Box::new(move |connection: &Connection| drop(told.send(does(connection))));
        self.0.send(call).map_err(backend)?;
        answer.await.map_err(backend)?.map_err(backend)
    }
}

#[async_trait]
impl SessionStore for Sqlite {
    async fn create(&self, record: &mut Record) -> Result<()> {
        self.save(record).await
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let data = rmp_serde::to_vec(record).map_err(|error| Error::Encode(error.to_string()))?;
        let (id, expiry) = (record.id.to_string(), record.expiry_date.unix_timestamp());
        self.call(move |connection| {
            let mut statement = connection.prepare_cached(
                "INSERT INTO tower_sessions (id, data, expiry_date) VALUES (?, ?, ?)
                 ON CONFLICT (id) DO UPDATE
                 SET data = excluded.data, expiry_date = excluded.expiry_date",
            )?;
            statement.execute((id, data, expiry)).map(drop)
        })
        .await
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_err(backend)?;
        let (id, now) = (id.to_string(), now.as_secs().cast_signed());
        let found = self.call(move |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT data FROM tower_sessions WHERE id = ? AND expiry_date > ?",
            )?;
            let row = statement.query_row((id, now), |row| row.get::<_, Vec<u8>>(0));
            row.optional()
        });
        let Some(data) = found.await? else {
            return Ok(None);
        };
        let record = rmp_serde::from_slice(&data);
        record.map_err(|error| Error::Decode(error.to_string()))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let id = id.to_string();
        self.call(move |connection| {
            let deleted = connection.execute("DELETE FROM tower_sessions WHERE id = ?", [id]);
            deleted.map(drop)
        })
        .await
    }
}
