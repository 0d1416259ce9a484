//! The trace of a simulation, for comparing one run with another.

use std::fmt::Write;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// A line for each poll, or only the hash of these lines, which costs less.
#[derive(Debug, Default)]
pub(super) struct Trace {
    pub(super) polls: u64,
    hasher: DefaultHasher,
    text: Option<String>,
}

impl Trace {
    pub(super) fn new(is_kept: bool) -> Self {
        Self {
            text: is_kept.then(String::new),
            ..Self::default()
        }
    }

    pub(super) fn note(
        &mut self,
        elapsed: Duration,
        worker: Option<usize>,
        graph: &str,
        component: &str,
    ) {
        self.polls += 1;
        (elapsed, worker, graph, component).hash(&mut self.hasher);
        let Some(text) = &mut self.text else { return };
        let worker = worker.map_or("pool".to_owned(), |worker| format!("worker {worker}"));
        let (seconds, nanos) = (elapsed.as_secs(), elapsed.subsec_nanos());
        let dash = if component.is_empty() { "" } else { "/" };
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "{seconds}.{nanos:09} {worker} {graph}{dash}{component}"
        );
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.hasher.finish()
    }

    pub(super) fn into_text(self) -> Option<String> {
        self.text
    }
}
