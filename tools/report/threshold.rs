//! Thresholds: the conditions on a run, as a text such as `p99>50ms`.
//!
//! A text describes when the run has failed. It is a figure, `<`, `<=`, `>` or `>=`, a number, and
//! a unit:
//!
//! ```text
//! p50 p75 p90 p99 p99.9 max mean    us, ms, s     raw.p99 is of the raw latency, p99 of the corrected one
//! rate                              /s
//! errors                            %, or nothing for a count
//! ```

use std::fmt;
use std::str::FromStr;

use super::{Figure, Summary};

/// The condition under which a run has failed.
///
/// # Examples
///
/// ```
/// use kamea_tools::report::{Summary, Threshold};
///
/// let threshold: Threshold = "p99 > 50ms".parse()?;
/// let mut summary = Summary { requests: 1000, ..Summary::default() };
/// summary.latency_us.corrected.p99 = 50_000.0;
/// assert_eq!(threshold.failure(&summary), None);
/// summary.latency_us.corrected.p99 = 63_200.0;
/// assert_eq!(threshold.failure(&summary).unwrap(), "p99 > 50ms: it is 63.2 ms");
/// # Ok::<(), kamea_tools::report::ThresholdError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    text: String,
    figure: Figure,
    is_raw: bool,
    operator: Operator,
    /// In microseconds, per second, or a count. A share is from 0 to 1.
    limit: f64,
    is_share: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Operator {
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

/// The error in the text of a threshold, and its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThresholdError {
    /// The position of the error in characters, from 1.
    pub column: usize,
    wrong: String,
}

impl fmt::Display for ThresholdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.wrong)
    }
}

impl std::error::Error for ThresholdError {}

impl Threshold {
    /// Returns why a run has failed by this threshold, or `None` if it has passed. A run without a
    /// response has no latency, and always fails.
    #[must_use]
    pub fn failure(&self, summary: &Summary) -> Option<String> {
        if self.figure.is_latency() && summary.requests == 0 {
            return Some(format!("{}: no response came", self.text));
        }
        let value = self.figure.of(summary, self.is_raw);
        let asked = summary.requests + summary.errors.failed();
        let value = if self.is_share {
            value / asked.max(1) as f64
        } else {
            value
        };
        let shown = if self.is_share {
            format!("{:.3} %", 100.0 * value)
        } else {
            self.figure.show(value)
        };
        let failed = self.operator.holds(value, self.limit);
        failed.then(|| format!("{}: it is {shown}", self.text))
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Operator {
    /// Longer names come first, because shorter ones are prefixes of them.
    const ALL: [(&'static str, Self); 4] = [
        ("<=", Self::LessOrEqual),
        (">=", Self::MoreOrEqual),
        ("<", Self::Less),
        (">", Self::More),
    ];

    fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Less => value < limit,
            Self::LessOrEqual => value <= limit,
            Self::More => value > limit,
            Self::MoreOrEqual => value >= limit,
        }
    }
}

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let mut rest = Rest { text, at: 0 };
        let (figure, is_raw) = rest.figure()?;
        let operator = rest.operator()?;
        let number = rest.number()?;
        let (factor, is_share) = rest.unit(figure)?;
        Ok(Self {
            text: text.trim().to_owned(),
            figure,
            is_raw,
            operator,
            limit: number * factor,
            is_share,
        })
    }
}

/// The text that is left to read.
struct Rest<'a> {
    text: &'a str,
    /// Where that begins, in bytes.
    at: usize,
}

impl<'a> Rest<'a> {
    /// Takes characters of one kind, after spaces.
    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        self.skip_blanks();
        let rest = &self.text[self.at..];
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn skip_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn wrong<T>(&self, at: usize, wrong: impl Into<String>) -> Result<T, ThresholdError> {
        let column = self.text[..at].chars().count() + 1;
        Err(ThresholdError {
            column,
            wrong: wrong.into(),
        })
    }

    fn figure(&mut self) -> Result<(Figure, bool), ThresholdError> {
        let name = self.take(|c| c.is_alphanumeric() || c == '.' || c == '_');
        let (is_raw, bare) = match name.strip_prefix("raw.") {
            Some(bare) => (true, bare),
            None => (false, name),
        };
        let start = self.at - bare.len();
        let found = Figure::ALL.into_iter().find(|figure| figure.name() == bare);
        match found {
            Some(figure) if is_raw && !figure.is_latency() => self.wrong(
                start,
                format!("`{bare}` is no latency, so there is no raw one"),
            ),
            Some(figure) => Ok((figure, is_raw)),
            None => {
                let names = Figure::ALL.map(Figure::name).join(", ");
                let found = if bare.is_empty() {
                    "nothing".to_owned()
                } else {
                    format!("`{bare}`")
                };
                self.wrong(start, format!("{found} is no figure; there are {names}"))
            }
        }
    }

    fn operator(&mut self) -> Result<Operator, ThresholdError> {
        self.skip_blanks();
        let rest = &self.text[self.at..];
        let found = Operator::ALL
            .into_iter()
            .find(|(sign, _)| rest.starts_with(sign));
        match found {
            Some((sign, operator)) => {
                self.at += sign.len();
                Ok(operator)
            }
            None => self.wrong(self.at, "here belongs <, <=, > or >="),
        }
    }

    fn number(&mut self) -> Result<f64, ThresholdError> {
        let digits = self.take(|c| c.is_ascii_digit() || c == '.');
        match digits.parse() {
            Ok(number) => Ok(number),
            Err(_) => self.wrong(
                self.at - digits.len(),
                "here belongs a number, such as 50 or 0.5",
            ),
        }
    }

    /// The factor of the number, and whether it is a share.
    fn unit(&mut self, figure: Figure) -> Result<(f64, bool), ThresholdError> {
        let unit = self.take(|_| true).trim_end();
        let start = self.text.trim_end().len() - unit.len();
        match (figure, unit) {
            (Figure::Rate, "/s") | (Figure::Errors, "") => Ok((1.0, false)),
            (Figure::Rate, _) => self.wrong(start, "the unit of a rate is /s"),
            (Figure::Errors, "%") => Ok((0.01, true)),
            (Figure::Errors, _) => {
                self.wrong(start, "errors are a count, without a unit, or a share in %")
            }
            (_, "us" | "µs") => Ok((1.0, false)),
            (_, "ms") => Ok((1e3, false)),
            (_, "s") => Ok((1e6, false)),
            _ => self.wrong(start, "the unit of a latency is us, ms or s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Errors;

    fn summary() -> Summary {
        let mut summary = Summary {
            requests: 990,
            rate_per_s: 99.0,
            errors: Errors {
                connect: 4,
                time_out: 6,
                status: 10,
                ..Errors::default()
            },
            ..Summary::default()
        };
        let (raw, corrected) = (
            &mut summary.latency_us.raw,
            &mut summary.latency_us.corrected,
        );
        (raw.p99, corrected.p99) = (900.0, 50_000.0);
        (raw.p99_9, corrected.p99_9) = (1000.0, 1_500_000.0);
        (corrected.mean, corrected.max) = (700.0, 2_000_000.0);
        summary
    }

    #[test]
    fn a_threshold_fails_as_it_says() {
        for (text, failure) in [
            ("p99>50ms", None),
            ("p99>=50ms", Some("it is 50.0 ms")),
            ("p99 > 49.9 ms", Some("it is 50.0 ms")),
            ("raw.p99>1ms", None),
            ("raw.p99>899us", Some("it is 900 µs")),
            ("p99.9>1s", Some("it is 1.50 s")),
            ("raw.p99.9>1s", None),
            ("max>2s", None),
            ("mean<=700us", Some("it is 700 µs")),
            ("rate<100/s", Some("it is 99.00 /s")),
            ("rate<99/s", None),
            ("errors>0", Some("it is 20")),
            ("errors>20", None),
            ("errors>1.5%", Some("it is 2.000 %")),
            ("errors>2%", None),
        ] {
            let threshold: Threshold = text.parse().unwrap();
            let expected = failure.map(|failure| format!("{text}: {failure}"));
            assert_eq!(threshold.failure(&summary()), expected, "{text}");
        }
    }

    #[test]
    fn a_run_without_a_response_passes_no_threshold_of_its_latency() {
        let empty = Summary::default();
        let failure = |text: &str| text.parse::<Threshold>().unwrap().failure(&empty);
        assert_eq!(failure("p99>50ms").unwrap(), "p99>50ms: no response came");
        assert_eq!(failure("errors>0"), None);
        assert!(failure("rate<1/s").is_some());
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        for (text, column, wrong) in [
            ("", 1, "nothing is no figure"),
            ("p98>50ms", 1, "`p98` is no figure; there are p50, "),
            ("raw.p98>50ms", 5, "`p98` is no figure"),
            ("raw.rate<1/s", 5, "`rate` is no latency"),
            ("  p99 50ms", 7, "here belongs <,"),
            ("p99=50ms", 4, "here belongs <,"),
            ("p99>", 5, "here belongs a number"),
            ("p99>-1ms", 5, "here belongs a number"),
            ("p99>1.2.3ms", 5, "here belongs a number"),
            ("p99>50", 7, "the unit of a latency"),
            ("p99 > 50 min", 10, "the unit of a latency"),
            ("p99>50ms!", 7, "the unit of a latency"),
            ("rate<100", 9, "the unit of a rate"),
            ("errors>1ms", 9, "errors are a count"),
            ("naïve>1ms", 1, "`naïve` is no figure"),
        ] {
            let error = text.parse::<Threshold>().unwrap_err();
            assert_eq!(error.column, column, "{text}: {error}");
            assert!(error.to_string().contains(wrong), "{text}: {error}");
        }
    }
}
