//! Takes samples: one after another, each with a server of its own.
//!
//! ```text
//!  cells ──▶ take_samples ──▶ news    a sample begins, then its result
//! ```

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use futures_lite::future::or;
use kamea::time::wall_clock;
use kamea::{Component, Pipe, stopping};
use kamea_tools::report::Summary;

use super::journal::{Outcome, Sample};
use super::plan::Cell;
use super::setting::{Running, Setting};

/// An event of a cell of the plan.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// Its sample is being taken.
    Begun(Cell),
    /// Its sample was taken.
    Taken(Box<Sample>),
}

/// Takes a sample for each cell. On a stop request it drops the current sample, and leaves nothing
/// running.
pub(crate) fn take_samples(setting: Arc<Setting>) -> impl Component<Pipe<Cell, News>> + Send {
    async move |io: &mut Pipe<Cell, News>| {
        while let Some(cell) = io.inbox.next().await {
            io.outbox.send(News::Begun(cell)).await?;
            let mut running = Running::default();
            let taken = async { Some(take(&setting, cell, &mut running).await) };
            let unwanted = async {
                stopping().await;
                None
            };
            let taken = or(taken, unwanted).await;
            running.stop().await;
            let Some(outcome) = taken else { return Ok(()) };
            let outcome = match outcome {
                Ok(summary) => Outcome::Measured(Box::new(summary)),
                Err(reason) => Outcome::Failed(reason),
            };
            let at_s = seconds_since_1970();
            let sample = Sample {
                cell,
                at_s,
                outcome,
            };
            io.outbox.send(News::Taken(Box::new(sample))).await?;
        }
        Ok(())
    }
}

/// Starts the server, checks its answer, and measures.
async fn take(setting: &Setting, cell: Cell, running: &mut Running) -> Result<Summary, String> {
    let Cell {
        experiment,
        contender,
        ..
    } = cell;
    let plan = &setting.plan;
    let asked = plan.asked(experiment).ok_or("it is not in the plan")?;
    setting
        .tidy()
        .map_err(|error| format!("cannot tidy up: {error}"))?;
    let address = setting.start(contender, experiment, running).await?;
    setting
        .load(address, asked, plan.warm_up_s, running)
        .await?;
    setting.load(address, asked, plan.seconds, running).await
}

/// The present moment, in whole seconds.
pub(crate) fn seconds_since_1970() -> u64 {
    let since = wall_clock().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}
