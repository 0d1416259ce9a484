//! What the documentation's examples and the tests need to run asynchronous code without a scheduler.

use std::future::Future;

/// Runs a future to its end on this thread, with timers and sockets at its disposal.
///
/// # Panics
///
/// If the system cannot make an event queue.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("the system can make an event queue");
    tokio::task::LocalSet::new().block_on(&runtime, future)
}
