//! Which components of a flow must be polled.
//!
//! Two bit sets, one bit for each component. Links inside the flow set [`ReadySet`], on its own
//! thread, without atomics. Wakers on any thread (sockets, timers, links across workers) set
//! [`Woken`], which also wakes the flow.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Wake, Waker};

use crate::supervision::caught;
use crate::sync::{AtomicU64, Mutex, Ordering};

const WORD: usize = u64::BITS as usize;

/// One bit for each component. Up to 64 components need no allocation.
#[derive(Debug)]
struct Bits<Word> {
    first: Word,
    rest: Box<[Word]>,
}

impl<Word: Default> Bits<Word> {
    fn new(components: usize) -> Self {
        let words = components.div_ceil(WORD).max(1);
        Self {
            first: Word::default(),
            rest: (1..words).map(|_| Word::default()).collect(),
        }
    }

    fn word(&self, index: usize) -> &Word {
        if index == 0 {
            &self.first
        } else {
            &self.rest[index - 1]
        }
    }

    fn words(&self) -> impl Iterator<Item = &Word> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

/// The components that have work, as the links inside the flow report it.
#[derive(Debug)]
pub(crate) struct ReadySet {
    bits: Bits<Cell<u64>>,
    /// Whether the flow is being polled. In that case it reads the bits itself before it rests.
    polling: Cell<bool>,
    /// Whether a send has waited for space, so that components may wait for each other.
    jammed: Cell<bool>,
    woken: Arc<Woken>,
}

impl ReadySet {
    pub(crate) fn new(components: usize) -> Self {
        Self {
            bits: Bits::new(components),
            polling: Cell::new(false),
            jammed: Cell::new(false),
            woken: Arc::new(Woken::new(components)),
        }
    }

    /// Makes the waker of a component.
    pub(super) fn component_waker(&self, component: usize) -> Arc<ComponentWaker> {
        Arc::new(ComponentWaker {
            woken: self.woken.clone(),
            component,
        })
    }

    /// Makes the waker of a component, of which the flow does not know any more.
    pub(super) fn waker(&self, component: usize) -> Waker {
        self.component_waker(component).into()
    }

    /// A waker of the flow that makes it check its circles.
    pub(super) fn flow_waker(&self) -> Waker {
        Waker::from(self.woken.clone())
    }

    pub(crate) fn is_jammed(&self) -> bool {
        self.jammed.get()
    }

    pub(crate) fn set_jammed(&self, jammed: bool) {
        self.jammed.set(jammed);
    }

    /// Makes the flow check its circles and rings, unless it is being polled: then it checks them
    /// anyway.
    pub(crate) fn look(&self) {
        if !self.polling.get() {
            self.woken.flow.wake();
        }
    }

    #[cfg(test)]
    pub(crate) fn for_tests() -> Rc<Self> {
        Rc::new(Self::new(1))
    }

    pub(crate) fn set_polling(&self, polling: bool) {
        self.polling.set(polling);
    }

    /// Gives a component a turn, without waking its flow.
    pub(super) fn mark(&self, component: usize) {
        let word = self.bits.word(component / WORD);
        word.set(word.get() | 1 << (component % WORD));
    }

    pub(crate) fn insert(&self, component: usize) {
        self.mark(component);
        if !self.polling.get() {
            // A port was used outside of its flow, by another task of this thread.
            self.woken.flow.wake();
        }
    }

    /// Takes the first component at or after `from` in flow order.
    pub(crate) fn take_from(&self, from: usize) -> Option<usize> {
        let mut offset = from % WORD;
        for index in from / WORD..=self.bits.rest.len() {
            let word = self.bits.word(index);
            let candidates = word.get() & (u64::MAX << offset);
            if candidates != 0 {
                let bit = candidates.trailing_zeros();
                word.set(word.get() & !(1 << bit));
                return Some(index * WORD + bit as usize);
            }
            offset = 0;
        }
        None
    }

    pub(crate) fn contains(&self, component: usize) -> bool {
        self.bits.word(component / WORD).get() & 1 << (component % WORD) != 0
    }

    /// Registers `waker` for the next wake-up. Call it before [`gather_woken`](Self::gather_woken),
    /// so that no wake-up is missed.
    pub(crate) fn register(&self, waker: &Waker) {
        self.woken.flow.register(waker);
    }

    /// Adds the components woken from outside since the last call.
    pub(crate) fn gather_woken(&self) {
        for (woken, ready) in self.woken.bits.words().zip(self.bits.words()) {
            if woken.load(Ordering::Acquire) != 0 {
                ready.set(ready.get() | woken.swap(0, Ordering::AcqRel));
            }
        }
    }

    /// Whether a component must be polled, or was woken from outside.
    pub(crate) fn will_poll(&self, component: usize) -> bool {
        let woken = self.woken.bits.word(component / WORD);
        let is_woken = woken.load(Ordering::Acquire) & 1 << (component % WORD) != 0;
        is_woken || self.contains(component)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bits.words().all(|word| word.get() == 0)
    }
}

/// The components that were woken from outside, and how to wake the flow.
#[derive(Debug)]
struct Woken {
    bits: Bits<AtomicU64>,
    flow: FlowWaker,
}

impl Woken {
    fn new(components: usize) -> Self {
        Self {
            bits: Bits::new(components),
            flow: FlowWaker::default(),
        }
    }

    fn wake_component(&self, component: usize) {
        self.bits
            .word(component / WORD)
            .fetch_or(1 << (component % WORD), Ordering::AcqRel);
        self.flow.wake();
    }
}

/// Wakes the flow, but none of its components.
impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.flow.wake();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.flow.wake();
    }
}

/// How to wake the task that a flow runs in. The task rarely changes, and two threads rarely ask at
/// once. So a lock costs less than passing a new waker for every wake-up.
#[derive(Debug, Default)]
struct FlowWaker(Mutex<Option<Waker>>);

impl FlowWaker {
    fn register(&self, waker: &Waker) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *known {
            Some(known) if known.will_wake(waker) => {}
            known => *known = Some(waker.clone()),
        }
    }

    fn wake(&self) {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(waker) = &*known {
            waker.wake_by_ref();
        }
    }
}

/// The waker of one component.
#[derive(Debug)]
pub(super) struct ComponentWaker {
    woken: Arc<Woken>,
    component: usize,
}

impl Wake for ComponentWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.wake_component(self.component);
    }
}

/// The component that is being polled on this thread. A link inside its flow records it by number
/// instead of cloning its waker. The addresses are compared and never dereferenced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Polled {
    ready: *const ReadySet,
    waker: *const (),
    component: usize,
    /// How often that component has been polled.
    polls: u64,
}

thread_local! {
    static POLLED: Cell<Polled> = const {
        Cell::new(Polled { ready: std::ptr::null(), waker: std::ptr::null(), component: 0, polls: 0 })
    };
}

impl Polled {
    pub(crate) fn of(ready: &Rc<ReadySet>, waker: &Waker, component: usize, polls: u64) -> Self {
        Self {
            ready: Rc::as_ptr(ready),
            waker: waker.data(),
            component,
            polls,
        }
    }

    /// Makes this the current one. Returns the previous one, to be restored afterwards.
    pub(crate) fn enter(self) -> Self {
        POLLED.replace(self)
    }
}

/// How often the component of this flow that is being polled has been polled; 0 outside of the
/// flow.
pub(crate) fn polls_of(ready: &Rc<ReadySet>) -> u64 {
    let polled = POLLED.get();
    if polled.ready == Rc::as_ptr(ready) {
        polled.polls
    } else {
        0
    }
}

/// A waiter at a link inside a flow.
#[derive(Debug, Clone)]
pub(crate) enum Waiter {
    /// A component of the flow itself.
    Component(usize),
    /// Any other waiter: a combinator with wakers of its own, another flow, a test.
    Other(Waker),
}

impl Waiter {
    pub(crate) fn of(cx: &Context<'_>, ready: &Rc<ReadySet>) -> Self {
        let polled = POLLED.get();
        if polled.ready == Rc::as_ptr(ready) && polled.waker == cx.waker().data() {
            Self::Component(polled.component)
        } else {
            Self::Other(cx.waker().clone())
        }
    }

    pub(crate) fn wake(self, ready: &ReadySet) {
        match self {
            Self::Component(component) => ready.insert(component),
            Self::Other(waker) => wake_caught(waker),
        }
    }
}

/// Wakes a waiter that may have a custom waker. If that panics, it is not a fault of the component
/// that wakes it.
pub(crate) fn wake_caught(waker: Waker) {
    if let Err(cause) = caught(|| waker.wake()) {
        log::error!("a waker {cause}");
    }
}

#[cfg(all(test, kamea_loom))]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    /// In every order in which two threads wake components and the flow looks, the flow sees both
    /// before it rests.
    #[test]
    fn loom_no_wake_up_is_lost() {
        loom::model(|| {
            let ready = ReadySet::new(2);
            let threads = [0, 1].map(|component| {
                let woken = ready.woken.clone();
                loom::thread::spawn(move || woken.wake_component(component))
            });
            let mut seen = 0;
            loom::future::block_on(poll_fn(|cx| {
                ready.register(cx.waker());
                ready.gather_woken();
                while ready.take_from(0).is_some() {
                    seen += 1;
                }
                if seen == 2 {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            }));
            for thread in threads {
                thread.join().unwrap();
            }
        });
    }
}
