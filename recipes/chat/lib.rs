//! The hybrid chat: a tracker, where peers find each other, and peers, which speak to each other
//! without it.
//!
//! ```text
//!   peer ──(HTTP: log in, heartbeat, list)──▶ tracker ◀── peer
//!     └──────────────(messages, never by the tracker)───────┘
//! ```

pub mod peer;
pub mod terminal;
pub mod tracker;
