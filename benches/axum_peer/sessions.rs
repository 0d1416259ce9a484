//! Sessions of tower-sessions, around the application.

use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use kamea_benches::store::Store;
use rusqlite::Connection;
use tower_sessions::session_store::Error;
use tower_sessions::{MemoryStore, Session, SessionManagerLayer, SessionStore};

use crate::redis::Redis;
use crate::sqlite::Sqlite;

/// What a store fails with.
pub(crate) fn backend(error: impl ToString) -> Error {
    Error::Backend(error.to_string())
}

async fn begin(session: Session) -> std::result::Result<StatusCode, StatusCode> {
    let begun = session.insert("name", "ada").await;
    begun.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(StatusCode::NO_CONTENT)
}

async fn read(session: Session) -> std::result::Result<String, StatusCode> {
    let name = session.get::<String>("name").await;
    name.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?
        .ok_or(StatusCode::NOT_FOUND)
}

/// Each request sets another value.
async fn write(session: Session) -> std::result::Result<String, StatusCode> {
    static VISITS: AtomicU64 = AtomicU64::new(0);
    let visit = VISITS.fetch_add(1, Ordering::Relaxed);
    let set = session.insert("visit", visit).await;
    set.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(visit.to_string())
}

/// The application with the routes of sessions, and sessions around it.
pub(crate) async fn around(
    app: Router,
    store: Store,
) -> std::result::Result<Router, Box<dyn std::error::Error>> {
    let app = app
        .route("/begin", get(begin))
        .route("/session", get(read))
        .route("/visit", get(write));
    fn layer<S: SessionStore>(store: S) -> SessionManagerLayer<S> {
        SessionManagerLayer::new(store).with_secure(false)
    }
    Ok(match store {
        Store::Signed => return Err("there are no signed sessions here".into()),
        Store::Memory => app.layer(layer(MemoryStore::default())),
        Store::Sqlite(path) => app.layer(layer(Sqlite::open(Connection::open(path)?)?)),
        Store::Redis(address) => app.layer(layer(Redis::connect(address).await?)),
    })
}
