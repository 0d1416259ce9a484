//! The two directions of a connection that is already open.

use std::time::Duration;

use bytes::Bytes;
use kamea::{Component, Pipe};

use super::exchange;
use crate::net::Transport;
use crate::net::connection::Connection;

/// Sends its input over a connection, and passes on what the peer sends: first `first`, which was
/// read before. `name` is the name of the peer in errors. Otherwise like
/// [`tcp_client`](crate::net::tcp_client), but it cannot be restarted.
///
/// # Faults
///
/// [`ConnectionError`](super::ConnectionError): the connection was lost before the peer had
/// finished, or nothing passed in either direction for `silence`.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use std::time::Duration;
/// use kamea::{Graph, Scheduler, pipeline};
/// use kamea_components::net::relay_over;
/// use kamea_components::stream::one_shot;
///
/// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let mut peer = std::net::TcpStream::connect(listener.local_addr()?)?;
/// let (stream, _) = listener.accept()?;
/// stream.set_nonblocking(true)?;
///
/// let mut graph = Graph::new("relaying");
/// let relay = relay_over("the peer", stream.into(), "early".into(), Duration::MAX);
/// let (_, heard) = pipeline!(graph, one_shot("question".into()) => relay);
/// let heard = graph.take(heard);
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
/// let mut question = String::new();
/// peer.read_to_string(&mut question)?;
/// peer.write_all(b" answer")?;
/// drop(peer);
/// assert_eq!(question, "question");
/// assert_eq!(heard.into_iter().collect::<Vec<_>>().concat(), b"early answer");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn relay_over(
    name: impl Into<String>,
    transport: Transport,
    first: Bytes,
    silence: Duration,
) -> impl Component<Pipe<Bytes, Bytes>> + Send {
    let mut parts = Some((name.into(), Connection::from(transport), first));
    async move |io: &mut Pipe<Bytes, Bytes>| {
        let Some((name, connection, first)) = parts.take() else {
            return Ok(());
        };
        if !first.is_empty() {
            io.outbox.send(first).await?;
        }
        exchange(&name, connection, silence, io).await
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};

    use futures_lite::future::zip;
    use kamea::{Graph, testing::block_on};

    use super::*;

    /// What passes prolongs it; silence ends it.
    #[test]
    fn a_peer_that_has_vanished_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let mut graph = Graph::new("relaying");
        let silence = Duration::from_millis(500);
        let relay = graph.add(
            "relay",
            relay_over("it", stream.into(), Bytes::new(), silence),
        );
        let (_open, mut heard) = (graph.feed(relay.inbox), graph.take(relay.outbox));
        block_on(async {
            let script = async {
                for _ in 0..4 {
                    kamea::time::sleep(silence / 2).await;
                    peer.write_all(b"x").unwrap();
                    assert_eq!(heard.next().await.unwrap(), "x");
                }
                assert!(heard.next().await.is_none());
            };
            let (ended, ()) = zip(graph.start().unwrap(), script).await;
            let fault = ended.unwrap_err().to_string();
            assert!(fault.contains("the connection to it was lost"), "{fault}");
        });
    }
}
