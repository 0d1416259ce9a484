//! Jobs that keep a core busy. At most as many run at once as there are cores.

use std::sync::{Arc, LazyLock};
use std::thread;

use tokio::sync::Semaphore;

use super::pool::is_on_pool;
use super::unblock;
use crate::simulation;

/// Runs a job that computes for a long time on a thread of the pool, like [`unblock`]. At most as
/// many such jobs run at once as the machine has cores. The others wait in order of arrival, so
/// that the workers keep their share of the machine. A job that is requested inside another job
/// runs at once, on the same core.
///
/// # Panics
///
/// If the job panics: the panic continues in the caller.
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
        // It already has a core. A job that waits for another job must not wait for a second core.
        return job();
    }
    let permit = match simulation::cores() {
        Some(cores) => cores.acquire_owned().await,
        None => CORES.clone().acquire_owned().await,
    };
    let permit = permit.expect("nobody closes it");
    // The job keeps the permit: it runs to its end even if the caller no longer waits.
    unblock(move || {
        let _permit = permit;
        job()
    })
    .await
}
