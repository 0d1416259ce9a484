//! Ends a component with its peer, because nobody waits for its result.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use kamea::{Component, Ports, Started};

/// A component that ends when a future is ready, at any point of its work.
pub(super) struct UntilGone<C, G> {
    component: C,
    gone: G,
}

/// Runs `component` until its peer is `gone`.
pub(super) fn until_gone<P: Ports, C: Component<P>, G: Future<Output = ()> + 'static>(
    component: C,
    gone: G,
) -> impl Component<P> + use<P, C, G> {
    UntilGone { component, gone }
}

impl<P: Ports, C: Component<P>, G: Future<Output = ()> + 'static> Component<P> for UntilGone<C, G> {
    const NEEDS_MESSAGE: bool = C::NEEDS_MESSAGE;

    fn start(self, ports: P) -> Started {
        let Self { component, gone } = self;
        let mut running = component.start(ports);
        Box::pin(async move {
            let mut gone = pin!(gone);
            let signal = Arc::new(Signal::default());
            let waker = Waker::from(signal.clone());
            // The waker of a component in a flow never changes: this compares it without a lock.
            let mut component = Waker::noop().clone();
            poll_fn(|context| {
                if let Poll::Ready(ended) = running.as_mut().poll(context) {
                    return Poll::Ready(ended);
                }
                if !component.will_wake(context.waker()) {
                    component.clone_from(context.waker());
                    signal.wakes(&component);
                }
                if !signal.is_woken() {
                    return Poll::Pending;
                }
                gone.as_mut().poll(&mut Context::from_waker(&waker)).map(Ok)
            })
            .await
        })
    }
}

/// Says whether a future was woken. A component is polled for each of its messages, but its peer is
/// seldom gone: so that future is polled only when it may be ready.
#[derive(Default)]
struct Signal {
    is_quiet: AtomicBool,
    component: Mutex<Option<Waker>>,
}

impl Signal {
    /// From now on the future wakes the component with this waker.
    fn wakes(&self, component: &Waker) {
        let mut known = self
            .component
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *known = Some(component.clone());
    }

    /// Whether the future was woken since the last call, or never polled.
    fn is_woken(&self) -> bool {
        !self.is_quiet.load(Ordering::Acquire) && !self.is_quiet.swap(true, Ordering::AcqRel)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_quiet.store(false, Ordering::Release);
        let component = self
            .component
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(component) = &*component {
            component.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::AtomicU32;

    use kamea::testing::collect;
    use kamea::{Graph, Pipe, Scheduler, Source};
    use tokio::sync::Notify;

    use super::*;

    #[test]
    fn messages_do_not_ask_for_the_peer() {
        let asked = Arc::new(AtomicU32::new(0));
        let counted = asked.clone();
        let gone = poll_fn(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            Poll::Pending
        });
        let pass = async |io: &mut Pipe<u32, u32>| {
            while let Some(number) = io.inbox.next().await {
                io.outbox.send(number).await?;
            }
            Ok(())
        };
        assert_eq!(
            collect(until_gone(pass, gone), 0..1000),
            Vec::from_iter(0..1000)
        );
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn a_component_that_waits_ends_with_its_peer() {
        let scheduler = Scheduler::with_workers(1);
        for before in [true, false] {
            let left = Arc::new(Notify::new());
            let gone = left.clone();
            let mut graph = Graph::new("waiting");
            let wait = async |io: &mut Source<u32>| {
                io.outbox.send(1).await?;
                pending().await
            };
            let waiting = graph.add(
                "wait",
                until_gone(wait, async move { gone.notified().await }),
            );
            let begun = graph.take(waiting.outbox);
            if before {
                left.notify_one();
            }
            let running = scheduler.run(graph).unwrap();
            assert_eq!(begun.into_iter().next(), Some(1));
            left.notify_one();
            running.wait().unwrap();
        }
    }
}
