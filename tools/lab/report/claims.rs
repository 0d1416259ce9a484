//! Sentences about what the data show, and nothing beyond: "faster" only if the intervals of the
//! medians do not overlap.

use kamea_tools::report::Spread;

use super::findings::{Entry, Finding, Measure, Order};
use crate::experiment::{Contender, Experiment, Mode, Server};

/// The sentences about a chart.
pub(super) fn statement(finding: &Finding) -> String {
    let Some(best) = finding.best() else {
        return "Nothing was measured.".to_owned();
    };
    if finding.entries.len() == 1 {
        return format!(
            "{} was measured alone: {}.",
            best.contender,
            value(finding.measure, best)
        );
    }
    if !finding.is_sure() {
        let medians = finding.entries.iter().map(|entry| entry.spread.median);
        let (least, most) = medians.fold((f64::INFINITY, 0.0_f64), |(least, most), x| {
            (least.min(x), most.max(x))
        });
        let show = |value| finding.measure.show(value);
        return format!(
            "The medians are from {} to {}. There are too few repetitions to say which server is faster: five are needed.",
            show(least),
            show(most)
        );
    }
    let mut sentences = vec![of_the_best(finding, best)];
    sentences.extend(of_modes(finding));
    sentences.extend(of_peers(finding));
    sentences.join(" ")
}

/// The fastest contender, if the data show one.
fn of_the_best(finding: &Finding, best: &Entry) -> String {
    let others = finding
        .entries
        .iter()
        .filter(|entry| entry.contender != best.contender);
    let rivals: Vec<_> = others
        .filter(|other| finding.order(best, other) == Order::Untold)
        .map(|entry| entry.contender.to_string())
        .collect();
    let value = value(finding.measure, best);
    if rivals.is_empty() {
        return format!("The fastest is {}: {value}.", best.contender);
    }
    let untold = match rivals.as_slice() {
        [rival] => format!(
            "The interval of {rival} overlaps its own, so that it is not shown to be slower."
        ),
        rivals => format!(
            "The intervals of {} overlap its own, so that they are not shown to be slower.",
            and(rivals)
        ),
    };
    format!(
        "The best median is that of {}: {value}. {untold}",
        best.contender
    )
}

/// The contender that represents spidey beside its peers: its default mode, if that was measured.
pub(super) fn ours(finding: &Finding) -> Option<&Entry> {
    let pool = Contender {
        server: Server::Spidey,
        mode: Some(Mode::Pool),
    };
    let any = || {
        finding
            .entries
            .iter()
            .find(|entry| entry.contender.server == Server::Spidey)
    };
    finding.entry(pool).or_else(any)
}

fn of_modes(finding: &Finding) -> Option<String> {
    let ours = ours(finding)?;
    let modes = finding.entries.iter().filter(|entry| {
        entry.contender.server == Server::Spidey && entry.contender != ours.contender
    });
    compared(finding, ours, modes)
        .map(|parts| format!("Of spidey's modes, {} {parts}.", mode_of(ours)))
}

fn of_peers(finding: &Finding) -> Option<String> {
    let ours = ours(finding)?;
    let peers = finding
        .entries
        .iter()
        .filter(|entry| entry.contender.server != Server::Spidey);
    compared(finding, ours, peers)
        .map(|parts| format!("Beside its peers, {} {parts}.", ours.contender))
}

fn mode_of(entry: &Entry) -> &'static str {
    entry.contender.mode.map_or("spidey", Mode::name)
}

/// Compares one contender with some others. Returns nothing if there are no others.
fn compared<'a>(
    finding: &Finding,
    one: &Entry,
    others: impl Iterator<Item = &'a Entry>,
) -> Option<String> {
    let (mut faster, mut slower, mut untold) = (Vec::new(), Vec::new(), Vec::new());
    for other in others {
        let name = if other.contender.server == Server::Spidey {
            mode_of(other).to_owned()
        } else {
            other.contender.to_string()
        };
        let speed = finding.speed(one, other).map_or(String::new(), |speed| {
            format!(" ({})", times(&speed, " times its speed, "))
        });
        match finding.order(one, other) {
            Order::Faster => faster.push(name + &speed),
            Order::Slower => slower.push(name + &speed),
            Order::Untold => untold.push(name),
        }
    }
    let mut parts = Vec::new();
    if !faster.is_empty() {
        parts.push(format!("is faster than {}", and(&faster)));
    }
    if !slower.is_empty() {
        parts.push(format!("is slower than {}", and(&slower)));
    }
    if !untold.is_empty() {
        parts.push(format!("is not told apart from {}", and(&untold)));
    }
    (!parts.is_empty()).then(|| and(&parts))
}

/// A value, with the interval of its median.
fn value(measure: Measure, entry: &Entry) -> String {
    let Spread {
        median, interval, ..
    } = entry.spread;
    let range = measure.show_range(interval.low, interval.high);
    format!("{} ({range})", measure.show(median))
}

/// The ratio of the speeds, and its range.
fn times(speed: &Spread, between: &str) -> String {
    let digits = |value: f64| match value {
        value if value < 0.0995 => format!("{value:.3}"),
        value if value < 9.995 => format!("{value:.2}"),
        value => format!("{value:.1}"),
    };
    let (low, high) = (digits(speed.interval.low), digits(speed.interval.high));
    format!("{}{between}{low} to {high}", digits(speed.median))
}

/// Conclusions about a server's modes from all experiments: one sentence for each mode except the
/// reference mode.
pub(super) fn of_modes_over_all(findings: &[Finding]) -> Vec<String> {
    let sentence = |mode: Mode| {
        let (mut lines, mut untold) = (Vec::new(), Vec::new());
        for finding in findings {
            let contender = Contender {
                server: Server::Spidey,
                mode: Some(mode),
            };
            let (Some(ours), Some(entry)) = (ours(finding), finding.entry(contender)) else {
                continue;
            };
            if ours.contender == contender {
                continue;
            }
            let name = short(finding.asked.experiment);
            match (finding.order(entry, ours), finding.speed(entry, ours)) {
                (Order::Untold, _) | (_, None) => untold.push(name.to_owned()),
                (_, Some(speed)) => lines.push(format!("{}) for {name}", times(&speed, " ("))),
            }
        }
        let stands_beside = mode_of(findings.iter().find_map(ours)?);
        let mut parts = Vec::new();
        if !lines.is_empty() {
            parts.push(format!(
                "has, in shares of the speed of {stands_beside}, {}",
                and(&lines)
            ));
        }
        if !untold.is_empty() {
            parts.push(format!(
                "is not told apart from {stands_beside} for {}",
                and(&untold)
            ));
        }
        (!parts.is_empty()).then(|| format!("Mode {} {}.", mode.name(), and(&parts)))
    };
    [Mode::Single, Mode::Forking]
        .into_iter()
        .filter_map(sentence)
        .collect()
}

/// How throughput grows with the size of a file, for the contender that represents spidey.
pub(super) fn of_sizes(findings: &[Finding]) -> Option<String> {
    let sizes = [
        Experiment::Kilobyte,
        Experiment::Megabyte,
        Experiment::Gigabyte,
    ];
    let rate = |experiment| {
        let finding = findings
            .iter()
            .find(|finding| finding.asked.experiment == experiment)?;
        let median = ours(finding)?.spread.median;
        let bytes = match (finding.measure, finding.asked.length) {
            (Measure::Bytes, _) => median,
            (_, length) => median * length? as f64 / 1e6,
        };
        Some(format!(
            "{} with {}",
            Measure::Bytes.show(bytes),
            short(experiment)
        ))
    };
    let rates: Vec<_> = sizes.into_iter().filter_map(rate).collect();
    let ours = findings.iter().find_map(ours)?;
    (rates.len() > 1).then(|| format!("Of content, {} sends {}.", ours.contender, and(&rates)))
}

/// How the slowest one of a hundred responses compares with the median.
pub(super) fn of_tails(findings: &[Finding]) -> Vec<String> {
    let latencies = findings
        .iter()
        .filter(|finding| finding.measure == Measure::Latency);
    let sentence = |finding: &Finding| {
        let of = |entry: &Entry| {
            format!(
                "{} for {}",
                Measure::Latency.show(entry.tail.median),
                entry.contender
            )
        };
        let tails: Vec<_> = finding.entries.iter().map(of).collect();
        (!tails.is_empty()).then(|| {
            format!(
                "99 in 100 responses of {} come within (median over the repetitions) {}.",
                short(finding.asked.experiment),
                and(&tails)
            )
        })
    };
    latencies.filter_map(sentence).collect()
}

/// The result of each experiment, in a line.
pub(super) fn conclusions(findings: &[Finding]) -> Vec<String> {
    let line = |finding: &Finding| {
        let best = finding.best().filter(|_| finding.entries.len() > 1)?;
        let what = finding.asked.experiment;
        if !finding.is_sure() {
            return Some(format!(
                "The {what}: there are too few repetitions to say who is the fastest."
            ));
        }
        let others = finding
            .entries
            .iter()
            .filter(|entry| entry.contender != best.contender);
        let (slower, untold): (Vec<_>, Vec<_>) =
            others.partition(|other| finding.order(best, other) == Order::Faster);
        let untold: Vec<_> = untold
            .iter()
            .map(|entry| entry.contender.to_string())
            .collect();
        let value = value(finding.measure, best);
        Some(match (untold.as_slice(), slower.len()) {
            ([], _) => format!("The {what}: {} is the fastest, {value}.", best.contender),
            (untold, 0) => format!(
                "The {what}: the best median is that of {}, {value}; {} not told apart from it.",
                best.contender,
                are(untold)
            ),
            (untold, _) => format!(
                "The {what}: the best median is that of {}, {value}; {} not told apart from it; all others are slower.",
                best.contender,
                are(untold)
            ),
        })
    };
    findings.iter().filter_map(line).collect()
}

fn are(names: &[String]) -> String {
    format!(
        "{} {}",
        and(names),
        if names.len() == 1 { "is" } else { "are" }
    )
}

pub(super) fn short(experiment: Experiment) -> &'static str {
    match experiment {
        Experiment::Listing => "the listing",
        Experiment::File => "the file",
        Experiment::Cgi => "the CGI script",
        Experiment::Kilobyte => "1 KB",
        Experiment::Megabyte => "1 MB",
        Experiment::Gigabyte => "1 GB",
    }
}

/// One; one and two; one, two and three.
pub(super) fn and(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
