//! Jobs that keep a core busy: no more of them at once than there are cores.

use std::sync::{Arc, LazyLock};
use std::thread;

use tokio::sync::Semaphore;

use super::pool::is_on_pool;
use super::unblock;
use crate::simulation;

/// Runs a job that computes for long on a thread of the pool, like [`unblock`], but no more such jobs at once than the machine has
/// cores: the others wait, in the order in which they came, so that the workers keep their share of the machine. A job that is
/// asked for in another job runs at once, on the same core.
///
/// # Panics
///
/// If the job panics: the panic goes on in whoever waits.
///
/// # Examples
///
/// ```
/// # async fn example() {
/// let sum = kamea::compute(|| (0..1_000_000_u64).sum::<u64>()).await;
/// assert_eq!(sum, 499_999_500_000);
/// # }
/// # kamea::testing::block_on(example());
/// ```
pub async fn compute<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    static CORES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Arc::new(Semaphore::new(cores))
    });
    if is_on_pool() {
        // Its core is taken already: a job that waits for another one must not wait for a further core.
        return job();
    }
    let permit = match simulation::cores() {
        Some(cores) => cores.acquire_owned().await,
        None => CORES.clone().acquire_owned().await,
    };
    let permit = permit.expect("nobody closes it");
    // The job keeps the permit: it runs to its end even if nobody waits for it any more.
    unblock(move || {
        let _permit = permit;
        job()
    })
    .await
}
