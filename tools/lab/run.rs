//! `lab run`: takes those samples of a plan that are not in the journal yet.
//!
//! ```text
//!  cells ──▶ take_samples ──▶ record ──▶ show
//! ```

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use kamea::{Blocking, Component, Done, End, Graph, Pipe, Scheduler, Sink, blocking, pipeline};
use kamea_components::stream::data_source;
use kamea_recipes::InspectOptions;

use super::Failure;
use super::begin::{Beginning, begin};
use super::journal::{Journal, Outcome, Recorded};
use super::measure::{News, take_samples};
use super::options::Run;
use super::plan::Cell;
use super::progress::Progress;
use super::servers::ours;
use super::setting::Setting;
use super::site;

/// How long running programs may take to end after a signal to stop.
const DRAIN: Duration = Duration::from_secs(10);

/// The exit status of a run that was interrupted.
const INTERRUPTED: u8 = 130;

/// Begins a run, or continues one.
pub(crate) fn run(options: &Run) -> Result<ExitCode, Failure> {
    let Beginning {
        directory,
        journal,
        plan,
        installed,
        taken,
    } = begin(options)?;
    let mut left = plan.cells();
    left.retain(|cell| !taken.contains(cell));
    if !left.is_empty() {
        let site = directory.join("site");
        let wrong = |error| format!("cannot write {}: {error}", site.display());
        site::write(&site, &plan).map_err(wrong)?;
        let run = tempfile::Builder::new()
            .prefix("kamea-lab-")
            .permissions(Permissions::from_mode(0o755))
            .tempdir()
            .map_err(|error| format!("cannot make a temporary folder: {error}"))?;
        let progress = Progress::new(&plan, taken.len(), options.quiet);
        let setting = Setting {
            plan,
            installed,
            thor: ours("thor")?,
            site,
            run: run.path().to_owned(),
        };
        carry_out(setting, left, journal, progress, &options.inspect)?;
    }
    conclude(&directory, options.quiet)
}

fn carry_out(
    setting: Setting,
    cells: Vec<Cell>,
    journal: Journal,
    progress: Progress,
    inspect: &InspectOptions,
) -> Result<(), Failure> {
    let mut graph = Graph::new("lab");
    pipeline!(graph, data_source(cells) => take_samples(Arc::new(setting)) => record(journal) => show(progress));
    let scheduler = Scheduler::with_workers(1);
    let inspecting = inspect.run(&scheduler, None);
    let _inspecting = inspecting.map_err(|error| Failure::Usage(error.to_string()))?;
    let running = scheduler.run(graph).map_err(|error| error.to_string())?;
    let mut outcome = Ok(());
    let finished = async { outcome = running.finished().await };
    let stopped = scheduler.until_ctrl_c_or(finished, DRAIN);
    outcome.map_err(|error| Failure::Run(error.to_string()))?;
    stopped.map_err(|error| Failure::Run(error.to_string()))
}

/// Writes the samples into the journal.
fn record(mut journal: Journal) -> Blocking<impl FnMut(&mut Pipe<News, News>) -> Done + Send> {
    blocking(move |io: &mut Pipe<News, News>| {
        while let Some(news) = io.inbox.next_blocking() {
            if let News::Taken(sample) = &news {
                journal.append(sample).map_err(End::fault)?;
            }
            io.outbox.send_blocking(news)?;
        }
        Ok(())
    })
}

fn show(progress: Progress) -> impl Component<Sink<News>> + Send {
    async move |io: &mut Sink<News>| {
        while let Some(news) = io.inbox.next().await {
            match news {
                News::Begun(cell) => progress.begin(cell),
                News::Taken(sample) => progress.take(&sample),
            }
        }
        progress.end();
        Ok(())
    }
}

/// Prints what exists now, and what can be done with it.
fn conclude(directory: &Path, is_quiet: bool) -> Result<ExitCode, Failure> {
    let Recorded { plan, samples, .. } = Recorded::read(directory)?;
    let all = plan.map_or(0, |plan| plan.cells().len());
    let name = directory.display();
    if samples.len() < all {
        let line = format!(
            "Interrupted: {} of {all} samples are taken; lab run {name} goes on.",
            samples.len()
        );
        let _ = writeln!(io::stderr(), "{line}");
        return Ok(ExitCode::from(INTERRUPTED));
    }
    // It is no longer needed, and it is large.
    let _ = fs::remove_dir_all(directory.join("site"));
    let failed = samples
        .iter()
        .filter(|sample| matches!(sample.outcome, Outcome::Failed(_)));
    let failed = failed.count();
    if !is_quiet {
        let line =
            format!("All {all} samples are taken, {failed} failed; lab report {name} shows them.");
        let _ = writeln!(io::stdout(), "{line}");
    }
    Ok(if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
