//! Tests every public component against the contract of components (`docs/src/contract.md`).
//!
//! ```text
//!   feeds ──▶ (something that panics) ──▶ the component ──▶ takes
//! ```
//!
//! A row of [`rows`] says how a component is created and what it receives; the clauses do the rest.
//! A test here fails if a component has neither a row nor a reason for having none.

mod bench;
mod clauses;
mod exempt;
mod rows;
mod rows_of_http;
mod rows_of_load;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use bench::{Bench, Row};

/// Tests a clause with each row to which it applies; names all rows that fail.
fn hold_all<C: AsyncFn(Bench) + Copy + Send + 'static>(
    applies: impl Fn(&Row) -> bool,
    panicking: bool,
    clause: C,
) {
    let rows: Vec<_> = rows::rows().into_iter().filter(applies).collect();
    assert!(!rows.is_empty());
    let failing: Vec<_> = rows
        .into_iter()
        .filter_map(|row| {
            let name = row.name;
            let held = AssertUnwindSafe(|| row.hold(panicking, clause));
            catch_unwind(held).is_err().then_some(name)
        })
        .collect();
    assert!(failing.is_empty(), "not held by {failing:?}");
}

#[test]
fn a_component_ends_with_what_is_upstream_of_it() {
    hold_all(|row| !row.is_source, false, clauses::ends_with_upstream);
}

#[test]
fn a_source_ends_when_its_graph_is_stopped() {
    hold_all(|row| row.is_source, false, clauses::ends_when_stopped);
}

#[test]
fn a_component_ends_quietly_when_nobody_is_downstream() {
    hold_all(|_| true, false, clauses::ends_quietly_without_downstream);
}

#[test]
fn a_component_is_held_up_by_what_is_downstream() {
    let applies = |row: &Row| row.absorbs.is_none() && !row.is_source;
    hold_all(applies, false, clauses::is_held_up);
}

#[test]
fn a_component_that_is_dropped_closes_its_links() {
    for turns in 0..6 {
        let clause = async move |bench: Bench| clauses::closes_when_dropped(bench, turns).await;
        hold_all(|_| true, false, clause);
    }
}

#[test]
fn a_component_that_fails_can_run_again_over_the_same_ports() {
    let applies = |row: &Row| row.runs_once.is_none() && !row.is_source;
    hold_all(applies, true, clauses::runs_again);
}

/// Returns the public functions of this package that are components, or create them.
fn components() -> BTreeSet<String> {
    let (mut found, mut sources) = (BTreeSet::new(), Vec::new());
    read_sources(Path::new(env!("CARGO_MANIFEST_DIR")), &mut sources);
    // Our own types that are components: chassis functions return them.
    let made = sources.iter().flat_map(|code| component_types(code));
    let kinds = [
        "Component<",
        "Blocking<",
        "Composite<",
        "Function<",
        "AsyncFnMut(",
    ];
    let kinds: Vec<_> = kinds.map(str::to_owned).into_iter().chain(made).collect();
    let is_one = |signature: &str| {
        // Bounds say what functions it takes.
        let own = signature.split(" where ").next().unwrap_or_default();
        let is_async = own.contains("&mut ") && own.contains("-> Done");
        let returned = returned(signature);
        is_async || kinds.iter().any(|kind| returned.contains(kind.as_str()))
    };
    for code in &sources {
        let functions = code.split("\npub ").skip(1);
        for function in functions.filter_map(|text| {
            text.strip_prefix("fn ")
                .or_else(|| text.strip_prefix("async fn "))
        }) {
            let signature = in_one_line(function.split('{').next().unwrap_or_default());
            let name = signature.split(['(', '<']).next().unwrap_or_default();
            if is_one(&signature) {
                found.insert(name.trim().to_owned());
            }
        }
    }
    found
}

/// Returns the return type of a function, up to its `where`.
fn returned(signature: &str) -> &str {
    let made = signature.split_once(") -> ").map_or("", |(_, made)| made);
    made.split(" where ").next().unwrap_or_default()
}

fn in_one_line(code: &str) -> String {
    code.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the types with a hand-written implementation of a component, with the bracket that
/// follows their name.
fn component_types(code: &str) -> Vec<String> {
    let impls = code.split("\nimpl").skip(1);
    let types = impls.filter_map(|text| {
        let header = in_one_line(text.split('{').next()?);
        let (implemented, of) = header.split_once("> for ")?;
        let name = of.split(['<', ' ']).next()?;
        implemented
            .contains("Component<")
            .then(|| format!("{name}<"))
    });
    types.collect()
}

fn read_sources(folder: &Path, sources: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
        if ["contract", "tests", "testing"].contains(&name) {
            continue;
        }
        // A package of its own, such as `components/session`, has tests of its own.
        if path.join("Cargo.toml").exists() {
            continue;
        }
        if path.is_dir() {
            read_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text
                .split("#[cfg(test)]\nmod tests")
                .next()
                .unwrap_or_default();
            let lines = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            sources.push(lines.fold("\n".to_owned(), |code, line| code + line + "\n"));
        }
    }
}

#[test]
fn every_component_has_a_row_or_a_reason() {
    let rows: BTreeSet<_> = rows::rows().iter().map(|row| row.name.to_owned()).collect();
    let reasons: BTreeSet<_> = exempt::EXEMPT
        .iter()
        .map(|(name, reason)| {
            assert!(reason.len() > 10, "{name} needs a reason");
            (*name).to_owned()
        })
        .collect();
    let components = components();
    assert!(components.len() > 60, "{components:?}");
    let known: BTreeSet<_> = rows.union(&reasons).cloned().collect();
    let missing: Vec<_> = components.difference(&known).collect();
    assert!(
        missing.is_empty(),
        "{missing:?}: add a row in components/contract/rows.rs, or a reason in exempt.rs"
    );
    let gone: Vec<_> = known.difference(&components).collect();
    assert!(
        gone.is_empty(),
        "{gone:?} are no components, or are not found"
    );
    let both: Vec<_> = rows.intersection(&reasons).collect();
    assert!(both.is_empty(), "{both:?} have a row and a reason");
}

#[test]
fn time_chance_and_threads_come_from_the_kernel() {
    let mut sources = Vec::new();
    read_sources(Path::new(env!("CARGO_MANIFEST_DIR")), &mut sources);
    for foreign in [
        "Instant::now()",
        "SystemTime::now()",
        "thread::spawn(",
        "thread::sleep(",
        "tokio::time::",
        "tokio::spawn(",
        "std::hash::RandomState",
        "BuildHasher, RandomState",
    ] {
        let found = sources.iter().find(|code| code.contains(foreign));
        assert!(found.is_none(), "{foreign} in {found:?}");
    }
}
