//! The start of a run: what is installed, what the options request, and what an earlier run has
//! left.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write as _};
use std::path::{self, Path, PathBuf};

use kamea_tools::report::Machine;
use rustix::thread::{CpuSet, sched_getaffinity};

use super::Failure;
use super::experiment::{Experiment, Server};
use super::journal::Journal;
use super::measure::seconds_since_1970;
use super::options::{Run, Wishes};
use super::plan::{Cell, Circumstances, LeftOut, Plan, chosen};
use super::servers::{Installed, find};

/// The state with which a run, or the rest of one, begins.
#[derive(Debug)]
pub(crate) struct Beginning {
    /// Where the results are.
    pub(crate) directory: PathBuf,
    pub(crate) journal: Journal,
    pub(crate) plan: Plan,
    pub(crate) installed: Vec<Installed>,
    /// The cells that have samples already.
    pub(crate) taken: HashSet<Cell>,
}

/// Begins a run, or continues one, if that is possible.
///
/// # Errors
///
/// What is missing, or has changed.
pub(crate) fn begin(options: &Run) -> Result<Beginning, Failure> {
    let wishes = &options.wishes;
    let directory = options.directory.clone().unwrap_or_else(new_directory);
    let directory = path::absolute(&directory).unwrap_or(directory);
    let (installed, left_out) = look(wishes, &directory)?;
    let servers: Vec<_> = installed.iter().map(|installed| installed.server).collect();
    let found = circumstances(&installed)?;
    let plan = Plan::new(
        wishes,
        &servers,
        left_out,
        found.clone(),
        seconds_since_1970(),
    );
    if plan.cells().is_empty() {
        let why: Vec<_> = plan.left_out.iter().map(LeftOut::to_string).collect();
        return Err(Failure::Usage(format!(
            "there is nothing to measure: {}",
            why.join("; ")
        )));
    }
    let wrong = |error| Failure::Usage(format!("cannot make {}: {error}", directory.display()));
    fs::create_dir_all(&directory).map_err(wrong)?;
    let (mut journal, recorded) = Journal::open(&directory)?;
    let say = |line: String| {
        if !options.quiet {
            let _ = writeln!(io::stderr(), "{line}");
        }
    };
    if recorded.is_torn {
        say("The last line of the journal was torn: its sample is taken again.".to_owned());
    }
    let plan = match recorded.plan {
        None => {
            journal.begin(&plan)?;
            plan
        }
        Some(plan) => match &plan.differences(wishes, &found)[..] {
            [] => plan,
            different => {
                let (name, different) = (directory.display(), different.join("; "));
                let line = format!("{name} has another run, take another directory: {different}");
                return Err(Failure::Usage(line));
            }
        },
    };
    plan.left_out.iter().for_each(|out| say(out.to_string()));
    let taken = recorded.samples.iter().map(|sample| sample.cell).collect();
    Ok(Beginning {
        directory,
        journal,
        plan,
        installed,
        taken,
    })
}

/// The first of `lab-results`, `lab-results-2` and so on that does not exist yet.
fn new_directory() -> PathBuf {
    let others = (2..).map(|number| PathBuf::from(format!("lab-results-{number}")));
    let mut names = [PathBuf::from("lab-results")].into_iter().chain(others);
    names
        .find(|name| !name.exists())
        .expect("there is always a next number")
}

/// The requested servers that are installed, and what cannot be measured.
fn look(wishes: &Wishes, directory: &Path) -> Result<(Vec<Installed>, Vec<LeftOut>), Failure> {
    let (mut installed, mut left_out) = (Vec::new(), Vec::new());
    for server in chosen(&wishes.servers) {
        match find(server, directory) {
            // Peers are optional, but a peer that is named explicitly must be there.
            Err(reason) if server == Server::Spidey || wishes.servers.contains(&server) => {
                return Err(Failure::Usage(format!(
                    "{server} cannot take part: {reason}"
                )));
            }
            Err(reason) => left_out.push(LeftOut {
                server,
                experiment: None,
                reason,
            }),
            Ok(found) => {
                let cgi = Experiment::Cgi;
                let reason = found
                    .no_cgi
                    .clone()
                    .filter(|_| chosen(&wishes.only).contains(&cgi));
                left_out.extend(reason.map(|reason| LeftOut {
                    server,
                    experiment: Some(cgi),
                    reason,
                }));
                installed.push(found);
            }
        }
    }
    Ok((installed, left_out))
}

/// The machine, and how its cores are shared: half of them for the servers, the rest for the load,
/// if there are several.
fn circumstances(installed: &[Installed]) -> Result<Circumstances, Failure> {
    let set = sched_getaffinity(None)
        .map_err(|errno| Failure::Run(format!("which cores there are: {errno}")))?;
    let cores: Vec<_> = (0..CpuSet::MAX_CPU)
        .filter(|core| set.is_set(*core))
        .collect();
    let (servers, load) = cores.split_at(cores.len() / 2);
    let servers = if servers.is_empty() { load } else { servers };
    let lab = ("lab".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    let versions = installed
        .iter()
        .map(|found| (found.server.to_string(), found.version.clone()));
    Ok(Circumstances {
        server_cores: servers.to_vec(),
        load_cores: load.to_vec(),
        machine: Machine::this([lab].into_iter().chain(versions)),
    })
}
