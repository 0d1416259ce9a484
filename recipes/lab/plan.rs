//! What a run is to do: the first line of its journal.

use serde::{Deserialize, Serialize};

use kamea_recipes::report::Machine;

use super::experiment::{Contender, Experiment, Server};

/// What a run is to do. A run that goes on has the same plan as before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// The version of lab.
    pub(crate) lab: String,
    /// When the run began, in seconds since 1970.
    pub(crate) began_s: u64,
    /// Of which the order of the samples is drawn.
    pub(crate) seed: u64,
    /// How often each experiment is carried out with each contender.
    pub(crate) repetitions: u32,
    /// How long a sample is measured.
    pub(crate) seconds: f64,
    /// How long the same load runs before, unmeasured.
    pub(crate) warm_up_s: f64,
    /// Connections at once, for throughput; for latency it is one.
    pub(crate) connections: u32,
    /// Whether a connection is used for many requests; otherwise each has its own.
    pub(crate) keep_alive: bool,
    /// Whether the files are small and all is short: nothing that means anything.
    pub(crate) quick: bool,
    /// The cores that servers run on, and those that the load comes from.
    pub(crate) server_cores: Vec<usize>,
    pub(crate) load_cores: Vec<usize>,
    /// What is asked for.
    pub(crate) experiments: Vec<Asked>,
    /// Who is asked, in the order of a report.
    pub(crate) contenders: Vec<Contender>,
    /// What each server says of its version.
    pub(crate) versions: Vec<(Server, String)>,
    /// What was wanted and cannot be.
    pub(crate) left_out: Vec<LeftOut>,
    /// The machine.
    pub(crate) machine: Machine,
}

/// An experiment, as it is carried out in this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) experiment: Experiment,
    /// Bytes of the content of each response, where it is the same for all servers.
    pub(crate) length: Option<u64>,
}

/// Something that is not measured, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    pub(crate) server: Server,
    /// The experiment that it cannot take part in; none if it takes part in nothing.
    pub(crate) experiment: Option<Experiment>,
    pub(crate) reason: String,
}

/// A sample that is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) experiment: Experiment,
    #[serde(flatten)]
    pub(crate) contender: Contender,
    /// From 1 to [`Plan::repetitions`].
    pub(crate) repetition: u32,
}
