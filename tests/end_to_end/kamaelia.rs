//! The page for readers who know Kamaelia: it is complete, and the tests that it names exist.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn page() -> String {
    fs::read_to_string(root().join("docs/src/kamaelia.md")).unwrap()
}

#[test]
fn every_concept_and_every_general_component_has_its_counterpart() {
    let names = "microprocess component inbox outbox control signal linkage pass-through postman pipewidth noSpaceInBox \
        threadedcomponent adaptivecommscomponent scheduler Handle coordinatingassistanttracker Introspector producerFinished \
        shutdownMicroprocess Pipeline Graphline Carousel Seq PAR TPipe Backplane Splitter TwoWaySplitter Chooser Chunkifier Clock \
        Collate Comparator Detuple Filter FirstOnly LineSplit LossyConnector Marshaller Max NullSink OneShot PassThrough \
        PromptedTurnstile PureTransformer RangeFilter RateFilter SequentialTransformer Stringify Sync TagWithSequenceNumber \
        UnseenOnly ConsoleReader ConsoleEchoer DataSource Selector UnixProcess";
    let page = page();
    let rows: Vec<_> = page.lines().filter(|line| line.starts_with("| ")).collect();
    for name in names.split_whitespace() {
        let is_there = |row: &&str| {
            let first = row.split('|').nth(1).unwrap_or_default();
            first
                .split(|c: char| !c.is_alphanumeric() && c != '-')
                .any(|word| word == name)
        };
        let row = rows.iter().find(|row| is_there(row));
        let row = row.unwrap_or_else(|| panic!("{name} has no row"));
        assert!(
            row.split('|').nth(2).is_some_and(|here| here.len() > 5),
            "{name}"
        );
    }
}

#[test]
fn the_tests_that_it_names_exist() {
    let page = page();
    let failures = page.split("## Where Axon failed").nth(1).unwrap();
    let sources: String = [
        "src/graph/tests.rs",
        "src/link/tests.rs",
        "tests/lessons_of_axon.rs",
    ]
    .into_iter()
    .chain(["tests/end_to_end/malformed.rs", "tests/end_to_end/slow.rs"])
    .map(|file| fs::read_to_string(root().join(file)).unwrap())
    .collect();
    let rows = failures
        .lines()
        .filter(|line| line.starts_with("| "))
        .skip(1);
    let mut count = 0;
    for row in rows {
        let tests = row.split('|').nth(3).unwrap();
        for test in tests.split('`').skip(1).step_by(2) {
            assert!(sources.contains(&format!("fn {test}(")), "{test}");
            count += 1;
        }
    }
    assert!(count >= 12, "{count}");
}
