//! The progress of a run: a bar with the remaining time, or plain lines without a terminal.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use kamea::time::now;
use kamea_tools::report::Summary;

use super::experiment::Kind;
use super::journal::{Outcome, Sample};
use super::plan::{Cell, Plan};

/// The estimated overhead of a sample, until it is known: a server is started and stopped.
const AROUND: Duration = Duration::from_secs(1);

/// Shows the progress of a run.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Counts the samples. It is hidden unless the standard error is a terminal.
    bar: ProgressBar,
    is_quiet: bool,
    repetitions: u32,
    began: Instant,
    /// How many samples an earlier run had taken at the start.
    before: u64,
    /// How long a sample takes, until one has been taken.
    expected: Duration,
}

impl Progress {
    /// The start of a run, or of its rest: this many samples of its plan are taken already.
    pub(crate) fn new(plan: &Plan, taken: usize, is_quiet: bool) -> Self {
        let bar = if is_quiet || !io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::no_length()
        };
        let style = ProgressStyle::with_template("{bar:25} {wide_msg}");
        bar.set_style(style.expect("the template is one"));
        bar.set_length(plan.cells().len() as u64);
        bar.set_position(taken as u64);
        Self {
            bar,
            is_quiet,
            repetitions: plan.repetitions,
            began: now(),
            before: taken as u64,
            expected: Duration::from_secs_f64(plan.warm_up_s + plan.seconds) + AROUND,
        }
    }

    /// A sample is being taken.
    pub(crate) fn begin(&self, cell: Cell) {
        self.bar
            .set_message(format!("{}: {}", self.position(), self.name(cell)));
        self.bar.tick();
    }

    /// A sample was taken.
    pub(crate) fn take(&self, sample: &Sample) {
        self.bar.inc(1);
        let name = self.name(sample.cell);
        match &sample.outcome {
            Outcome::Failed(reason) => self.say(&format!("{name}: failed: {reason}")),
            Outcome::Measured(_) if self.is_quiet => {}
            Outcome::Measured(summary) => {
                let figures = figures(sample.cell.experiment.kind(), summary);
                self.say(&format!("{name}: {figures}"));
            }
        }
    }

    /// Ends the display.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// The number of samples, and the remaining time, if all take as long as those so far.
    fn position(&self) -> String {
        let (taken, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
        let each = match taken - self.before {
            0 => self.expected,
            here => (now() - self.began).div_f64(here as f64),
        };
        let left = HumanDuration(each.mul_f64((all - taken) as f64));
        format!("{taken} of {all}, {left} left")
    }

    fn name(&self, cell: Cell) -> String {
        let Cell {
            experiment,
            contender,
            repetition,
        } = cell;
        format!(
            "{experiment}, {contender}, {repetition} of {}",
            self.repetitions
        )
    }

    /// Prints a line, above the bar if there is one.
    fn say(&self, line: &str) {
        if self.bar.is_hidden() {
            let _ = writeln!(io::stderr(), "{}: {line}", self.position());
        } else {
            self.bar.println(line);
        }
    }
}

/// The result of a sample, in short.
fn figures(kind: Kind, summary: &Summary) -> String {
    match kind {
        Kind::Latency => {
            let latency = &summary.latency_us.corrected;
            format!(
                "median {:.0} us, 99 in 100 within {:.0} us",
                latency.p50, latency.p99
            )
        }
        Kind::Throughput => {
            let megabytes = summary.bytes as f64 / summary.duration_s.max(f64::EPSILON) / 1e6;
            let digits = if summary.rate_per_s < 10.0 { 2 } else { 0 };
            format!(
                "{:.digits$} requests/s, {megabytes:.1} MB/s",
                summary.rate_per_s
            )
        }
    }
}
