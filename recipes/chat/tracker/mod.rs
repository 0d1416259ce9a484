//! The tracker: peers register their addresses with it, and ask it for those of others. It never
//! sees a message.
//!
//! ```text
//!                           ┌──────────┐          ┌────────────────┐
//!   requests ─▶ WeApRous ──▶│ registry │─changes─▶│ keep_in_sqlite │  a thread of its own
//!    (sessions around it)   └──────────┘          └────────────────┘
//!                 a name belongs to a key;        names, keys, addresses, lists
//!                 who is present, until when
//! ```
//!
//! - [`PeerName`], [`PeerKey`]: what identifies a peer.
//! - [`Challenges`]: the proof that a peer has its key.
//! - [`Registry`]: who may do what, without a clock, a socket or a file.
//! - [`keep_registry`]: the registry as a component. [`keep_in_sqlite`]: its memory.
//! - [`draw_network`]: the peers and their connections, for an inspector.
//! - [`TrackerOptions::app`]: the paths of the assignment.

mod answers;
mod app;
mod bodies;
mod challenge;
mod channel_name;
mod draw;
mod keep;
mod questions;
mod registry;
mod sqlite;

pub use app::TrackerOptions;
pub use challenge::{ChallengeError, Challenges, login_text};
pub use channel_name::{ChannelName, ChannelNameError};
pub use draw::draw_network;
pub use kamea_chat::{PeerKey, PeerName};
pub use kamea_sqlite::OpenError;
pub use keep::{Change, Registration, keep_registry};
pub use questions::{Answer, ListChange, Question, Refusal};
pub use registry::{Limits, Moment, Registry};
pub use sqlite::{keep_in_sqlite, load_registrations};
