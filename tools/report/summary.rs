//! The summary of one run of the load generator: the format of `thor --json`, and the source of
//! every chart, comparison and threshold.
//!
//! Times in keys that end in `_us` are in microseconds, in `_s` in seconds. Rates are per second. A
//! key is never renamed, and its meaning never changes. New keys may be added. So a reader ignores
//! unknown keys, and accepts a summary from an older version, without values for the missing keys.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The results of one run.
///
/// # Examples
///
/// ```
/// use kamea_tools::report::Summary;
///
/// let mut summary = Summary { requests: 3, duration_s: 1.5, rate_per_s: 2.0, ..Summary::default() };
/// summary.latency_us.corrected.p99_9 = 420.0;
/// let json = summary.to_json();
/// assert!(json.contains("\"rate_per_s\": 2.0") && json.contains("\"p99_9\": 420.0"));
/// assert_eq!(Summary::from_json(&json)?, summary);
/// # Ok::<(), kamea_tools::report::SummaryError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The settings: who measured, what, and how.
    #[serde(flatten)]
    pub settings: Settings,
    /// Complete responses, of any status.
    pub requests: u64,
    /// The measured time, in seconds.
    pub duration_s: f64,
    /// Complete responses per second.
    pub rate_per_s: f64,
    /// Received bytes, heads and bodies.
    pub bytes: u64,
    /// Latency of the complete responses, in microseconds.
    pub latency_us: Latencies,
    /// Errors, by class.
    pub errors: Errors,
    /// The first error of each class, also of statuses. Classes without errors are absent.
    #[serde(default)]
    pub error_examples: BTreeMap<String, String>,
    /// The number of responses by class of status: `1xx` (without interim ones), `2xx`, `3xx`,
    /// `4xx`, `5xx`. Classes without responses are absent.
    #[serde(default)]
    pub status: BTreeMap<String, u64>,
    /// How far the load generator itself was behind its schedule.
    pub missed_schedule: MissedSchedule,
    /// The share of its threads' time in which the load generator has computed, from 0 to 1. Near
    /// 1, the measurement shows the load generator.
    #[serde(default)]
    pub client_busy: f64,
    /// The run second by second.
    #[serde(default)]
    pub series: Vec<Second>,
    /// The distribution of latencies.
    #[serde(default)]
    pub histogram_us: Histograms,
}

/// The settings of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The version of the load generator.
    pub thor: String,
    /// The URLs, in the given order.
    pub urls: Vec<String>,
    /// The number of concurrent connections.
    pub connections: u64,
    /// The threads of the load generator.
    pub threads: u64,
    /// Requests per second of the schedule (open loop). `None` if each request waits for the
    /// previous response (closed loop).
    pub rate_asked_per_s: Option<f64>,
}

/// The two kinds of latency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latencies {
    /// From the moment at which a request was sent to the end of its response.
    pub raw: Latency,
    /// From the moment at which a request was planned to be sent to the end of its response. This
    /// is the waiting time of a user who does not know that the server, or a connection, is busy.
    pub corrected: Latency,
}

/// A distribution in a few figures, all in microseconds. All are zero if nothing was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latency {
    /// The minimum.
    pub min: f64,
    /// The arithmetic mean.
    pub mean: f64,
    /// The standard deviation.
    pub stdev: f64,
    /// The median: half of the responses came within this time.
    pub p50: f64,
    /// Three quarters of the responses came within this time.
    pub p75: f64,
    /// Nine in ten responses came within this time.
    pub p90: f64,
    /// 99 in 100 responses came within this time.
    pub p99: f64,
    /// 999 in 1,000 responses came within this time.
    pub p99_9: f64,
    /// The maximum.
    pub max: f64,
}

/// Failed requests, by reason. Each is counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Errors {
    /// A connection could not be made.
    pub connect: u64,
    /// A connection broke, or ended, before the response was complete.
    pub read: u64,
    /// A request could not be sent.
    pub write: u64,
    /// The response did not come in time.
    pub time_out: u64,
    /// The response was not HTTP, or its length was wrong.
    pub protocol: u64,
    /// The response was complete, and its status was 400 or more. The `requests` include these.
    pub status: u64,
}

/// How far the load generator itself was behind, although connections were free. The server is not
/// the cause of this delay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MissedSchedule {
    /// Requests that were sent more than 1 ms late, or never, although their connection was free.
    pub requests: u64,
    /// The largest delay, in microseconds.
    pub largest_us: f64,
    /// Requests that were not sent because their connections still waited for responses at the end
    /// of the run. The server is the cause, and no latency shows it.
    pub held_up: u64,
}

/// One second of a run. Latencies are corrected, of the responses that came in that second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Second {
    /// When it began, in seconds from the beginning of the run.
    pub t_s: f64,
    /// Complete responses.
    pub requests: u64,
    /// Received bytes.
    pub bytes: u64,
    /// Requests without a complete response.
    pub errors: u64,
    /// The median, in microseconds.
    pub p50_us: f64,
    /// The 75th percentile, in microseconds.
    pub p75_us: f64,
    /// The 90th percentile, in microseconds.
    pub p90_us: f64,
    /// The 99th percentile, in microseconds.
    pub p99_us: f64,
    /// The 99.9th percentile, in microseconds.
    pub p99_9_us: f64,
    /// The maximum, in microseconds.
    pub max_us: f64,
}

/// Histograms of the two kinds of latency: pairs of an upper edge in microseconds, and the number
/// of responses up to this edge and above the previous edge. Edges are 10^(k/64), so that a bin is
/// 3.7 % wide. Empty bins are left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Histograms {
    /// Of [`Latencies::raw`].
    pub raw: Vec<(f64, u64)>,
    /// Of [`Latencies::corrected`].
    pub corrected: Vec<(f64, u64)>,
}

/// An invalid summary: the text is not JSON, or a key has a value of another kind.
#[derive(Debug)]
pub struct SummaryError(serde_json::Error);

impl std::fmt::Display for SummaryError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no summary of thor --json: {}", self.0)
    }
}

impl std::error::Error for SummaryError {}

impl Summary {
    /// Returns it as JSON, with a line for each second.
    #[must_use]
    pub fn to_json(&self) -> String {
        super::json::write(self)
    }

    /// Reads the output of [`Summary::to_json`].
    ///
    /// # Errors
    ///
    /// If the text is not JSON, or not a summary.
    pub fn from_json(json: &str) -> Result<Self, SummaryError> {
        serde_json::from_str(json).map_err(SummaryError)
    }

    /// The seconds that were measured from their beginning to their end.
    pub fn whole_seconds(&self) -> impl Iterator<Item = &Second> {
        // The clock of the last one may be slightly off.
        self.series
            .iter()
            .filter(|second| second.t_s + 1.0 <= self.duration_s + 0.05)
    }
}

impl Errors {
    /// Requests without a complete response.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.connect + self.read + self.write + self.time_out + self.protocol
    }

    /// All of them, including responses of status 400 or more.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.failed() + self.status
    }

    /// Each class with its key.
    #[must_use]
    pub fn classes(&self) -> [(&'static str, u64); 6] {
        [
            ("connect", self.connect),
            ("read", self.read),
            ("write", self.write),
            ("time_out", self.time_out),
            ("protocol", self.protocol),
            ("status", self.status),
        ]
    }
}
