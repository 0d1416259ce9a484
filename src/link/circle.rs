//! Counts the pending work in a circle of components while some of them have threads of their own.
//!
//! The flow sees its own components and the links between them. This counter covers what the flow
//! cannot see: each message in a link of the circle that crosses threads, and each thread that has
//! work. When a waiting thread takes a message, the count moves from the message to the thread in
//! one step. So the count is zero only if nothing is left.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use super::across::Sender;
use crate::flow::{aside, wake_caught};
use crate::fuse::Fused;
use crate::port::{Across, Closed, Inbox, Message, Outbox, TrySendError};
use crate::sync::{AtomicBool, AtomicUsize, Mutex, Ordering::SeqCst};

/// The pending work of one circle outside of its flow.
#[derive(Debug)]
pub(crate) struct UnderWay {
    count: AtomicUsize,
    /// Whether the flow waits for the circle to become empty.
    is_awaited: AtomicBool,
    flow: Waker,
}

impl UnderWay {
    pub(crate) fn new(flow: Waker) -> Self {
        Self {
            count: AtomicUsize::new(0),
            is_awaited: AtomicBool::new(false),
            flow,
        }
    }

    fn begin(&self) {
        self.count.fetch_add(1, SeqCst);
    }

    fn end(&self, count: usize) {
        if count > 0 && self.count.fetch_sub(count, SeqCst) == count && self.is_awaited.load(SeqCst)
        {
            self.flow.wake_by_ref();
        }
    }

    /// Returns whether nothing is pending. Otherwise the flow is woken when that changes.
    pub(crate) fn is_over(&self) -> bool {
        // Whichever comes second, this or the end of the last work, sees what the other has done.
        self.is_awaited.store(true, SeqCst);
        self.count.load(SeqCst) == 0
    }
}

/// Marks a thread as having work, for as long as this lives. A thread that waits for a message of
/// the circle has no work.
#[derive(Debug)]
pub(crate) struct Busy(Arc<UnderWay>);

impl Busy {
    pub(crate) fn begin(under_way: Arc<UnderWay>) -> Self {
        under_way.begin();
        Self(under_way)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.end(1);
    }
}

/// Set in the count of a link whose inbox is gone.
const GONE: usize = 1 << (usize::BITS - 1);

/// A link of a circle that crosses threads.
#[derive(Debug)]
pub(crate) struct CircleLink {
    under_way: Arc<UnderWay>,
    /// How many messages are in it, or about to be.
    queued: AtomicUsize,
    /// The sends that wait for space in it.
    waiting: Mutex<Vec<Waker>>,
}

impl CircleLink {
    pub(crate) fn new(under_way: Arc<UnderWay>) -> Self {
        Self {
            under_way,
            queued: AtomicUsize::new(0),
            waiting: Mutex::default(),
        }
    }

    pub(crate) fn under_way(&self) -> &Arc<UnderWay> {
        &self.under_way
    }

    /// A message is about to be sent. It counts before it can be taken.
    fn begin_send(&self) {
        self.under_way.begin();
        if self.queued.fetch_add(1, SeqCst) & GONE != 0 {
            // It will not arrive.
            self.under_way.end(1);
        }
    }

    /// It was not sent.
    fn cancel_send(&self) {
        if self.queued.fetch_sub(1, SeqCst) & GONE == 0 {
            self.under_way.end(1);
        }
    }

    /// A message has been taken. It becomes the work of its receiver, if that had no work before.
    fn take(&self, had_nothing_to_do: bool) {
        self.queued.fetch_sub(1, SeqCst);
        if !had_nothing_to_do {
            self.under_way.end(1);
        }
        self.tell_of_space();
    }

    /// The inbox is gone, and so are the messages in the link.
    fn close(&self) {
        let queued = self.queued.fetch_or(GONE, SeqCst);
        self.under_way.end(queued & !GONE);
        self.tell_of_space();
    }

    fn wait_for_space(&self, waker: &Waker) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.iter().any(|known| known.will_wake(waker)) {
            waiting.push(waker.clone());
        }
    }

    fn tell_of_space(&self) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = std::mem::take(&mut *waiting);
        waiting.into_iter().for_each(wake_caught);
    }
}

/// The inbox of a link of a circle that crosses threads.
pub(crate) struct CircleInbox<T> {
    upstream: Rc<Inbox<T>>,
    /// A wait for another thread, once it has begun.
    waiting: RefCell<Option<Across<'static, Option<T>>>>,
    link: Arc<CircleLink>,
    /// Whether its component has a thread of its own, whose work is counted.
    on_thread: bool,
}

impl<T> CircleInbox<T> {
    pub(crate) fn new(upstream: Inbox<T>, link: Arc<CircleLink>, on_thread: bool) -> Self {
        Self {
            upstream: Rc::new(upstream),
            waiting: RefCell::default(),
            link,
            on_thread,
        }
    }

    fn counted(&self, message: Option<T>) -> Option<T> {
        if message.is_some() {
            self.link.take(false);
        }
        message
    }
}

impl<T: Message> Fused<T> for CircleInbox<T> {
    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let message = ready!(aside(cx, |cx| self.upstream.poll_fused(cx, &self.waiting)));
        Poll::Ready(self.counted(message))
    }

    fn try_next(&self) -> Option<T> {
        self.counted(self.upstream.try_take())
    }

    fn next_blocking(&self) -> Option<T> {
        let message = self.try_next();
        if message.is_some() || !self.on_thread {
            return message.or_else(|| self.counted(self.upstream.take_blocking()));
        }
        self.link.under_way.end(1);
        let message = self.upstream.take_blocking();
        match message {
            Some(_) => self.link.take(true),
            None => self.link.under_way.begin(),
        }
        message
    }

    fn len(&self) -> usize {
        self.upstream.len()
    }
}

impl<T> Drop for CircleInbox<T> {
    fn drop(&mut self) {
        self.link.close();
    }
}

/// An outbox of a link of a circle that crosses threads.
pub(crate) struct CircleOutbox<T> {
    pub(crate) outbox: Outbox<T>,
    pub(crate) link: Arc<CircleLink>,
}

impl<T: 'static> CircleOutbox<T> {
    pub(crate) fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        self.link.counting(|| self.outbox.try_send(message))
    }

    pub(crate) fn send_blocking(&self, message: T) -> Result<(), Closed<T>> {
        self.link.counting(|| self.outbox.send_blocking(message))
    }

    /// Waits for space. When it is cancelled, it is certain whether the message has been sent: only
    /// this call sends it.
    pub(crate) fn send(&self, message: T) -> Across<'static, Result<(), Closed<T>>> {
        let (sender, link) = (self.outbox.sender(), self.link.clone());
        Box::pin(async move {
            let Some(sender) = sender else {
                return Err(Closed(message));
            };
            let _waits = sender.note_wait();
            let mut message = Some(message);
            poll_fn(|cx| link.poll_send(&sender, &mut message, cx)).await
        })
    }
}

/// The circle that a permit is for. It is dropped after its space has been returned.
#[derive(Debug)]
pub(crate) struct CircleSpace(pub(crate) Arc<CircleLink>);

impl Drop for CircleSpace {
    fn drop(&mut self) {
        self.0.tell_of_space();
    }
}

impl CircleLink {
    /// Counts what `send` sends.
    pub(crate) fn counting<E>(&self, send: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
        self.begin_send();
        let sent = send();
        if sent.is_err() {
            self.cancel_send();
        }
        sent
    }

    fn poll_send<T>(
        &self,
        sender: &Sender<T>,
        message: &mut Option<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed<T>>> {
        let mut is_known = false;
        loop {
            let unsent = message.take().expect("polled after it was ready");
            match self.counting(|| sender.try_send(unsent)) {
                Ok(()) => return Poll::Ready(Ok(())),
                Err(TrySendError::Closed(unsent)) => return Poll::Ready(Err(Closed(unsent))),
                Err(TrySendError::Full(unsent)) => *message = Some(unsent),
            }
            if is_known {
                return Poll::Pending;
            }
            // There may be space since the first look.
            self.wait_for_space(cx.waker());
            is_known = true;
        }
    }
}

#[cfg(all(test, kamea_loom))]
mod tests {
    use super::*;
    use crate::sync::AtomicBool;

    struct Flag(AtomicBool);

    impl std::task::Wake for Flag {
        fn wake(self: Arc<Self>) {
            self.0.store(true, SeqCst);
        }
    }

    /// A thread waits for a message, takes it, and sends the result back. In every order, the flow
    /// learns that nothing is pending only after that is true, and then it does learn it.
    #[test]
    fn loom_a_circle_is_over_when_nothing_is_under_way_and_not_before() {
        loom::model(|| {
            let flag = Arc::new(Flag(AtomicBool::new(false)));
            let under_way = Arc::new(UnderWay::new(Waker::from(flag.clone())));
            let (there, back) = (
                Arc::new(CircleLink::new(under_way.clone())),
                Arc::new(CircleLink::new(under_way.clone())),
            );
            let busy = Busy::begin(under_way.clone());
            there.begin_send();
            let returned = Arc::new(AtomicBool::new(false));
            let thread = {
                let (there, back, returned) = (there.clone(), back.clone(), returned.clone());
                loom::thread::spawn(move || {
                    // It waits, and takes what is there.
                    there.under_way.end(1);
                    there.take(true);
                    back.begin_send();
                    returned.store(true, SeqCst);
                    // It waits again, and notices the end.
                    there.under_way.end(1);
                    there.under_way.begin();
                    there.close();
                    drop(busy);
                })
            };
            let mut is_over = under_way.is_over();
            assert!(!is_over, "a message is on its way back");
            thread.join().unwrap();
            assert!(returned.load(SeqCst));
            back.take(false);
            is_over = under_way.is_over();
            assert!(is_over && flag.0.load(SeqCst));
        });
    }

    /// If a message is being sent while the inbox goes, it no longer counts, in both orders.
    #[test]
    fn loom_what_is_sent_to_an_inbox_that_goes_is_not_under_way() {
        loom::model(|| {
            let under_way = Arc::new(UnderWay::new(Waker::noop().clone()));
            let link = Arc::new(CircleLink::new(under_way.clone()));
            let thread = {
                let link = link.clone();
                loom::thread::spawn(move || {
                    link.begin_send();
                    link.cancel_send();
                    link.begin_send();
                })
            };
            link.close();
            thread.join().unwrap();
            assert!(under_way.is_over());
        });
    }
}
