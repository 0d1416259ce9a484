//! How good or bad a simulated connection is.

use std::time::Duration;

use kamea::random;

/// How a connection of a simulated [`Network`](super::Network) behaves.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kamea_components::simulated::Conditions;
///
/// let modem = Conditions { latency: Duration::from_millis(300), window: 512, ..Conditions::default() };
/// assert_eq!(modem.loss, 0.0);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Conditions {
    /// How long bytes are on their way at the most. Those of one direction keep their order; connections overtake each other.
    pub latency: Duration,
    /// How likely it is that a read or a write moves only a part of what it could, from 0 to 1.
    pub fragmentation: f64,
    /// How many bytes of one direction may be on their way or unread.
    pub window: usize,
    /// How likely it is that the connection is lost, from 0 to 1: reset, or silent for ever.
    pub loss: f64,
    /// By when it is lost, if it is.
    pub lifetime: Duration,
}

impl Default for Conditions {
    /// A good connection: up to 1 ms, whole reads and writes, 64 KiB, never lost.
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(1),
            fragmentation: 0.0,
            window: 64 * 1024,
            loss: 0.0,
            lifetime: Duration::from_secs(10),
        }
    }
}

impl Conditions {
    /// Any conditions, good or bad, drawn from the seed; but the connection is not lost.
    pub fn drawn() -> Self {
        // Over a connection that is both slow and narrow no request would come in time.
        let (latency, window) = match random::usize(..40) {
            0 => (1_000, 1),
            _ => (
                [0, 100, 10_000, 500_000][random::usize(..4)],
                [64, 1024, 64 * 1024][random::usize(..3)],
            ),
        };
        Self {
            latency: Duration::from_micros(latency),
            window,
            fragmentation: [0.0, 0.5, 1.0][random::usize(..3)],
            ..Self::default()
        }
    }

    /// The same, but the connection may be lost, as likely as not.
    #[must_use]
    pub fn and_lost(self) -> Self {
        Self { loss: 0.5, ..self }
    }
}
