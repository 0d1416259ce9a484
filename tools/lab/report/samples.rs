//! Every sample as a row of CSV (RFC 4180).
//!
//! The columns: `experiment`, `server`, `mode` (of spidey), `repetition` (from 1), `at_s` (when it
//! was taken, in seconds since 1970), `outcome` (`measured` or `failed`). Then the measured values:
//! `requests`, `duration_s`, `rate_per_s`, `bytes`, `errors`, and of the corrected latency in
//! microseconds `min_us`, `mean_us`, `stdev_us`, `p50_us`, `p75_us`, `p90_us`, `p99_us`,
//! `p99_9_us`, `max_us`. The last column is `failure`, the reason of a failure.

use kamea_tools::report::Latency;

use crate::experiment::Mode;
use crate::journal::{Outcome, Sample};

const HEAD: &str = "experiment,server,mode,repetition,at_s,outcome,requests,duration_s,rate_per_s,bytes,errors,min_us,mean_us,stdev_us,p50_us,p75_us,p90_us,p99_us,p99_9_us,max_us,failure\r\n";

/// The number of columns with measured values.
const MEASURED: usize = 14;

pub(super) fn csv(samples: &[Sample]) -> String {
    samples.iter().fold(HEAD.to_owned(), |mut text, sample| {
        text.push_str(&row(sample).join(","));
        text.push_str("\r\n");
        text
    })
}

fn row(sample: &Sample) -> Vec<String> {
    let cell = &sample.cell;
    let mut columns = vec![
        cell.experiment.name().to_owned(),
        quoted(&cell.contender.server.to_string()),
        cell.contender.mode.map_or("", Mode::name).to_owned(),
        cell.repetition.to_string(),
        sample.at_s.to_string(),
    ];
    match &sample.outcome {
        Outcome::Failed(reason) => {
            columns.push("failed".to_owned());
            columns.extend(vec![String::new(); MEASURED]);
            columns.push(quoted(reason));
        }
        Outcome::Measured(summary) => {
            let Latency {
                min,
                mean,
                stdev,
                p50,
                p75,
                p90,
                p99,
                p99_9,
                max,
            } = summary.latency_us.corrected;
            columns.push("measured".to_owned());
            columns.push(summary.requests.to_string());
            columns.extend([summary.duration_s, summary.rate_per_s].map(|value| value.to_string()));
            columns.extend([summary.bytes, summary.errors.total()].map(|value| value.to_string()));
            columns.extend(
                [min, mean, stdev, p50, p75, p90, p99, p99_9, max].map(|value| value.to_string()),
            );
            columns.push(String::new());
        }
    }
    columns
}

/// A text that may contain any character.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}
