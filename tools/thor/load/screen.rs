//! The display while requests are made, on stderr. Only the result goes to stdout.

use std::io::{self, Write as _};
use std::time::Duration;

use console::Term;
use kamea_components::load::{ErrorClass, Measured};

use super::text;
use crate::options::Options;

/// The longest bar of the histogram.
const BAR: usize = 40;

/// The largest number of rows in the histogram.
const ROWS: u32 = 8;

/// The minimum width of the terminal, so that lines are not broken.
const MARGIN: usize = 1;

/// The target of the progress: a block of lines that is redrawn on a terminal, a line each second
/// elsewhere.
#[derive(Debug)]
pub(super) struct Screen {
    kind: Kind,
    /// The planned duration of the run, if it is known.
    lasts: Option<Duration>,
    /// The number of answers at the last display, and its time.
    last: (u64, Duration),
}

#[derive(Debug)]
enum Kind {
    Quiet,
    Lines,
    /// A terminal, and how many lines of it are ours.
    Terminal(Term, usize),
}

impl Screen {
    pub(super) fn new(options: &Options) -> Self {
        let terminal = Term::stderr();
        Self {
            kind: match options.load.quiet || options.report.json {
                true => Kind::Quiet,
                false if terminal.is_term() => Kind::Terminal(terminal, 0),
                false => Kind::Lines,
            },
            lasts: options.load.duration(),
            last: (0, Duration::ZERO),
        }
    }

    /// Shows the results so far. The requests continue even if nobody reads the display.
    pub(super) fn show(&mut self, so_far: &Measured) {
        let since = so_far.duration.saturating_sub(self.last.1);
        let is_due = match self.kind {
            Kind::Quiet => false,
            Kind::Lines => since >= Duration::from_secs(1) - Duration::from_millis(50),
            Kind::Terminal(..) => !since.is_zero(),
        };
        if !is_due {
            return;
        }
        let rate = (so_far.requests - self.last.0) as f64 / since.as_secs_f64();
        self.last = (so_far.requests, so_far.duration);
        let _ = match &mut self.kind {
            Kind::Quiet => Ok(()),
            Kind::Lines => writeln!(io::stderr(), "{}", line(so_far, rate)),
            Kind::Terminal(terminal, ours) => {
                let lines = block(so_far, rate, self.lasts);
                draw(terminal, ours, &lines)
            }
        };
    }
}

impl Drop for Screen {
    /// Clears the space for the final display.
    fn drop(&mut self) {
        if let Kind::Terminal(terminal, ours) = &self.kind {
            let _ = terminal.clear_last_lines(*ours);
        }
    }
}

/// Draws lines over the previous ones.
fn draw(terminal: &Term, ours: &mut usize, lines: &[String]) -> io::Result<()> {
    let (height, width) = terminal.size();
    let (height, width) = (usize::from(height), usize::from(width));
    let fitting = lines.iter().take(height.saturating_sub(1));
    let text: String = fitting
        .clone()
        .map(|line| {
            let cut: String = line.chars().take(width.saturating_sub(MARGIN)).collect();
            cut + "\n"
        })
        .collect();
    terminal.clear_last_lines(*ours)?;
    *ours = fitting.len();
    terminal.write_str(&text)
}

fn percentile(measured: &Measured, quantile: f64) -> String {
    text::time(measured.corrected.value_at_quantile(quantile) as f64)
}

/// The whole display in one line.
fn line(so_far: &Measured, rate: f64) -> String {
    format!(
        "{:>7.1} s  {} requests/s  p50 {}  p99 {}  errors {}",
        so_far.duration.as_secs_f64(),
        text::rate(rate),
        percentile(so_far, 0.5),
        percentile(so_far, 0.99),
        so_far.errors.total(),
    )
}

/// The whole display.
fn block(so_far: &Measured, rate: f64, lasts: Option<Duration>) -> Vec<String> {
    let of = lasts.map_or_else(String::new, |lasts| {
        format!(" of {:.0} s", lasts.as_secs_f64())
    });
    let mut lines = vec![
        format!(
            "{:.1} s{of}   {} requests/s   {} requests   {}",
            so_far.duration.as_secs_f64(),
            text::rate(rate),
            text::count(so_far.requests),
            text::bytes(so_far.bytes as f64),
        ),
        [
            ("50", 0.5),
            ("90", 0.9),
            ("99", 0.99),
            ("99.9", 0.999),
            ("100", 1.0),
        ]
        .map(|(name, quantile)| format!("p{name} {}", percentile(so_far, quantile)))
        .join("   "),
    ];
    lines.extend(histogram(so_far));
    lines.push(errors(so_far));
    if so_far.missed.requests > 0 {
        let missed = text::count(so_far.missed.requests);
        lines.push(format!(
            "{missed} requests were sent too late by this client itself"
        ));
    }
    lines
}

/// A row for each step of latency, or for several.
fn histogram(so_far: &Measured) -> Vec<String> {
    let latencies = &so_far.corrected;
    if latencies.is_empty() {
        return Vec::new();
    }
    let first = (1..).find(|number| step(*number) > latencies.min());
    let last = (1..).find(|number| step(*number) > latencies.max());
    let (first, last) = (first.unwrap_or(1), last.unwrap_or(1));
    let width = (last + 1 - first).div_ceil(ROWS);
    let rows = (first..=last).step_by(width as usize).map(|number| {
        let (from, to) = (step(number - 1), step(number + width - 1));
        (to, latencies.count_between(from, to - 1))
    });
    let rows: Vec<_> = rows.collect();
    let most = rows.iter().map(|(_, count)| *count).max();
    let most = most.unwrap_or(1).max(1) as f64;
    let show = |(to, count): (u64, u64)| {
        let share = 100.0 * count as f64 / latencies.len() as f64;
        let length = (count as f64 / most * BAR as f64).ceil() as usize;
        let (to, bar) = (text::time(to as f64), "█".repeat(length));
        format!("  up to {to:>8}  {share:>6.2} %  {bar}")
    };
    rows.into_iter().map(show).collect()
}

/// 1, 2, 5, 10, 20, 50 and so on, starting at step number 0.
fn step(number: u32) -> u64 {
    [1, 2, 5][number as usize % 3] * 10_u64.saturating_pow(number / 3)
}

fn errors(so_far: &Measured) -> String {
    let counts = ErrorClass::ALL.map(|class| (class, so_far.errors.of(class)));
    let wrong = counts.iter().filter(|(_, count)| *count > 0);
    let wrong: Vec<_> = wrong
        .map(|(class, count)| format!("{class} {}", text::count(*count)))
        .collect();
    match wrong.is_empty() {
        true => "no errors".to_owned(),
        false => format!("errors: {}", wrong.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_has_every_request_in_a_few_rows() {
        for latencies in [
            &[1][..],
            &[1, 3_600_000_000_000],
            &[999, 1000, 1001],
            &[5; 1000],
        ] {
            let mut measured = Measured::new();
            for latency in latencies {
                measured.corrected.record(*latency).unwrap();
            }
            let rows = histogram(&measured);
            assert!((1..=ROWS as usize).contains(&rows.len()), "{rows:?}");
            let shares = rows.iter().map(|row| {
                let (_, share) = row[..row.find(" %").unwrap()].rsplit_once(' ').unwrap();
                share.parse::<f64>().unwrap()
            });
            assert!((shares.sum::<f64>() - 100.0).abs() < 0.05, "{rows:?}");
        }
        let mut measured = Measured::new();
        for latency in 900..2_100 {
            measured.corrected.record(latency * 1_000).unwrap();
        }
        let ends = histogram(&measured);
        let ends: Vec<_> = ends.iter().map(|row| &row[8..18]).collect();
        assert_eq!(ends, [" 1.00 ms  ", " 2.00 ms  ", " 5.00 ms  "]);
    }

    #[test]
    fn a_line_says_it_all() {
        let mut measured = Measured::new();
        measured.duration = Duration::from_millis(1_500);
        assert_eq!(
            line(&measured, 1234.0),
            "    1.5 s  1,234 requests/s  p50 0.00 ns  p99 0.00 ns  errors 0"
        );
        assert_eq!(block(&measured, 1.0, Some(Duration::from_secs(2))).len(), 3);
    }
}
