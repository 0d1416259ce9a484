//! What is made of a measurement: its summary, which is also its JSON, and what programs and people make of that.

mod figure;
mod machine;
mod statistics;
mod summary;
mod threshold;

pub use figure::{Figure, Time};
pub use machine::Machine;
pub use statistics::{CONFIDENCE, Interval, Spread};
pub use summary::{
    Errors, Histograms, Latencies, Latency, MissedSchedule, Second, Settings, Summary, SummaryError,
};
pub use threshold::{Threshold, ThresholdError};
