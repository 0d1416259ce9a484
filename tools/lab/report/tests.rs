//! Reports of invented runs, so that the expected text is known.

use std::collections::BTreeMap;

use kamea_tools::report::{Machine, Summary};

use super::formats::{data, gnuplot, page, tex};
use super::samples::csv;
use super::text::Report;
use crate::experiment::{Contender, Experiment, Mode, Server};
use crate::journal::{Outcome, Sample};
use crate::plan::{Asked, Cell, Circumstances, LeftOut, Plan};

const POOL: Contender = Contender {
    server: Server::Spidey,
    mode: Some(Mode::Pool),
};
const FORKING: Contender = Contender {
    server: Server::Spidey,
    mode: Some(Mode::Forking),
};
const NGINX: Contender = Contender {
    server: Server::Nginx,
    mode: None,
};

fn plan(experiments: &[Experiment], contenders: &[Contender], repetitions: u32) -> Plan {
    let asked = |experiment: &Experiment| Asked {
        experiment: *experiment,
        connections: 1,
        length: Some(1024),
    };
    Plan {
        began_s: 1_460_298_312,
        seed: 7,
        repetitions,
        seconds: 3.0,
        warm_up_s: 0.5,
        connections: 16,
        keep_alive: false,
        quick: false,
        experiments: experiments.iter().map(asked).collect(),
        contenders: contenders.to_vec(),
        left_out: Vec::new(),
        circumstances: Circumstances {
            server_cores: vec![0],
            load_cores: vec![1],
            machine: Machine {
                cores: 2,
                versions: BTreeMap::from([("nginx".to_owned(), "1.22".to_owned())]),
                ..Machine::default()
            },
        },
    }
}

/// Samples with these latencies in microseconds, and the rates that follow from them.
fn samples(experiment: Experiment, contender: Contender, latencies: &[f64]) -> Vec<Sample> {
    let sample = |(index, latency): (usize, &f64)| {
        let mut summary = Summary {
            requests: 100,
            duration_s: 1.0,
            rate_per_s: 1e6 / latency,
            bytes: (1e9 / latency) as u64,
            ..Summary::default()
        };
        (
            summary.latency_us.corrected.p50,
            summary.latency_us.corrected.p99,
        ) = (*latency, 2.0 * latency);
        let cell = Cell {
            experiment,
            contender,
            repetition: u32::try_from(index).unwrap() + 1,
        };
        Sample {
            cell,
            at_s: 1_460_298_312,
            outcome: Outcome::Measured(Box::new(summary)),
        }
    };
    latencies.iter().enumerate().map(sample).collect()
}

fn around(latency: f64) -> Vec<f64> {
    [0.99, 1.01, 1.0, 0.98, 1.02]
        .map(|factor| factor * latency)
        .to_vec()
}

/// A report of one experiment with pool, forking and nginx, by their latencies.
fn report(experiment: Experiment, latencies: [Vec<f64>; 3]) -> Report {
    let contenders = [POOL, FORKING, NGINX];
    let repetitions = u32::try_from(latencies[0].len()).unwrap();
    let taken = contenders.iter().zip(&latencies);
    let taken: Vec<_> = taken
        .flat_map(|(contender, latencies)| samples(experiment, *contender, latencies))
        .collect();
    Report::new(&plan(&[experiment], &contenders, repetitions), &taken)
}

#[test]
fn a_sentence_says_faster_only_where_intervals_are_apart() {
    for (latencies, statement, conclusion) in [
        (
            [around(100.0), around(200.0), around(150.0)],
            "The fastest is spidey pool: 100 µs (98.0 to 102 µs). Of spidey's modes, pool is faster than forking (2.00 times its speed, 2.00 to 2.00). \
             Beside its peers, spidey pool is faster than nginx (1.50 times its speed, 1.50 to 1.50).",
            "spidey pool is the fastest, 100 µs (98.0 to 102 µs).",
        ),
        (
            [around(100.0), around(200.0), around(50.0)],
            "The fastest is nginx: 50.0 µs (49.0 to 51.0 µs). Of spidey's modes, pool is faster than forking (2.00 times its speed, 2.00 to 2.00). \
             Beside its peers, spidey pool is slower than nginx (0.50 times its speed, 0.50 to 0.50).",
            "nginx is the fastest, 50.0 µs (49.0 to 51.0 µs).",
        ),
        (
            [around(100.0), around(200.0), around(101.0)],
            "The best median is that of spidey pool: 100 µs (98.0 to 102 µs). The interval of nginx overlaps its own, so that it is not shown to be slower. \
             Of spidey's modes, pool is faster than forking (2.00 times its speed, 2.00 to 2.00). Beside its peers, spidey pool is not told apart from nginx.",
            "the best median is that of spidey pool, 100 µs (98.0 to 102 µs); nginx is not told apart from it; all others are slower.",
        ),
        (
            // With four repetitions, the median is outside of all of them with a chance of one in
            // eight.
            [vec![100.0; 4], vec![900.0; 4], vec![300.0; 4]],
            "The medians are from 100 µs to 900 µs. There are too few repetitions to say which server is faster: five are needed.",
            "there are too few repetitions to say who is the fastest.",
        ),
    ] {
        let report = report(Experiment::File, latencies);
        assert_eq!(report.latency[0].statement, statement);
        let expected = format!("The latency of a static file: {conclusion}");
        assert_eq!(report.conclusions[0], expected);
    }
}

#[test]
fn of_throughput_more_is_faster() {
    for experiment in [Experiment::Kilobyte, Experiment::Gigabyte] {
        let report = report(experiment, [around(100.0), around(200.0), around(50.0)]);
        let statement = &report.throughput[0].statement;
        assert!(
            statement.starts_with("The fastest is nginx: "),
            "{statement}"
        );
        assert!(
            statement.contains("pool is faster than forking (2.00 times"),
            "{statement}"
        );
        assert!(report.latency.is_empty());
    }
}

#[test]
fn what_was_not_measured_is_said() {
    let mut plan = plan(&[Experiment::Cgi], &[POOL, NGINX], 2);
    plan.left_out.push(LeftOut {
        server: Server::Caddy,
        experiment: None,
        reason: "it is not installed".to_owned(),
    });
    let mut taken = samples(Experiment::Cgi, POOL, &[100.0, 110.0]);
    taken[1].outcome = Outcome::Failed("no answer".to_owned());
    let report = Report::new(&plan, &taken);
    assert_eq!(
        report.missing,
        [
            "Caddy: it is not installed",
            "spidey pool, latency of a CGI script, repetition 2: no answer",
            "2 of 4 samples: the run is not complete"
        ]
    );
    assert_eq!(
        report.latency[0].statement,
        "spidey pool was measured alone: 100 µs (100 to 100 µs)."
    );
    let nothing = Report::new(&plan, &[]);
    assert!(
        page(&nothing).contains("Nothing was measured.")
            && tex(&nothing).contains("Nothing was measured.")
    );
}

#[test]
fn samples_are_rows_of_as_many_columns_as_the_head_has() {
    let mut taken = samples(Experiment::Listing, FORKING, &[100.0, 110.0]);
    taken[1].outcome = Outcome::Failed("no answer".to_owned());
    let text = csv(&taken);
    let rows: Vec<Vec<_>> = text.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 3);
    assert!(rows.iter().all(|row| row.len() == rows[0].len()), "{text}");
    let column = |name: &str| rows[0].iter().position(|head| *head == name).unwrap();
    assert_eq!(
        rows[1][..6],
        [
            "listing",
            "spidey",
            "forking",
            "1",
            "1460298312",
            "measured"
        ]
    );
    assert_eq!(
        (rows[1][column("p50_us")], rows[1][column("p99_us")]),
        ("100", "200")
    );
    assert_eq!(
        (rows[2][column("outcome")], rows[2][column("failure")]),
        ("failed", "no answer")
    );
    taken[1].outcome = Outcome::Failed("it said: \"no\", and\nwent".to_owned());
    assert!(csv(&taken).contains(",\"it said: \"\"no\"\", and\nwent\"\r\n"));
}

#[test]
fn what_others_have_said_is_escaped() {
    let mut plan = plan(&[Experiment::File], &[POOL, NGINX], 5);
    let reason = "<b> & 50% of $5_000 #1 {x}\\y ~ ^ \"z\" \u{2014} é µ";
    plan.left_out.push(LeftOut {
        server: Server::Apache,
        experiment: None,
        reason: reason.to_owned(),
    });
    let taken = [POOL, NGINX].map(|contender| samples(Experiment::File, contender, &around(100.0)));
    let report = Report::new(&plan, &taken.concat());
    let text = tex(&report);
    let escaped = "\\item Apache: \\textless{}b\\textgreater{} \\& 50\\% of \\$5\\_000 \\#1 \\{x\\}\\textbackslash{}y \\textasciitilde{} \\textasciicircum{} ''z'' ? é \\ensuremath{\\mu}\n";
    assert!(text.contains(escaped), "{text}");
    let html = page(&report);
    assert!(html.contains("&#60;b&#62; &#38; 50% of $5_000") && !html.contains("<b>"));
}

#[test]
fn the_page_begins_with_its_results() {
    let html = page(&report(
        Experiment::File,
        [around(100.0), around(9000.0), around(50.0)],
    ));
    let sections: Vec<_> = html
        .split("<h2>")
        .skip(1)
        .filter_map(|section| section.split('<').next())
        .collect();
    let order = ["Results", "Latency", "Throughput", "Analysis", "Method"];
    assert_eq!(sections, order);
    // Three contenders, one of which is the fastest.
    let result = html.find("is the fastest").unwrap();
    assert!(result < html.find("<h2>Latency").unwrap(), "{html}");
}

#[test]
fn environments_and_braces_of_the_latex_are_balanced() {
    let many = report(
        Experiment::File,
        [around(100.0), around(9000.0), around(50.0)],
    );
    let few = report(
        Experiment::Kilobyte,
        [around(100.0), around(200.0), around(50.0)],
    );
    for report in [many, few] {
        let text = tex(&report);
        let mut open = Vec::new();
        for part in text.split('\\') {
            let name = |command: &str| {
                part.strip_prefix(command)
                    .and_then(|rest| rest.split('}').next())
                    .map(str::to_owned)
            };
            if let Some(name) = name("begin{") {
                open.push(name);
            } else if let Some(name) = name("end{") {
                assert_eq!(open.pop(), Some(name));
            }
        }
        assert_eq!(open, [""; 0]);
        let unescaped = text
            .replace("\\\\", "")
            .replace("\\{", "")
            .replace("\\}", "");
        assert_eq!(
            unescaped.matches('{').count(),
            unescaped.matches('}').count()
        );
        for section in [
            "Summary",
            "Latency",
            "Throughput",
            "Analysis",
            "Conclusions",
        ] {
            assert!(
                text.contains(&format!("\\section{{{section}}}")),
                "{section}"
            );
        }
    }
}

#[test]
fn charts_have_data_with_error_bars_for_gnuplot_and_latex() {
    for (forking, is_logarithmic) in [(200.0, false), (9000.0, true)] {
        let report = report(
            Experiment::File,
            [around(100.0), around(forking), around(50.0)],
        );
        let chart = &report.latency[0];
        let data = data(chart);
        let rows: Vec<Vec<_>> = data
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split(' ').collect())
            .collect();
        assert_eq!(rows[0], ["2", "100", "98", "102", "1", "spidey-pool"]);
        assert_eq!((rows.len(), rows[2][4]), (3, "0"));
        assert_eq!(gnuplot(chart).contains("set logscale x"), is_logarithmic);
        assert!(gnuplot(chart).contains("with xerrorbars"));
        let text = tex(&report);
        assert_eq!(text.contains("xmode=log"), is_logarithmic);
        assert!(text.contains("{file.dat}") && text.contains("error bars/x explicit"));
    }
}
