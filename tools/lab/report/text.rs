//! The report as texts, charts and tables, for every format: the five sections of the assignment.

use kamea_tools::report::{Bar, bars};

use super::claims::{self, and};
use super::findings::{Entry, Finding, Measure};
use crate::experiment::{Kind, Server};
use crate::journal::{Outcome, Sample};
use crate::plan::Plan;

/// A report, in plain text that each format escapes in its own way.
pub(super) struct Report {
    /// The day on which the run began.
    pub(super) date: String,
    /// Why the run means nothing, if it is a trial.
    pub(super) warning: Option<String>,
    /// The description of the run, one entry for each paragraph.
    pub(super) summary: Vec<String>,
    pub(super) machine: Vec<(String, String)>,
    pub(super) latency: Vec<Chart>,
    pub(super) throughput: Vec<Chart>,
    pub(super) analysis: Vec<String>,
    pub(super) conclusions: Vec<String>,
    /// What was requested and could not be measured.
    pub(super) missing: Vec<String>,
}

/// An experiment: its chart, the conclusions, and its figures.
pub(super) struct Chart {
    /// The name of its files.
    pub(super) name: &'static str,
    pub(super) title: String,
    pub(super) svg: String,
    /// The title of its axis, whether it is logarithmic, and its range.
    pub(super) axis: &'static str,
    pub(super) is_logarithmic: bool,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) statement: String,
    pub(super) rows: Vec<Row>,
}

/// A contender in an experiment.
pub(super) struct Row {
    pub(super) name: String,
    /// From the bottom of the chart.
    pub(super) place: usize,
    pub(super) is_ours: bool,
    /// In the unit of the axis.
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// With units: median, interval, quartiles, 99th percentile of the latency.
    pub(super) shown: [String; 4],
    pub(super) count: usize,
    /// The confidence of the interval, in percent.
    pub(super) confidence: String,
}

impl Report {
    pub(super) fn new(plan: &Plan, samples: &[Sample]) -> Self {
        let findings = Finding::all(plan, samples);
        let charts = |kind| {
            let of_kind = findings
                .iter()
                .filter(|finding| finding.asked.experiment.kind() == kind);
            of_kind
                .filter(|finding| !finding.entries.is_empty())
                .map(Chart::new)
                .collect()
        };
        Self {
            date: plan.circumstances.machine.date.clone(),
            warning: plan.quick.then(|| "This run was a trial, with small files and little time: its figures mean nothing.".to_owned()),
            summary: summary(plan, samples),
            machine: plan.circumstances.machine.rows(),
            latency: charts(Kind::Latency),
            throughput: charts(Kind::Throughput),
            analysis: analysis(plan, &findings),
            conclusions: conclusions(plan, &findings),
            missing: missing(plan, samples),
        }
    }

    /// All charts, in order.
    pub(super) fn charts(&self) -> impl Iterator<Item = &Chart> {
        self.latency.iter().chain(&self.throughput)
    }
}

impl Chart {
    fn new(finding: &Finding) -> Self {
        let bar = |entry: &Entry| Bar {
            name: entry.contender.to_string(),
            spread: entry.spread,
            is_ours: entry.contender.server == Server::Spidey,
        };
        let shown: Vec<_> = finding.entries.iter().map(bar).collect();
        let count = finding.entries.len();
        let rows = finding.entries.iter().enumerate();
        let rows: Vec<_> = rows
            .map(|(index, entry)| Row::new(finding.measure, entry, count - 1 - index))
            .collect();
        let is_logarithmic = kamea_tools::report::are_far_apart(&shown);
        let least = rows.iter().map(|row| row.low).fold(f64::INFINITY, f64::min);
        let most = rows.iter().map(|row| row.high).fold(0.0, f64::max);
        let title = capitalised(&finding.asked.experiment.to_string());
        Self {
            name: finding.asked.experiment.name(),
            svg: bars(&title, &shown, |value| finding.measure.show(value)),
            title,
            axis: finding.measure.axis(),
            is_logarithmic,
            from: if is_logarithmic { least / 1.3 } else { 0.0 },
            to: most * if is_logarithmic { 1.3 } else { 1.08 },
            statement: claims::statement(finding),
            rows,
        }
    }
}

impl Row {
    fn new(measure: Measure, entry: &Entry, place: usize) -> Self {
        let spread = entry.spread;
        Self {
            name: entry.contender.to_string(),
            place,
            is_ours: entry.contender.server == Server::Spidey,
            median: spread.median,
            low: spread.interval.low,
            high: spread.interval.high,
            shown: [
                measure.show(spread.median),
                measure.show_range(spread.interval.low, spread.interval.high),
                measure.show_range(spread.lower_quartile, spread.upper_quartile),
                Measure::Latency.show(entry.tail.median),
            ],
            count: spread.count,
            confidence: format!("{:.0} %", 100.0 * spread.interval.confidence),
        }
    }
}

impl Row {
    /// The name without spaces, which would split it into several columns.
    pub(super) fn token(&self) -> String {
        self.name.replace(' ', "-")
    }
}

fn summary(plan: &Plan, samples: &[Sample]) -> Vec<String> {
    let names: Vec<_> = plan.contenders.iter().map(ToString::to_string).collect();
    let experiments: Vec<_> = plan
        .experiments
        .iter()
        .map(|asked| asked.experiment.to_string())
        .collect();
    let measured = samples
        .iter()
        .filter(|sample| matches!(sample.outcome, Outcome::Measured(_)))
        .count();
    let connections = connections(plan);
    let cores = |cores: &[usize]| {
        let numbers: Vec<_> = cores.iter().map(ToString::to_string).collect();
        format!(
            "{} {}",
            if cores.len() == 1 { "core" } else { "cores" },
            and(&numbers)
        )
    };
    let (servers, load) = (
        &plan.circumstances.server_cores,
        &plan.circumstances.load_cores,
    );
    let apart = if servers.iter().any(|core| load.contains(core)) {
        "share"
    } else {
        "do not share"
    };
    vec![
        format!("Measured were {}, of {}.", and(&experiments), and(&names)),
        format!(
            "Each experiment was carried out {} times with each server, for {} s after {:.2} s of warm-up, {measured} samples in all. The samples of a round were taken in a random order (seed {}), and each with a server that was started for it, \
             so that what disturbs the machine for a while disturbs all alike.",
            plan.repetitions, plan.seconds, plan.warm_up_s, plan.seed
        ),
        format!(
            "Latency is that of one request at a time, from the moment at which it was to be sent to the end of its response{connections}. {}",
            if plan.keep_alive { "A connection is used for many requests." } else { "Each request has a connection of its own." }
        ),
        format!("Servers ran on {}, the load came from {}: they {apart} cores.", cores(servers), cores(load)),
        "A value is the median over the repetitions, in a chart a bar, or a dot where the axis is logarithmic. The line on it is a confidence interval of that median, from order statistics, so that nothing is assumed of how the \
         samples are distributed. One server is called faster than another only where their intervals do not overlap. How many times as fast is the median of the ratios within each round, with its interval. MB/s are millions of bytes per second."
            .to_owned(),
    ]
}

/// How many connections there are at once, where there are several.
fn connections(plan: &Plan) -> String {
    let experiments = plan.experiments.iter();
    let connections: Vec<_> = experiments
        .filter(|asked| asked.experiment.kind() == Kind::Throughput)
        .map(|asked| {
            format!(
                "{} for {}",
                asked.connections,
                claims::short(asked.experiment)
            )
        })
        .collect();
    if connections.is_empty() {
        return String::new();
    }
    let connections = and(&connections);
    format!("; for throughput there are several at once, {connections}")
}

fn analysis(plan: &Plan, findings: &[Finding]) -> Vec<String> {
    let mut paragraphs = claims::of_modes_over_all(findings);
    if !paragraphs.is_empty() {
        paragraphs.push(format!(
            "What the modes do: pool has its connections side by side on a few threads; single has one connection at a time, so that others wait; forking starts a process for each connection, {}.",
            if plan.keep_alive { "which then serves many requests" } else { "here for each request" }
        ));
    }
    paragraphs.extend(claims::of_sizes(findings));
    paragraphs.extend(claims::of_tails(findings));
    if paragraphs.is_empty() {
        paragraphs.push("There is nothing to be compared.".to_owned());
    }
    paragraphs
}

fn conclusions(plan: &Plan, findings: &[Finding]) -> Vec<String> {
    let mut lines = claims::conclusions(findings);
    let machine = &plan.circumstances.machine;
    let is_virtual = if machine.is_virtual {
        ", which is virtual and may share its processor with others"
    } else {
        ""
    };
    lines.push(format!(
        "All this holds for this machine{is_virtual}, with {} cores, for load that comes from the machine itself, and for these versions and settings.",
        machine.cores
    ));
    lines
}

fn missing(plan: &Plan, samples: &[Sample]) -> Vec<String> {
    let mut lines: Vec<_> = plan
        .left_out
        .iter()
        .map(|out| match out.experiment {
            Some(experiment) => format!("{}, {experiment}: {}", out.server, out.reason),
            None => format!("{}: {}", out.server, out.reason),
        })
        .collect();
    for sample in samples {
        if let Outcome::Failed(reason) = &sample.outcome {
            let cell = &sample.cell;
            lines.push(format!(
                "{}, {}, repetition {}: {reason}",
                cell.contender, cell.experiment, cell.repetition
            ));
        }
    }
    let due = plan.cells().len();
    let taken = samples.len();
    if taken < due {
        lines.push(format!(
            "{} of {due} samples: the run is not complete",
            due - taken
        ));
    }
    lines
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| {
        first.to_uppercase().chain(letters).collect()
    })
}
