//! What is made of a measurement: its summary, which is also its JSON, and what programs and people make of that.

mod summary;

pub use summary::{
    Errors, Histograms, Latencies, Latency, MissedSchedule, Second, Settings, Summary, SummaryError,
};
