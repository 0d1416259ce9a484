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
    /// The maximum delay of bytes. Bytes in one direction keep their order; connections can
    /// overtake each other.
    pub latency: Duration,
    /// The probability that a read or a write is partial, from 0 to 1.
    pub fragmentation: f64,
    /// The limit for bytes of one direction that are on their way or unread.
    pub window: usize,
    /// The probability that the connection is lost, from 0 to 1: reset, or silent for ever.
    pub loss: f64,
    /// The latest time of the loss.
    pub lifetime: Duration,
}

impl Default for Conditions {
    /// A good connection: a delay up to 1 ms, no partial reads and writes, 64 KiB, never lost.
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
    /// Draws any conditions, good or bad, from the seed; but the connection is never lost.
    pub fn drawn() -> Self {
        // Over a connection that is both slow and narrow, requests would time out.
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

    /// Draws the same, but the connection is lost with a probability of one half.
    #[must_use]
    pub fn and_lost(self) -> Self {
        Self { loss: 0.5, ..self }
    }
}
