//! A connection to a server of the same machine, over a Unix socket.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use kamea::{Component, Pipe};
use tokio::net::UnixStream;

use super::ConnectionError;
use super::connection::Connection;
use super::exchange::exchange;

/// Connects to the server that listens at `path`. Otherwise like [`tcp_client`](super::tcp_client).
///
/// # Faults
///
/// [`ConnectionError`]: no connection could be opened, or it was lost before the server had
/// finished.
///
/// # Examples
///
/// ```
/// use kamea::{Graph, Scheduler, pipeline};
/// use kamea_components::net::{unix_client, unix_server};
/// use kamea_components::stream::{echo, one_shot};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("socket");
/// let mut graph = Graph::new("echoes");
/// let server = graph.add("server", unix_server(path.clone(), || echo));
/// let mut listening = graph.take(server.addresses);
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
/// listening.next_blocking();
///
/// let mut graph = Graph::new("calling");
/// let (_, echo) = pipeline!(graph, one_shot("hello".into()) => unix_client(path));
/// let echo = graph.take(echo);
/// scheduler.run(graph)?;
/// assert_eq!(echo.into_iter().collect::<Vec<_>>().concat(), b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn unix_client(
    path: impl AsRef<Path>,
) -> impl Component<Pipe<Bytes, Bytes>> + Clone + Send + Sync {
    let path = path.as_ref().to_owned();
    async move |io: &mut Pipe<Bytes, Bytes>| {
        let server = path.display().to_string();
        let connected = async {
            let stream = UnixStream::connect(&path).await?;
            std::io::Result::Ok(Connection::from(std::os::fd::OwnedFd::from(
                stream.into_std()?,
            )))
        };
        let connection = connected.await.map_err(|error| ConnectionError::Connect {
            server: server.clone(),
            error,
        })?;
        exchange(&server, connection, Duration::MAX, io).await
    }
}
