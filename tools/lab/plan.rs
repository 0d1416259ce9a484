//! The plan of a run: the first line of its journal.

use std::fmt::{self, Display};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use kamea_tools::report::Machine;

use super::experiment::{Contender, Experiment, Kind, Server};
use super::options::{Seconds, Wishes};
use super::site;

/// The plan of a run. A continued run has the same plan as before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// When the run began, in seconds since 1970.
    pub(crate) began_s: u64,
    /// The seed for the order of the samples and the content of the files.
    pub(crate) seed: u64,
    /// How often each experiment is carried out with each contender.
    pub(crate) repetitions: u32,
    /// How long a sample is measured.
    pub(crate) seconds: f64,
    /// How long the same load runs before, unmeasured.
    pub(crate) warm_up_s: f64,
    /// The number of concurrent connections for throughput.
    pub(crate) connections: u32,
    /// Whether a connection carries many requests. Otherwise each request has its own.
    pub(crate) keep_alive: bool,
    /// Whether this is a trial: the files are small and all is short, so that the figures mean
    /// nothing.
    pub(crate) quick: bool,
    /// The experiments, in the order of a report.
    pub(crate) experiments: Vec<Asked>,
    /// The contenders, in the order of a report.
    pub(crate) contenders: Vec<Contender>,
    /// What was requested and cannot be measured.
    pub(crate) left_out: Vec<LeftOut>,
    /// The environment of the run.
    pub(crate) circumstances: Circumstances,
}

/// An experiment, as it is carried out in this run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) experiment: Experiment,
    /// The number of concurrent connections.
    pub(crate) connections: u32,
    /// The size of each response's body in bytes, if it is the same for all servers.
    pub(crate) length: Option<u64>,
}

/// Something that is not measured, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LeftOut {
    pub(crate) server: Server,
    /// The experiment that it cannot take part in. `None` if it can take part in no experiment.
    pub(crate) experiment: Option<Experiment>,
    pub(crate) reason: String,
}

/// The environment of a run. Samples from different environments cannot be compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Circumstances {
    /// The cores of the servers.
    pub(crate) server_cores: Vec<usize>,
    /// The cores of the load.
    pub(crate) load_cores: Vec<usize>,
    /// The machine, and the versions of lab and of each server.
    pub(crate) machine: Machine,
}

/// A planned sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Cell {
    pub(crate) experiment: Experiment,
    #[serde(flatten)]
    pub(crate) contender: Contender,
    /// From 1 to [`Plan::repetitions`].
    pub(crate) repetition: u32,
}

/// The largest number of connections for the largest file. More connections would only make each
/// response take longer.
const FOR_LARGEST: u32 = 4;

impl Plan {
    /// The plan that follows from the options and the environment.
    pub(crate) fn new(
        wishes: &Wishes,
        servers: &[Server],
        left_out: Vec<LeftOut>,
        circumstances: Circumstances,
        began_s: u64,
    ) -> Self {
        let (repetitions, seconds) = if wishes.quick { (1, 0.1) } else { (5, 3.0) };
        let seconds = wishes.seconds.map_or(seconds, |Seconds(seconds)| seconds);
        let (experiments, modes) = (chosen(&wishes.only), chosen(&wishes.modes));
        let mut plan = Self {
            began_s,
            seed: wishes.seed.unwrap_or_else(|| fastrand::u64(..)),
            repetitions: wishes.repetitions.map_or(repetitions, u32::from),
            seconds,
            warm_up_s: (seconds / 6.0 * 1e3).ceil() / 1e3,
            connections: wishes.connections.map_or(16, u32::from),
            keep_alive: wishes.keep_alive,
            quick: wishes.quick,
            experiments: Vec::new(),
            contenders: servers
                .iter()
                .flat_map(|server| Contender::of(*server, &modes))
                .collect(),
            left_out,
            circumstances,
        };
        let asked = experiments
            .into_iter()
            .map(|experiment| plan.ask(experiment));
        plan.experiments = asked.collect();
        plan
    }

    fn ask(&self, experiment: Experiment) -> Asked {
        let connections = match (experiment, experiment.kind()) {
            (_, Kind::Latency) => 1,
            (Experiment::Gigabyte, _) => self.connections.min(FOR_LARGEST),
            (_, Kind::Throughput) => self.connections,
        };
        Asked {
            experiment,
            connections,
            length: site::length(experiment, self.seed, self.quick),
        }
    }

    /// All planned samples: round after round, each in an order of its own.
    pub(crate) fn cells(&self) -> Vec<Cell> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let rounds = (1..=self.repetitions).map(|repetition| {
            let mut round = self.round(repetition);
            random.shuffle(&mut round);
            round
        });
        rounds.flatten().collect()
    }

    fn round(&self, repetition: u32) -> Vec<Cell> {
        let mut round = Vec::new();
        for &Asked { experiment, .. } in &self.experiments {
            for &contender in &self.contenders {
                let is_out = |out: &LeftOut| {
                    out.server == contender.server && out.experiment == Some(experiment)
                };
                if !self.left_out.iter().any(is_out) {
                    round.push(Cell {
                        experiment,
                        contender,
                        repetition,
                    });
                }
            }
        }
        round
    }

    /// The settings of an experiment.
    pub(crate) fn asked(&self, experiment: Experiment) -> Option<&Asked> {
        self.experiments
            .iter()
            .find(|asked| asked.experiment == experiment)
    }

    /// The servers that take part.
    pub(crate) fn servers(&self) -> Vec<Server> {
        let contenders = self.contenders.iter();
        let mut servers: Vec<_> = contenders.map(|contender| contender.server).collect();
        servers.dedup();
        servers
    }

    /// The differences since the start of the run, in options and environment, one on each line.
    pub(crate) fn differences(&self, wishes: &Wishes, found: &Circumstances) -> Vec<String> {
        let experiments = self.experiments.iter().map(|asked| asked.experiment);
        let modes = self
            .contenders
            .iter()
            .filter_map(|contender| contender.mode);
        let seconds = wishes.seconds.map(|Seconds(seconds)| seconds);
        let mut differences = [
            differing("--only", names(experiments), wished(&wishes.only)),
            differing("--servers", names(self.servers()), wished(&wishes.servers)),
            differing("--modes", names(modes), wished(&wishes.modes)),
            differing(
                "--repetitions",
                self.repetitions,
                wishes.repetitions.map(u32::from),
            ),
            differing("--seconds", self.seconds, seconds),
            differing(
                "--connections",
                self.connections,
                wishes.connections.map(u32::from),
            ),
            differing(
                "--keep-alive",
                self.keep_alive,
                wishes.keep_alive.then_some(true),
            ),
            differing("--seed", self.seed, wishes.seed),
            differing("--quick", self.quick, wishes.quick.then_some(true)),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
        differences.extend(self.circumstances.differences(found));
        differences
    }
}

impl Circumstances {
    fn differences(&self, found: &Self) -> Vec<String> {
        let (was, is) = (self.rows(self), found.rows(self));
        let differences = was.into_iter().filter_map(|(title, was)| {
            let is = is.iter().find(|(known, _)| *known == title);
            let is = is.map_or("missing", |(_, is)| is);
            differing(&title, &*was, Some(is))
        });
        differences.collect()
    }

    /// What must be the same as at the start of a run, each with a title.
    fn rows(&self, began: &Self) -> Vec<(String, String)> {
        let cores = |cores: &[usize]| format!("{cores:?}");
        let mut machine = self.machine.clone();
        machine.date.clone_from(&began.machine.date);
        let mut rows = machine.rows();
        rows.push(("Cores of the servers".to_owned(), cores(&self.server_cores)));
        rows.push(("Cores of the load".to_owned(), cores(&self.load_cores)));
        rows
    }
}

/// The selected values, in the order of a report. All, if no value is selected.
pub(crate) fn chosen<T: ValueEnum + PartialEq>(wished: &[T]) -> Vec<T> {
    let all = T::value_variants().iter();
    let is_chosen = |value: &&T| wished.is_empty() || wished.contains(value);
    all.filter(is_chosen).cloned().collect()
}

fn wished<T: ValueEnum + PartialEq>(wished: &[T]) -> Option<String> {
    (!wished.is_empty()).then(|| names(chosen(wished)))
}

/// The names of values on the command line, without duplicates.
fn names<T: ValueEnum>(values: impl IntoIterator<Item = T>) -> String {
    let names = values
        .into_iter()
        .filter_map(|value| value.to_possible_value());
    let mut names: Vec<_> = names.map(|value| value.get_name().to_owned()).collect();
    names.dedup();
    names.join(",")
}

fn differing<T: PartialEq + Display>(what: &str, was: T, is: Option<T>) -> Option<String> {
    let is = is.filter(|is| *is != was)?;
    Some(format!("{what}: {was} when the run began, {is} now"))
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.experiment {
            None => write!(f, "without {}: {}", self.server, self.reason),
            Some(experiment) => write!(
                f,
                "without the {experiment} of {}: {}",
                self.server, self.reason
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64) -> Plan {
        let wishes = Wishes {
            seed: Some(seed),
            ..Wishes::default()
        };
        let circumstances = Circumstances {
            server_cores: vec![0],
            load_cores: vec![1],
            machine: Machine::default(),
        };
        let out = LeftOut {
            server: Server::Nginx,
            experiment: Some(Experiment::Cgi),
            reason: "fcgiwrap is not installed".to_owned(),
        };
        let servers = [Server::Spidey, Server::Nginx];
        Plan::new(&wishes, &servers, vec![out], circumstances, 0)
    }

    #[test]
    fn each_round_has_everything_once_in_an_order_of_its_own() {
        let cells = plan(1).cells();
        let rounds: Vec<_> = cells.chunks(6 * 3 + 5).collect();
        assert_eq!(rounds.len(), 5);
        let mut orders = Vec::new();
        for (round, repetition) in rounds.into_iter().zip(1..) {
            assert!(round.iter().all(|cell| cell.repetition == repetition));
            let order: Vec<_> = round
                .iter()
                .map(|cell| (cell.experiment, cell.contender))
                .collect();
            let mut sorted = order.clone();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), round.len());
            assert!(!orders.contains(&order));
            orders.push(order);
        }
        assert_eq!(plan(1).cells(), cells);
        assert_ne!(plan(2).cells(), cells);
    }

    #[test]
    fn what_is_found_again_on_another_day_is_no_difference() {
        let plan = plan(1);
        let mut found = plan.circumstances.clone();
        found.machine.date = "2016-04-10".to_owned();
        let nginx = ("nginx".to_owned(), "1.22.1".to_owned());
        found.machine.versions.extend([nginx]);
        assert_eq!(plan.differences(&Wishes::default(), &found), [""; 0]);
        found.machine.kernel = "Linux 5.6".to_owned();
        found.load_cores = vec![0];
        let differences = plan.differences(&Wishes::default(), &found);
        assert_eq!(
            differences,
            [
                "Kernel: not known when the run began, Linux 5.6 now",
                "Cores of the load: [1] when the run began, [0] now"
            ]
        );
    }
}
