//! The table at the end.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use hdrhistogram::Histogram;
use kamea_components::load::{ErrorClass, Measured};

use super::{Run, text};
use crate::options::Options;

/// If the threads are busy for at least this share of their time, the client may be the bottleneck.
const BUSY: f64 = 0.9;

/// A figure of a histogram.
type Figure = fn(&Histogram<u64>) -> f64;

const FIGURES: &[(&str, Figure)] = &[
    ("min", |latencies| latencies.min() as f64),
    ("mean", |latencies| latencies.mean()),
    ("stdev", |latencies| latencies.stdev()),
    ("p50", |latencies| latencies.value_at_quantile(0.5) as f64),
    ("p75", |latencies| latencies.value_at_quantile(0.75) as f64),
    ("p90", |latencies| latencies.value_at_quantile(0.9) as f64),
    ("p99", |latencies| latencies.value_at_quantile(0.99) as f64),
    ("p99.9", |latencies| {
        latencies.value_at_quantile(0.999) as f64
    }),
    ("max", |latencies| latencies.max() as f64),
];

/// Shows a run as a table, if there is a reader.
pub(super) fn show(options: &Options, run: &Run) -> io::Result<()> {
    match io::stdout().write_all(table(options, run).as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        shown => shown,
    }
}

fn table(options: &Options, run: &Run) -> String {
    let measured = &run.measured;
    let seconds = measured.duration.as_secs_f64();
    let mut table = head(options, run);
    let mut row = |name: &str, value: String| {
        let _ = writeln!(table, "  {name:<10} {value}");
    };
    row(
        units(run),
        format!(
            "{} in {seconds:.2} s, {} per second",
            text::count(measured.requests),
            text::rate(measured.rate())
        ),
    );
    let per_second = measured.bytes as f64 / seconds.max(f64::MIN_POSITIVE);
    row(
        "bytes",
        format!(
            "{}, {} per second",
            text::bytes(measured.bytes as f64),
            text::bytes(per_second)
        ),
    );
    if measured.requests == 0 {
        row("errors", errors(measured));
        return table;
    }
    row("content", content(measured));
    let statuses = measured.statuses.iter();
    let statuses: Vec<_> = statuses
        .map(|(status, count)| format!("{status} {}", text::count(*count)))
        .collect();
    // Messages have none.
    if !statuses.is_empty() {
        row("status", statuses.join(", "));
    }
    row("errors", errors(measured));
    add_latencies(&mut table, measured);
    for sentence in sentences(options, run) {
        table.push_str(&sentence);
        table.push('\n');
    }
    table
}

/// What is counted.
fn units(run: &Run) -> &'static str {
    match run.is_websocket {
        true => "messages",
        false => "requests",
    }
}

/// The sizes of the bodies.
fn content(measured: &Measured) -> String {
    let (shortest, longest) = (measured.content.shortest, measured.content.longest);
    match shortest == longest {
        true => format!("{} bytes each", text::count(longest)),
        false => format!(
            "{} to {} bytes each",
            text::count(shortest),
            text::count(longest)
        ),
    }
}

fn add_latencies(table: &mut String, measured: &Measured) {
    let _ = writeln!(
        table,
        "\n  {:<10} {:>10} {:>10}",
        "latency", "raw", "corrected"
    );
    for (name, figure) in FIGURES {
        let (raw, corrected) = (figure(&measured.raw), figure(&measured.corrected));
        let (raw, corrected) = (text::time(raw), text::time(corrected));
        let _ = writeln!(table, "  {name:<10} {raw:>10} {corrected:>10}");
    }
    table.push('\n');
}

fn head(options: &Options, run: &Run) -> String {
    let load = &options.load;
    let (connections, threads) = (load.connections(), load.threads);
    let what = match &run.urls[..] {
        [] => String::new(),
        [url] => url.clone(),
        [first, others @ ..] => format!("{first} and {} more", others.len()),
    };
    let how = match (load.rate(), load.depth()) {
        (Some(rate), _) => format!(", {} {} a second", text::rate(rate), units(run)),
        (None, 1) => String::new(),
        (None, depth) => format!(", {depth} {} at a time", units(run)),
    };
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    format!(
        "{what} over {connections} connection{}{how}, {threads} thread{}\n\n",
        plural(connections),
        plural(threads.get().into()),
    )
}

fn errors(measured: &Measured) -> String {
    let rows = ErrorClass::ALL.iter().filter_map(|class| {
        let count = measured.errors.of(*class);
        let example = measured.errors.examples.get(class)?;
        Some(format!("{class} {} ({example})", text::count(count)))
    });
    let rows: Vec<_> = rows.collect();
    match rows.is_empty() {
        true => "none".to_owned(),
        false => rows.join(", "),
    }
}

/// Notes that are needed to read the figures.
fn sentences(options: &Options, run: &Run) -> Vec<String> {
    let (load, measured) = (&options.load, &run.measured);
    let mut sentences = vec![match load.rate() {
        Some(_) => "Raw latencies count from when a request was sent, corrected ones from when it was planned.".to_owned(),
        None => "Raw latencies count from when a request was sent, corrected ones from when its connection was free for it; \
                 with --rate they count from a schedule, which does not wait for the server."
            .to_owned(),
    }];
    if load.rate().is_some() && measured.missed.requests == 0 {
        sentences.push("The client has kept to its schedule.".to_owned());
    }
    if measured.missed.requests > 0 {
        sentences.push(format!(
            "The client itself, or its machine, was too slow: it sent {} requests more than 1 ms after they were due (up to {}) or not at all, though their \
             connections were free. What this shows is not the server alone: ask for less, or on more --threads.",
            text::count(measured.missed.requests),
            text::time(measured.missed.largest.as_nanos() as f64),
        ));
    }
    if measured.held_up > 0 {
        sentences.push(format!(
            "The server did not keep up: {} planned requests were not sent, because all that time their connections waited for it.",
            text::count(measured.held_up),
        ));
    }
    if run.busy > BUSY {
        sentences.push(format!(
            "The client computed for {:.0} % of the time of its threads: it may be what limits the rate. Give it more --threads.",
            100.0 * run.busy,
        ));
    }
    sentences
}
