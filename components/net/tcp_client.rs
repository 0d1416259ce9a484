//! A TCP connection to a server.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use bytes::Bytes;
use futures_lite::future::or;
use kamea::time::sleep;
use kamea::{Component, Pipe, unblock};
use tokio::net::TcpStream;

use super::ConnectionError;
use super::exchange::exchange;
use super::listen::look_up;

/// Connects to the server `host:port`, or to a port of this machine, `:9000`; sends its input to
/// it, and passes on what it sends. Tries all addresses of the host, one after another, within
/// `connect_within` in total.
///
/// When the input ends, the sending side is closed, and the server may still answer (half-close).
/// The component ends when the server has finished, or when nobody takes what the server sends;
/// input that has arrived by then is still sent. If the component is restarted, it connects again.
///
/// # Faults
///
/// [`ConnectionError`]: no connection could be opened, or it was lost before the server had
/// finished.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use std::time::Duration;
/// use kamea::{Graph, Scheduler, pipeline};
/// use kamea_components::net::tcp_client;
/// use kamea_components::stream::one_shot;
///
/// let server = std::net::TcpListener::bind("127.0.0.1:0")?;
/// let address = server.local_addr()?.to_string();
/// # let serving = std::thread::spawn(move || {
/// let (mut connection, _) = server.accept()?;
/// let mut question = String::new();
/// connection.read_to_string(&mut question)?;
/// connection.write_all(question.to_uppercase().as_bytes())?;
/// # std::io::Result::Ok(())
/// # });
///
/// let mut graph = Graph::new("asking");
/// let (_, answer) = pipeline!(graph, one_shot("why?".into()) => tcp_client(address, Duration::from_secs(10)));
/// let answer = graph.take(answer);
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
/// assert_eq!(answer.into_iter().collect::<Vec<_>>().concat(), b"WHY?");
/// # serving.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn tcp_client(
    server: impl Into<String>,
    connect_within: Duration,
) -> impl Component<Pipe<Bytes, Bytes>> + Clone + Send + Sync {
    let server = server.into();
    async move |io: &mut Pipe<Bytes, Bytes>| {
        let late = async {
            sleep(connect_within).await;
            Err(io::ErrorKind::TimedOut.into())
        };
        let connected = or(late, connect(&server)).await;
        let socket = connected.map_err(|error| ConnectionError::Connect {
            server: server.clone(),
            error,
        })?;
        exchange(&server, socket.into(), Duration::MAX, io).await
    }
}

async fn connect(server: &str) -> io::Result<OwnedFd> {
    let name = server.to_owned();
    let addresses = unblock(move || look_up(&name)).await?;
    let mut outcome = Err(io::ErrorKind::AddrNotAvailable.into());
    for address in addresses {
        outcome = TcpStream::connect(address).await;
        if outcome.is_ok() {
            break;
        }
    }
    let stream = outcome?;
    log::debug!("Connected to {}...", stream.peer_addr()?);
    stream.set_nodelay(true)?;
    Ok(stream.into_std()?.into())
}

#[cfg(test)]
mod tests;
