//! Jobs that keep a core busy: no more of them at once than there are cores.

use std::sync::LazyLock;
use std::thread;

use tokio::sync::Semaphore;

use super::unblock;

/// Runs a job that computes for long on a thread of the pool, like [`unblock`], but no more such jobs at once than the machine has
/// cores: the others wait, in the order in which they came, so that the workers keep their share of the machine.
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
    static CORES: LazyLock<Semaphore> =
        LazyLock::new(|| Semaphore::new(thread::available_parallelism().map_or(1, usize::from)));
    let permit = CORES.acquire().await.expect("nobody closes it");
    // The job keeps the permit: it runs to its end even if nobody waits for it any more.
    unblock(move || {
        let _permit = permit;
        job()
    })
    .await
}
