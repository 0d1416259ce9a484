//! A run as a table, for spreadsheets and scripts.

use std::fmt::Write as _;

use super::Summary;

/// Returns a run as CSV (RFC 4180), with a head line, a row for each second, complete or not, and a
/// point for the decimals.
///
/// The columns: `t_s`, when the second began, in seconds; `requests`, complete responses; `bytes`,
/// received bytes; `errors`, failed requests; then `p50_us`, `p75_us`, `p90_us`, `p99_us`,
/// `p99_9_us`, `max_us`, corrected latency in microseconds. The latency columns are empty if no
/// response came.
///
/// # Examples
///
/// ```
/// use kamea_tools::report::{Second, Summary, csv};
///
/// let second = Second { requests: 2, bytes: 300, p50_us: 81.5, ..Second::default() };
/// let text = csv(&Summary { series: vec![second, Second { t_s: 1.0, ..Second::default() }], ..Summary::default() });
/// assert_eq!(
///     text.split("\r\n").collect::<Vec<_>>(),
///     ["t_s,requests,bytes,errors,p50_us,p75_us,p90_us,p99_us,p99_9_us,max_us", "0,2,300,0,81.5,0,0,0,0,0", "1,0,0,0,,,,,,", ""]
/// );
/// ```
#[must_use]
pub fn csv(run: &Summary) -> String {
    let mut text =
        "t_s,requests,bytes,errors,p50_us,p75_us,p90_us,p99_us,p99_9_us,max_us\r\n".to_owned();
    for second in &run.series {
        let counts = [second.requests, second.bytes, second.errors];
        let latencies = [
            second.p50_us,
            second.p75_us,
            second.p90_us,
            second.p99_us,
            second.p99_9_us,
            second.max_us,
        ];
        let _ = write!(text, "{}", second.t_s);
        for count in counts {
            let _ = write!(text, ",{count}");
        }
        for latency in latencies {
            let latency = (second.requests > 0).then(|| latency.to_string());
            let _ = write!(text, ",{}", latency.unwrap_or_default());
        }
        text.push_str("\r\n");
    }
    text
}
