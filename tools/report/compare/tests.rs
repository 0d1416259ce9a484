//! Invented runs, so that their difference is known.

use super::*;
use crate::report::Second;

/// A run of this many seconds that vary by 4 %. Each resembles the one before it to some degree,
/// with a pause now and then.
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

/// How many of 200 pairs of runs, the second of which is slower by a factor, get a verdict, over
/// all figures.
fn share(seconds: usize, persistence: f64, factor: f64, verdict_of: fn(Figure) -> Verdict) -> f64 {
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
    // Of 1,200 verdicts 1 % would be wrong by chance, plus or minus 0.6 % (two standard errors). In
    // short series, the persistence is underestimated.
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
        let comparison = Comparison::new(&constant(seconds, 100.0), &constant(seconds, latency));
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
        lines[1].starts_with("rate      19971 /s     9915 /s   -50.4 %")
            && lines[1].ends_with("worse"),
        "{text}"
    );
    assert!(
        lines[2].starts_with("p50         495 µs     1.00 ms") && lines[2].ends_with("worse"),
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

/// The columns before, now and change of a table are consistent.
#[test]
fn what_is_shown_before_and_now_is_what_the_change_is_of() {
    let mut random = fastrand::Rng::with_seed(7);
    let old = run(&mut random, 30, 0.0, 1.0);
    let mut new = run(&mut random, 30, 0.0, 0.95);
    // The whole run has some bad seconds, which its percentile shows.
    new.latency_us.corrected.p99 = 250_000.0;
    let mut old = old;
    old.latency_us.corrected.p99 = 140_000.0;
    let comparison = Comparison::new(&old, &new);
    for one in &comparison.differences {
        let Interval { low, high, .. } = one.change.unwrap();
        let ratio = one.new / one.old;
        assert!((ratio / (low * high).sqrt() - 1.0).abs() < 1e-9, "{one:?}");
    }
    let text = comparison.to_string();
    let note = text
        .lines()
        .find(|line| line.contains("of the whole run"))
        .unwrap();
    assert!(note.contains("p99 ") && note.contains("+78.6 %"), "{text}");
    let row = text.lines().find(|line| line.starts_with("p99 ")).unwrap();
    assert!(!row.contains("140") && !row.contains("250"), "{text}");
}
