//! The journal of a run, `journal.jsonl`: a line of JSON for the plan, then one for each sample, in the order in which they were taken.
//!
//! ```text
//! {"plan":{"lab":"0.1.0","seed":7,"repetitions":5,...}}
//! {"sample":{"experiment":"1kb","server":"spidey","mode":"pool","repetition":1,"at_s":1480000000,"outcome":{"measured":{"requests":...}}}}
//! {"sample":{"experiment":"cgi","server":"nginx","mode":null,"repetition":1,"at_s":1480000004,"outcome":{"failed":"nginx did not start: ..."}}}
//! ```

use serde::{Deserialize, Serialize};

use kamea_recipes::report::Summary;

use super::plan::{Cell, Plan};

/// A line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Plan(Box<Plan>),
    Sample(Box<Sample>),
}

/// What came of a cell of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    #[serde(flatten)]
    pub(crate) cell: Cell,
    /// When it was taken, in seconds since 1970.
    pub(crate) at_s: u64,
    pub(crate) outcome: Outcome,
}

/// What came of a sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Outcome {
    /// It was measured, and every response was right.
    Measured(Box<Summary>),
    /// It could not be measured: why.
    Failed(String),
}
