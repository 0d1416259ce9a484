//! Makes a summary from the measurements of the load generator's components.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use kamea_components::load::{self, ErrorClass, Measured};

use super::{Errors, Histograms, Latencies, Latency, MissedSchedule, Second, Settings, Summary};

/// Bins of a histogram for each factor of ten.
const BINS: f64 = 64.0;

impl Summary {
    /// The summary of the measurements, for this load. The caller adds how busy the client was.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_components::load::Measured;
    /// use kamea_tools::report::{Settings, Summary};
    ///
    /// let mut measured = Measured::new();
    /// measured.corrected.record(1 << 17)?;
    /// measured.statuses.insert(404, 1);
    /// let summary = Summary::new(Settings::default(), &measured);
    /// assert_eq!(summary.latency_us.corrected.min, 131.072);
    /// assert_eq!((summary.status["4xx"], summary.errors.status), (1, 1));
    /// # Ok::<(), hdrhistogram::RecordError>(())
    /// ```
    #[must_use]
    pub fn new(settings: Settings, measured: &Measured) -> Self {
        let classes = measured.status_classes();
        let wrong = classes.range(4..).map(|(_, count)| count).sum();
        let examples = measured.errors.examples.iter();
        Self {
            settings,
            requests: measured.requests,
            duration_s: measured.duration.as_secs_f64(),
            rate_per_s: measured.rate(),
            bytes: measured.bytes,
            latency_us: Latencies {
                raw: latency(&measured.raw),
                corrected: latency(&measured.corrected),
            },
            errors: errors(&measured.errors, wrong),
            error_examples: examples
                .map(|(class, why)| (class.to_string(), why.clone()))
                .collect(),
            status: classes
                .into_iter()
                .map(|(class, count)| (format!("{class}xx"), count))
                .collect(),
            missed_schedule: MissedSchedule {
                requests: measured.missed.requests,
                largest_us: microseconds(measured.missed.largest.as_nanos() as f64),
                held_up: measured.held_up,
            },
            client_busy: 0.0,
            series: measured.series.iter().enumerate().map(second).collect(),
            histogram_us: Histograms {
                raw: bins(&measured.raw),
                corrected: bins(&measured.corrected),
            },
        }
    }
}

/// Nanoseconds as microseconds, with all digits of the nanoseconds.
fn microseconds(nanoseconds: f64) -> f64 {
    nanoseconds.round() / 1e3
}

fn latency(histogram: &Histogram<u64>) -> Latency {
    if histogram.is_empty() {
        return Latency::default();
    }
    let quantile = |share| microseconds(histogram.value_at_quantile(share) as f64);
    Latency {
        min: microseconds(histogram.min() as f64),
        mean: microseconds(histogram.mean()),
        stdev: microseconds(histogram.stdev()),
        p50: quantile(0.5),
        p75: quantile(0.75),
        p90: quantile(0.9),
        p99: quantile(0.99),
        p99_9: quantile(0.999),
        max: microseconds(histogram.max() as f64),
    }
}

fn errors(errors: &load::Errors, status: u64) -> Errors {
    Errors {
        connect: errors.of(ErrorClass::Connect),
        read: errors.of(ErrorClass::Read),
        write: errors.of(ErrorClass::Write),
        time_out: errors.of(ErrorClass::TimeOut),
        protocol: errors.of(ErrorClass::Protocol),
        status,
    }
}

fn second((index, second): (usize, &load::Second)) -> Second {
    let latency = |nanoseconds: u64| microseconds(nanoseconds as f64);
    Second {
        t_s: index as f64,
        requests: second.requests,
        bytes: second.bytes,
        errors: second.errors,
        p50_us: latency(second.p50),
        p75_us: latency(second.p75),
        p90_us: latency(second.p90),
        p99_us: latency(second.p99),
        p99_9_us: latency(second.p99_9),
        max_us: latency(second.max),
    }
}

fn bins(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    let mut bins = BTreeMap::new();
    for step in histogram.iter_recorded() {
        let us = step.value_iterated_to() as f64 / 1e3;
        let bin = (BINS * us.log10()).ceil() as i32;
        *bins.entry(bin).or_insert(0) += step.count_since_last_iteration();
    }
    let edge = |bin: i32| (10_f64.powf(f64::from(bin) / BINS) * 1e3).round() / 1e3;
    bins.into_iter()
        .map(|(bin, count)| (edge(bin), count))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kamea_components::load::Failed;

    use super::*;

    fn measured() -> Measured {
        let mut measured = Measured::new();
        measured.duration = Duration::from_millis(1500);
        measured.requests = 1000;
        for count in 1..=1000 {
            measured.raw.record(1000 * count).unwrap();
            measured.corrected.record(2000 * count).unwrap();
        }
        measured
            .statuses
            .extend([(200, 900), (204, 70), (404, 20), (503, 10)]);
        for class in ErrorClass::ALL {
            measured.errors.add(Failed {
                class,
                why: format!("<{class}>"),
            });
        }
        measured.missed.requests = 7;
        measured.missed.largest = Duration::from_micros(1500);
        measured.held_up = 3;
        measured.series = vec![
            load::Second {
                requests: 600,
                errors: 5,
                bytes: 10,
                p50: 1500,
                ..load::Second::default()
            },
            load::Second {
                requests: 400,
                ..load::Second::default()
            },
        ];
        measured
    }

    #[test]
    fn figures_are_in_the_units_of_their_keys() {
        let summary = Summary::new(Settings::default(), &measured());
        assert_eq!((summary.requests, summary.duration_s), (1000, 1.5));
        assert!((summary.rate_per_s - 666.667).abs() < 0.001);
        let Latencies { raw, corrected } = summary.latency_us;
        // Three digits: within a thousandth.
        for (found, expected) in [
            (raw.min, 1.0),
            (raw.mean, 500.5),
            (raw.stdev, 288.675),
            (raw.p50, 500.0),
            (raw.p75, 750.0),
            (raw.p90, 900.0),
            (raw.p99, 990.0),
            (raw.p99_9, 999.0),
            (raw.max, 1000.0),
            (corrected.p50, 1000.0),
        ] {
            assert!(
                (found / expected - 1.0).abs() < 0.002,
                "{found}, {expected}"
            );
        }
        let errors = Errors {
            connect: 1,
            read: 1,
            write: 1,
            time_out: 1,
            protocol: 1,
            status: 30,
        };
        assert_eq!(summary.errors, errors);
        assert_eq!(summary.error_examples["time_out"], "<time_out>");
        let status = [("2xx", 970), ("4xx", 20), ("5xx", 10)]
            .map(|(class, count)| (class.to_owned(), count));
        assert_eq!(summary.status, BTreeMap::from(status));
        assert_eq!(
            summary.missed_schedule,
            MissedSchedule {
                requests: 7,
                largest_us: 1500.0,
                held_up: 3
            }
        );
        assert_eq!(
            (summary.series[1].t_s, summary.series[0].p50_us),
            (1.0, 1.5)
        );
        assert_eq!(summary.whole_seconds().count(), 1);
    }

    #[test]
    fn a_histogram_counts_every_response_once_and_below_its_edge() {
        let bins = Summary::new(Settings::default(), &measured())
            .histogram_us
            .raw;
        assert_eq!(bins.iter().map(|(_, count)| count).sum::<u64>(), 1000);
        assert!(bins.is_sorted_by(|one, other| one.0 < other.0 && other.0 / one.0 > 1.03));
        let (edge, _) = *bins.last().unwrap();
        assert!((1000.0..1040.0).contains(&edge), "{edge}");
    }

    #[test]
    fn nothing_measured_is_nothing_and_not_a_number() {
        let json = Summary::new(Settings::default(), &Measured::new()).to_json();
        assert_eq!(Summary::from_json(&json).unwrap(), Summary::default());
    }
}
