//! A server for the programs of the same machine, over a Unix socket.
//!
//! ```text
//! ┌──────────────────────────────────┐
//! │ acceptor ──▶ connections         │──▶ addresses    where it listens
//! │   each: reader ▶ protocol ▶ writer│
//! └──────────────────────────────────┘
//! ```

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use kamea::{Component, Composite, Graph, Outbox, Part, Pipe, Ports, unblock};
use rustix::fs::{FlockOperation, Mode, fchmod, flock};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::accept::{next_by, watch};
use super::serve_connections::serve_each;
use super::{Listen, ServerPorts, ServerPortsHandles};

/// How many connections may wait to be accepted (backlog).
const BACKLOG: i32 = 4096;

/// Serves each connection to the socket at a path with its own component. Otherwise like
/// [`tcp_server`](super::tcp_server).
///
/// Only the user of this process may connect; see [`Listen::mode`]. If an earlier process has left
/// a socket behind, and nobody listens there any more, the socket is replaced; any other file at
/// the path stays. The server removes its file when it ends.
///
/// # Faults
///
/// If nobody can connect there; the fault names the path.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
/// use std::net::Shutdown;
/// use std::os::unix::net::UnixStream;
/// use kamea::{Graph, Scheduler};
/// use kamea_components::net::unix_server;
/// use kamea_components::stream::echo;
///
/// let folder = tempfile::tempdir()?;
/// let mut graph = Graph::new("echoes");
/// let server = graph.add("server", unix_server(folder.path().join("socket"), || echo));
/// let mut addresses = graph.take(server.addresses);
/// let scheduler = Scheduler::with_workers(1);
/// scheduler.run(graph)?;
///
/// let mut client = UnixStream::connect(addresses.next_blocking().unwrap())?;
/// client.write_all(b"hello")?;
/// client.shutdown(Shutdown::Write)?;
/// let mut heard = String::new();
/// client.read_to_string(&mut heard)?;
/// assert_eq!(heard, "hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn unix_server<C, Kind>(
    listen: impl Into<Listen<PathBuf>>,
    protocol: impl Fn() -> C + Send + 'static,
) -> Composite<ServerPorts<PathBuf>>
where
    C: Part<Pipe<Bytes, Bytes>, Kind> + 'static,
    Kind: 'static,
{
    let Listen {
        address: path,
        limits,
        mode,
    } = listen.into();
    let mut graph = Graph::new("unix_server");
    let acceptor = graph.add("acceptor", accept_at(path, mode));
    let connections = graph.add(
        "connections",
        serve_each(limits, move |_: &OwnedFd| protocol()),
    );
    graph.link(acceptor.accepted, connections.inbox);
    graph.expose(ServerPortsHandles {
        addresses: acceptor.addresses,
    })
}

/// Why nobody can connect.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {}: {error}", path.display())]
struct ListenError {
    path: PathBuf,
    error: io::Error,
}

#[derive(Debug, Ports)]
struct AcceptorPorts {
    accepted: Outbox<OwnedFd>,
    addresses: Option<Outbox<PathBuf>>,
}

fn accept_at(path: PathBuf, mode: u32) -> impl Component<AcceptorPorts> + Send {
    async move |io: &mut AcceptorPorts| {
        let at = path.clone();
        let bound = unblock(move || bind(&at, mode)).await;
        let (listener, _name) = bound.map_err(|error| ListenError {
            path: path.clone(),
            error,
        })?;
        log::info!("Listening on {}", path.display());
        if let Some(addresses) = &io.addresses {
            // The receiver of the address may have gone.
            let _ = addresses.send(path.clone()).await;
        }
        let listener = watch(listener)?;
        loop {
            let accepted = next_by(&listener, |listener| {
                let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
                Ok(rustix::net::accept_with(listener, flags)?)
            });
            io.accepted.send(accepted.await?).await?;
        }
    }
}

/// The path of a listening socket. Dropping this removes the file.
#[derive(Debug)]
struct Name {
    path: PathBuf,
    /// The identity of the file: device and inode.
    file: (u64, u64),
}

impl Drop for Name {
    fn drop(&mut self) {
        // Another file may have replaced it.
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = fs::symlink_metadata(path)?;
    Ok((found.dev(), found.ino()))
}

fn bind(path: &Path, mode: u32) -> io::Result<(OwnedFd, Name)> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // The file is created with these permissions (unix(7)): it never has others.
    fchmod(&socket, Mode::from_raw_mode(mode))?;
    // If several servers find the same abandoned socket, one replaces it, and the others find the
    // new one.
    let _turn = lock(path.parent().filter(|folder| *folder != Path::new("")))?;
    match rustix::net::bind(&socket, &address) {
        Err(rustix::io::Errno::ADDRINUSE) => {
            remove_if_left(path)?;
            rustix::net::bind(&socket, &address)?;
        }
        bound => bound?,
    }
    rustix::net::listen(&socket, BACKLOG)?;
    let name = Name {
        path: path.to_owned(),
        file: identity(path)?,
    };
    Ok((socket, name))
}

fn lock(folder: Option<&Path>) -> io::Result<File> {
    let folder = File::open(folder.unwrap_or(Path::new(".")))?;
    flock(folder.as_fd(), FlockOperation::LockExclusive)?;
    Ok(folder)
}

/// Removes a socket that nobody listens at.
fn remove_if_left(path: &Path) -> io::Result<()> {
    let taken = |what: &str| Err(io::Error::new(io::ErrorKind::AddrInUse, what));
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return taken("there is a file that is no socket");
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
        Ok(_) => taken("another process listens there"),
    }
}

#[cfg(test)]
mod tests;
