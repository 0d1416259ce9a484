//! Which differences between two runs are more than noise.
//!
//! A run is taken as the series of its seconds, and for the rate and each percentile two series are compared: the logarithms of what each second had.
//!
//! - The test is Yuen's for trimmed means (K. K. Yuen, The two-sample trimmed t for unequal population variances, Biometrika 61, 1974): a fifth of the seconds is left out at either end, so that neither a pause of one second
//!   makes a difference nor hides one, and the two runs may vary by different amounts.
//! - Seconds resemble their neighbours, so that they say less than as many that do not. By how much less is taken from the autocorrelation of both series at a distance of one second, as if it faded from there on in the same
//!   proportion (F. W. Zwiers and H. von Storch, Taking Serial Correlation into Account in Tests of the Mean, Journal of Climate 8, 1995). Short series underestimate it (F. H. C. Marriott and
//!   J. A. Pope, Biometrika 41, 1954), which is put right, and half of its standard error is added on the careful side.
//! - A difference counts if a run would show it by chance in one case of a hundred, and if it is also more than [`LEAST`]. Two runs of the same program may differ by so much
//!   because its memory lies elsewhere (T. Mytkowicz et al., Producing Wrong Data Without Doing Anything Obviously Wrong!, ASPLOS 2009), which no test can see that knows but one run of each.
//!
//! Nothing is drawn at random: the same two runs always give the same verdict.

use std::fmt;

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Figure, Interval, Summary};

/// Differences up to this share are noise, whatever else is said of them.
pub const LEAST: f64 = 0.02;

/// How sure a verdict is, and the range of a change.
const CONFIDENCE: f64 = 0.99;

/// The share of the seconds that is left out at either end.
const TRIMMED: f64 = 0.2;

/// From this share of its time on the load generator is what limits.
const BUSY: f64 = 0.9;

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
    /// Of the whole of the old run, in microseconds or per second.
    pub old: f64,
    /// Of the whole of the new run.
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
    /// use kamea_recipes::report::{Comparison, Second, Summary, Verdict};
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
        Self {
            differences: Figure::OF_SECONDS.into_iter().map(difference).collect(),
            notes: notes(old, new),
        }
    }
}

impl Difference {
    fn new(figure: Figure, old: &Summary, new: &Summary) -> Self {
        let (was, is) = (series(figure, old), series(figure, new));
        let change = (was.len().min(is.len()) >= FEWEST).then(|| change(&was, &is));
        let (old, new) = (figure.of(old, false), figure.of(new, false));
        Self {
            figure,
            old,
            new,
            change,
            verdict: change.map_or(Verdict::TooShort, |change| verdict(figure, change)),
        }
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

/// By how much the trimmed means of two series of logarithms differ, as a ratio.
fn change(was: &[f64], is: &[f64]) -> Interval {
    let (old, new) = (Trimmed::of(was), Trimmed::of(is));
    let length = (was.len() + is.len()) as f64;
    let persistence = persistence(old.deviations(was), new.deviations(is), length / 2.0);
    // So many seconds say what one would say that does not resemble its neighbours.
    let inflation = (1.0 + persistence) / (1.0 - persistence);
    let variance = old.variance + new.variance;
    let freedom = variance.powi(2)
        / (old.variance.powi(2) / (old.kept - 1.0) + new.variance.powi(2) / (new.kept - 1.0));
    // Two series that do not vary at all have no degrees of freedom, and need none.
    let freedom = if freedom.is_finite() {
        (freedom / inflation).max(1.0)
    } else {
        1.0
    };
    let student = StudentsT::new(0.0, 1.0, freedom).expect("the degrees of freedom are positive");
    let margin = student.inverse_cdf(0.5 + CONFIDENCE / 2.0) * (variance * inflation).sqrt();
    let middle = new.mean - old.mean;
    Interval {
        low: (middle - margin).exp(),
        high: (middle + margin).exp(),
        confidence: CONFIDENCE,
    }
}

/// The autocorrelation at a distance of one second of what two series have in common, estimated with care, from 0 to less than 1.
fn persistence(one: Vec<f64>, other: Vec<f64>, length: f64) -> f64 {
    let (mut products, mut squares) = (0.0, 0.0);
    for series in [one, other] {
        products += series.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>();
        squares += series.iter().map(|x| x * x).sum::<f64>();
    }
    let found = if squares > 0.0 {
        products / squares
    } else {
        0.0
    };
    let unbiased = found + (1.0 + 4.0 * found) / length;
    (unbiased + 0.5 / (2.0 * length).sqrt()).clamp(0.0, 0.95)
}

/// A trimmed mean, and what belongs to it.
struct Trimmed {
    mean: f64,
    /// Of the mean, from the winsorized sum of squares.
    variance: f64,
    /// How many values were kept.
    kept: f64,
    /// The least and the most that were kept.
    kept_from: f64,
    kept_to: f64,
    /// The winsorized mean.
    centre: f64,
}

impl Trimmed {
    fn of(series: &[f64]) -> Self {
        let mut sorted = series.to_vec();
        sorted.sort_by(f64::total_cmp);
        let left_out = (TRIMMED * sorted.len() as f64) as usize;
        let kept = &sorted[left_out..sorted.len() - left_out];
        let count = kept.len() as f64;
        let mut trimmed = Self {
            mean: kept.iter().sum::<f64>() / count,
            variance: 0.0,
            kept: count,
            kept_from: kept[0],
            kept_to: kept[kept.len() - 1],
            centre: 0.0,
        };
        trimmed.centre = trimmed.deviations(series).iter().sum::<f64>() / series.len() as f64;
        let squares: f64 = trimmed.deviations(series).iter().map(|x| x * x).sum();
        trimmed.variance = squares / (count * (count - 1.0));
        trimmed
    }

    /// How far each value is from the centre, where none is further out than what was kept.
    fn deviations(&self, series: &[f64]) -> Vec<f64> {
        let winsorized = series.iter().map(|x| x.clamp(self.kept_from, self.kept_to));
        winsorized.map(|x| x - self.centre).collect()
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Second;

    /// A run of so many seconds that vary by 4 %, each resembling the one before it to some degree, with a pause now and then.
    fn run(random: &mut fastrand::Rng, seconds: usize, persistence: f64, factor: f64) -> Summary {
        let mut normal = || {
            // Box and Muller.
            let (u, v) = (1.0 - random.f64(), random.f64());
            (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        };
        let mut states = [0; 6].map(|_| normal());
        let mut series = Vec::new();
        for t in 0..seconds {
            for state in &mut states {
                *state = persistence * *state + (1.0 - persistence * persistence).sqrt() * normal();
            }
            let pause = if normal() > 1.8 { 3.0 } else { 1.0 };
            let latency = |state: f64, usual: f64| usual * factor * pause * (0.04 * state).exp();
            series.push(Second {
                t_s: t as f64,
                requests: (20_000.0 / factor / pause * (0.04 * states[0]).exp()) as u64,
                p50_us: latency(states[1], 500.0),
                p75_us: latency(states[2], 700.0),
                p90_us: latency(states[3], 900.0),
                p99_us: latency(states[4], 2000.0),
                p99_9_us: latency(states[5], 9000.0),
                ..Second::default()
            });
        }
        Summary {
            duration_s: seconds as f64,
            series,
            ..Summary::default()
        }
    }

    /// How many of 200 pairs of runs of which the second is slower by a factor get a verdict, over all figures.
    fn share(
        seconds: usize,
        persistence: f64,
        factor: f64,
        verdict_of: fn(Figure) -> Verdict,
    ) -> f64 {
        let mut found = 0;
        for seed in 0..200 {
            let mut random = fastrand::Rng::with_seed(seed);
            let old = run(&mut random, seconds, persistence, 1.0);
            let new = run(&mut random, seconds, persistence, factor);
            let differences = Comparison::new(&old, &new).differences;
            assert_eq!(differences.len(), 6);
            found += differences
                .iter()
                .filter(|one| one.verdict == verdict_of(one.figure))
                .count();
        }
        found as f64 / 1200.0
    }

    #[test]
    fn runs_of_one_distribution_are_told_apart_as_seldom_as_promised() {
        // Of 1,200 verdicts 1 % would be wrong by chance, give or take 0.6 % (two standard errors). Short series that persist tell too little of how they persist.
        for (seconds, persistence, most) in [
            (10, 0.0, 0.016),
            (30, 0.0, 0.016),
            (30, 0.3, 0.016),
            (60, 0.6, 0.016),
            (10, 0.5, 0.03),
        ] {
            let wrong = share(seconds, persistence, 1.0, |_| Verdict::Better)
                + share(seconds, persistence, 1.0, |_| Verdict::Worse);
            assert!(wrong <= most, "{seconds} s, {persistence}: {wrong}");
        }
    }

    #[test]
    fn a_tenth_is_found() {
        for (seconds, persistence, least) in [(30, 0.0, 0.99), (30, 0.3, 0.95), (60, 0.6, 0.9)] {
            let slower = share(seconds, persistence, 1.1, |_| Verdict::Worse);
            let faster = share(seconds, persistence, 1.0 / 1.1, |_| Verdict::Better);
            assert!(
                slower.min(faster) >= least,
                "{seconds} s, {persistence}: {slower}, {faster}"
            );
        }
    }

    #[test]
    fn the_same_runs_get_the_same_verdict_and_a_run_differs_from_itself_in_nothing() {
        let mut random = fastrand::Rng::with_seed(1);
        let (old, new) = (
            run(&mut random, 30, 0.3, 1.0),
            run(&mut random, 30, 0.3, 1.2),
        );
        assert_eq!(Comparison::new(&old, &new), Comparison::new(&old, &new));
        let differences = Comparison::new(&old, &old).differences;
        assert!(
            differences
                .iter()
                .all(|one| one.verdict == Verdict::WithinNoise)
        );
    }

    #[test]
    fn what_is_short_or_does_not_vary_gets_a_verdict_too() {
        let constant = |seconds: usize, latency: f64| {
            let second = |t| Second {
                t_s: t as f64,
                requests: 100,
                p50_us: latency,
                ..Second::default()
            };
            Summary {
                duration_s: seconds as f64,
                series: (0..seconds).map(second).collect(),
                ..Summary::default()
            }
        };
        for (seconds, latency, expected) in [
            (4, 200.0, Verdict::TooShort),
            (5, 200.0, Verdict::Worse),
            (20, 50.0, Verdict::Better),
            (20, 101.0, Verdict::WithinNoise),
            (20, 100.0, Verdict::WithinNoise),
        ] {
            let comparison =
                Comparison::new(&constant(seconds, 100.0), &constant(seconds, latency));
            assert_eq!(
                comparison.differences[1].verdict, expected,
                "{seconds} s, {latency} us"
            );
        }
        let nothing = Comparison::new(&Summary::default(), &Summary::default());
        assert!(
            nothing
                .differences
                .iter()
                .all(|one| one.verdict == Verdict::TooShort)
        );
    }

    #[test]
    fn whatever_else_differs_is_noted() {
        let mut old = Summary {
            requests: 98,
            ..Summary::default()
        };
        let mut new = old.clone();
        assert_eq!(Comparison::new(&old, &new).notes, [""; 0]);
        (old.settings.connections, new.settings.connections) = (64, 128);
        (new.errors.time_out, new.missed_schedule.requests) = (2, 7);
        let notes = Comparison::new(&old, &new).notes;
        assert_eq!(notes.len(), 3, "{notes:?}");
        assert_eq!(
            notes[0],
            "the runs differ in connections: 64 before, 128 now"
        );
        assert_eq!(
            notes[1],
            "errors: 0.00 % of the requests before, 2.00 % now"
        );
        assert!(notes[2].starts_with("now, 7 requests were late"));
    }

    #[test]
    fn a_comparison_is_a_table() {
        let mut old = run(&mut fastrand::Rng::with_seed(1), 30, 0.0, 1.0);
        let mut new = run(&mut fastrand::Rng::with_seed(2), 30, 0.0, 2.0);
        (old.rate_per_s, new.rate_per_s) = (71_234.6, 35_100.0);
        (old.latency_us.corrected.p50, new.latency_us.corrected.p50) = (500.0, 1013.0);
        let text = Comparison::new(&old, &new).to_string();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines[0],
            "            before         now    change  99 % interval         verdict"
        );
        assert!(
            lines[1].starts_with("rate      71235 /s    35100 /s   -50.4 %")
                && lines[1].ends_with("worse"),
            "{text}"
        );
        assert!(
            lines[2].starts_with("p50         500 µs     1.01 ms") && lines[2].ends_with("worse"),
            "{text}"
        );
        assert_eq!(lines.len(), 7);
        assert_eq!(
            (percent(0.9), percent(9.0), percent(12.0)),
            (
                "-10.0 %".to_owned(),
                "+800.0 %".to_owned(),
                ">+900 %".to_owned()
            )
        );
    }
}
