//! Sessions in Redis: for several machines. Made of two components: the store speaks RESP, and
//! `dial` opens the connection whenever it is needed.
//!
//! ```text
//!  calls ──▶ ┌─────────────┐ ──outgoing─▶ ┌──────┐
//!            │ speak_redis │              │ dial │ ◀─▶ Redis
//!            └─────────────┘ ◀──events─── └──────┘
//! ```
//!
//! Each command is one script, which Redis runs as a whole, so that the commands of several
//! machines are applied one by one. Commands are pipelined: a slow answer delays no other
//! question.

mod answers;
mod exchange;
mod scripts;
mod speak;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use kamea::{Composite, Graph, SinkHandles};
use kamea_components::net::dial;
use kamea_session::{Lifetimes, StorePorts};

pub use speak::{RedisPorts, RedisPortsHandles, speak_redis};

/// How sessions are kept in Redis.
#[derive(Debug, Clone)]
pub struct RedisOptions {
    /// How long sessions live.
    pub lifetimes: Lifetimes,
    /// The keys of the database begin with this. Default: `kamea:`.
    pub prefix: String,
    /// The password of Redis.
    pub password: Option<String>,
    /// How long an answer may take. After that the connection is given up. Default: 5 seconds.
    pub patience: Duration,
}

impl Default for RedisOptions {
    fn default() -> Self {
        Self {
            lifetimes: Lifetimes::default(),
            prefix: "kamea:".to_owned(),
            password: None,
            patience: Duration::from_secs(5),
        }
    }
}

/// How many commands may be under way.
const UNDER_WAY: usize = 256;

/// Keeps sessions in Redis, version 5 or later, at one of these addresses of one server (no
/// cluster).
///
/// While Redis is not there, commands fail; it is called again for the next ones. A command whose
/// connection has ended before its answer fails too, although it may have been applied.
///
/// # Examples
///
/// ```
/// use kamea::Graph;
/// use kamea_session::{SessionOptions, Sessions};
/// use kamea_session_redis::{RedisOptions, keep_in_redis};
///
/// let mut graph = Graph::new("sessions");
/// let store = keep_in_redis(["127.0.0.1:6379".parse()?], RedisOptions::default());
/// let sessions = Sessions::add(&mut graph, store, SessionOptions::default());
/// # let _ = sessions;
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
///
/// # Panics
///
/// If there is no address.
pub fn keep_in_redis(
    addresses: impl Into<Arc<[SocketAddr]>>,
    options: RedisOptions,
) -> Composite<StorePorts> {
    let mut graph = Graph::new("redis");
    let patience = options.patience;
    let speak = graph.add("store", speak_redis(options));
    let dial = graph.add("dial", dial(addresses, patience));
    // Space for everything under way, so that neither waits for the other.
    graph
        .link(speak.outgoing, dial.outgoing)
        .capacity(2 * UNDER_WAY);
    graph.link(speak.hang_ups, dial.hang_ups);
    graph.feedback(dial.events, speak.events);
    graph.expose(SinkHandles { inbox: speak.calls })
}
