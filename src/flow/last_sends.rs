//! Delivers what a source was sending when it was stopped. The source has taken the message from
//! the outside world, and nobody would send it again.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;

use crate::component::Started;

/// A send that outlives its component.
pub(crate) type LastSend = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    /// The sends that continue while a source is being stopped on this thread.
    static LAST_SENDS: RefCell<Option<Vec<LastSend>>> = const { RefCell::new(None) };
}

/// Stops a source by dropping it. Returns its unfinished sends, if there are any.
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

/// Whether the value that is being dropped is a source that is stopped, so that its sends must be
/// kept.
pub(crate) fn is_stopping_source() -> bool {
    LAST_SENDS.with_borrow(Option::is_some)
}

/// Keeps an unfinished send of a source that is stopped.
pub(crate) fn go_on(send: LastSend) {
    LAST_SENDS.with_borrow_mut(|sends| {
        if let Some(sends) = sends {
            sends.push(send);
        }
    });
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::rc::Rc;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Wake, Waker};

    use super::*;
    use crate::flow::ReadySet;
    use crate::link::LinkSettings;
    use crate::link::within::Queue;
    use crate::port::{Inbox, Outbox};

    struct Flag(AtomicBool);

    impl Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    /// Two sends wait for space in a link of two. Both messages are taken. Then the first send, the
    /// only one that was woken, is stopped.
    #[test]
    fn the_last_send_of_a_source_leaves_the_space_behind_it_to_the_next() {
        let settings = LinkSettings {
            capacity: 2,
            holders: 2,
            feeds: 2,
            measure: None,
        };
        let queue = Rc::new(Queue::of(&settings, ReadySet::for_tests()));
        let [source, other] = [0, 1].map(|feed| Outbox::within(queue.clone(), true, feed));
        let mut inbox = Inbox::within(queue);
        (0..2).for_each(|number| source.try_send(number).unwrap());
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(flag.clone());
        let mut last = Box::pin(source.send(2));
        let mut next = pin!(other.send(3));
        assert!(
            last.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert!(
            next.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        assert_eq!((inbox.try_next(), inbox.try_next()), (Some(0), Some(1)));
        flag.0.store(false, Ordering::Relaxed);
        assert!(stop_source(|| drop(last)).is_none(), "it is in the link");
        assert!(
            flag.0.load(Ordering::Relaxed),
            "there is space for one more"
        );
        assert!(
            next.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
        );
        assert_eq!((inbox.try_next(), inbox.try_next()), (Some(2), Some(3)));
    }
}
