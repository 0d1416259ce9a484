//! Finds the differences between two runs that are more than noise.
//!
//! A run is a series of seconds. For the rate and for each percentile, two series are compared: the
//! logarithms of the values of each second (see [`change`]).
//!
//! A difference counts if equal programs would show it by chance in one case of a hundred, and if
//! it is also more than [`LEAST`]. Two runs of the same program may differ by that much because of
//! its memory layout (T. Mytkowicz et al., Producing Wrong Data Without Doing Anything Obviously
//! Wrong!, ASPLOS 2009). A test that knows only one run of each cannot see that.

mod change;
#[cfg(test)]
mod tests;

use std::fmt;

use super::{Figure, Interval, Summary};

/// Differences up to this share are noise, whatever the test says.
pub const LEAST: f64 = 0.02;

/// If the load generator is busy for at least this share of its time, it is the bottleneck.
const BUSY: f64 = 0.9;

/// If a figure of the whole run is outside of the interval by at least this share, a note says so.
const OTHER: f64 = 0.1;

/// The number of seconds that a run needs for a comparison.
const FEWEST: usize = 5;

/// Two runs, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The rate, and each percentile of the corrected latency.
    pub differences: Vec<Difference>,
    /// Notes for the reader of the comparison.
    pub notes: Vec<String>,
}

/// How a figure differs from one run to the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The figure.
    pub figure: Figure,
    /// In a typical second of the old run, in microseconds or per second. In the whole run, if it
    /// is too short.
    pub old: f64,
    /// In a typical second of the new run.
    pub new: f64,
    /// The ratio of the new run's seconds to the old run's: 1.1 is a tenth more. `None` if one of
    /// the runs is too short.
    pub change: Option<Interval>,
    /// The verdict on it.
    pub verdict: Verdict,
}

/// The verdict on a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The new run is better, and not by chance.
    Better,
    /// The new run is worse, and not by chance.
    Worse,
    /// It may be chance.
    WithinNoise,
    /// One of the runs is too short for a verdict.
    TooShort,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::WithinNoise => "within noise",
            Self::TooShort => "too short to tell",
        })
    }
}

impl Comparison {
    /// Compares a new run with an old one.
    ///
    /// # Examples
    ///
    /// ```
    /// use kamea_tools::report::{Comparison, Second, Summary, Verdict};
    ///
    /// let run = |rate: u64| Summary {
    ///     duration_s: 30.0,
    ///     series: (0..30).map(|t| Second { t_s: t as f64, requests: rate + t % 7, ..Second::default() }).collect(),
    ///     ..Summary::default()
    /// };
    /// let verdict = |old, new| Comparison::new(&run(old), &run(new)).differences[0].verdict;
    /// assert_eq!(verdict(1000, 1100), Verdict::Better);
    /// assert_eq!(verdict(1000, 900), Verdict::Worse);
    /// assert_eq!(verdict(1000, 1001), Verdict::WithinNoise);
    /// ```
    #[must_use]
    pub fn new(old: &Summary, new: &Summary) -> Self {
        let difference = |figure| Difference::new(figure, old, new);
        let differences: Vec<_> = Figure::OF_SECONDS.into_iter().map(difference).collect();
        let mut notes = notes(old, new);
        notes.extend(differences.iter().filter_map(|one| one.note(old, new)));
        Self { differences, notes }
    }
}

impl Difference {
    fn new(figure: Figure, old: &Summary, new: &Summary) -> Self {
        let (was, is) = (series(figure, old), series(figure, new));
        if was.len().min(is.len()) < FEWEST {
            return Self {
                figure,
                old: figure.of(old, false),
                new: figure.of(new, false),
                change: None,
                verdict: Verdict::TooShort,
            };
        }
        let change = change::change(&was, &is);
        Self {
            figure,
            old: change.old,
            new: change.new,
            change: Some(change.ratio),
            verdict: verdict(figure, change.ratio),
        }
    }

    /// Returns a note if the figure of the whole run contradicts the typical seconds: then a few
    /// seconds cause it.
    fn note(&self, old: &Summary, new: &Summary) -> Option<String> {
        let Interval { low, high, .. } = self.change?;
        let (was, is) = (self.figure.of(old, false), self.figure.of(new, false));
        let whole = is / was;
        let beyond = (whole / low).min(high / whole);
        let is_other = whole.is_finite() && whole > 0.0 && beyond < 1.0 / (1.0 + OTHER);
        let show = |value| self.figure.show(value);
        is_other.then(|| {
            format!(
                "{} of the whole run went from {} to {} ({}), in a typical second from {} to {}: a few \
                 seconds were unlike the others",
                self.figure.name(),
                show(was).trim(),
                show(is).trim(),
                percent(whole),
                show(self.old).trim(),
                show(self.new).trim(),
            )
        })
    }
}

fn verdict(figure: Figure, change: Interval) -> Verdict {
    let middle = (change.low * change.high).sqrt();
    let is_more = change.low > 1.0 && middle > 1.0 + LEAST;
    let is_less = change.high < 1.0 && middle < 1.0 / (1.0 + LEAST);
    match (is_more, is_less, figure.is_latency()) {
        (true, _, false) | (_, true, true) => Verdict::Better,
        (true, _, true) | (_, true, false) => Verdict::Worse,
        _ => Verdict::WithinNoise,
    }
}

/// The logarithms of the values of each completely measured second. A run that is long enough
/// leaves out its first second, in which connections are made and caches are cold.
fn series(figure: Figure, run: &Summary) -> Vec<f64> {
    let skipped = usize::from(run.series.len() > FEWEST + 1);
    // Zero has no logarithm.
    let logarithm = |value: f64| value.max(0.5).ln();
    run.whole_seconds()
        .skip(skipped)
        .filter_map(|second| figure.of_second(second))
        .map(logarithm)
        .collect()
}

/// Differences between two runs other than the server, which are not figures of a server.
fn notes(old: &Summary, new: &Summary) -> Vec<String> {
    let mut notes = Vec::new();
    let mut asked = |what: &str, was: String, is: String| {
        if was != is {
            notes.push(format!("the runs differ in {what}: {was} before, {is} now"));
        }
    };
    let rate = |run: &Summary| {
        run.settings
            .rate_asked_per_s
            .map_or("none".to_owned(), |rate| format!("{rate} /s"))
    };
    asked(
        "URLs",
        old.settings.urls.join(" "),
        new.settings.urls.join(" "),
    );
    asked(
        "connections",
        old.settings.connections.to_string(),
        new.settings.connections.to_string(),
    );
    asked(
        "threads",
        old.settings.threads.to_string(),
        new.settings.threads.to_string(),
    );
    asked("the rate that was asked for", rate(old), rate(new));
    asked(
        "the version of thor",
        old.settings.thor.clone(),
        new.settings.thor.clone(),
    );
    let share = |run: &Summary| {
        100.0 * run.errors.total() as f64 / (run.requests + run.errors.failed()).max(1) as f64
    };
    if old.errors.total() + new.errors.total() > 0 {
        notes.push(format!(
            "errors: {:.2} % of the requests before, {:.2} % now",
            share(old),
            share(new)
        ));
    }
    for (run, which) in [(old, "before"), (new, "now")] {
        if run.missed_schedule.requests > 0 {
            notes.push(format!(
                "{which}, {} requests were late by the load generator's own doing, which the server's latency includes",
                run.missed_schedule.requests
            ));
        }
    }
    for (run, which) in [(old, "before"), (new, "now")] {
        if run.client_busy > BUSY {
            notes.push(format!("{which}, the load generator was busy all the time: it was measured rather than the server"));
        }
    }
    notes
}

impl fmt::Display for Comparison {
    /// A table for a terminal: a line for each figure, then the notes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut row = |cells: [&str; 6]| {
            let [name, before, now, change, interval, verdict] = cells;
            writeln!(
                f,
                "{name:6}{before:>12}{now:>12}{change:>10}  {interval:20}  {verdict}"
            )
        };
        row(["", "before", "now", "change", "99 % interval", "verdict"])?;
        for difference in &self.differences {
            let figure = difference.figure;
            let (middle, range) = difference.change.map_or_else(
                Default::default,
                |Interval { low, high, .. }| {
                    (
                        percent((low * high).sqrt()),
                        format!("{} to {}", percent(low), percent(high)),
                    )
                },
            );
            let (old, new) = (figure.show(difference.old), figure.show(difference.new));
            row([
                figure.name(),
                &old,
                &new,
                &middle,
                &range,
                &difference.verdict.to_string(),
            ])?;
        }
        self.notes
            .iter()
            .try_for_each(|note| writeln!(f, "note: {note}"))
    }
}

/// A ratio in percent. From ten on, the exact number does not matter.
fn percent(ratio: f64) -> String {
    if ratio < 10.0 {
        format!("{:+.1} %", 100.0 * (ratio - 1.0))
    } else {
        ">+900 %".to_owned()
    }
}
