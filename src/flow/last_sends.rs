//! What a source was sending when it was stopped is still delivered: it has been taken from the world, and nobody would send it again.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;

use crate::component::Started;

/// A send that outlives its component.
pub(crate) type LastSend = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// The sends that go on, while a source is being stopped on this thread.
    static LAST_SENDS: RefCell<Option<Vec<LastSend>>> = const { RefCell::new(None) };
}

/// Stops a source by dropping it. Gives what of it has to go on, if anything has.
pub(super) fn stop_source(drop_source: impl FnOnce()) -> Option<Started> {
    let before = LAST_SENDS.replace(Some(Vec::new()));
    drop_source();
    let sends = LAST_SENDS
        .replace(before)
        .filter(|sends| !sends.is_empty())?;
    Some(Box::pin(async move {
        for send in sends {
            send.await;
        }
        Ok(())
    }))
}

/// Whether what is being dropped is a source that is stopped, so that its sends count.
pub(crate) fn is_stopping_source() -> bool {
    LAST_SENDS.with_borrow(Option::is_some)
}

/// Lets a send of a source go on that is stopped.
pub(crate) fn go_on(send: LastSend) {
    LAST_SENDS.with_borrow_mut(|sends| {
        if let Some(sends) = sends {
            sends.push(send);
        }
    });
}
