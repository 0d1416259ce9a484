//! A connection that has switched protocols (RFC 9110 section 7.8): a WebSocket, for example. Bytes
//! pass in both directions, whatever they mean.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use kamea::time::sleep;
use kamea::{Component, Pipe, Started, stopping};
use kamea_components::net::{NextProtocol, Transport, relay_over};

use crate::backends::{Group, InFlight};

/// How long a tunnel goes on after a reload has taken its block out.
const DRAIN: Duration = Duration::from_secs(30);

/// How long nothing may pass. The protocols of tunnels have pings: without a limit, a peer that has
/// vanished would occupy its backend for ever.
const SILENCE: Duration = Duration::from_secs(60 * 60);

/// The protocol of a client's connection that goes on with the backend. It ends with either side,
/// after an hour in which nothing passes, when the server stops, and some time after its block is
/// gone from the configuration.
pub(super) fn tunnel(in_flight: InFlight, transport: Transport, first: Bytes) -> NextProtocol {
    let address = in_flight.backend().backend().to_string();
    let relay = relay_over(address, transport, first, SILENCE);
    NextProtocol::new("tunnel to a backend", Tunnel { relay, in_flight })
}

struct Tunnel<C> {
    relay: C,
    in_flight: InFlight,
}

impl<C: Component<Pipe<Bytes, Bytes>>> Component<Pipe<Bytes, Bytes>> for Tunnel<C> {
    fn start(self, ports: Pipe<Bytes, Bytes>) -> Started {
        let relaying = self.relay.start(ports);
        let in_flight = self.in_flight;
        Box::pin(async move {
            let retired = retired(in_flight.group());
            let ended = or(stopping(), retired);
            let ended = async {
                ended.await;
                Ok(())
            };
            or(ended, relaying).await
        })
    }
}

async fn retired(group: &Arc<Group>) {
    group.retired().await;
    sleep(DRAIN).await;
}
