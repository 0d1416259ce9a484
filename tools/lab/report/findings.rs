//! The results of a run's samples, in numbers.

use kamea_tools::report::{Interval, Spread, Summary, Time};

use crate::experiment::{Contender, Experiment, Kind};
use crate::journal::{Outcome, Sample};
use crate::plan::{Asked, Plan};

/// An interval with less confidence than this shows nothing: fewer than five repetitions.
const SURE_ENOUGH: f64 = 0.9;

/// A measured quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// The median latency of a sample, in microseconds.
    Latency,
    /// Responses per second.
    Rate,
    /// Millions of bytes per second.
    Bytes,
}

/// The results of an experiment.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) asked: Asked,
    pub(super) measure: Measure,
    /// The results of each contender that was measured at least once, in the order of the plan.
    pub(super) entries: Vec<Entry>,
}

/// The results of a contender in an experiment.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) contender: Contender,
    /// Repetitions and values, in order.
    values: Vec<(u32, f64)>,
    pub(super) spread: Spread,
    /// The 99th percentile of the latency, in microseconds, over the repetitions.
    pub(super) tail: Spread,
}

/// How one contender compares with another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Order {
    Faster,
    Slower,
    /// The intervals overlap, or there are too few repetitions for a statement.
    Untold,
}

impl Measure {
    fn of(experiment: Experiment) -> Self {
        match (experiment, experiment.kind()) {
            (_, Kind::Latency) => Self::Latency,
            (Experiment::Kilobyte, _) => Self::Rate,
            _ => Self::Bytes,
        }
    }

    pub(super) fn value(self, summary: &Summary) -> f64 {
        match self {
            Self::Latency => summary.latency_us.corrected.p50,
            Self::Rate => summary.rate_per_s,
            Self::Bytes => summary.bytes as f64 / summary.duration_s / 1e6,
        }
    }

    /// A value with its unit.
    pub(super) fn show(self, value: f64) -> String {
        let digits = match value {
            value if value < 9.995 => 2,
            value if value < 99.95 => 1,
            _ => 0,
        };
        match self {
            Self::Latency => Time(value).to_string(),
            Self::Rate => format!("{value:.digits$} /s"),
            Self::Bytes => format!("{value:.digits$} MB/s"),
        }
    }

    /// A range of values. The unit appears once if it is the same.
    pub(super) fn show_range(self, low: f64, high: f64) -> String {
        let (low, high) = (self.show(low), self.show(high));
        match (low.split_once(' '), high.split_once(' ')) {
            (Some((number, unit)), Some((_, other))) if unit == other => {
                format!("{number} to {high}")
            }
            _ => format!("{low} to {high}"),
        }
    }

    /// The axis title of a chart, and the unit of its data.
    pub(super) fn axis(self) -> &'static str {
        match self {
            Self::Latency => "median latency in µs",
            Self::Rate => "responses per second",
            Self::Bytes => "MB per second",
        }
    }

    fn is_better_if_less(self) -> bool {
        self == Self::Latency
    }
}

impl Finding {
    /// The results of each experiment of a plan.
    pub(super) fn all(plan: &Plan, samples: &[Sample]) -> Vec<Self> {
        let finding = |asked: &Asked| {
            let measure = Measure::of(asked.experiment);
            let entry = |&contender| Entry::new(asked.experiment, measure, contender, samples);
            Self {
                asked: asked.clone(),
                measure,
                entries: plan.contenders.iter().filter_map(entry).collect(),
            }
        };
        plan.experiments.iter().map(finding).collect()
    }

    pub(super) fn entry(&self, contender: Contender) -> Option<&Entry> {
        self.entries
            .iter()
            .find(|entry| entry.contender == contender)
    }

    /// The entry with the best median.
    pub(super) fn best(&self) -> Option<&Entry> {
        let better = |a: &&Entry, b: &&Entry| {
            let order = a.spread.median.total_cmp(&b.spread.median);
            if self.measure.is_better_if_less() {
                order
            } else {
                order.reverse()
            }
        };
        self.entries.iter().min_by(better)
    }

    pub(super) fn order(&self, one: &Entry, other: &Entry) -> Order {
        let (one, other) = (&one.spread.interval, &other.spread.interval);
        let is_sure = |interval: &Interval| interval.confidence >= SURE_ENOUGH;
        if !is_sure(one) || !is_sure(other) {
            return Order::Untold;
        }
        match (one.is_below(other), other.is_below(one)) {
            (false, false) => Order::Untold,
            (is_less, _) if is_less == self.measure.is_better_if_less() => Order::Faster,
            _ => Order::Slower,
        }
    }

    /// The ratio of two contenders' speeds, in the repetitions in which both were measured.
    pub(super) fn speed(&self, one: &Entry, other: &Entry) -> Option<Spread> {
        let pairs = one.values.iter().filter_map(|(repetition, value)| {
            let pair = other.values.iter().find(|(other, _)| other == repetition);
            pair.map(|(_, other)| (*value, *other))
        });
        let (ones, others): (Vec<_>, Vec<_>) = pairs.unzip();
        if self.measure.is_better_if_less() {
            Spread::of_ratios(&others, &ones)
        } else {
            Spread::of_ratios(&ones, &others)
        }
    }

    /// Whether there are enough repetitions for a statement.
    pub(super) fn is_sure(&self) -> bool {
        let mut intervals = self.entries.iter().map(|entry| entry.spread.interval);
        intervals.all(|interval| interval.confidence >= SURE_ENOUGH)
    }
}

impl Entry {
    fn new(
        experiment: Experiment,
        measure: Measure,
        contender: Contender,
        samples: &[Sample],
    ) -> Option<Self> {
        let cells = samples.iter().filter(|sample| {
            sample.cell.experiment == experiment && sample.cell.contender == contender
        });
        let measured = cells.filter_map(|sample| match &sample.outcome {
            Outcome::Measured(summary) => Some((sample.cell.repetition, summary)),
            Outcome::Failed(_) => None,
        });
        let mut measured: Vec<_> = measured.collect();
        measured.sort_by_key(|(repetition, _)| *repetition);
        let values: Vec<_> = measured
            .iter()
            .map(|(repetition, summary)| (*repetition, measure.value(summary)))
            .collect();
        let tails: Vec<_> = measured
            .iter()
            .map(|(_, summary)| summary.latency_us.corrected.p99)
            .collect();
        Some(Self {
            contender,
            spread: Spread::of(&values.iter().map(|(_, value)| *value).collect::<Vec<_>>())?,
            tail: Spread::of(&tails)?,
            values,
        })
    }
}
