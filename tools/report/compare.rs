//! Which differences between two runs are more than noise.
//!
//! A run is taken as the series of its seconds, and for the rate and each percentile two series are compared: the logarithms of what each second had (see [`change`]).
//!
//! A difference counts if like runs would show it by chance in one case of a hundred, and if it is also more than [`LEAST`]. Two runs of the same program may differ by so much because its memory lies elsewhere
//! (T. Mytkowicz et al., Producing Wrong Data Without Doing Anything Obviously Wrong!, ASPLOS 2009), which no test can see that knows but one run of each.

mod change;
#[cfg(test)]
mod tests;

use std::fmt;

use super::{Figure, Interval, Summary};

/// Differences up to this share are noise, whatever else is said of them.
pub const LEAST: f64 = 0.02;

/// From this share of its time on the load generator is what limits.
const BUSY: f64 = 0.9;

/// From this share on a figure of the whole run that lies outside of the interval is told.
const OTHER: f64 = 0.1;

/// Seconds that a run must have in order to be compared.
const FEWEST: usize = 5;

/// Two runs, compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The rate, and each percentile of the corrected latency.
    pub differences: Vec<Difference>,
    /// What else whoever compares has to know.
    pub notes: Vec<String>,
}

/// How a figure differs from one run to the other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Which figure.
    pub figure: Figure,
    /// Of a typical second of the old run, in microseconds or per second; of the whole run if it is too short.
    pub old: f64,
    /// Of a typical second of the new run.
    pub new: f64,
    /// What the seconds of the new run have of what those of the old one had: 1.1 is a tenth more. Nothing if one of the runs is too short.
    pub change: Option<Interval>,
    /// What that comes to.
    pub verdict: Verdict,
}

/// What a difference comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The new run is better, and not by chance.
    Better,
    /// The new run is worse, and not by chance.
    Worse,
    /// It may be chance.
    WithinNoise,
    /// One of the runs is too short to say anything.
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

    /// Says so if the figure of the whole run tells something else than the typical seconds: then a few seconds
    /// make it.
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

/// The logarithm of what each second had: of all that were measured whole, but for the first of a run that is long enough, in which connections are made and caches are cold.
fn series(figure: Figure, run: &Summary) -> Vec<f64> {
    let skipped = usize::from(run.series.len() > FEWEST + 1);
    // Nothing has no logarithm.
    let logarithm = |value: f64| value.max(0.5).ln();
    run.whole_seconds()
        .skip(skipped)
        .filter_map(|second| figure.of_second(second))
        .map(logarithm)
        .collect()
}

/// What makes two runs differ beside the server, and what is no figure of a server.
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
    /// A table for a terminal, a line for each figure, and then the notes.
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

/// What a ratio is in percent; from ten times on nobody wants to know more.
fn percent(ratio: f64) -> String {
    if ratio < 10.0 {
        format!("{:+.1} %", 100.0 * (ratio - 1.0))
    } else {
        ">+900 %".to_owned()
    }
}
