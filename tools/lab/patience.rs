//! A time limit for futures.

use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;

/// Returns the output of a future, unless it takes longer than the limit.
pub(crate) async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    let late = async {
        sleep(time).await;
        None
    };
    or(async { Some(future.await) }, late).await
}
