//! Components over plain messages. They know at most that a message is bytes.

mod batch;
mod buffer;
mod collate;
mod count_by;
mod counter;
mod data_source;
mod echo;
mod first_only;
mod framing;
mod lossy_connector;
mod measure_rate;
mod null_sink;
mod one_shot;
mod prompted_turnstile;
mod rate_limit;
mod tag_with_sequence_number;
#[cfg(test)]
mod testing;
mod ticker;
mod unreliable;
mod unseen_only;
mod zip;

use std::time::Duration;

pub use batch::batch;
pub(crate) use buffer::{poll_into_buffer, read_into_buffer};
pub use collate::{CollateError, collate};
pub use count_by::count_by;
pub use counter::counter;
pub use data_source::data_source;
pub use echo::echo;
pub use first_only::first_only;
pub(crate) use framing::LineSplitter;
pub use framing::chunkify;
pub use framing::{FrameError, frame};
pub use framing::{LONGEST_LINE, LineError, lines};
pub use framing::{unframe, unlines};
pub use lossy_connector::lossy_connector;
pub use measure_rate::measure_rate;
pub use null_sink::null_sink;
pub use one_shot::one_shot;
pub use prompted_turnstile::{TurnstilePorts, TurnstilePortsHandles, prompted_turnstile};
pub use rate_limit::rate_limit;
pub use tag_with_sequence_number::tag_with_sequence_number;
pub use ticker::ticker;
pub use unreliable::{Unreliability, unreliable};
pub use unseen_only::unseen_only;
pub use zip::{ZipPorts, ZipPortsHandles, zip};

/// The longest time that is distinguished from longer ones, more than a century: it can be added to
/// the current time.
const AGE: Duration = Duration::from_secs(u32::MAX as u64);
