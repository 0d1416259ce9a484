//! The acceptor of a server that serves one connection at a time: it accepts one connection for
//! each message, and leaves the others in the backlog of the system.
//!
//! ```text
//!          ┌──────────────────┐
//! permits ▶│ accept_permitted │──▶ accepted    one for each permit, from whichever address
//!          └──────────────────┘
//! ```

use std::future::{Future as _, poll_fn};
use std::io;
use std::net::TcpListener;
use std::task::Poll;

use futures_lite::future::or;
use kamea::{Component, Inbox, Outbox, Ports, stopping};
use tokio::net::TcpStream;

use super::Accepted;
use super::accept::{next_accepted, watch};

/// Allows one connection to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit;

/// The ports of [`accept_permitted`].
#[derive(Debug, Ports)]
pub struct PermitPorts {
    /// Permits: each allows one connection to be accepted.
    pub permits: Inbox<Permit>,
    /// One connection for each permit.
    pub accepted: Outbox<Accepted>,
}

/// Accepts one connection for each permit, from any of the sockets, until there are no more permits
/// or the graph is stopped.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_components::net::{Permit, accept_permitted, bind};
///
/// let listener = bind("127.0.0.1:0".parse()?, false)?;
/// let address = listener.local_addr()?;
/// let mut graph = Graph::new("acceptor alone");
/// let acceptor = graph.add("acceptor", accept_permitted(vec![listener]));
/// let (permits, connections) = (graph.feed(acceptor.permits), graph.take(acceptor.accepted));
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
///
/// let clients = [(); 3].map(|()| std::net::TcpStream::connect(address));
/// permits.send_blocking(Permit).unwrap();
/// permits.send_blocking(Permit).unwrap();
/// drop(permits);
/// assert_eq!(connections.into_iter().count(), 2); // the third waits in the backlog
/// # drop(clients);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn accept_permitted(listeners: Vec<TcpListener>) -> impl Component<PermitPorts> + Send {
    let mut listeners = Some(listeners);
    async move |io: &mut PermitPorts| {
        let listeners = listeners.take().unwrap_or_default();
        let watched: io::Result<Vec<_>> = listeners.into_iter().map(watch).collect();
        let mut listeners = watched?;
        loop {
            let next = async {
                io.permits.next().await?;
                Some(next_of(&listeners).await)
            };
            // A component with an inbox is not a source: a stop does not end it.
            let stopped = async {
                stopping().await;
                None
            };
            let Some(accepted) = or(stopped, next).await else {
                return Ok(());
            };
            io.accepted.send(accepted?).await?;
            // The other sockets are polled before the one that was just served.
            listeners.rotate_left(1);
        }
    }
}

/// Waits for the next connection of any of the sockets.
async fn next_of(listeners: &[TcpStream]) -> io::Result<Accepted> {
    let waits = listeners.iter().map(|one| Box::pin(next_accepted(one)));
    let mut waits: Vec<_> = waits.collect();
    poll_fn(|cx| {
        let mut polls = waits.iter_mut().map(|wait| wait.as_mut().poll(cx));
        polls.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::net::{SocketAddr, TcpStream};
    use std::time::Duration;

    use kamea::{Graph, Receiver, Scheduler, Sender};

    use super::*;
    use crate::net::{Socket, bind};

    fn acceptor(
        count: usize,
    ) -> (
        Scheduler,
        Vec<SocketAddr>,
        Sender<Permit>,
        Receiver<Accepted>,
    ) {
        let any = "127.0.0.1:0".parse().unwrap();
        let listeners: Vec<_> = (0..count).map(|_| bind(any, false).unwrap()).collect();
        let addresses = listeners.iter().map(|one| one.local_addr().unwrap());
        let addresses = addresses.collect();
        let mut graph = Graph::new("acceptor alone");
        let acceptor = graph.add("acceptor", accept_permitted(listeners));
        let (permits, accepted) = (graph.feed(acceptor.permits), graph.take(acceptor.accepted));
        let scheduler = Scheduler::with_workers(1);
        scheduler.run(graph).unwrap();
        (scheduler, addresses, permits, accepted)
    }

    #[test]
    fn no_address_is_left_waiting_for_the_others() {
        let (_scheduler, addresses, permits, mut accepted) = acceptor(3);
        let clients = addresses.iter().flat_map(|address| [address; 4]);
        let _clients: Vec<_> = clients
            .map(|one| TcpStream::connect(one).unwrap())
            .collect();
        let mut round = || {
            let mut served: Vec<_> = (0..3)
                .map(|_| {
                    permits.send_blocking(Permit).unwrap();
                    let accepted = accepted.next_blocking().unwrap();
                    Socket::new(accepted).local().unwrap()
                })
                .collect();
            served.sort();
            served
        };
        let mut each = addresses.clone();
        each.sort();
        for _ in 0..4 {
            assert_eq!(round(), each, "one of each address in three permits");
        }
    }

    #[test]
    fn it_ends_when_the_graph_is_to_stop_whether_or_not_it_has_its_turn() {
        for has_turn in [false, true] {
            let (scheduler, _, permits, accepted) = acceptor(1);
            if has_turn {
                permits.send_blocking(Permit).unwrap();
            }
            assert!(
                scheduler.stop(Duration::from_secs(10)).is_ok(),
                "{has_turn}"
            );
            assert_eq!(accepted.into_iter().count(), 0);
        }
    }
}
