//! How far a run is: a bar with the time that is left, or plain lines where nobody would see a bar.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use kamea_recipes::report::Summary;

use super::experiment::Kind;
use super::journal::{Outcome, Sample};
use super::plan::{Cell, Plan};

/// Shows how far a run is.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Of which samples those that are done are counted; hidden unless the standard error is a terminal.
    bar: ProgressBar,
    is_quiet: bool,
    repetitions: u32,
}

impl Progress {
    /// The beginning of a run, or of its rest: so many samples of its plan are taken already.
    pub(crate) fn new(plan: &Plan, taken: usize, is_quiet: bool) -> Self {
        let bar = if is_quiet || !io::stderr().is_terminal() {
            ProgressBar::hidden()
        } else {
            ProgressBar::no_length()
        };
        let template = "{bar:40} {pos} of {len}, {eta} left: {wide_msg}";
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.expect("the template is one"));
        bar.set_length(plan.cells().len() as u64);
        // What was taken before says nothing of how long the rest takes.
        bar.set_position(taken as u64);
        bar.reset_eta();
        bar.enable_steady_tick(Duration::from_secs(1));
        Self {
            bar,
            is_quiet,
            repetitions: plan.repetitions,
        }
    }

    /// A sample is being taken.
    pub(crate) fn begin(&self, cell: Cell) {
        self.bar.set_message(self.name(cell));
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

    /// There is no more to show.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
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

    /// A line, above the bar if there is one.
    fn say(&self, line: &str) {
        if self.bar.is_hidden() {
            let _ = writeln!(io::stderr(), "{line}");
        } else {
            self.bar.println(line);
        }
    }
}

/// What a sample has shown, in short.
fn figures(kind: Kind, summary: &Summary) -> String {
    match kind {
        Kind::Latency => {
            let latency = &summary.latency_us.raw;
            format!(
                "median {:.0} us, 99 in 100 within {:.0} us",
                latency.p50, latency.p99
            )
        }
        Kind::Throughput => {
            let megabytes = summary.bytes as f64 / summary.duration_s.max(f64::EPSILON) / 1e6;
            format!("{:.0} requests/s, {megabytes:.1} MB/s", summary.rate_per_s)
        }
    }
}
