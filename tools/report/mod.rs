//! The products of a measurement: its summary, which is also its JSON, and the reports for programs
//! and people.

mod chart;
mod compare;
mod csv;
mod figure;
mod json;
mod machine;
mod measured;
mod options;
mod page;
mod statistics;
mod summary;
mod threshold;

pub use chart::{Bar, Panel, are_far_apart, bars, panel, panels};
pub use compare::{Comparison, Difference, LEAST, Verdict};
pub use csv::csv;
pub use figure::{Figure, Time};
pub use machine::Machine;
pub use options::{ReportOptions, Reporting};
pub use page::page;
pub use statistics::{CONFIDENCE, Interval, Spread};
pub use summary::{
    Errors, Histograms, Latencies, Latency, MissedSchedule, Second, Settings, Summary, SummaryError,
};
pub use threshold::{Threshold, ThresholdError};
