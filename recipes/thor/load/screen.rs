//! What is shown while requests are made.

use std::io::{self, Write as _};
use std::time::Duration;

use console::Term;
use kamea_components::load::{ErrorClass, Measured};

use super::text;
use crate::options::Options;

/// How long the bars of the histogram are at the most.
const BAR: usize = 40;

/// How many rows the histogram has at the most.
const ROWS: u32 = 8;

/// How wide the terminal has to be for a line not to be broken.
const MARGIN: usize = 1;

/// Where progress is shown: a block of lines that is drawn again and again on a terminal, a line each second elsewhere.
#[derive(Debug)]
pub(super) struct Screen {
    kind: Kind,
    /// How long the run is to last, if that is known.
    lasts: Option<Duration>,
    /// What had been answered when something was shown last, and when that was.
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
        let terminal = Term::stdout();
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

    /// Shows what there is so far. That nobody reads it does not keep requests from being made.
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
            Kind::Lines => writeln!(io::stdout(), "{}", line(so_far, rate)),
            Kind::Terminal(terminal, ours) => {
                let lines = block(so_far, rate, self.lasts);
                draw(terminal, ours, &lines)
            }
        };
    }
}

impl Drop for Screen {
    /// Makes place for what is shown at the end.
    fn drop(&mut self) {
        if let Kind::Terminal(terminal, ours) = &self.kind {
            let _ = terminal.clear_last_lines(*ours);
        }
    }
}

/// Draws lines in the place of those that were drawn before.
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

/// All that there is to say in one line.
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

/// All that there is to say.
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

/// A row for each doubling of latency, or for several.
fn histogram(so_far: &Measured) -> Vec<String> {
    let latencies = &so_far.corrected;
    if latencies.is_empty() {
        return Vec::new();
    }
    let (first, last) = (
        latencies.min().max(1).ilog2(),
        latencies.max().max(1).ilog2(),
    );
    let step = (last + 1 - first).div_ceil(ROWS);
    let bounds = (first..=last).step_by(step as usize);
    let rows: Vec<_> = bounds
        .map(|bound| {
            let end = 1_u64 << (bound + step).min(63);
            (end, latencies.count_between(1 << bound, end - 1))
        })
        .collect();
    let most = rows
        .iter()
        .map(|(_, count)| *count)
        .max()
        .unwrap_or(1)
        .max(1);
    rows.into_iter()
        .map(|(end, count)| {
            let share = count as f64 / latencies.len() as f64;
            let length = (count as f64 / most as f64 * BAR as f64).ceil() as usize;
            let bar = "█".repeat(length);
            format!(
                "  up to {:>8}  {:>6.2} %  {bar}",
                text::time(end as f64),
                100.0 * share
            )
        })
        .collect()
}

pub(super) fn errors(so_far: &Measured) -> String {
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
