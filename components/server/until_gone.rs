//! Ends a component with its peer, because nobody waits for its result.

use futures_lite::future::or;
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
    fn start(self, ports: P) -> Started {
        let Self { component, gone } = self;
        let running = component.start(ports);
        let gone = async move {
            gone.await;
            Ok(())
        };
        Box::pin(or(running, gone))
    }
}
