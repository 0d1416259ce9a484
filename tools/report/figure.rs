//! The figures of a summary that can be compared and limited: their names, their units, and which
//! direction is better.

use std::fmt;

use super::{Latency, Second, Summary};

/// A figure of a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Responses per second.
    Rate,
    /// The arithmetic mean of the latency.
    Mean,
    /// The median of the latency.
    P50,
    /// The 75th percentile of the latency.
    P75,
    /// The 90th percentile of the latency.
    P90,
    /// The 99th percentile of the latency.
    P99,
    /// The 99.9th percentile of the latency.
    P99_9,
    /// The largest latency.
    Max,
    /// Requests that failed, and responses of status 400 or more.
    Errors,
}

impl Figure {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::P50,
        Self::P75,
        Self::P90,
        Self::P99,
        Self::P99_9,
        Self::Max,
        Self::Mean,
        Self::Rate,
        Self::Errors,
    ];

    /// Those that exist for each second.
    pub const OF_SECONDS: [Self; 6] = [
        Self::Rate,
        Self::P50,
        Self::P75,
        Self::P90,
        Self::P99,
        Self::P99_9,
    ];

    /// Its name.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_tools::report::Figure;
    ///
    /// assert_eq!(Figure::P99_9.name(), "p99.9");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P75 => "p75",
            Self::P90 => "p90",
            Self::P99 => "p99",
            Self::P99_9 => "p99.9",
            Self::Max => "max",
            Self::Errors => "errors",
        }
    }

    /// Whether it is a time, in microseconds.
    #[must_use]
    pub fn is_latency(self) -> bool {
        !matches!(self, Self::Rate | Self::Errors)
    }

    /// Its value in a summary, of the raw latency or of the corrected one.
    #[must_use]
    pub fn of(self, summary: &Summary, raw: bool) -> f64 {
        let Latency {
            mean,
            p50,
            p75,
            p90,
            p99,
            p99_9,
            max,
            ..
        } = if raw {
            summary.latency_us.raw
        } else {
            summary.latency_us.corrected
        };
        match self {
            Self::Rate => summary.rate_per_s,
            Self::Mean => mean,
            Self::P50 => p50,
            Self::P75 => p75,
            Self::P90 => p90,
            Self::P99 => p99,
            Self::P99_9 => p99_9,
            Self::Max => max,
            Self::Errors => summary.errors.total() as f64,
        }
    }

    /// Its value in one second of a run, if there is one: a second without a response has no
    /// latency.
    #[must_use]
    pub fn of_second(self, second: &Second) -> Option<f64> {
        let latency = |value| (second.requests > 0).then_some(value);
        match self {
            Self::Rate => Some(second.requests as f64),
            Self::P50 => latency(second.p50_us),
            Self::P75 => latency(second.p75_us),
            Self::P90 => latency(second.p90_us),
            Self::P99 => latency(second.p99_us),
            Self::P99_9 => latency(second.p99_9_us),
            Self::Max => latency(second.max_us),
            Self::Mean => None,
            Self::Errors => Some(second.errors as f64),
        }
    }

    /// A value of it with its unit, for people.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_tools::report::Figure;
    ///
    /// assert_eq!(Figure::P99.show(1234.0), "1.23 ms");
    /// assert_eq!(Figure::Rate.show(71234.6), "71235 /s");
    /// ```
    #[must_use]
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Rate if value < 100.0 => format!("{value:.2} /s"),
            Self::Rate => format!("{value:.0} /s"),
            Self::Errors => format!("{value:.0}"),
            _ => Time(value).to_string(),
        }
    }
}

/// A time in microseconds, shown in the unit that fits, with three digits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Time(pub f64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (value, unit) = match self.0 {
            us if us < 999.5 => (us, "µs"),
            us if us < 999_500.0 => (us / 1e3, "ms"),
            us => (us / 1e6, "s"),
        };
        let digits = match value {
            value if value < 9.995 => 2,
            value if value < 99.95 => 1,
            _ => 0,
        };
        f.pad(&format!("{value:.digits$} {unit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_the_unit_that_fits() {
        for (us, text) in [
            (0.0, "0.00 µs"),
            (7.25, "7.25 µs"),
            (999.0, "999 µs"),
            (999.9, "1.00 ms"),
            (12_345.0, "12.3 ms"),
            (123_456.0, "123 ms"),
            (999_999.0, "1.00 s"),
            (61_000_000.0, "61.0 s"),
        ] {
            assert_eq!(Time(us).to_string(), text, "{us}");
        }
    }
}
