//! How long something may take.

use std::time::Duration;

use futures_lite::future::or;
use kamea::time::sleep;

/// What a future gives, unless it takes longer than this.
pub(crate) async fn within<T>(time: Duration, future: impl Future<Output = T>) -> Option<T> {
    let late = async {
        sleep(time).await;
        None
    };
    or(async { Some(future.await) }, late).await
}
