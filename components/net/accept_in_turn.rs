//! The acceptor of a server that has time for one connection at a time: it accepts one when it is told to, and leaves the others to
//! the backlog of the system.
//!
//! ```text
//!        ┌────────────────┐
//! turns ▶│ accept_in_turn │──▶ accepted    one for each turn, from whichever address
//!        └────────────────┘
//! ```

use std::future::{Future, poll_fn};
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
pub struct Turn;

/// The ports of [`accept_in_turn`].
#[derive(Debug, Ports)]
pub struct TurnPorts {
    /// How many connections may be accepted.
    pub turns: Inbox<Turn>,
    /// One for each.
    pub accepted: Outbox<Accepted>,
}

/// Accepts one connection for each turn, from whichever of the sockets has one, until there are no more turns or the graph is to stop.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler};
/// use kamea_components::net::{Turn, accept_in_turn, bind};
///
/// let listener = bind("127.0.0.1:0".parse()?, false)?;
/// let address = listener.local_addr()?;
/// let mut graph = Graph::new("acceptor alone");
/// let acceptor = graph.add("acceptor", accept_in_turn(vec![listener]));
/// let (turns, connections) = (graph.feed(acceptor.turns), graph.take(acceptor.accepted));
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
///
/// let clients = [(); 3].map(|()| std::net::TcpStream::connect(address));
/// turns.send_blocking(Turn)?;
/// turns.send_blocking(Turn)?;
/// drop(turns);
/// assert_eq!(connections.into_iter().count(), 2); // the third waits in the backlog
/// # drop(clients);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn accept_in_turn(listeners: Vec<TcpListener>) -> impl Component<TurnPorts> + Send {
    let mut listeners = Some(listeners);
    async move |io: &mut TurnPorts| {
        let listeners = listeners.take().unwrap_or_default();
        let watched: io::Result<Vec<_>> = listeners.into_iter().map(watch).collect();
        let mut listeners = watched?;
        loop {
            let next = async {
                io.turns.next().await?;
                Some(next_of(&listeners).await)
            };
            // A component with an inbox is no source: nobody else ends it.
            let stopped = async {
                stopping().await;
                None
            };
            let Some(accepted) = or(stopped, next).await else {
                return Ok(());
            };
            io.accepted.send(accepted?).await?;
            // The others are asked before the one that has just been served.
            listeners.rotate_left(1);
        }
    }
}

/// The next connection of any of the sockets.
async fn next_of(listeners: &[TcpStream]) -> io::Result<Accepted> {
    let waits = listeners.iter().map(|one| Box::pin(next_accepted(one)));
    let mut waits: Vec<_> = waits.collect();
    poll_fn(|cx| {
        let mut polls = waits.iter_mut().map(|wait| wait.as_mut().poll(cx));
        polls.find(Poll::is_ready).unwrap_or(Poll::Pending)
    })
    .await
}
