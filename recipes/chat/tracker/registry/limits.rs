//! The limits of a registry, and the moment of a question.

use std::time::{Duration, Instant, SystemTime};

/// The limits of a registry.
///
/// # Examples
///
/// ```
/// use kamea_chat_recipes::tracker::Limits;
///
/// let limits = Limits { names_by_network: 100, ..Limits::default() };
/// assert_eq!(limits.lease.as_secs(), 30);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long a heartbeat lasts.
    pub lease: Duration,
    /// How many names one address may claim; for IPv6, one block of 64 bits.
    pub names_by_network: usize,
    /// How many names there may be.
    pub names: usize,
    /// How many lists of channels a peer may be on.
    pub channels: usize,
    /// A name is free again when its peer has not been present for this long.
    pub kept: Duration,
}

impl Default for Limits {
    /// 30 seconds, 20 names by address, 10,000 names, 32 channels, 30 days.
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            names_by_network: 20,
            names: 10_000,
            channels: 32,
            kept: Duration::from_secs(30 * 24 * 3600),
        }
    }
}

/// The moment of a question: for leases, and for what is stored.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The time of this run.
    pub now: Instant,
    /// The date.
    pub date: SystemTime,
}
