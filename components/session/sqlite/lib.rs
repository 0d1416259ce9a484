//! Sessions in an SQLite database: for one machine, with any number of processes. They survive a
//! restart.
//!
//! ```text
//!  calls ──▶ ┌────────────────┐
//!            │ keep_in_sqlite │   a thread of its own; each command is one transaction
//!            └────────────────┘
//! ```

mod database;

use std::fmt;
use std::path::Path;

use kamea::{Blocking, Call, Done, blocking, time::wall_clock};
use kamea_session::{Lifetimes, StoreError, StorePorts};

pub use database::Database;
pub use kamea_sqlite::OpenError;

/// Keeps sessions in an SQLite database, which is made if it is not there; only the user of the
/// process may read it. The database holds digests of the sessions' names: somebody who reads it
/// cannot take over a session.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_session::{Lifetimes, SessionOptions, Sessions};
/// use kamea_session_sqlite::keep_in_sqlite;
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("sessions.sqlite");
/// let store = keep_in_sqlite(&path, Lifetimes::default())?;
/// let mut graph = Graph::new("sessions");
/// let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
/// kamea::testing::block_on(sessions.end_all("ada"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`OpenError`].
pub fn keep_in_sqlite(
    path: &Path,
    lifetimes: Lifetimes,
) -> Result<Blocking<impl FnMut(&mut StorePorts) -> Done + Send + use<>>, OpenError> {
    let mut database = Database::open(path, lifetimes)?;
    Ok(blocking(move |io: &mut StorePorts| {
        while let Some(Call { request, reply }) = io.inbox.next_blocking() {
            let answered = database.apply(request, wall_clock());
            reply.send(answered.map_err(unavailable));
        }
        Ok(())
    }))
}

fn unavailable(error: impl fmt::Display) -> StoreError {
    log::error!("the database of sessions: {error}");
    StoreError::Unavailable(error.to_string())
}
